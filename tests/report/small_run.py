"""A small tree of results, in the formats the stages write, to build the page from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter
from small_numbers import HEADS, guarded, write_evaluation, write_rounds, write_tables
from small_scenes import NAMES, cover, mistake, raster, roles_of, settings, write_images

from dllr.costs import Cost
from dllr.evaluation.confusion import confusion
from dllr.evaluation.parts import boundary, confusion_by_part
from dllr.params.base import Section
from dllr.params.report import Report
from dllr.params.scenes import Scenes
from dllr.stages import report
from dllr.stages.certifying import CONDITIONS
from dllr.stages.scoring import SEEN, Matrices

SPLITS = {
    "plain": "train",
    "hill": "train",
    "river": "validation",
    "coast": "test",
    "forest": "test+train",
}
NO_COSTS: Mapping[str, Cost] = MappingProxyType({})


class Training(Section):
    """Stands for the sections that the page only lists."""

    seed: int
    steps: int
    learning_rate: float


@dataclass(frozen=True)
class SmallRun:
    """Where the results lie, and what the stage is to be told beside them."""

    folder: Path
    rounds: Mapping[str, int]
    scenes: Scenes
    simulated: bool

    def build(
        self,
        out: Path,
        pictures: int = 4,
        picture_size: int = 160,
        costs: Mapping[str, Cost] = NO_COSTS,
    ) -> str:
        """The page that the stage writes to `out`."""
        train = Training(seed=3, steps=200, learning_rate=0.002)
        report.run(
            records=self.folder / "scenes",
            coregistered=self.folder / "coregistered",
            labels=self.folder / "labels",
            split=self.folder / "split",
            trained=self.folder / "rounds",
            evaluation=self.folder / "evaluation",
            maps=self.folder / "maps",
            exported=self.folder / "model",
            out=out,
            demo={"country": object()} if self.simulated else {},
            scenes=self.scenes,
            model=train,
            train=train,
            warmup=train,
            rounds=self.rounds,
            pseudo_label=train,
            train_round=train,
            report=Report(pictures=pictures, picture_size=picture_size),
            costs=costs,
        )
        return (out / "index.html").read_text(encoding="utf-8")


def make(
    folder: Path,
    *,
    rounds: int = 2,
    splits: Mapping[str, str],
    unlabelled: Sequence[str] = (),
    bands: Sequence[str] = ("blue", "green", "red", "nir"),
    root: str = "data/demo",
    simulated: bool = True,
    size: int = 192,
    absent: str | None = "others",
    audit: Sequence[tuple[str, str, str, str]] | None = (),
    warnings: Sequence[str] | None = None,
    lost: int | None = None,
    validated: bool = True,
    sets: Mapping[str, bool] = MappingProxyType({"calibration": True, "oracle": True}),
) -> SmallRun:
    """Write results of round 0..`rounds` for the scenes of `splits`: {name: split}.

    audit: rows of level, scene, check and message; None where no audit was made.
    warnings: of the split; None where the split says nothing of them.
    lost: the round that the guard lost; those after it were skipped, and the one before it selected.
    validated: there are labels on validation.
    sets: those of the ledger, and whether any pixel of them is known.
    """
    rng = np.random.default_rng(5)
    numbers = [str(number) for number in range(rounds + 1)]
    guard = guarded(numbers, lost, validated)
    ran = [number for number in numbers if guard[number]["verdict"] != "skipped"]
    last = [number for number in numbers if guard[number]["verdict"] == "kept"][-1]
    shape = len(SEEN), 2, len(NAMES), len(NAMES)
    counted: dict[str, Matrices] = {number: {} for number in ran}
    lost_images = {name: np.zeros((len(NAMES),) * 2, np.int64) for name in CONDITIONS}
    for place, (scene, split) in enumerate(splits.items()):
        actual = cover(rng, size, NAMES.index(absent) if absent else None)
        write_images(folder / "coregistered" / scene, rng, actual, bands, place)
        labelled = scene not in unlabelled
        if labelled:
            raster(folder / "labels" / f"{scene}.tif", actual[None], nodata=255)
        roles = roles_of(split, size, labelled)
        raster(folder / "split" / "roles" / f"{scene}.tif", roles[None], nodata=255, place=place)
        for number in ran:
            for head, worse in HEADS.items():
                wrong = 0.30 + worse - 0.06 * int(number) + 0.03 * place
                wrong += 0.2 if int(number) == lost else 0.0
                predicted = mistake(rng, actual, wrong)
                if "test" in split:
                    part = 2 * (np.arange(size) < size // 4) + boundary(actual)  # left: no optical
                    known = np.where(labelled, actual, 255)
                    counts = confusion_by_part(
                        known, predicted, part, 2 * len(SEEN), len(NAMES)
                    ).reshape(shape)
                    counted[number][head, "test", scene] = counts
        if labelled and "test" in split:
            for name, condition in CONDITIONS.items():
                wrong = 0.2 + 0.3 * (1 - condition.optical) + 0.1 * (1 - condition.sar)
                mistaken = mistake(
                    np.random.default_rng(place), actual, wrong + 0.02 * condition.shift
                )
                lost_images[name] += confusion(actual, mistaken, len(NAMES))
        sure = 100 * (1 - gaussian_filter((predicted != actual).astype(float), 3))
        sure = np.where(actual == 255, 255, sure).astype(np.uint8)
        raster(folder / "maps" / scene / "class.tif", predicted[None], nodata=255)
        raster(folder / "maps" / scene / "confidence.tif", sure[None], nodata=255)
    counted |= {number: counted[last] for number in numbers if number not in ran}
    write_tables(folder, splits, unlabelled, size, warnings, audit)
    write_evaluation(folder / "evaluation", counted, guard, lost_images, sets)
    write_rounds(folder / "rounds", guard)
    chain = {number: int(number) - 1 for number in numbers[1:]}
    return SmallRun(folder, chain, settings(root, bands), simulated)
