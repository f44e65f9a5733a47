"""What a pixel may be used for: the values of results/split/roles/<scene>.tif."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dllr.raster.grid import IGNORE


class Role(IntEnum):
    """What a pixel may be used for; the values of results/split/roles/<scene>.tif."""

    UNLABELLED = 0
    LABELLED = 1
    CALIBRATION = 2
    VALIDATION = 3
    TEST = 4
    NONE = IGNORE


SPLITS = {
    "train": (Role.UNLABELLED, Role.LABELLED, Role.CALIBRATION),
    "validation": (Role.VALIDATION,),
    "test": (Role.TEST,),
}
WORDS = {role: word for word, roles in SPLITS.items() for role in roles}


def in_split(roles: NDArray[np.uint8], word: str) -> NDArray[np.bool_]:
    """Which pixels or blocks are of the split train, validation or test, by their roles."""
    found: NDArray[np.bool_] = roles == SPLITS[word][0]
    for role in SPLITS[word][1:]:
        found |= roles == role
    return found
