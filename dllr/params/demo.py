"""Section `demo`: the simulated country."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section

Share = Annotated[float, Field(ge=0, le=1)]
MaxHalf = Annotated[float, Field(ge=0, le=0.5)]


class Country(Section):
    """One simulated country: how many scenes, how large, and how hard they are."""

    seed: Annotated[int, Field(ge=0)]
    scenes: Annotated[int, Field(ge=3, le=1000)]
    size: Annotated[int, Field(ge=128, le=16384)]
    pixel: Annotated[float, Field(gt=0)]
    sar_pixel: Annotated[float, Field(gt=0)]
    looks: Annotated[float, Field(ge=1)]
    cloud: MaxHalf
    heavy_cloud: Share
    nodata: MaxHalf
    wedge: Share
    max_shift: Annotated[float, Field(ge=0)]
    max_rotation: Annotated[float, Field(ge=0, le=10)]
    max_scale: Annotated[float, Field(ge=0, lt=0.1)]
    unlabelled: Annotated[int, Field(ge=0)]
