from collections.abc import Callable

import pytest
from small_country import Rendered, country, render

from dllr.demo.scene import scene
from dllr.params.demo import Country


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
