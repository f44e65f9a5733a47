"""What scores mean: an oracle for each measure, and that neither cares about contrast."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score

from dllr.registration.gradients import Gradients
from dllr.registration.information import GREYS, GROUPS, Information
from dllr.registration.measure import surface

from .patchwork import SIDE, pair

NEAR = 21
ALL = np.ones((1, SIDE, SIDE), bool)
WHOLE = (0, 0, 0, SIDE, SIDE)


def fields(measure, turn: float = 1):  # type: ignore[no-untyped-def]
    images = pair(np.eye(3))
    fixed = measure.fixed(images.fixed[None], ALL, NEAR, False)
    return fixed, measure.moving(turn * images.moving, ALL, NEAR, False)


def test_information_is_that_of_scikit_learn() -> None:
    (groups,), (greys,) = fields(Information())
    part = np.s_[0, 30:130, 40:140]
    found = Information().score((groups[part],), (greys[part],))
    assert found == pytest.approx(mutual_info_score(groups[part].ravel(), greys[part].ravel()))
    assert groups.max() < GROUPS * (GREYS + 1) and greys.min() >= 0 and greys.max() == GREYS - 1
    assert np.bincount(greys.ravel()) == pytest.approx(np.full(GREYS, SIDE**2 / GREYS), rel=0.03)


def test_likeness_of_gradients_is_their_correlation() -> None:
    fixed, moving = fields(Gradients())
    a, b = fixed[0].ravel(), moving[0].ravel()
    cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    assert Gradients().score([f[0] for f in fixed], [m[0] for m in moving]) == pytest.approx(
        cosine, rel=1e-4
    )
    assert cosine == pytest.approx(np.corrcoef(a, b)[0, 1], abs=0.02)


@pytest.mark.parametrize("measure", [Information(), Gradients()])
def test_bright_and_dark_may_change_places(measure) -> None:  # type: ignore[no-untyped-def]
    for turn in (1, -1):
        scores = surface(measure, *fields(measure, turn), WHOLE, 2)
        assert np.unravel_index(scores.argmax(), scores.shape) == (2, 2)
    as_is, negative = (surface(measure, *fields(measure, t), WHOLE, 0).item() for t in (1, -1))
    assert negative == pytest.approx(as_is, rel=0.02)


@pytest.mark.parametrize("measure", [Information(), Gradients()])
def test_a_shift_is_where_the_surface_peaks(measure) -> None:  # type: ignore[no-untyped-def]
    images = pair(np.eye(3))
    fixed = measure.fixed(images.fixed[None], ALL, NEAR, False)
    rolled: NDArray[np.float32] = np.roll(images.moving, (2, -1), (1, 2))
    moving = measure.moving(rolled, ALL, NEAR, False)
    scores = surface(measure, fixed, moving, (0, 40, 40, 150, 150), 3)
    assert np.unravel_index(scores.argmax(), scores.shape) == (3 + 2, 3 - 1)


@pytest.mark.parametrize("measure", [Information(), Gradients()])
def test_what_nobody_knows_has_no_score(measure) -> None:  # type: ignore[no-untyped-def]
    images = pair(np.eye(3))
    none = np.zeros_like(ALL)
    fixed = measure.fixed(images.fixed[None], none, NEAR, False)
    moving = measure.moving(images.moving, ALL, NEAR, False)
    assert np.isnan(surface(measure, fixed, moving, WHOLE, 1)).all()
