from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from dllr.demo.geometry import whole
from dllr.demo.scene import Scene, scene
from dllr.params.demo import Country


def country(**changes: Any) -> Country:
    """A small country; `changes` replace its parameters."""
    values = {
        "seed": 1,
        "scenes": 7,
        "size": 256,
        "pixel": 5.0,
        "relief": 130.0,
        "sar_pixel": 6.0,
        "sar_crs": "EPSG:4326",
        "sar_unit": "amplitude",
        "looks": 4,
        "max_shift": 6.0,
        "max_rotation": 0.5,
        "max_scale": 0.005,
        "cloud": 0.15,
        "nodata": 0.05,
        "unlabelled": 1,
        "heavy_cloud": 0.4,
        "wedge": 0.25,
        "other_zone": True,
        "missing": "city",
    }
    return Country.model_validate(values | changes)


class Rendered(NamedTuple):
    """A whole scene in memory."""

    scene: Scene
    optical: np.ndarray
    label: np.ndarray
    cloud: np.ndarray
    sar: np.ndarray


def render(made: Scene) -> Rendered:
    return Rendered(made, *made.optical(whole(made.optical_grid)), made.sar(whole(made.sar_grid)))


@pytest.fixture(scope="session")
def small() -> Callable[..., Country]:
    return country


@pytest.fixture(scope="session")
def rendered() -> Callable[..., Rendered]:
    """Scene `number` of the small country with `changes`."""
    return lambda number, **changes: render(scene(country(**changes), number))


@pytest.fixture(scope="session")
def clear() -> Rendered:
    """A scene without clouds or missing pixels, and with a wide misregistration."""
    calm = country(cloud=0, heavy_cloud=0, nodata=0, wedge=0, max_shift=12.0, size=320)
    return render(scene(calm, 0))
