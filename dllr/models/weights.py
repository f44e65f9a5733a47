"""Weights that the user has, from elsewhere, into both encoders of a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dllr.errors import TrainingError
from dllr.models.blocks import Affine
from dllr.models.encoders.encoder import Encoder
from dllr.models.network import Network

_WRAPPED = ("state_dict", "model")  # where published files keep them, when not at the top
_STABLE = 1e-5  # that batch normalisation adds to a variance, torch's default


def load_weights(network: Network, path: Path) -> None:
    """Fill both encoders from a file of weights by name (`torch.save` of a state dict).

    Every weight of the encoder must be in the file, in its shape, and nothing else but a classifier; of
    residual networks the statistics of batch normalisation too: no other normalisation can be folded.
    The first convolution is adapted to the number of bands, as `adapted` says, and the statistics of batch
    normalisation become part of scales and offsets, as `folded` says.

    Raises:
        TrainingError: the file cannot be read, or its weights are not those of this encoder.
    """
    state = _read(path)
    for encoder in network.encoders:
        assert isinstance(encoder, Encoder)
        _fill(encoder, state, f"{path}: its weights are not those of {network.settings['encoder']}")


def adapted(weight: Tensor, bands: int) -> Tensor:
    """A first convolution (O, I, k, k) for another number of bands, (O, bands, k, k).

    More bands repeat the file's in turn, fewer take their mean; × I / bands keeps sums as large.
    """
    had = weight.shape[1]
    if had == bands:
        return weight
    if bands > had:
        found = weight[:, torch.arange(bands) % had]
    else:
        found = weight.mean(1, keepdim=True).expand(-1, bands, -1, -1)
    return found * (had / bands)


def folded(state: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
    """Weights in which batch normalisation `layer` is a scale and an offset that do the same; as they are
    where its four parts are not there."""
    names = [f"{layer}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    parts = [state[name] for name in names if name in state]
    if len(parts) < len(names) or len({part.shape for part in parts}) > 1:
        return dict(state)
    weight, bias, mean, variance = (part.float() for part in parts)
    scale = weight * (variance + _STABLE).rsqrt()
    gone = {*names, f"{layer}.num_batches_tracked"}
    rest = {name: value for name, value in state.items() if name not in gone}
    return rest | {names[0]: scale, names[1]: bias - mean * scale}


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(
            f"{path}, named by model.weights, does not exist; put the file there, or write "
            "weights: null to start from random ones"
        ) from None
    except Exception as error:  # damaged bytes raise whatever they are mistaken for
        raise TrainingError(
            f"{path}, named by model.weights, cannot be read as weights alone: {error}"
        ) from None
    for key in _WRAPPED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise TrainingError(
            f"{path}, named by model.weights, holds no weights by name; save a `state_dict()`"
        )
    return {str(name): weight for name, weight in state.items()}


def _fill(encoder: Encoder, state: Mapping[str, Tensor], complaint: str) -> None:
    own = encoder.state_dict()
    given = {encoder.own_name(name): weight for name, weight in state.items()}
    bare = []
    for name, part in encoder.named_modules():
        if isinstance(part, Affine):
            if encoder.in_place_of_batch_normalisation and f"{name}.running_var" not in given:
                bare.append(name)
            given = folded(given, name)
    first = next(name for name, part in encoder.named_modules() if isinstance(part, nn.Conv2d))
    first = f"{first}.weight"
    if first in given and given[first].dim() == 4:
        given[first] = adapted(given[first], own[first].shape[1])
    missing = [name for name in own if name not in given]
    surplus = [name for name in given if name not in own and not encoder.surplus(name)]
    shapes = [n for n in own if n in given and given[n].shape != own[n].shape]
    problems = {
        "missing": missing, "unknown": surplus, "of another shape": shapes,
        "without statistics of batch normalisation": bare,
    }  # fmt: skip
    if said := [f"{what}: {_some(names)}" for what, names in problems.items() if names]:
        raise TrainingError(
            f"{complaint} ({'; '.join(said)}); choose the encoder they were made for"
        )
    encoder.load_state_dict({name: given[name] for name in own})


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
