"""Section `report`: the page people read."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section


class Report(Section):
    """How much the page shows."""

    pictures: Annotated[int, Field(ge=0, le=50)]
    picture_size: Annotated[int, Field(ge=64, le=2048)]
