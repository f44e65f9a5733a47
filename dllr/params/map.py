"""Section `map`: whole-scene maps."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section


class Map(Section):
    """Overlap of the windows a scene is mapped by."""

    overlap: Annotated[float, Field(ge=0, lt=1)]
