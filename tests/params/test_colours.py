"""The colours of the parameter sets that are ours are told apart under every common colour blindness.

Sets of other data sets have the colours that these are known by.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from dllr.params.load import read_yaml

ROOT = Path(__file__).parents[2]
OURS = ("defaults", "ombria", "terramesh", "yeseg_opt_sar")
LEAST = 10.0  # ΔE 2000 of two classes: patches apart on a map are told apart from some 5 on
# Machado, Oliveira and Fernandes, IEEE TVCG 15:1291-1298, 2009, severity 1; of linear RGB.
SEEN = {
    "by all": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def encoded(rgb: np.ndarray) -> np.ndarray:
    rgb = rgb.clip(0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("how", SEEN)
@pytest.mark.parametrize("name", OURS)
def test_no_two_classes_look_alike(name: str, how: str) -> None:
    classes = read_yaml(ROOT / "params" / f"{name}.yaml")["scenes"]["label"]["classes"]
    colours = [bytes.fromhex(facts["colour"].removeprefix("#")) for facts in classes.values()]
    rgb = np.array([list(colour) for colour in colours]) / 255
    lab = rgb2lab(encoded(linear(rgb) @ np.transpose(SEEN[how]))[None])[0]
    for (one, first), (other, second) in combinations(zip(classes, lab, strict=True), 2):
        assert deltaE_ciede2000(first, second) >= LEAST, (one, other)
