"""The card of a model: what it is, what it was trained on, and how far that holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True)
class Card:
    """Everything the template reads; scores are 0..1.

    Attributes:
        source: name of the scene folder. simulated: the scenes are simulated.
        classes: name → colour `#rrggbb`.
        optical, sar: names of the bands in their order. scale, offset: reflectance = value × scale +
            offset. unit: of SAR values.
        size: px, side of a window. pixel: m, its usual ground size.
        network: settings of the network. method: of the rounds. steps: of each round up to the selected
            one. seed: of the training.
        scenes: number of scenes that training windows lie in. labelled: windows of the budget, by use.
        temperature: of the fused head.
        scores: of the selected round on test, by head.
        apart: largest difference of a probability between ONNX and torch on the images tried.
    """

    source: str
    simulated: bool
    classes: Mapping[str, str]
    optical: Sequence[str]
    scale: float
    offset: float
    sar: Sequence[str]
    unit: str
    size: int
    pixel: float
    network: Mapping[str, Any]
    method: str
    steps: Sequence[int]
    seed: int
    scenes: int
    labelled: Mapping[str, int]
    temperature: float
    scores: Mapping[str, Mapping[str, Any]]
    apart: float


def render(card: Card) -> str:
    """Markdown; the same card, the same text."""
    environment = Environment(
        loader=PackageLoader("dllr.report.card", "."), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    return environment.get_template("card.md.j2").render(card=card)
