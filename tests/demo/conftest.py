from collections.abc import Callable

import pytest

from dllr.demo.scene import Scene, simulate
from dllr.params.demo import Country


def country(**changes: float) -> Country:
    """A small country; `changes` replace its parameters."""
    values = {
        "seed": 1,
        "scenes": 5,
        "size": 256,
        "pixel": 5.0,
        "sar_pixel": 6.0,
        "looks": 4.0,
        "cloud": 0.15,
        "heavy_cloud": 0.4,
        "nodata": 0.05,
        "wedge": 0.25,
        "max_shift": 6.0,
        "max_rotation": 0.5,
        "max_scale": 0.005,
        "unlabelled": 1,
    }
    return Country.model_validate(values | changes)


@pytest.fixture(scope="session")
def small() -> Callable[..., Country]:
    return country


@pytest.fixture(scope="session")
def clear() -> Scene:
    """A scene without clouds or missing pixels, and with a wide misregistration."""
    return simulate(country(cloud=0, heavy_cloud=0, nodata=0, wedge=0, max_shift=12.0), 0)
