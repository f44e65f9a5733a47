"""The modality-drop certificate: what is left of the scores when an image is missing, hidden or moved."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from dllr.evaluation.confusion import Matrix, confusion
from dllr.raster.arrays import Crop, SceneArrays
from dllr.raster.grid import IGNORE
from dllr.stages.scoring import Mapper

CELL = 32  # px between the values that clouds are drawn from: they are some two cells across


class Condition(NamedTuple):
    """Shares of the scored pixels at which an image keeps its data, and px that SAR lies too far right."""

    optical: float = 1.0
    sar: float = 1.0
    shift: int = 0


BOTH = "both"  # nothing is done to the images
CONDITIONS = {
    BOTH: Condition(),
    "optical": Condition(sar=0.0),
    "sar": Condition(optical=0.0),
    **{f"cloud_{100 * share:.0f}": Condition(optical=1 - share) for share in (0.25, 0.5, 0.75)},
    **{f"shift_{px}": Condition(shift=px) for px in (1, 2, 3, 4)},
}


@dataclass(frozen=True)
class Moved(SceneArrays):
    """A scene whose SAR image lies `columns` px too far right; what comes in at the left is missing."""

    columns: int

    def crop(self, y: int, x: int, height: int, width: int) -> Crop:
        here = super().crop(y, x, height, width)
        there = super().crop(y, x - self.columns, height, width)
        return here._replace(sar=there.sar, valid=np.stack([here.valid[0], there.valid[1]]))


def impaired(scene: SceneArrays, condition: Condition, scored: NDArray[np.bool_]) -> SceneArrays:
    """The scene under a condition. scored (H, W): pixels that the condition's shares are of."""
    valid = np.array(scene.valid)
    if condition.optical < 1:
        valid[0] &= ~cloud(scene.name, scored, 1 - condition.optical)
    if condition.sar < 1:
        valid[1] &= ~cloud(scene.name, scored, 1 - condition.sar)
    changed = replace(scene, valid=valid)
    return Moved(**vars(changed), columns=condition.shift) if condition.shift else changed


def cloud(name: str, scored: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Clouds (H, W) over that share of the scored pixels, everywhere at 1; those of a larger share hold
    those of a smaller one. They follow from the scene's name alone."""
    if share == 1:
        return np.ones_like(scored)
    height, width = scored.shape
    dice = np.random.default_rng(list(name.encode()))
    coarse = dice.normal(size=(-(-height // CELL) + 1, -(-width // CELL) + 1))
    thickness = zoom(coarse.astype(np.float32), CELL)[:height, :width]
    found: NDArray[np.bool_] = thickness > np.quantile(thickness[scored], 1 - share)
    return found


def certificate(mapper: Mapper, conditions: dict[str, Condition]) -> dict[str, Matrix]:
    """Confusion matrices (K, K) of the fused head by condition, on the test pixels that both images see.

    They are the same pixels under every condition, so that the scores compare.
    """
    found = {name: np.zeros((mapper.classes,) * 2, np.int64) for name in conditions}
    for held in mapper.held("test", doing="certificate"):
        seen = np.asarray(held.scene.valid).all(axis=0) & (held.truth != IGNORE)
        if not (scored := held.masks["test"] & seen).any():
            continue
        actual = np.where(scored, held.truth, IGNORE)
        for name, condition in conditions.items():
            for rows, z in mapper.look(impaired(held.scene, condition, scored)):
                found[name] += confusion(actual[rows], z[0].argmax(axis=0), mapper.classes)
    return found
