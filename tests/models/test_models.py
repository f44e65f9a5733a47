"""The network keeps its views apart; checkpoints and sliding windows lose nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from rasterio.crs import CRS

from dllr.errors import TrainingError
from dllr.models.checkpoint import Trained, load, save
from dllr.models.encoders import ENCODERS
from dllr.models.network import HEADS, Network
from dllr.models.normalise import Normalisation
from dllr.models.predict import logits, window_logits
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid

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
        sar=Normalisation.of(rng.random((5, 1, 9), np.float32), None), optical_bands=list("brgn"), sar_bands=["VV"],
        classes=["a", "b", "c"], colours=["#000000"] * 3, size=size,
    )  # fmt: skip


def scene(height: int, width: int, valid_rows: int | None = None) -> SceneArrays:
    rng = np.random.default_rng(1)
    valid = np.ones((2, height, width), bool)
    valid[:, valid_rows if valid_rows is not None else height :] = False
    return SceneArrays(
        "s", Grid(CRS.from_epsg(32650), Affine.identity(), height, width), list("brgn"), ["VV"], 1.0, 0.0,
        rng.random((4, height, width), np.float32), rng.random((1, height, width), np.float32), valid,
    )  # fmt: skip


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(("optical", "sar"), [(4, 1), (12, 2), (3, 1), (6, 2)])
def test_full_resolution_logits_for_any_bands_and_size(
    encoder: str, optical: int, sar: int
) -> None:
    out = network(optical, sar, encoder)(*inputs(optical, sar, side=50))
    assert {head: tuple(z.shape) for head, z in out.items()} == dict.fromkeys(HEADS, (2, 3, 50, 50))


@pytest.mark.parametrize(("head", "other"), [("optical", 1), ("sar", 0)])
def test_a_single_modality_head_touches_nothing_of_the_other(head: str, other: int) -> None:
    net = network()
    net(*inputs())[head].sum().backward()
    assert all(p.grad is None for p in net.encoders[other].parameters())
    assert any(p.grad is not None for p in net.encoders[1 - other].parameters())


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_modality_contributes_nothing(missing: int) -> None:
    net = network().eval()
    optical, sar, valid = inputs()
    valid[:, missing] = False
    noise = [optical, sar]
    noise[missing] = torch.randn_like(noise[missing]) * 100
    first, second = net(optical, sar, valid), net(*noise, valid)
    assert torch.equal(first["fused"], second["fused"])
    assert torch.isfinite(first["fused"]).all()


def test_both_modalities_reach_the_fused_head() -> None:
    net = network()
    net(*inputs())["fused"].sum().backward()
    for encoder in net.encoders:
        assert all(
            p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.levels[0].parameters()
        )


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    before = trained()
    with torch.no_grad():
        for p in before.teacher.parameters():
            p.add_(1)
    save(tmp_path / "a.pt", before)
    save(tmp_path / "b.pt", before)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    after = load(tmp_path / "a.pt")
    for kind in ("student", "teacher"):
        one, two = getattr(before, kind).state_dict(), getattr(after, kind).state_dict()
        assert all(torch.equal(one[k], two[k]) for k in one)
    assert (after.classes, after.size, after.optical_bands) == (
        before.classes,
        before.size,
        before.optical_bands,
    )
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
    ramp = np.hanning(size + 2)[1:-1]
    weight = np.maximum(np.outer(ramp, ramp), 1e-3)
    ys = sorted({*range(0, tall - size + 1, stride), tall - size})
    xs = sorted({*range(0, wide - size + 1, stride), wide - size})
    for y in ys:
        for x in xs:
            z = window_logits(model, model.teacher, [picture.crop(y, x, size, size)], CPU)[0]
            total[..., y : y + size, x : x + size] += z * weight
            mass[y : y + size, x : x + size] += weight
    assert np.allclose(found, (total / mass)[:, :, :height, :width], atol=1e-4)


def test_windows_without_data_are_not_predicted() -> None:
    model, picture = trained(), scene(96, 40, valid_rows=32)
    found = np.concatenate([z for _, z in logits(model, model.teacher, picture, 0.0, CPU)], axis=2)
    assert (found[:, :, 40:] == 0).all()
    assert (found[:, :, :32] != 0).any()
