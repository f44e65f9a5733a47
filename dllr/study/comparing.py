"""The values that a study compares, each with the reference: differences, places and the label budget."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dllr.study import paired
from dllr.study.description import Study
from dllr.study.paired import Bounds
from dllr.study.results import HEAD, Tallies, plain

BUDGETS = {  # what may be annotated, and what it is called
    "split.labelled_tiles": "labelled tiles",
    "split.labelled_scenes": "labelled scenes",
}
ALL = "all"  # the title of a budget without a limit
Setting = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """mIoU of the reference less that of a contestant, 0..1, over the cells that differ in nothing else.

    over_scenes: None too where the two were tested on different scenes, or on one a cell.
    """

    setting: Setting
    contestant: str
    each: Sequence[float]
    over_seeds: Bounds | None
    over_scenes: Bounds | None

    @property
    def mean(self) -> float:
        return float(np.mean(self.each))

    @property
    def won(self) -> float:
        """Cells in which the reference is ahead; one of equal scores is half a cell."""
        return sum(1.0 if d > 0 else 0.5 if d == 0 else 0.0 for d in self.each)


@dataclass(frozen=True)
class Contest:
    """Scores of the rounds in use, fused head, by who is compared.

    frame: a row a cell: cell, contestant, setting, repetition, and the score columns of the table.
    parameter: whose values are compared.
    contestants: titles, the reference among them, in the order of the description. settings: likewise.
    budget: the place of the labelled budget in a setting; None where it does not vary.
    """

    frame: pd.DataFrame
    parameter: str
    reference: str
    contestants: Sequence[str]
    settings: Sequence[Setting]
    budget: int | None

    def scores(self, setting: Setting, contestant: str) -> "pd.Series[float]":
        """mIoU by repetition."""
        chosen = self.frame[
            (self.frame["setting"] == setting) & (self.frame["contestant"] == contestant)
        ]
        return chosen.set_index("repetition")["miou"].dropna()

    def differences(self, tallies: Mapping[str, Tallies]) -> list[Difference]:
        """In every setting that has both, in the order of settings, then contestants.

        tallies: as `dllr.study.results.tallies` gives them.
        """
        found = []
        keys = zip(
            *(self.frame[name] for name in ("setting", "contestant", "repetition")), strict=True
        )
        cells = dict(zip(keys, self.frame["cell"], strict=True))
        for setting in self.settings:
            own = self.scores(setting, self.reference)
            for contestant in self.contestants:
                other = self.scores(setting, contestant)
                shared = [seeds for seeds in own.index if seeds in other.index]
                if contestant == self.reference or not shared:
                    continue
                apart = (own[shared] - other[shared]).tolist()
                first, second = (
                    [tallies[cells[setting, name, seeds]] for seeds in shared]
                    for name in (self.reference, contestant)
                )
                found.append(
                    Difference(
                        setting, contestant, apart,
                        paired.over_seeds(apart), _over_scenes(first, second),
                    )
                )  # fmt: skip
        return found

    def places(self) -> dict[str, tuple[float, int, int]]:
        """Contestant → mean place, cells in which it is the first, and cells; best mean place first.

        Of those who were run at more than one setting, or at the only one, over the settings and seeds that
        have them all.
        """
        within = {
            n: sum(bool(len(self.scores(s, n))) for s in self.settings) for n in self.contestants
        }
        few = min(2, len(self.settings))
        taking = [name for name in self.contestants if within[name] >= few]
        rows = []
        for setting in self.settings:
            table = pd.DataFrame({name: self.scores(setting, name) for name in taking}).dropna()
            rows.append(table.to_numpy(np.float64))
        scores = np.concatenate(rows)
        if not len(scores):
            return {}
        places = paired.ranks(scores)
        found = {
            name: (float(column.mean()), int((column == 1).sum()), len(column))
            for name, column in zip(taking, places.T, strict=True)
        }
        return dict(sorted(found.items(), key=lambda item: item[1][0]))

    def curves(self) -> dict[str, dict[float | None, "pd.Series[float]"]]:
        """Contestant → budget (None: all labels) → mIoU of its cells, of the repetitions that the reference
        has at this budget; who lacks one is left out there. Where the reference was not run, of those that
        all have. Of a study that varies no other setting than the budget."""
        if self.budget is None or len(self.settings[0]) > 1:
            return {}
        found: dict[str, dict[float | None, pd.Series[float]]] = {n: {} for n in self.contestants}
        for setting in self.settings:
            every = {name: self.scores(setting, name) for name in self.contestants}
            there = {name: scores for name, scores in every.items() if len(scores)}
            shared = (
                set(there[self.reference].index)
                if self.reference in there
                else set.intersection(*(set(scores.index) for scores in there.values()))
            )
            budget = None if setting == (ALL,) else float(setting[0])
            for name, scores in there.items():
                if shared and shared <= set(scores.index):
                    found[name][budget] = scores[[seeds in shared for seeds in scores.index]]
        return {name: by for name, by in found.items() if by}


def contest(study: Study, table: pd.DataFrame) -> Contest | None:
    """What the study asks to be compared, of the cells that are there; None where it asks nothing, or where
    the reference has no cell yet.

    table: as `dllr.study.results.read` gives it.
    """
    if study.compare is None:
        return None
    parameter, reference = study.compare.parameter, plain(study.compare.reference)
    frame = table[(table["head"] == HEAD) & table["selected"]].copy()
    values = [
        text
        for value in _named(study, parameter)
        if (text := plain(value)) in set(frame[parameter])
    ]
    if reference not in values:
        return None
    titles = dict(zip(values, titled(values, reference), strict=True))
    frame["contestant"] = frame[parameter].map(titles)
    frame["setting"] = _tuples(frame, study.settings)
    frame["repetition"] = _tuples(frame, list(study.seeds))
    settings = sorted(set(frame["setting"]), key=order)
    budgets = [place for place, name in enumerate(study.settings) if name in BUDGETS]
    return Contest(
        frame, parameter, titles[reference], list(titles.values()), settings,
        budgets[0] if budgets else None,
    )  # fmt: skip


def titled(values: Sequence[str], reference: str) -> list[str]:
    """What values of a parameter are called: themselves, or where they are sections, in what they differ
    from the reference."""
    sections = [_section(value) for value in values]
    whole = _section(reference)
    if whole is None:
        return list(values)
    found = []
    for value, section in zip(values, sections, strict=True):
        if section is None or value == reference:
            found.append("as it is" if value == reference else value)
            continue
        changed = {k: v for k, v in section.items() if k not in whole or whole[k] != v}
        words = [f"{k}: {_shown(v)}" for k, v in changed.items()]
        words += [f"without {k}" for k in whole if k not in section]
        found.append(", ".join(words))
    return found


def _over_scenes(first: Sequence[Tallies], second: Sequence[Tallies]) -> Bounds | None:
    """None too where the two were tested on different scenes."""
    names = [cell.scenes for cell in first]
    if names != [cell.scenes for cell in second]:
        return None
    one, other = ([cell.counts for cell in each] for each in (first, second))
    return paired.over_scenes(one, other, shared=len(set(names)) == 1)


def _named(study: Study, parameter: str) -> list[Any]:
    found: list[Any] = []
    for grid in study.values:
        found += [value for value in grid[parameter] if value not in found]
    return found


def shown(parameter: str, text: str) -> str:
    """A value as people read it."""
    return ALL if parameter in BUDGETS and text == "null" else text


def _tuples(frame: pd.DataFrame, names: Sequence[str]) -> list[Setting]:
    columns = [[shown(name, text) for text in frame[name].astype(str)] for name in names]
    return list(zip(*columns, strict=True)) if columns else [()] * len(frame)


def order(setting: Setting) -> list[tuple[bool, float, str]]:
    """Numbers by size, before words."""
    found = []
    for text in setting:
        try:
            found.append((False, float(text), ""))
        except ValueError:
            found.append((True, 0.0, text))
    return found


def _section(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
