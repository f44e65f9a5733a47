"""Section `evaluate`: how scores are taken."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section


class Evaluate(Section):
    """overlap: of the windows a scene is predicted by. certificate: scores under impaired images too."""

    overlap: Annotated[float, Field(ge=0, lt=1)]
    certificate: bool
