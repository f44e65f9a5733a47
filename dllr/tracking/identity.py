"""What makes two runs the same: computed alike from dvc.lock and from the sources as they are.

A *stage* is keyed by its command, the content hashes of its dependencies and the values of its
parameters. A *state of the sources* is keyed by the commands and parameters of all stages and by
the content of every dependency that no stage makes, which is the data and the code. Neither holds
a git commit, a time or a result, so a stage that is still running has its key already. Nor does the
order count that dvc.yaml names things in, since dvc.lock has another.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from dllr.errors import ParamsError, TrackingError
from dllr.files import digest
from dllr.params.load import read_yaml


@dataclass(frozen=True)
class Stage:
    """One stage, by `name` as in DVC (`train_round@1`).

    `params`: value by key as dvc.yaml lists it. `deps`, `outs`: DVC's hash by path as dvc.yaml
    writes it; None where the path is not there.
    """

    name: str
    cmd: str
    params: dict[str, Any]
    deps: dict[str, str | None]
    outs: dict[str, str | None]

    @property
    def key(self) -> str:
        return digest(self.cmd, *_sorted(self.deps, self.params))

    @property
    def sections(self) -> set[str]:
        """Of params.yaml, those that it reads."""
        return {key.partition(".")[0] for key in self.params}

    @property
    def kind(self) -> str:
        """`train_round` of `train_round@1`."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str:
        """`1` of `train_round@1`, else empty."""
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class State:
    """One state of the sources: what all runs of a pipeline with these inputs have in common."""

    cmds: dict[str, str]
    params: dict[str, Any]
    sources: dict[str, str | None]

    @property
    def key(self) -> str:
        return digest(*_sorted(self.cmds, self.params, self.sources))


def _sorted(*mappings: dict[str, Any]) -> list[list[tuple[str, Any]]]:
    """By key. What lies deeper keeps its order: that of classes and bands counts."""
    return [sorted(mapping.items()) for mapping in mappings]


def state_of(stages: Iterable[Stage]) -> State | None:
    """The state the stages agree on; None where two saw different params or sources."""
    stages = list(stages)
    made = [out for stage in stages for out in stage.outs]
    params: dict[str, Any] = {}
    sources: dict[str, str | None] = {}
    for stage in stages:
        own = {path: h for path, h in stage.deps.items() if not touches_any(path, made)}
        for seen, new in ((params, stage.params), (sources, own)):
            if any(key in seen and seen[key] != value for key, value in new.items()):
                return None
            seen.update(new)
    return State({stage.name: stage.cmd for stage in stages}, params, sources)


def settled(
    recorded: dict[str, Stage], planned: dict[str, Stage]
) -> tuple[State, dict[str, Stage]]:
    """The state that MLflow is to show and the recorded stages that belong to it.

    A dvc.lock whose entries fit together is shown as it is, even if a source was edited since: it
    is what was made. One left by a partial run mixes two states; then the sources as they are now
    decide, and only the entries that agree with them belong.
    """
    recorded = {name: recorded[name] for name in planned if name in recorded}
    if len(recorded) == len(planned):
        state = state_of(recorded.values())
        if state and len(_current(recorded, planned, state)) == len(planned):
            return state, recorded
    state = state_of(planned.values())
    if state is None:
        raise TrackingError("the sources changed while they were read; run `dllr track` again")
    return state, _current(recorded, planned, state)


def _current(
    recorded: dict[str, Stage], planned: dict[str, Stage], state: State
) -> dict[str, Stage]:
    """The recorded stages that were made from `state`, directly and through what they read."""
    owners = {out: stage for stage in planned.values() for out in stage.outs}

    @cache
    def current(name: str) -> bool:
        stage = recorded.get(name)
        return (
            stage is not None
            and stage.cmd == state.cmds[name]
            and all(state.params.get(key) == value for key, value in stage.params.items())
            and all(came_from(path, value, stage) for path, value in stage.deps.items())
        )

    def came_from(path: str, value: str | None, stage: Stage) -> bool:
        makers = [owner for out, owner in owners.items() if _touches(path, out)]
        if not makers:
            return path in state.sources and state.sources[path] == value
        if not all(current(maker.name) for maker in makers):
            return False
        if path in owners:
            return recorded[owners[path].name].outs.get(path) == value
        # A folder that several stages write into has no entry of its own to compare with.
        return planned[stage.name].deps.get(path) in (value, None)

    return {name: stage for name, stage in recorded.items() if current(name)}


def touches_any(path: str, others: Iterable[str]) -> bool:
    """Whether a path is one of the others, lies in one, or holds one."""
    return any(_touches(path, other) for other in others)


def _touches(a: str, b: str) -> bool:
    """Whether one path is the other or lies in it."""
    first, second = PurePosixPath(a), PurePosixPath(b)
    return first.is_relative_to(second) or second.is_relative_to(first)


def recorded_stages(root: Path) -> dict[str, Stage]:
    """The entries of dvc.lock; none if there is no such file."""
    path = root / "dvc.lock"
    if not path.exists():
        return {}
    for attempt in range(5):
        try:
            entries = (read_yaml(path) or {}).get("stages", {})
            return {name: _recorded(name, entry) for name, entry in entries.items()}
        except (ParamsError, AttributeError, KeyError):
            # DVC writes the file in place: it may be seen half written.
            if attempt < 4:
                time.sleep(0.2)
    raise TrackingError(f"{path} cannot be read; `git checkout {path.name}` brings the last one")


def _recorded(name: str, entry: dict[str, Any]) -> Stage:
    files = entry.get("params", {})
    return Stage(
        name,
        _command(entry["cmd"]),
        {_param(file, key): value for file, keys in files.items() for key, value in keys.items()},
        {dep["path"]: _recorded_hash(dep) for dep in entry.get("deps", [])},
        {out["path"]: _recorded_hash(out) for out in entry.get("outs", [])},
    )


def _recorded_hash(entry: dict[str, Any]) -> str | None:
    value = entry.get(entry.get("hash", "md5"))
    return None if value is None else str(value)


def planned_stages(root: Path, *, outs: bool = False) -> dict[str, Stage]:
    """The stages of the project's own dvc.yaml with the hashes of what lies in the project now.

    Reads without DVC's lock, so that it never stands in the way of a `dvc repro`; files that DVC
    has hashed before are not read again. Hashes of outputs are left out unless `outs` asks.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    try:
        repo = Repo(str(root))
    except DvcException as error:
        raise TrackingError(f"{root} is not a DVC project: {error}; run from its root") from None
    try:
        # DVC also collects every dvc.yaml below; their stages have a dvc.lock of their own.
        own = str(Path(repo.root_dir, "dvc.yaml"))
        stages = [s for s in repo.index.stages if isinstance(s, PipelineStage) and s.path == own]
        return {stage.name: _planned(stage, outs) for stage in stages}
    except DvcException as error:
        raise TrackingError(f"{root / 'dvc.yaml'} cannot be used: {error}") from None
    finally:
        repo.close()


def _planned(stage: Any, outs: bool) -> Stage:
    from dvc.dependency import ParamsDependency

    params: dict[str, Any] = {}
    deps: dict[str, str | None] = {}
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            values = dep.read_params()
            params |= {_param(dep.def_path, key): value for key, value in values.items()}
        else:
            deps[dep.def_path] = hash_now(dep)
    made = {out.def_path: hash_now(out) if outs else None for out in stage.outs}
    return Stage(stage.name, _command(stage.cmd), params, deps, made)


def hash_now(item: Any) -> str | None:
    """DVC's hash of a dependency or an output as it lies there; None where nothing does."""
    try:
        value = item.get_hash().value if item.exists else None
    except FileNotFoundError:  # taken away while it was read: a stage is at work
        return None
    return None if value is None else str(value)


def _command(cmd: str | list[str]) -> str:
    return cmd if isinstance(cmd, str) else "\n".join(cmd)


def _param(file: str, key: str) -> str:
    return key if file == "params.yaml" else f"{file}:{key}"
