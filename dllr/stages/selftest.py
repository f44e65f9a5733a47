"""`dllr coregister --self-test`: does the registration of these scenes follow known transforms?

Needs no truth and writes nothing. What it shows is equivariance: an estimate that follows repeats itself,
which is not to say that it is right; one that does not follow is wrong.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dllr.errors import SceneError
from dllr.ingest.audit.examine import examine
from dllr.params.coregister import Coregister
from dllr.params.scenes import Scenes
from dllr.raster.parallel import over_scenes
from dllr.raster.sar import SarImage
from dllr.registration.equivariance import Trial, equivariance
from dllr.registration.gate import Verdict
from dllr.registration.pair import Pair
from dllr.registration.search import Reach
from dllr.stages.coregister import grid_of, image_of
from dllr.stages.pairs import RasterPair
from dllr.stages.registering import decide

PART = 0.3  # of what is plausible, that the known transforms move an image by at most
SEED = 0


def selftest(scenes: Scenes, settings: Coregister, names: Sequence[str], trials: int) -> str:
    """A table of the scenes: verdict, and by how much trials fail to follow, px.

    Raises:
        SceneError: no such scene, or nothing that estimates is asked for.
    """
    if not settings.estimators or "given" in settings.estimators:
        raise SceneError(
            f"coregister.estimators is {settings.estimators}: there is nothing to test; write "
            "[information, gradients]"
        )
    facts = {record["scene"]: record for record in examine(scenes).records}
    if unknown := sorted(set(names) - set(facts)):
        raise SceneError(f"no scene {', '.join(unknown)}; there are {', '.join(facts)}")
    chosen = [facts[name] for name in names or facts]
    work = partial(_test, scenes=scenes, settings=settings, trials=trials)
    return text([f["scene"] for f in chosen], over_scenes(work, chosen, "self-test"))


def _test(
    facts: dict[str, Any], *, scenes: Scenes, settings: Coregister, trials: int
) -> tuple[Verdict, list[Trial]]:
    grid = grid_of(facts)
    with tempfile.TemporaryDirectory() as scratch:
        image = image_of(facts["sar"], scenes.sar)
        sar = SarImage.prepared(image, scenes.sar, settings, Path(scratch) / "filtered.tif")
        pair = RasterPair(image_of(facts["optical"], scenes.optical), sar, grid)
        # Moved scenes may lie a little beyond what is plausible for those that are not.
        wider = settings.model_copy(
            update={
                "max_shift": settings.max_shift * (1 + PART),
                "max_rotation": settings.max_rotation * (1 + PART),
                "max_scale": settings.max_scale * (1 + PART),
            }
        )

        def register(pair: Pair) -> Verdict:
            return decide(pair, wider, None)

        reach = Reach(
            *(PART * v for v in (settings.max_shift, settings.max_rotation, settings.max_scale))
        )
        return equivariance(pair, register, reach, trials, np.random.default_rng(SEED))


def text(names: Sequence[str], found: Sequence[tuple[Verdict, list[Trial]]]) -> str:
    """The table, and a line on all of it."""
    width = max(len("scene"), *(len(name) for name in names))
    lines = [f"{'scene':{width}}  verdict     trials  refused  median px  worst px  reason"]
    errors: list[float] = []
    for name, (verdict, trials) in zip(names, found, strict=True):
        mine = [trial.error for trial in trials if trial.error is not None]
        errors += mine
        median, worst = (f"{v:.2f}" for v in (np.median(mine), max(mine))) if mine else ("–", "–")
        lines.append(
            f"{name:{width}}  {verdict.word:10}  {len(trials):6}  {len(trials) - len(mine):7}  "
            f"{median:>9}  {worst:>8}  {verdict.reason}"
        )
    if errors:
        share = np.mean(np.array(errors) < 1)
        lines.append(
            f"{len(errors)} trials followed to a median of {np.median(errors):.2f} px, {share:.0%} of them "
            "to less than a pixel"
        )
    else:
        lines.append("no trial could be followed")
    return "\n".join(lines)
