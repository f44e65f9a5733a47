"""The command line: one command a stage, and a few for people.

A stage's options are its function's parameters: a `Path` or an `int` is an option, every other
parameter is the section of params.yaml of that name. So a stage cannot read what dvc.yaml does not say; but
for `costs`, what the stages before took here, which the last one shows.
"""

import argparse
import importlib
import inspect
import logging
import os
import subprocess
import sys
import typing
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from dllr import costs, execution
from dllr.errors import DllrError
from dllr.params import load, use
from dllr.params.root import Params

STAGES = {
    "demo": "write the simulated country",
    "scenes": "read the scene folder: index, audit, content hashes",
    "coregister": "bring SAR and labels onto the optical grid",
    "tile": "index the windows, sample the bands",
    "split": "split without leaks, spend the labelled budget",
    "warmup": "train on the labelled pixels: round 0",
    "pseudo_label": "reassign labels by optimal transport",
    "train_round": "train a student on labels and pseudo-labels",
    "evaluate": "score every round, select one on validation",
    "map": "map whole scenes with the selected round",
    "export": "write the selected network for other programs, with its card",
    "report": "write the page people read",
}
PLACES = {
    "sheets": "images named after Chinese map sheets 1:50,000, such as NH49E010015.tif",
    "patches": "other images: the files of one patch get a nominal place of their own",
}
CHECKPOINT = Path("results/evaluation/checkpoint.pt")
_LAST = "report"
_TRAINED = {"warmup", "train_round"}  # stages that several processes can share


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `dllr`; returns the exit status (0 done, 1 an error the user can mend)."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # idle threads of torch leave the cores to others
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if words[:2] == ["coregister", "--self-test"]:
            words = ["selftest", *words[2:]]
        if words and words[0] in _TRAINED and (count := execution.processes()) > 1:
            with _measured(words[0], load.load()):
                _together(words, count)
            return 0
        return _run_stage(words[0], words[1:]) if _is_stage(words) else _people(words)
    except (DllrError, OSError) as error:  # the system's errors name the file themselves
        print(f"dllr {words[0] if words else ''}: {error}", file=sys.stderr)
        return 1


def _is_stage(words: Sequence[str]) -> bool:
    """Whether dvc.yaml's command is meant; `dllr map` without the chain's scenes maps a person's."""
    if words[:1] == ["map"]:
        return any(word.partition("=")[0] == "--coregistered" for word in words)
    return bool(words) and words[0] in STAGES


def _together(words: Sequence[str], count: int) -> None:
    """A stage by several processes, which torchrun starts; each comes here again, as one of them.

    Raises:
        SystemExit: with torchrun's status, where it failed.
    """
    os.environ["DLLR_PROCESSES"] = "1"
    os.environ.setdefault("DLLR_THREADS", str(max(1, execution.threads() // count)))
    how = ["--standalone", f"--nproc-per-node={count}", "--module", "dllr"]
    if status := subprocess.call([sys.executable, "-m", "torch.distributed.run", *how, *words]):
        sys.exit(status)


def _run_stage(stage: str, words: Sequence[str]) -> int:
    function = importlib.import_module(f"dllr.stages.{stage}").run
    given = vars(stage_parser(stage, function).parse_args(words))
    sections = load.load()
    for name in inspect.signature(function).parameters:
        if name == "watch":
            given[name] = _watcher()
        elif name == "costs":
            given[name] = _costs(sections)
        elif name not in given:
            given[name] = getattr(sections, name)
    with _measured(stage, sections):
        function(**given)
    if stage == _LAST and (address := os.environ.get("DVC_STAGE")):
        from dllr import tracking

        tracking.post_when_done(address)
    return 0


def _measured(stage: str, sections: Params) -> AbstractContextManager[None]:
    name = os.environ.get("DVC_STAGE", stage).rpartition(":")[2]
    return costs.measured(name, _told(stage, sections))


def _costs(sections: Params) -> dict[str, costs.Cost]:
    """Of the stages as params.yaml has them, in their order; the last one does not know its own."""
    found = {}
    for name, cost in costs.known().items():
        stage, _, item = name.partition("@")
        if stage not in STAGES or stage == _LAST or cost.key != _told(stage, sections):
            continue
        if "round" not in _parameters(stage) or item in sections.rounds:
            found[name] = cost
    order = list(STAGES)
    return dict(sorted(found.items(), key=lambda pair: order.index(pair[0].partition("@")[0])))


def _told(stage: str, sections: Params) -> str:
    """Key of the sections that a stage reads."""
    # `split` may be a folder that a stage reads, and not the section of that name.
    hints = typing.get_type_hints(importlib.import_module(f"dllr.stages.{stage}").run)
    names = [name for name, kind in hints.items() if kind not in (Path, int)]
    return costs.key_of(sections.model_dump(mode="json"), names)


def _parameters(stage: str) -> list[str]:
    """Names of what a stage is given."""
    return list(inspect.signature(importlib.import_module(f"dllr.stages.{stage}").run).parameters)


def stage_parser(stage: str, function: Callable[..., None]) -> argparse.ArgumentParser:
    """The options of a stage: each `Path` and `int` among its function's parameters, all required."""
    parser = argparse.ArgumentParser(prog=f"dllr {stage}", description=STAGES[stage])
    for name, kind in typing.get_type_hints(function).items():
        if kind in (Path, int):
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind, required=True)
    return parser


def _watcher() -> Callable[[Path], None]:
    """What a training stage calls with its history file, so that it can be watched live."""
    address = os.environ.get("DVC_STAGE")

    def watch(history: Path) -> None:
        if address:
            from dllr import tracking

            tracking.watch(address, history)

    return watch


def _people(words: Sequence[str]) -> int:
    stages = "\n".join(f"  {name:13} {text}" for name, text in STAGES.items())
    parser = argparse.ArgumentParser(
        prog="dllr",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Land-cover maps from optical and SAR scenes when only a few tiles are labelled.",
        epilog=f"stages, run by `snakemake --cores all` or `dvc repro`:\n{stages}",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    params = commands.add_parser("params", help="parameter sets: use NAME, show")
    actions = params.add_subparsers(dest="action", required=True)
    taken = actions.add_parser("use", help="write params.yaml from a set of params/")
    taken.add_argument("name", help=f"one of: {', '.join(use.names())}")
    taken.add_argument("--overwrite", action="store_true", help="even where params.yaml was edited")
    actions.add_parser("show", help="print params.yaml after checking it")
    commands.add_parser("audit", help="look over the scene folder: what is wrong, what is doubtful")
    placed = commands.add_parser("place", help="give images without a position one")
    ways = placed.add_subparsers(dest="kind", required=True)
    for name, text in PLACES.items():
        way = ways.add_parser(name, help=text, description=text)
        way.add_argument("source", type=Path, help="folder of the images, as downloaded")
        way.add_argument("target", type=Path, help="folder to write copies to, in the same folders")
    way.add_argument("--pixel", type=float, default=1.0, help="m, side of a pixel (default 1)")
    drawn = commands.add_parser(
        "rasterize",
        help="write polygons that you drew into a label file",
        description="A pixel gets the code of the polygons that hold its centre. A label file that exists "
        "keeps its values outside the polygons; a new one has the first code of scenes.label.ignore there.",
    )
    drawn.add_argument("polygons", type=Path, help="vector file, say a GeoPackage, in any CRS")
    drawn.add_argument("label", type=Path, help="label file to write")
    drawn.add_argument("--image", type=Path, help="on whose grid a new label file shall lie")
    drawn.add_argument(
        "--column",
        default="code",
        help="codes or names of classes, empty = leave out (default code)",
    )
    drawn.add_argument("--layer", help="where the file has several")
    mapped = commands.add_parser(
        "map",
        help="map a new scene with a trained network",
        description="Map a scene that the chain has not seen. Units, nodata and what is written are those "
        "of params.yaml. With --coregistered this is the chain's stage, see dvc.yaml.",
    )
    mapped.add_argument(
        "--checkpoint",
        type=Path,
        default=CHECKPOINT,
        help=f"trained network (default {CHECKPOINT})",
    )
    mapped.add_argument("--optical", type=Path, help="optical file; may be left out")
    mapped.add_argument("--sar", type=Path, help="SAR file; may be left out")
    mapped.add_argument("--out", type=Path, required=True, help="new folder for the map")
    mapped.add_argument(
        "--date",
        type=date.fromisoformat,
        help="day the scene was taken, YYYY-MM-DD, for its STAC item",
    )
    commands.add_parser("model", help="how large the network of params.yaml is, and what it costs")
    followed = commands.add_parser(
        "selftest",
        help="move each scene's SAR image by known transforms: does the registration follow?",
    )
    followed.add_argument("--trials", type=int, default=4, help="transforms a scene (default 4)")
    followed.add_argument("scenes", nargs="*", help="names of scenes; none = all")
    posted = commands.add_parser("track", help="post to MLflow what is missing there")
    posted.add_argument("--until", help="stage with which the run is finished (default: the last)")
    posted.add_argument(
        "--register", metavar="NAME", help="also make its model a version of this registered model"
    )
    study = commands.add_parser("study", help="run a study: many cells, one table")
    study.add_argument("study", type=Path, help="a file of studies/")
    study.add_argument("--tier", help="one of the study's sizes (default: the first)")
    given = parser.parse_args(words)
    return _ACTIONS[given.command](given)


def _params(given: Any) -> int:
    if given.action == "use":
        print(use.use(given.name, given.overwrite))
    else:
        load.load()
        print(load.PARAMS_FILE.read_text(encoding="utf-8"), end="")
    return 0


def _audit(_: Any) -> int:
    from dllr.ingest.audit.examine import examine
    from dllr.ingest.audit.text import text

    scenes = load.load().scenes
    examined = examine(scenes)
    print(text(examined, scenes.label))
    return int(any(finding.level == "error" for finding in examined.findings))


def _place(given: Any) -> int:
    from dllr.ingest.place import place

    count = place(given.kind, given.source, given.target, getattr(given, "pixel", 1.0))
    print(f"{count} files with a position under {given.target}")
    return 0


def _rasterize(given: Any) -> int:
    from dllr.stages.rasterize import rasterize

    label = load.load().scenes.label
    print(rasterize(given.polygons, given.label, given.image, given.column, given.layer, label))
    return 0


def _model(_: Any) -> int:
    from dllr.models.size import table

    sections = load.load()
    model, scenes = sections.model, sections.scenes
    settings = {
        "encoder": model.encoder, "fusion": model.fusion, "width": model.width,
        "optical_bands": len(scenes.optical.bands),
        "sar_bands": len(scenes.sar.bands) + (sections.coregister.ratio is not None),
        "classes": len(scenes.label.names),
    }  # fmt: skip
    print(table(settings, sections.tile.size))
    return 0


def _map(given: Any) -> int:
    from dllr.stages.newscene import map_scene

    taken = given.date and datetime.combine(given.date, time(), UTC)
    print(map_scene(given.checkpoint, given.optical, given.sar, given.out, load.load(), taken))
    return 0


def _selftest(given: Any) -> int:
    from dllr.stages.selftest import selftest

    sections = load.load()
    print(selftest(sections.scenes, sections.coregister, given.scenes, given.trials))
    return 0


def _track(given: Any) -> int:
    from dllr import tracking

    print(tracking.track(Path.cwd(), given.until, given.register))
    return 0


def _study(given: Any) -> int:
    from dllr import study

    print(study.run(given.study, Path.cwd(), given.tier))
    return 0


_ACTIONS: dict[str, Callable[[Any], int]] = {
    "params": _params,
    "audit": _audit,
    "place": _place,
    "rasterize": _rasterize,
    "map": _map,
    "model": _model,
    "selftest": _selftest,
    "track": _track,
    "study": _study,
}
