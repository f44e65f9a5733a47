"""Stage `export`: the selected network for other programs, and a card that says what it is."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.files import atomic_dir, read_json
from dllr.models import to_onnx
from dllr.models.checkpoint import Trained, load
from dllr.models.deployed import HEAD, Deployed
from dllr.params.base import Section
from dllr.params.scenes import Scenes
from dllr.params.train import Train
from dllr.params.train_round import TrainRound
from dllr.params.warmup import Warmup
from dllr.raster.arrays import open_arrays
from dllr.raster.products import CARD, EXAMPLE, ONNX, ONNX_DEEPNESS, SUMMARY, WINDOWS
from dllr.report.card.model import Card, render

DEEPNESS = 255.0  # what the QGIS plugin Deepness divides all values by, whatever their type
OVERLAP = 15  # % of a window, that Deepness is told to let the next one cover


def run(
    *,
    coregistered: Path,
    split: Path,
    checkpoint: Path,
    scores: Path,
    out: Path,
    demo: Mapping[str, Section],
    scenes: Scenes,
    warmup: Warmup,
    train: Train,
    train_round: TrainRound,
) -> None:
    """Write `out`/model.onnx, its twin deepness.onnx for the QGIS plugin, example.npy, an image (1, B,
    size, size) of the training windows as the model takes it, and README.md, the model's card.

    Raises:
        ExportError: the exported model does not give the probabilities that the network gives.
    """
    trained = load(checkpoint)
    optical = scenes.optical
    deployed = Deployed(trained, optical.scale, optical.offset)
    windows = pd.read_parquet(split / WINDOWS)
    windows = windows[windows["split"] == "train"]
    bands = [*trained.optical_bands, *trained.sar_bands]
    facts = {
        # Names that Deepness reads, and then what others want to know.
        "model_type": "Segmentor",
        "class_names": {str(k): name for k, name in enumerate(trained.classes)},
        # cm, of the CRS: on the ground a pixel of a map's plane is some parts in a thousand off.
        "resolution": float(f"{100 * trained.pixel:.3g}"),
        "tile_size": trained.size,
        "tiles_overlap": OVERLAP,
        "seg_thresh": 0,  # else what no class has half of becomes class 0
        "seg_small_segment": 0,  # else thin and small things are taken away
        "bands": bands,
        "colours": trained.colours,
    }
    model = to_onnx.exported(deployed, len(bands), trained.size, facts)
    twin = to_onnx.multiplied(model, DEEPNESS)
    example = _example(coregistered, windows)
    tried = [example, _images(trained, optical.scale, optical.offset)]
    images: NDArray[np.float32] = np.concatenate(tried)
    apart = to_onnx.check(model, deployed, images)
    to_onnx.check(twin, deployed, (images / DEEPNESS).astype(np.float32), images)
    found, dealt = read_json(scores), read_json(split / SUMMARY)
    selected = found["selected_round"]
    card = Card(
        source=Path(scenes.root).name,
        simulated=bool(demo),
        classes=dict(zip(trained.classes, trained.colours, strict=True)),
        optical=trained.optical_bands,
        scale=optical.scale,
        offset=optical.offset,
        sar=trained.sar_bands,
        unit="dB" if trained.decibels else "digital numbers",
        size=trained.size,
        pixel=trained.pixel,
        network=trained.student.settings,
        method=train_round.method if selected else "supervised",
        steps=[warmup.steps, *[train_round.steps] * selected],
        seed=train.seed,
        scenes=windows["scene"].nunique(),
        labelled=dealt["labelled_tiles"],
        temperature=trained.temperatures[HEAD],
        scores=found["rounds"][str(selected)],
        apart=apart,
    )
    with atomic_dir(out) as folder:
        for name, content in (
            (ONNX, model),
            (ONNX_DEEPNESS, twin),
        ):
            (folder / name).write_bytes(content.SerializeToString())
        np.save(folder / EXAMPLE, example)
        (folder / CARD).write_text(render(card), encoding="utf-8")


def _example(coregistered: Path, windows: pd.DataFrame) -> NDArray[np.float32]:
    """(1, B, size, size) of the window with the most data: optical as files hold it, then SAR."""
    known = windows["valid_optical"] + windows["valid_sar"]
    scene, y, x, size = windows[["scene", "y", "x", "size"]].iloc[int(known.to_numpy().argmax())]
    crop = open_arrays(coregistered / scene).crop(y, x, size, size)
    parts = zip((crop.optical, crop.sar), crop.valid, strict=True)
    bands = [np.where(valid, part.astype(np.float32), np.float32(np.nan)) for part, valid in parts]
    return np.concatenate(bands)[None]


def _images(trained: Trained, scale: float, offset: float) -> NDArray[np.float32]:
    """Images (2, B, size, size) to try the model on: usual values, and half of each modality missing."""
    rng = np.random.default_rng(0)
    parts = []
    for normal, by, add in ((trained.optical, scale, offset), (trained.sar, 1.0, 0.0)):
        mean, deviation = (t.numpy()[:, None, None] for t in (normal.mean, normal.deviation))
        shape = 2, len(mean), trained.size, trained.size
        parts.append((mean + deviation * rng.standard_normal(shape) - add) / by)
    half = trained.size // 2
    parts[0][0, :, :half] = 0
    parts[1][1, ..., :half] = np.nan
    return np.concatenate(parts, axis=1).astype(np.float32)
