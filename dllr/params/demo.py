"""Section `demo`: the simulated country."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dllr.params.base import Section


def _crs(text: str) -> str:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise ValueError(
            f"no coordinate reference system: {error}; write one as EPSG:4326"
        ) from None
    if not (crs.is_geographic or crs.is_projected):
        raise ValueError(
            "neither geographic nor projected; write a system of maps, such as EPSG:4326"
        )
    return text


COARSEST = 8  # times that one pixel may be as large as the other

Share = Annotated[float, Field(ge=0, le=1)]
MaxHalf = Annotated[float, Field(ge=0, le=0.5)]
Crs = Annotated[str, AfterValidator(_crs)]


class Country(Section):
    """One simulated country: how many scenes, how large, and how hard they are."""

    seed: Annotated[int, Field(ge=0)]
    scenes: Annotated[int, Field(ge=3, le=1000)]
    size: Annotated[int, Field(ge=128, le=16384)]
    pixel: Annotated[float, Field(gt=0)]
    relief: Annotated[float, Field(ge=0, le=1000)]
    sar_pixel: Annotated[float, Field(gt=0)]
    sar_crs: Crs | None
    sar_unit: Literal["amplitude", "power", "db"]
    looks: Annotated[int, Field(ge=1, le=64)]
    max_shift: Annotated[float, Field(ge=0)]
    max_rotation: Annotated[float, Field(ge=0, le=10)]
    max_scale: Annotated[float, Field(ge=0, lt=0.1)]
    cloud: MaxHalf
    nodata: MaxHalf
    unlabelled: Annotated[int, Field(ge=0)]
    heavy_cloud: Share
    wedge: Share
    other_zone: bool
    missing: Literal["city", "village", "water", "forest", "road", "others"] | None

    @model_validator(mode="after")
    def _pixels_alike(self) -> "Country":
        ratio = self.sar_pixel / self.pixel
        if not 1 / COARSEST <= ratio <= COARSEST:
            raise ValueError(
                f"sar_pixel {self.sar_pixel} m is {ratio:.3g} times pixel {self.pixel} m; "
                f"expected 1/{COARSEST} to {COARSEST} times"
            )
        return self
