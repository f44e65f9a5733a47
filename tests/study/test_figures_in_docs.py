"""The tables of README and docs say what the committed tables of the studies say."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

ROOT = Path(__file__).parents[2]
README, METHODS, TRANSPORT = (
    ROOT / page for page in ("README.md", "docs/methods.md", "docs/transport.md")
)
COUNTRY, FLOODS = "demo_core", "ombria_core"
BUDGET, METHOD, SEED, ALL = "split.labelled_tiles", "train_round.method", "split.seed", "all labels"
LABELS = "labels/oracle/accuracy/"
README_COLUMNS = [(COUNTRY, "8"), (COUNTRY, "16"), (COUNTRY, "32"), (FLOODS, "8"), (FLOODS, "32")]


def table(page: Path, after: str) -> dict[str, list[str]]:
    """Cells by the first of their row, of the first table after a text; its head and rule left out."""
    text = page.read_text(encoding="utf-8")
    assert text.count(after) == 1, f"{page.name}: {after!r} names no one place"
    found = re.search(r"(^\|.*\n)+", text.split(after)[1], re.MULTILINE)
    assert found is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()]
    return {row[0]: row[1:] for row in rows[2:]}


def scores(study: str, column: str = "miou") -> pd.DataFrame:
    """In %, by budget and method (rows) and seed (columns), of the round in use; labels' of the round
    that learns from them."""
    rows = pd.read_csv(ROOT / f"studies/results/{study}.csv", dtype={BUDGET: str}, na_filter=False)
    for setting in {BUDGET, METHOD} - set(rows):
        rows[setting] = ""  # the same in all cells
    fused = rows[rows["head"] == "fused"]
    used = fused[
        fused["selected"].astype(str) == "True" if column == "miou" else fused[column] != ""
    ]
    found = used.pivot(index=[BUDGET, METHOD], columns=SEED, values=column)
    return 100 * found.apply(pd.to_numeric)


def told(values: pd.Series) -> str:
    return f"{values.mean():.1f} ± {values.std():.1f}"


def difference(first: pd.Series, second: pd.Series) -> str:
    """Mean of the pairs and its 95 % interval, Student's t."""
    apart = first - second
    reach = t.ppf(0.975, len(apart) - 1) * apart.std() / np.sqrt(len(apart))
    low, high = apart.mean() - reach, apart.mean() + reach
    return f"{apart.mean():+.1f} ({low:+.1f} to {high:+.1f})".replace("-", "−")


def test_readme() -> None:
    rows = table(README, "with intervals and costs: [country]")
    assert len(rows) > 5
    for name, cells in rows.items():
        method = name.split(":")[0]
        for (study, budget), cell in zip(README_COLUMNS, cells, strict=True):
            known = scores(study).dropna()
            if method != ALL:
                at = (budget, method)
                assert cell == (told(known.loc[at]) if at in known.index else ""), (name, study)
            elif budget == "8":  # under the first column of each study, whatever the budget
                assert cell == told(known.loc["null", "supervised"]), (name, study)


def test_the_long_warm_up_in_methods() -> None:
    known = scores("longer").dropna().droplevel(BUDGET)
    said = " ".join(
        METHODS.read_text(encoding="utf-8").split("**With a long warm-up**")[1][:900].split()
    )
    for method, name in (
        ("supervised", "supervised"),
        ("fixmatch", "`fixmatch`"),
        ("dllr", "`dllr`"),
    ):
        assert f"{name} {told(known.loc[method])}" in said
    for method in ("supervised", "fixmatch"):
        assert f"{difference(known.loc['dllr'], known.loc[method])}" in said


@pytest.mark.parametrize(
    ("after", "study", "budgets"),
    [
        ("**The simulated country**", COUNTRY, ["8", "16", "32"]),
        ("**Real floods**", FLOODS, ["8", "32"]),
    ],
)
def test_scores_in_methods(after: str, study: str, budgets: list[str]) -> None:
    known = scores(study).dropna()  # who lacks a seed is not done
    rows = table(METHODS, after)
    methods = set(known.drop(index="null").index.get_level_values(METHOD))
    assert set(rows) == methods | {ALL}
    assert rows.pop(ALL)[0] == told(known.loc["null", "supervised"])
    for method, cells in rows.items():
        for budget, score, apart in zip(budgets, cells[::2], cells[1::2], strict=True):
            if (budget, method) not in known.index:
                assert score == apart == "", method
                continue
            own, best = known.loc[budget, method], known.loc[budget, "dllr"]
            assert score == told(own), (method, budget)
            assert apart == ("" if method == "dllr" else difference(best, own)), (method, budget)


@pytest.mark.parametrize(
    ("after", "places"),
    [
        (
            "**The proof's teachers**",
            [(COUNTRY, "8", "dllr"), (COUNTRY, "32", "dllr"), (FLOODS, "8", "dllr")],
        ),
        ("**More draws.**", [("labels", "8", ""), ("labels", "32", ""), ("labels_ombria", "", "")]),
    ],
)
def test_labels_in_transport(after: str, places: list[tuple[str, str, str]]) -> None:
    rows = table(TRANSPORT, after)
    assert len(rows) == 7
    for rule, cells in rows.items():
        for (study, *place), score, apart in zip(places, cells[::2], cells[1::2], strict=True):
            own, ours = (scores(study, LABELS + r).loc[tuple(place)] for r in (rule, "reassigned"))
            assert score == told(own), (rule, study, place)
            assert apart == ("" if rule == "reassigned" else difference(ours, own)), (rule, study)
