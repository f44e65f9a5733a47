"""What the page of a study says, from its tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dllr.study import charts, paired
from dllr.study.comparing import ALL, BUDGETS, Contest, Difference, contest, order, shown
from dllr.study.description import Study
from dllr.study.page import Chart, Section, Table
from dllr.study.paired import Bounds
from dllr.study.results import HEAD, MEASURES, SCORES, plain, tallies
from dllr.transport.ledger import CALIBRATION, ORACLE, REASSIGNED

FEWEST = 5  # cells whose ranks are correlated
SETS = {CALIBRATION: "calibration fold", ORACLE: "unlabelled pixels"}
RIGHT = (
    f"labels/{ORACLE}/miou/{REASSIGNED}"  # column: how right the labels that the round wrote are
)


def sections(study: Study, table: pd.DataFrame, scenes: pd.DataFrame) -> list[Section]:
    """table, scenes: as `dllr.study.results` reads them."""
    table = table[table["head"] == HEAD]
    found = [scores(study, table)]
    if compared := contest(study, table):
        look = charts.looks(compared.contestants, compared.reference)
        apart = compared.differences(tallies(scenes))
        found = [
            *_budget(compared, study, look),
            *found,
            *_differences(compared, study, apart, look),
        ]
        found += _places(compared)
    found += _costs(study, table)
    found += _labels(study, table)
    if compared:
        found += _labels_and_scores(compared, table, look)
    return found


def scores(study: Study, table: pd.DataFrame) -> Section:
    """Means over the seeds."""
    classes = [str(name) for name in table if str(name).startswith("iou/")]
    titles = [*SCORES.values(), *(f"IoU {name.removeprefix('iou/')}" for name in classes)]
    rows = []
    for values, group in _groups(study, table):
        first, last = (
            group.loc[group["round"] == group["round"].agg(end), "miou"] for end in ("min", "max")
        )
        chosen = group[group["selected"]]
        means = [mean(chosen[name]) for name in [*SCORES, *classes]]
        ended = group.groupby("cell")["round"].transform("max")
        used = int((chosen["round"] == ended[chosen.index]).sum())
        rows.append(
            [*values, str(len(chosen)), mean(first), mean(last), f"{used} of {len(chosen)}", *means]
        )
    columns = [
        *study.telling, "cells", "mIoU warm-up", "mIoU last round", "last round in use", *titles,
    ]  # fmt: skip
    text = (
        f"Test split, {HEAD} head, %: mean ± standard deviation over the seeds (n − 1 in the denominator). "
        "Warm-up is round 0, last round the last one of params; the other scores are those of the round in "
        "use, which validation selected. Where that is the warm-up, a method's score is the warm-up's."
    )
    return Section(
        "scores", "Scores", text + _manners(study), Table(columns, rows, len(study.telling))
    )


def _budget(
    compared: Contest, study: Study, look: Mapping[str, Mapping[str, Any]]
) -> Iterator[Section]:
    curves = compared.curves()
    if len({budget for by in curves.values() for budget in by}) < 2 or compared.budget is None:
        return
    words = BUDGETS[study.settings[compared.budget]]
    told = "; ".join(
        f"{name}: "
        + ", ".join(f"{mean(s)} % with {ALL if b is None else f'{b:g}'}" for b, s in by.items())
        for name, by in curves.items()
    )
    limited = all(budget is not None for by in curves.values() for budget in by)
    every = "" if limited else f"; {ALL} = every one of the training split"
    yield Section(
        "budget",
        "How much must be annotated?",
        f"mIoU on test by {words}, {HEAD} head, round in use, at the seeds that {compared.reference} has; "
        "whoever lacks one of them there is left out. Small marks are the cells.",
        charts=[
            Chart(
                lambda: charts.budget_curves(curves, look, words),
                "budget",
                f"mIoU by {words}. {told}",
                f"mIoU by {words}" + every,
            )
        ],
    )


def _differences(
    compared: Contest,
    study: Study,
    apart: Sequence[Difference],
    look: Mapping[str, Mapping[str, Any]],
) -> Iterator[Section]:
    if not apart:
        return
    rows = [
        [
            *d.setting,
            d.contestant,
            f"{100 * d.mean:+.1f}",
            bounds(d.over_seeds),
            bounds(d.over_scenes),
            f"{d.won:g} of {len(d.each)}",
            " ".join(f"{100 * each:+.1f}" for each in d.each),
        ]
        for d in apart
    ]
    drawn = any(d.over_scenes for d in apart)
    columns = [
        *study.settings, f"{compared.reference} less", "mIoU", "95 % over cells",
        *(["95 % over cells and scenes"] if drawn else []), "ahead in", "each",
    ]  # fmt: skip
    if not drawn:
        rows = [[*row[:-3], *row[-2:]] for row in rows]
    told = "; ".join(
        f"{', '.join([*d.setting, d.contestant])}: {100 * d.mean:+.1f} ({bounds(d.over_seeds)})"
        for d in apart
    )
    second = (
        "The first interval is Student's t over the cells; in the second test scenes are drawn anew as "
        f"well (bootstrap of cells and their scenes, {paired.DRAWS} draws)."
        if drawn
        else "The interval is Student's t over the cells; of cells with one test scene, scenes cannot be "
        "drawn apart from cells."
    )
    if any(each == 0 for d in apart for each in d.each):
        second += " Cells without any difference are one network: validation selected the warm-up of both."
    yield Section(
        "differences",
        "Paired differences",
        f"Points of mIoU by which {compared.reference} is ahead of each other at equal seeds. {second} "
        "Intervals are of each difference by itself, not corrected for there being several.",
        Table(columns, rows, len(study.settings) + 1),
        [
            Chart(
                lambda: charts.forest(apart, look, compared.reference),
                "differences",
                f"Mean differences in mIoU, points. {told}",
                f"{compared.reference} less each other: thick 95 % over cells"
                + (", thin over cells and scenes" if drawn else ""),
            )
        ],
    )


def _places(compared: Contest) -> Iterator[Section]:
    places = compared.places()
    if len(places) < 2:
        return
    rows = [
        [name, f"{place:.2f}", f"{first} of {count}"]
        for name, (place, first, count) in places.items()
    ]
    yield Section(
        "places",
        "Places",
        "Mean place by mIoU, 1 the best, over the settings and seeds that have all of these; equal scores "
        "share one.",
        Table([compared.parameter, "mean place", "first in"], rows, 1),
    )


def _costs(study: Study, table: pd.DataFrame) -> Iterator[Section]:
    """And how far the probabilities can be believed."""
    chosen = table[table["selected"]]
    titles = {
        "train_cpu_s": "training of the rounds, CPU s",
        "train_peak_mib": "most memory, MiB",
        "ece_before": "ECE, %",
        "ece": "ECE with temperature, %",
    }
    there = {name: title for name, title in titles.items() if name in chosen}
    if not there or not study.varied:
        return
    beside = ", and cells ran side by side" if study.jobs > 1 else ""
    rows = [
        [
            *values,
            *(mean(group[n]) if n.startswith("ece") else plain_mean(group[n]) for n in there),
        ]
        for values, group in _groups(study, chosen)
    ]
    yield Section(
        "costs",
        "Costs and calibration",
        "Mean ± standard deviation over the seeds. CPU seconds are of all cores together, where the cell "
        f"was trained{beside}. ECE is the expected calibration error on test, before and "
        "after the temperature that validation gave.",
        Table([*study.telling, *there.values()], rows, len(study.telling)),
    )


def _labels(study: Study, table: pd.DataFrame) -> Iterator[Section]:
    """How right the pseudo-labels of the last round are, rule by rule, where the ledger knows."""
    from dllr.transport.rivals import RULES  # brings torch with it

    table = table[table["round"] == table.groupby("cell")["round"].transform("max")]
    for place, title in SETS.items():
        for measure, words in MEASURES.items():
            start = f"labels/{place}/{measure}/"
            columns = [name for name in map(str, table) if name.startswith(start)]
            if not columns:
                continue
            rules = [name.removeprefix(start) for name in columns]
            rivals = [name for name in columns if name.removeprefix(start) in RULES]
            rows = []
            for values, group in _groups(study, table):
                known = group.dropna(subset=columns, how="all")
                if known.empty:
                    continue
                best = max(rivals, key=lambda name: known[name].mean())
                apart = (known[start + REASSIGNED] - known[best]).dropna().tolist()
                means = [mean(known[name]) for name in columns]
                said = f"{difference(apart)} over {best.removeprefix(start)}"
                rows.append([*values, str(len(known)), *means, said])
            heads = [*study.telling, "cells", *rules, f"{REASSIGNED} over the best of the others"]
            yield Section(
                f"labels-{place}-{measure}",
                f"Pseudo-labels, {title}: {words}",
                "Every rule labels the same share of the pixels of the same teacher, in each cell's last "
                "round, %; intervals hold 95 % of the mean difference by Student's t over the cells.",
                Table(heads, rows, len(study.telling)),
            )


def _labels_and_scores(
    compared: Contest, table: pd.DataFrame, look: Mapping[str, Mapping[str, Any]]
) -> Iterator[Section]:
    if RIGHT not in table:
        return
    # Of the last round, whether in use or not: labels and maps of one round belong together.
    last = table[table["round"] == table.groupby("cell")["round"].transform("max")]
    who = compared.frame[["cell", "contestant", "setting"]]
    frame = last.merge(who, on="cell", how="inner").dropna(subset=[RIGHT, "miou"])
    # Within a setting: more labels make both better, whoever learns.
    groups: Any = frame.groupby(["contestant", "setting"], sort=False)
    found = {
        ", ".join([name, *setting]): group[RIGHT].corr(group["miou"], "spearman")
        for (name, setting), group in groups
        if min(group[RIGHT].nunique(), group["miou"].nunique()) >= FEWEST
    }
    if not found:
        return
    said = "; ".join(f"{name} {rho:+.2f}" for name, rho in found.items())
    yield Section(
        "labels-scores",
        "Do righter labels make better maps?",
        "Each mark is a cell's last round: mIoU of its reassigned labels on unlabelled pixels, which "
        "evaluation alone reads, and of its maps on test. Only those who learn these labels have a reason "
        f"to follow them. Rank correlation (Spearman) over the seeds: {said}.",
        charts=[
            Chart(
                lambda: charts.labels_and_scores(frame, RIGHT, look),
                "labels",
                f"mIoU on test over mIoU of the pseudo-labels. Rank correlation: {said}",
                "mIoU on test over that of the pseudo-labels",
            )
        ],
    )


def _manners(study: Study) -> str:
    """How values that are compared are run, where they have settings of their own."""
    found = dict[str, None]()
    for chosen in study.repeated():
        own = [f"{key} {plain(v)}" for key, v in chosen.items() if key not in study.telling]
        if study.compare and own:
            found[f" {plain(chosen[study.compare.parameter])} is run with {', '.join(own)}."] = None
    return "".join(found)


def _groups(study: Study, table: pd.DataFrame) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Cells that differ in nothing but seeds, with what they have in common, setting by setting; a dash: as
    in the set."""
    keys = study.telling
    if not keys:
        yield [], table
        return
    found = []
    for values, group in table.groupby(keys, sort=False, dropna=False):
        told = ["–" if v != v else shown(k, str(v)) for k, v in zip(keys, values, strict=True)]
        found.append((told, group))
    if study.compare:
        found.sort(key=lambda pair: order(tuple(pair[0][:-1])))  # all but who is compared
    yield from found


def bounds(found: Bounds | None) -> str:
    return "–" if found is None else f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"


def difference(each: Sequence[float]) -> str:
    """Mean difference in points with its 95 % interval."""
    average = 100 * sum(each) / len(each) if each else float("nan")
    found = paired.over_seeds(each)
    return f"{average:+.1f}" + (f" ({bounds(found)})" if found else "")


def mean(column: Any) -> str:
    """Mean ± standard deviation in %, of the values that are defined."""
    values = 100 * pd.to_numeric(column).dropna()
    if values.empty:
        return "–"
    return f"{values.mean():.1f}" + (f" ± {values.std():.1f}" if len(values) > 1 else "")


def plain_mean(column: Any) -> str:
    """Mean ± standard deviation, of the values that are defined."""
    values = pd.to_numeric(column).dropna()
    if values.empty:
        return "–"
    return f"{values.mean():.0f}" + (f" ± {values.std():.0f}" if len(values) > 1 else "")
