"""Any encoder of the library timm that gives features at several strides (Wightman, 2019)."""

import importlib
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from dllr.errors import TrainingError
from dllr.models.encoders.encoder import Encoder


class Timm(Encoder):
    """Batch normalisation keeps the statistics that it was loaded with, as is usual where batches are
    small: the moving average of a network follows its parameters, not such statistics."""

    def __init__(self, name: str, bands: int) -> None:
        super().__init__()
        self.name = name
        self.body = _created(name, features_only=True, in_chans=bands)
        self.channels_last = str(getattr(self.body, "output_fmt", "")).endswith("NHWC")
        self.strides = tuple(self.body.feature_info.reduction())
        self.widths = tuple(self.body.feature_info.channels())
        self.train()

    def forward(self, x: Tensor) -> list[Tensor]:
        try:
            features: list[Tensor] = self.body(x)
        except AssertionError as error:
            height, width = x.shape[-2:]
            raise TrainingError(
                f"timm:{self.name} does not take windows of {height} × {width} px ({error}); set tile.size "
                "to what it takes, or choose another encoder"
            ) from None
        return [f.permute(0, 3, 1, 2) for f in features] if self.channels_last else features

    def train(self, mode: bool = True) -> "Timm":
        super().train(mode)
        for part in self.body.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self

    def surplus(self, name: str) -> bool:
        return name in self._whole

    def own_name(self, name: str) -> str:
        return self._names.get(_flat(name), name)

    @cached_property
    def _names(self) -> dict[str, str]:
        """timm joins the names of nested modules by `_` where it cuts a network for its features."""
        return {_flat(name.removeprefix("body.")): name for name in self.state_dict()}

    @cached_property
    def _whole(self) -> set[str]:
        """Names of all weights of the network that the features are taken from."""
        return set(_created(self.name).state_dict())


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _created(name: str, **settings: Any) -> Any:
    try:
        timm = importlib.import_module("timm")
    except ModuleNotFoundError:
        raise TrainingError(
            f"the encoder timm:{name} needs the library timm, which is not installed: "
            "pip install 'dllr[models]'"
        ) from None
    try:
        return timm.create_model(name, pretrained=False, **settings)
    except (RuntimeError, TypeError, AttributeError, AssertionError, ValueError) as error:
        raise TrainingError(
            f"timm has no encoder `{name}` that gives features at several strides ({error}); "
            "timm.list_models() names those it has"
        ) from None
