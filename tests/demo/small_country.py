"""A small country, and its scenes as arrays."""

from typing import Any, NamedTuple

import numpy as np

from dllr.demo.geometry import whole
from dllr.demo.scene import Scene
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
