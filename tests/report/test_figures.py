import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dllr.report import calibration, certificate, figures

IOU = {
    "fused": {"water": 0.8, "road": None},
    "optical": {"water": 0.7, "road": None},
    "sar": {"water": 0.0, "road": None},
}
BOUNDS = {
    "fused": {"water": {"low": 0.7, "high": 0.85}, "road": None},
    "optical": {"water": None, "road": None},
    "sar": {"water": None, "road": None},
}

BY_CLASS: dict[str, dict[str, float | None]] = {
    "argmax": {"water": 0.9, "road": None},
    "reassigned": {"water": 0.7, "road": 0.2},
}


BINS = pd.DataFrame(
    {
        "high": [0.5, 0.75, 1.0],
        "pixels_before": [0, 40, 60],
        "confidence_before": [np.nan, 0.6, 0.9],
        "accuracy_before": [np.nan, 0.5, 0.7],
        "pixels_after": [10, 0, 90],
        "confidence_after": [0.4, np.nan, 0.8],
        "accuracy_after": [0.4, np.nan, 0.75],
    }
)
CONDITIONS = pd.DataFrame(
    [(1.0, 1.0, 0, 0.6), (1.0, 0.0, 0, 0.5), (0.0, 1.0, 0, 0.3), (0.5, 1.0, 0, 0.4), (1.0, 1.0, 2, 0.55)],
    columns=["optical", "sar", "shift", "miou"],
).assign(pixels=9, oa=0.8, f1=0.7, kappa=None, **{"iou/water": 0.9, "iou/road": None})  # fmt: skip


def drawn() -> dict[str, Figure]:
    rounds = {"0": 0.5, "1": None, "2": 0.6}
    return {
        "iou": figures.class_iou(IOU, BOUNDS),
        "rounds": figures.miou_by_round({"fused": rounds, "sar": rounds}, rounds, selected=2),
        "training": figures.learning_curve([1, 2, 3], {"loss": [2.0, float("nan"), 1.0]}),
        "readings": figures.readings({name: ([1, 2], [0.0, 1.0]) for name in figures.READINGS}),
        "marginals": figures.marginals(["water", "road"], [0.9, 0.1], [1.0, 0.0], [0.95, 0.05]),
        "rules": figures.accuracy_by_rule(
            {
                "calibration fold": {"argmax": 0.4, "reassigned": None},
                "unlabelled pixels": {"argmax": 0.3, "reassigned": 0.5},
            },
            "reassigned",
            (0.2, 0.6),
        ),
        "labels": figures.labels_by_class(
            dict.fromkeys(("coverage", "accuracy", "share"), BY_CLASS), {"water": 0.8, "road": 0.2}
        ),
        "reliability": calibration.diagram(BINS),
        "certificate": certificate.curves(CONDITIONS),
    }


@pytest.mark.parametrize("name", drawn())
def test_same_figure_same_text(name: str) -> None:
    first = figures.svg(drawn()[name], name)
    assert figures.svg(drawn()[name], name) == first
    assert first.startswith("<svg viewBox=") and first.endswith("</svg>")
    assert "http" not in first
    assert not re.search("matplotlib", first, flags=re.IGNORECASE)


@pytest.mark.parametrize("name", drawn())
def test_ink_and_colours_are_the_pages_own(name: str) -> None:
    text = figures.svg(drawn()[name], name)
    assert "currentColor" in text
    for colour in (
        figures.INK,
        figures.BLUE,
        figures.ORANGE,
        figures.GREEN,
        figures.VERMILION,
        figures.PURPLE,
    ):
        assert colour not in text


def test_two_figures_share_no_identifier() -> None:
    ids = [
        set(re.findall(r' id="([^"]+)"', figures.svg(drawn()["rounds"], name)))
        for name in ("one", "other")
    ]
    assert ids[0] and ids[1] and not ids[0] & ids[1]


def test_what_an_identifier_stands_for_is_there() -> None:
    text = figures.svg(drawn()["rounds"], "rounds")
    wanted = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    assert wanted == set(re.findall(r' id="([^"]+)"', text))


def test_bars_are_as_long_as_the_scores() -> None:
    axes = figures.class_iou(IOU, BOUNDS).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [80.0, 70.0, 0.0]
    assert "neither there nor mapped" in [text.get_text() for text in axes.texts]


def test_a_bar_with_bounds_has_a_line_from_one_to_the_other_and_its_number_behind_it() -> None:
    axes = figures.class_iou(IOU, BOUNDS).axes[0]
    spans = [line.get_xdata() for line in axes.get_lines() if line.get_marker() == "|"]
    assert [list(span) for span in spans] == [[70, 85]]
    (number,) = (text for text in axes.texts if text.get_text() == "80")
    assert number.get_position()[0] == 86


def test_classes_are_named_as_they_are_written() -> None:
    name = r"a $\frob$ b"
    figure = figures.class_iou({"fused": {name: 0.8}}, {"fused": {name: None}})
    assert name in figures.svg(figure, "iou")


def test_a_round_without_score_is_left_out() -> None:
    line = drawn()["rounds"].axes[0].get_lines()[1]
    assert line.get_xydata().tolist() == [[0, 50], [2, 60]]


def test_readings_share_an_axis_and_neither_colour_nor_marker() -> None:
    axes = drawn()["readings"].axes[0]
    looks = [(line.get_color(), line.get_marker()) for line in axes.get_lines()]
    assert all(len(set(look)) == 4 for look in zip(*looks, strict=True))
    low, high = axes.get_ylim()
    assert -0.1 < low < 0 and 1 < high < 1.1


def test_a_rule_is_marked_where_its_accuracy_is_known_and_the_one_in_use_stands_out() -> None:
    axes = drawn()["rules"].axes[0]
    fold, free = axes.get_lines()[:2]
    assert fold.get_xydata().tolist() == [[40, 0]]
    assert free.get_xydata().tolist() == [[30, 0], [50, 1]]
    assert fold.get_marker() != free.get_marker() and fold.get_color() != free.get_color()
    assert [name.get_fontweight() for name in axes.get_yticklabels()] == ["normal", "bold"]
    low, high = axes.get_xlim()
    assert low < 20 and high > 60


def test_rules_are_beside_one_another_class_by_class() -> None:
    *others, last = drawn()["labels"].axes
    assert [axes.get_xlabel() for axes in others] == ["coverage (%)", "accuracy (%)"]
    truth, argmax, used = last.get_lines()[:3]
    assert truth.get_xdata().tolist() == [80, 20]
    assert argmax.get_xdata()[0] == 90 and np.isnan(argmax.get_xdata()[1])
    assert used.get_xdata().tolist() == [70, 20]
    low, high = last.get_xlim()
    assert low < 0 and 90 < high < 105


def test_bins_without_pixels_are_no_points_of_the_reliability_diagram() -> None:
    above, below = drawn()["reliability"].axes
    _, before, after = above.get_lines()
    np.testing.assert_allclose(before.get_xydata(), [[60, 50], [90, 70]])
    np.testing.assert_allclose(after.get_xydata(), [[40, 40], [80, 75]])
    shares = [patch.get_data().values for patch in below.patches]
    np.testing.assert_allclose(shares, [[0, 40, 60], [10, 0, 90]])
    assert before.get_marker() and before.get_color() != after.get_color()


def test_the_certificate_goes_from_both_images_to_sar_alone_and_along_the_shift() -> None:
    left, right = drawn()["certificate"].axes
    hidden, alone = left.get_lines()
    assert hidden.get_xydata().tolist() == [[100, 30], [50, 40], [0, 60]]
    assert alone.get_xydata().tolist() == [[100, 30]]
    moved, optical = right.get_lines()
    np.testing.assert_allclose(moved.get_xydata(), [[0, 60], [2, 55]])
    assert set(optical.get_ydata()) == {50}


def test_the_certificate_says_each_condition_and_its_change() -> None:
    both, optical, sar, hidden, moved = certificate.rows(CONDITIONS, ["water", "road"])
    assert [row["title"] for row in (both, optical, sar, hidden, moved)] == [
        "Both images", "Optical alone", "SAR alone", "Optical hidden, 50 %", "SAR moved by 2 px",
    ]  # fmt: skip
    assert both["change"] is None and optical["change"] == pytest.approx(-0.1)
    assert both["iou"] == [0.9, None] and both["kappa"] is None


def test_without_pixels_there_is_neither_diagram_nor_curve() -> None:
    nothing = {word: {"ece": None, "brier": None} for word in ("before", "after")}
    assert calibration.charts(BINS.assign(pixels_before=0), nothing) == []
    assert certificate.charts(CONDITIONS.assign(miou=np.nan)) == []
    assert certificate.rows(CONDITIONS.assign(miou=np.nan), ["water"])[1]["change"] is None
