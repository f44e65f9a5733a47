"""The proof measures what it says: distances as a distance transform does, leaks where there are some."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from dllr.raster.roles import SPLITS, Role
from dllr.splits.leakage import distance, shared_ground, shared_windows

roles = arrays(
    np.uint8,
    st.tuples(st.integers(1, 25), st.integers(1, 25)),
    elements=st.sampled_from([*[Role.NONE] * 4, *Role]).map(int),
)


@given(roles)
def test_the_distance_is_that_of_a_distance_transform(raster: np.ndarray) -> None:
    train = np.isin(raster, SPLITS["train"])
    held_out = np.isin(raster, (Role.VALIDATION, Role.TEST))
    found = distance(raster)
    if not train.any() or not held_out.any():
        assert found is None
    else:
        assert found == ndimage.distance_transform_edt(~held_out)[train].min()


def test_windows_of_two_splits_that_share_a_pixel_are_counted() -> None:
    places = {"train": np.array([[0, 0], [0, 32]]), "test": np.array([[15, 15], [40, 40]])}
    assert shared_windows(places, 16) == 1
    assert shared_windows(places, 15) == 0


def test_scenes_of_two_splits_on_the_same_ground_are_counted() -> None:
    pairs = np.array([[0, 1], [1, 2]])
    assert shared_ground([{"train"}, {"train"}, {"test"}], pairs) == 1
    assert shared_ground([{"train"}, {"train"}, set()], pairs) == 0
