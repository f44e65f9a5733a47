import base64
import io

import numpy as np
import pytest
from PIL import Image

from dllr.report import panels


def bands(*values: float, count: int) -> np.ma.MaskedArray:
    """Bands of one row, each ten times the one before it; NaN is masked."""
    row = np.array([values], np.float32)
    return np.ma.masked_invalid(np.stack([row * 10**band for band in range(count)]))


def test_red_green_and_blue_are_found_by_name() -> None:
    image = np.ma.masked_array(np.zeros((4, 1, 3), np.float32))
    for band in range(3):
        image[band, 0, band] = 1  # bright in one pixel each
    found = panels.optical(image, ["blue", "Green", "RED", "nir"])
    assert found[0, :, :3].argmax(axis=1).tolist() == [2, 1, 0]


@pytest.mark.parametrize(("count", "grey"), [(1, True), (2, True), (3, False), (12, False)])
def test_the_first_three_bands_stand_in_for_colours(count: int, grey: bool) -> None:
    image = np.ma.masked_array(np.random.default_rng(0).random((count, 5, 5), np.float32))
    found = panels.optical(image, [None] * count)
    assert found.shape == (5, 5, 4)
    assert (found[..., 3] == 255).all()
    assert bool((found[..., 0] == found[..., 1]).all()) == grey


def test_a_pixel_is_missing_where_all_bands_are() -> None:
    image = bands(1, 2, np.nan, 4, count=3)
    image[1, 0, 0] = np.ma.masked
    assert panels.optical(image, [None] * 3)[0, :, 3].tolist() == [255, 255, 0, 255]


def test_decibels_and_their_gaps() -> None:
    found = panels.sar(bands(-25, -12, np.nan, 3, count=1))
    assert found[0, :, 3].tolist() == [255, 255, 0, 255]
    assert found[0, 0, 0] < found[0, 1, 0] < found[0, 3, 0]


def test_the_stretch_takes_the_middle_of_the_values() -> None:
    values = np.ma.masked_array(np.arange(101, dtype=np.float32)[None])
    values[0, 100] = 1e9
    found = panels.stretch(values)[0]
    assert (found[:3] == 0).all() and (found[98:] == 255).all()
    assert found[50] == 128


def test_constant_and_empty_bands_are_grey() -> None:
    assert (panels.stretch(np.ma.masked_array(np.full((2, 2), 7.0))) == 128).all()
    assert (panels.stretch(np.ma.masked_all((2, 2), np.float32)) == 128).all()


def test_classes_have_their_colours_and_no_class_has_none() -> None:
    found = panels.classes(np.array([[0, 1, 255]], np.uint8), ["#102030", "#ffffff"])
    assert found.tolist() == [[[16, 32, 48, 255], [255] * 4, [0] * 4]]


def test_confidence_brightens_and_ends_at_no_data() -> None:
    found = panels.confidence(np.array([[0, 50, 100, 255]], np.uint8))[0].astype(int)
    light = found[:, :3].sum(axis=1)
    assert light[0] < light[1] < light[2]
    assert found[:, 3].tolist() == [255, 255, 255, 0]


def test_errors_show_only_what_was_scored() -> None:
    actual = np.array([[0, 0, 255, 0, 0]], np.uint8)
    predicted = np.array([[0, 1, 1, 255, 1]], np.uint8)
    counts = np.array([[True, True, True, True, False]])
    found = panels.errors(actual, predicted, counts)[0]
    right, wrong = (tuple(bytes.fromhex(c[1:])) for c in (panels.RIGHT, panels.WRONG))
    assert tuple(found[0, :3]) == right
    assert tuple(found[1, :3]) == wrong
    assert found[:, 3].tolist() == [255, 255, 0, 0, 0]


@pytest.mark.parametrize("photo", [True, False])
def test_a_picture_comes_back_from_its_address(photo: bool) -> None:
    picture = np.zeros((40, 30, 4), np.uint8)
    picture[:20] = (200, 100, 50, 255)
    kind, data = panels.data_uri(picture, photo).split(";base64,")
    assert kind == ("data:image/webp" if photo else "data:image/png")
    back = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
    np.testing.assert_array_equal(back[..., 3], picture[..., 3])
    inside = slice(2, 18)  # a lossy picture blurs its edges
    np.testing.assert_allclose(
        back[inside].astype(int), picture[inside].astype(int), atol=4 if photo else 0
    )
