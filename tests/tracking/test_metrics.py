"""Points from files, without a store."""

import json
from pathlib import Path

from dllr.tracking.metrics import (
    Point,
    history_points,
    label_points,
    metric_name,
    registration_points,
)


def test_names_of_classes_become_names_that_mlflow_takes() -> None:
    assert metric_name("Wald & Wiese (naß)") == "Wald _ Wiese _naß_"


def test_a_half_written_last_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("round,step,loss\n0,10,0.5\n0,20,0.2")
    assert history_points(path) == [Point("loss", 0.5, 10)]


LEDGER = """\
round,set,rule,class,pixels,coverage,accuracy,miou,share
1,calibration,argmax,*,900,0.8,0.5,0.4,1.0
1,calibration,argmax,water,300,0.9,0.6,,0.3
1,calibration,shares + regions,*,900,0.8,0.75,0.5,1.0
2,calibration,argmax,*,0,,,,1.0
2,oracle,argmax,*,500,0.7,0.625,,1.0
"""


def test_a_ledger_is_told_over_all_classes_where_something_is_known() -> None:
    assert label_points(LEDGER, ("accuracy",), by_round=True) == [
        Point("labels/calibration/argmax/accuracy", 0.5, 1),
        Point("labels/calibration/shares _ regions/accuracy", 0.75, 1),
        Point("labels/oracle/argmax/accuracy", 0.625, 2),
    ]
    assert [point.value for point in label_points(LEDGER)] == [
        0.5,
        0.8,
        0.4,
        0.75,
        0.8,
        0.5,
        0.625,
        0.7,
    ]
    assert label_points(LEDGER.splitlines()[0]) == []


def test_a_registration_is_counted_by_verdict(tmp_path: Path) -> None:
    for name, word, apart in (
        ("a", "applied", 0.5),
        ("b", "applied", 0.9),
        ("c", "unverified", None),
    ):
        (tmp_path / name).mkdir()
        record = {"verdict": word, "apart_px": apart, "shift_px": apart and 4.0}
        (tmp_path / name / "record.json").write_text(json.dumps({"registration": record}))
    found = {point.key: point.value for point in registration_points(tmp_path)}
    assert found == {
        "scenes/applied": 2, "scenes/unverified": 1, "median_apart_px": 0.7, "median_shift_px": 4.0,
    }  # fmt: skip
