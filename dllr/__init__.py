"""Land-cover maps from optical and SAR scenes when only a few tiles are labelled."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dllr.raster.dataset import open_scene as open_scene

__all__ = ["open_scene"]


def __getattr__(name: str) -> Any:
    """`dllr.open_scene`, imported when it is asked for: the command line must start fast."""
    if name == "open_scene":
        from dllr.raster.dataset import open_scene

        return open_scene
    raise AttributeError(f"module 'dllr' has no attribute {name!r}")
