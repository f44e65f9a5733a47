"""The network keeps its views apart; checkpoints and sliding windows lose nothing."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from affine import Affine
from rasterio.crs import CRS

from dllr.errors import ParamsError, TrainingError
from dllr.models import encoders
from dllr.models.checkpoint import Trained, frozen, load, save
from dllr.models.encoders import ENCODERS
from dllr.models.fusion import FUSIONS
from dllr.models.network import HEADS, Network
from dllr.models.normalise import Normalisation
from dllr.models.predict import SYMMETRIES, Symmetry, logits, window_logits
from dllr.params import model as section
from dllr.params.load import check, read_yaml
from dllr.params.model import Model
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


def network(optical: int = 4, sar: int = 1, encoder: str = "light") -> Network:
    torch.manual_seed(1)
    return Network(encoder, 8, optical, sar, 3)


def inputs(
    optical: int = 4, sar: int = 1, side: int = 48
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return (
        torch.randn(2, optical, side, side),
        torch.randn(2, sar, side, side),
        torch.ones(2, 2, side, side, dtype=torch.bool),
    )


def trained(size: int = 32) -> Trained:
    rng = np.random.default_rng(0)
    return Trained.new(
        network(), optical=Normalisation.of(rng.random((5, 4, 9), np.float32), None),
        sar=Normalisation.of(rng.random((5, 1, 9), np.float32), None), optical_bands=list("brgn"), sar_bands=["VV"], decibels=True,
        classes=["a", "b", "c"], colours=["#000000"] * 3, size=size, pixel=5.0,
    )  # fmt: skip


def scene(height: int, width: int, valid_rows: int | None = None) -> SceneArrays:
    rng = np.random.default_rng(1)
    valid = np.ones((2, height, width), bool)
    valid[:, valid_rows if valid_rows is not None else height :] = False
    return SceneArrays(
        "s", Grid(CRS.from_epsg(32650), Affine.identity(), height, width), list("brgn"), ["VV"], 1.0, 0.0,
        rng.random((4, height, width), np.float32), rng.random((1, height, width), np.float32), valid,
    )  # fmt: skip


@pytest.mark.parametrize("side", [50, 33, 16])
def test_full_resolution_logits_for_any_size(side: int) -> None:
    out = network()(*inputs(side=side))
    assert {head: tuple(z.shape) for head, z in out.items()} == dict.fromkeys(
        HEADS, (2, 3, side, side)
    )


def test_params_offer_just_the_encoders_and_fusions_there_are() -> None:
    assert set(section.BUILT_IN) == set(ENCODERS)
    assert section.TIMM == encoders.TIMM
    assert set(get_args(Model.model_fields["fusion"].annotation)) == set(FUSIONS)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_checkpoint_keeps_the_network_it_was_made_of(fusion: str, tmp_path: Path) -> None:
    before = trained()
    before.student = Network("convnext_pico", 8, 4, 1, 3, fusion)
    before.teacher = frozen(before.student)
    save(tmp_path / "a.pt", before)
    after = load(tmp_path / "a.pt")
    assert after.student.settings == before.student.settings
    given = inputs()
    with torch.no_grad():
        one, two = before.student(*given), after.student(*given)
    assert all(torch.equal(one[head], two[head]) for head in HEADS)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    before = trained()
    with torch.no_grad():
        for p in before.teacher.parameters():
            p.add_(1)
    before.temperatures = {"fused": 1.5, "optical": 0.5, "sar": 2.0}
    save(tmp_path / "a.pt", before)
    save(tmp_path / "b.pt", before)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    after = load(tmp_path / "a.pt")
    for kind in ("student", "teacher"):
        one, two = getattr(before, kind).state_dict(), getattr(after, kind).state_dict()
        assert all(torch.equal(one[k], two[k]) for k in one)
    for fact in ("classes", "size", "pixel", "optical_bands", "temperatures"):
        assert getattr(after, fact) == getattr(before, fact)
    assert torch.equal(after.optical.mean, before.optical.mean)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04cos\nsystem\n(S'exit 1'\ntR."])
def test_what_is_no_checkpoint_runs_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(TrainingError, match=r"a\.pt"):
        load(tmp_path / "a.pt")


@pytest.mark.parametrize("clip", [None, 4.0])
def test_normalisation_is_robust_and_knows_missing_pixels(clip: float | None) -> None:
    samples = np.random.default_rng(0).normal(5, 2, (50, 2, 64)).astype(np.float32)
    samples[0, 0, 0] = 1e9
    samples[:, 0, 1] = np.nan
    samples[:, 1] = np.nan
    norm = Normalisation.of(samples, clip)
    x = norm(torch.from_numpy(np.nan_to_num(samples))[:, :, :, None])
    assert norm.mean[0] == pytest.approx(5, abs=0.2)
    assert x[:, 0].abs().max() < 3
    assert torch.equal(x[:, 1], torch.zeros_like(x[:, 1]))


def test_a_tenth_under_cloud_hardly_changes_what_a_deviation_is() -> None:
    rng = np.random.default_rng(0)
    ground = rng.normal(0.08, 0.03, (40, 1, 64)).astype(np.float32)
    clouded = ground.copy()
    clouded[:4] = rng.normal(0.48, 0.02, (4, 1, 64))
    clear, hazy = Normalisation.of(ground, 4.0), Normalisation.of(clouded, 4.0)
    assert hazy.deviation[0] < 1.8 * clear.deviation[0]
    assert hazy.high[0] < 0.3
    assert Normalisation.of(clouded, None).high[0] > 0.4


def test_a_band_of_few_values_keeps_its_contrast() -> None:
    samples = np.zeros((10, 1, 64), np.float32)
    samples[0] = 7
    norm = Normalisation.of(samples, 4.0)
    assert (norm.low[0], norm.high[0]) == (0, 7)


@pytest.mark.parametrize(
    ("height", "width", "overlap"), [(100, 70, 0.5), (33, 90, 0.25), (20, 24, 0.5), (64, 64, 0.0)]
)
def test_streamed_bands_equal_a_full_buffer(height: int, width: int, overlap: float) -> None:
    model, picture = trained(), scene(height, width)
    bands = list(logits(model, model.teacher, picture, overlap, CPU))
    assert [y for y, _ in bands] == np.cumsum([0, *(z.shape[2] for _, z in bands[:-1])]).tolist()
    found = np.concatenate([z for _, z in bands], axis=2)
    assert found.shape == (3, 3, height, width)
    size, stride = model.size, max(1, round(model.size * (1 - overlap)))
    tall, wide = max(height, size), max(width, size)
    total, mass = np.zeros((3, 3, tall, wide)), np.zeros((tall, wide))
    ramp = np.maximum(np.hanning(size + 2)[1:-1], 0.03)
    weight = np.outer(ramp, ramp)
    ys = sorted({*range(0, tall - size + 1, stride), tall - size})
    xs = sorted({*range(0, wide - size + 1, stride), wide - size})
    for y in ys:
        for x in xs:
            z = window_logits(model, model.teacher, [picture.crop(y, x, size, size)], CPU)[0]
            total[..., y : y + size, x : x + size] += z * weight
            mass[y : y + size, x : x + size] += weight
    assert np.allclose(found, (total / mass)[:, :, :height, :width], atol=1e-4)


def whole(model: Trained, picture: SceneArrays, **how: Any) -> np.ndarray:
    """Logits (heads, K, H, W) of a scene by windows that overlap by half."""
    return np.concatenate(
        [z for _, z in logits(model, model.teacher, picture, 0.5, CPU, **how)], axis=2
    )


def turned(picture: SceneArrays, symmetry: Symmetry) -> SceneArrays:
    arrays = (
        symmetry.apply(torch.from_numpy(a)).contiguous().numpy()
        for a in (picture.optical, picture.sar, picture.valid)
    )
    return replace(picture, **dict(zip(("optical", "sar", "valid"), arrays, strict=True)))


def test_a_scene_shifted_by_whole_strides_has_the_same_map_inside() -> None:
    model, picture = trained(), scene(128, 144)
    size, y, x = model.size, 16, 32
    part = replace(
        picture, grid=replace(picture.grid, height=128 - y, width=144 - x), optical=picture.optical[:, y:, x:],
        sar=picture.sar[:, y:, x:], valid=picture.valid[:, y:, x:],
    )  # fmt: skip
    one = whole(model, picture)[..., y + size :, x + size :]
    other = whole(model, part)[..., size:, size:]
    assert np.allclose(one, other, atol=1e-5)
    assert np.array_equal(one.argmax(axis=1), other.argmax(axis=1))


@pytest.mark.parametrize(("group", "count"), [("none", 1), ("flips", 4), ("all", 8)])
def test_symmetries_are_groups_and_undo_themselves(group: str, count: int) -> None:
    square = torch.arange(9).reshape(3, 3)
    seen = {tuple(s.apply(square).flatten().tolist()) for s in SYMMETRIES[group]}
    assert len(seen) == len(SYMMETRIES[group]) == count
    for one, other in product(SYMMETRIES[group], repeat=2):
        assert tuple(other.apply(one.apply(square)).flatten().tolist()) in seen
        assert torch.equal(one.undo(one.apply(square)), square)


@pytest.mark.parametrize("group", ["flips", "all"])
def test_the_map_of_a_turned_scene_is_the_turned_map(group: str) -> None:
    model, picture = trained(), scene(64, 64, valid_rows=50)
    upright = torch.from_numpy(whole(model, picture, symmetries=SYMMETRIES[group]))
    for symmetry in SYMMETRIES[group]:
        found = whole(model, turned(picture, symmetry), symmetries=SYMMETRIES[group])
        assert np.allclose(found, symmetry.apply(upright).numpy(), atol=1e-4)
    plain = symmetry.apply(torch.from_numpy(whole(model, picture))).numpy()
    assert not np.allclose(whole(model, turned(picture, symmetry)), plain, atol=1e-2)


def test_windows_without_data_are_not_predicted() -> None:
    model, picture = trained(), scene(96, 40, valid_rows=32)
    found = np.concatenate([z for _, z in logits(model, model.teacher, picture, 0.0, CPU)], axis=2)
    assert (found[:, :, 40:] == 0).all()
    assert (found[:, :, :32] != 0).any()


@pytest.mark.parametrize("heads", [("sar",), ("optical", "sar"), ("sar", "fused")])
def test_windows_by_some_heads_are_those_of_all(heads: tuple[str, ...]) -> None:
    model, picture = trained(), scene(32, 32)
    crops = [picture.crop(0, 0, 32, 32)]
    every = window_logits(model, model.teacher, crops, CPU)
    some = window_logits(model, model.teacher, crops, CPU, heads)
    assert np.array_equal(some, every[:, [HEADS.index(head) for head in heads]])


@pytest.mark.parametrize("name", ["light", "resnet50", "timm:resnet50.a1_in1k", "timm:swin_tiny"])
def test_params_take_encoders_by_name(name: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["model"]["encoder"] = name
    assert check(values, "params.yaml").model.encoder == name


@pytest.mark.parametrize("name", ["resnet", "timm:", "timm:a b", "timm", "Light", ""])
def test_an_encoder_that_is_not_there_is_refused_before_any_work(name: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["model"]["encoder"] = name
    with pytest.raises(
        ParamsError, match=r"model\.encoder: there is no encoder.*resnet18.*timm:NAME"
    ):
        check(values, "params.yaml")
