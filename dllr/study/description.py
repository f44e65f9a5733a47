"""What a study is: a file of parameter values and seeds, and the cells that follow from it."""

import copy
import difflib
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML

from dllr.errors import StudyError
from dllr.files import digest
from dllr.params.load import check, read_yaml
from dllr.params.use import resolve

LONGEST_NAME = 100  # characters of a cell's folder

Grid = dict[str, Annotated[list[Any], Field(min_length=1)]]


def _listed(values: Any) -> Any:
    return [values] if isinstance(values, dict) else values


class Comparison(BaseModel):
    """What a study compares: the values of one parameter, each with the reference among them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameter: str
    reference: Any


class Study(BaseModel):
    """A file of studies/. Parameters are named by dotted key: `split.labelled_tiles`.

    set: the parameter set of params/ that every cell starts from.
    jobs: cells that run side by side; each gets its share of the cores.
    fixed: values that all cells have in place of the set's.
    values: parameter → the values it takes; cells are made of every combination. Or a list of such
        grids: a parameter that a grid does not name is as in the set.
    seeds: parameter → its seeds, all lists of one length. They move together: repetition n takes
        the n-th of each. Scores are averaged over them.
    compare: the parameter whose values are compared at equal seeds, and at equal values of the other
        parameters that all grids name: its `settings`. What some grids alone name says how a value is
        run there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    set: str
    jobs: Annotated[int, Field(ge=1)] = 1
    fixed: dict[str, Any] = {}
    values: Annotated[list[Grid], BeforeValidator(_listed), Field(min_length=1)] = [{}]
    seeds: dict[str, Annotated[list[int], Field(min_length=1)]] = {}
    compare: Comparison | None = None

    @model_validator(mode="after")
    def _seeds_of_one_length(self) -> "Study":
        lengths = {name: len(seeds) for name, seeds in self.seeds.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"seeds: lists of different lengths {lengths}; they move together")
        return self

    @model_validator(mode="after")
    def _each_parameter_once(self) -> "Study":
        places = (self.fixed.keys(), set(self.varied), self.seeds.keys())
        for one, other in itertools.combinations(places, 2):
            if both := sorted(one & other):
                raise ValueError(f"{both[0]} is given twice, among fixed, values and seeds")
        return self

    @model_validator(mode="after")
    def _can_be_compared(self) -> "Study":
        if self.compare is None:
            return self
        name = self.compare.parameter
        if not all(name in grid for grid in self.values):
            raise ValueError(f"compare.parameter: {name} is not in values, or not in all its grids")
        there = {json.dumps(value, sort_keys=True) for grid in self.values for value in grid[name]}
        if json.dumps(self.compare.reference, sort_keys=True) not in there:
            raise ValueError(f"compare.reference: {self.compare.reference} is no value of {name}")
        found = [json.dumps([c[key] for key in (name, *self.settings)]) for c in self.repeated()]
        if twice := [text for text in found if found.count(text) > 1]:
            raise ValueError(f"compare: {twice[0]} comes twice, so it is not clear what to compare")
        return self

    @property
    def varied(self) -> list[str]:
        """All parameters that some grid varies, in the order they are named."""
        return list(dict.fromkeys(key for grid in self.values for key in grid))

    @property
    def settings(self) -> list[str]:
        """Parameters in which values must agree to be compared."""
        shared = [key for key in self.varied if all(key in grid for grid in self.values)]
        return [key for key in shared if not self.compare or key != self.compare.parameter]

    @property
    def telling(self) -> list[str]:
        """Parameters that tell what is repeated apart: with a comparison no more than it needs."""
        return [*self.settings, self.compare.parameter] if self.compare else self.varied

    def repeated(self) -> Iterator[dict[str, Any]]:
        """What is repeated with every seed: one mapping a combination."""
        for grid in self.values:
            for chosen in itertools.product(*grid.values()):
                yield dict(zip(grid, chosen, strict=True))

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Values of what varies, one mapping a cell; the repetitions of a combination in a row."""
        repetitions = list(zip(*self.seeds.values(), strict=True)) or [()]
        for chosen in self.repeated():
            for seeds in repetitions:
                yield chosen | dict(zip(self.seeds, seeds, strict=True))


@dataclass(frozen=True)
class Cell:
    """One run of the chain. `varied`: value by dotted key; `params`: all of params.yaml."""

    name: str
    varied: dict[str, Any]
    params: dict[str, Any]


def read(file: Path, tier: str | None = None) -> tuple[str, Study]:
    """Read and check the description of a study; returns the name of its results too.

    A file may have `tiers`: sizes of the same study, name → the keys of `Study` that are its own; those of
    `fixed` come on top of the file's.

    Args:
        tier: the one that is meant; None: the first.

    Raises:
        StudyError: it is not there, has no such tier, or is not what `Study` says.
        ParamsError: it is not YAML.
    """
    if not file.is_file():
        there = sorted(path.name for path in file.parent.glob("*.yaml"))
        raise StudyError(
            f"{file} does not exist; in {file.parent}/ there is: {', '.join(there) or 'nothing'}"
        )
    described = read_yaml(file)
    if not isinstance(described, dict):
        raise StudyError(f"{file}: expected keys and values, found {described!r}")
    tiers = described.pop("tiers", None) or {}
    if not isinstance(tiers, dict) or not all(isinstance(own, dict) for own in tiers.values()):
        raise StudyError(f"{file}: tiers: name → keys of its own, found {tiers!r}")
    if tier is None and tiers:
        tier = next(iter(tiers))
    if tier is not None and tier not in tiers:
        known = ", ".join(tiers) or "none, so leave it out"
        raise StudyError(f"{file}: no tier {tier!r}; there is: {known}")
    if tier is not None:
        shared, own = (each.get("fixed") or {} for each in (described, tiers[tier]))
        if not isinstance(shared, dict) or not isinstance(own, dict):
            raise StudyError(f"{file}: fixed: parameter → value, found {shared!r} and {own!r}")
        described |= tiers[tier] | {"fixed": shared | own}
    try:
        return file.stem if tier is None else f"{file.stem}_{tier}", Study.model_validate(described)
    except ValidationError as error:
        lines = [f"  {_explain(e)}" for e in error.errors()]
        raise StudyError("\n".join([f"{file}:", *lines])) from None


def _explain(error: Any) -> str:
    place = [part for n, part in enumerate(error["loc"]) if not (n == 1 and isinstance(part, int))]
    where = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where, Study.model_fields, n=1, cutoff=0.5)
        known = ", ".join(Study.model_fields)
        return f"{where}: unknown key; " + (f"did you mean `{near[0]}`?" if near else known)
    if error["type"] == "missing":
        return f"{where}: missing; it names a parameter set of params/"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}, found {error['input']!r}" if where else message


def cells(study: Study, file: Path, root: Path) -> list[Cell]:
    """The cells of a study, each with parameters that were checked as a whole.

    A folder of scenes that lies in the project is named by its absolute path, because a cell runs
    elsewhere; scenes that the chain simulates are made in each cell, out of DVC's cache.

    Raises:
        ParamsError: there is no such set, or a cell's parameters are not valid.
        StudyError: two cells are the same, or there are no scenes.
    """
    base = YAML(typ="safe", pure=True).load(resolve(study.set))
    found: dict[str, Cell] = {}
    for varied in study.combinations():
        name = _name(varied) or study.set
        if name in found:
            raise StudyError(f"{file}: the cell {name} comes twice; name each value once")
        params = copy.deepcopy(base)
        for key, value in (study.fixed | varied).items():
            _put(params, key, value, file)
        check(params, f"{file}, cell {name}")
        if not params["demo"]:
            params["scenes"]["root"] = str(_scenes(root, params["scenes"]["root"], file))
        found[name] = Cell(name, varied, params)
    return list(found.values())


def _put(params: dict[str, Any], key: str, value: Any, file: Path) -> None:
    *sections, last = key.split(".")
    place: Any = params
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise StudyError(f"{file}: {key} names nothing: `{section}` is a value, not a section")
    place[last] = copy.deepcopy(value)


def _scenes(root: Path, folder: str, file: Path) -> Path:
    path = Path(os.path.normpath(root / folder))  # links stay: what they point to may move
    if not path.is_dir():
        raise StudyError(
            f"{file}: no folder of scenes at {path}; put the scenes there, or a link to them, or "
            "set scenes.root under `fixed`"
        )
    return path


def _name(varied: dict[str, Any]) -> str:
    """`split.labelled_tiles=8,train.seed=0`; a digest stands for what a folder's name cannot hold."""
    full = ",".join(f"{key}={value}" for key, value in varied.items())
    safe = re.sub(r"[^\w.,=+-]", "_", full)[:LONGEST_NAME]
    return full if safe == full else f"{safe}-{digest(varied)[:8]}"
