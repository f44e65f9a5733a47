"""What the page shows, as plain values, and the page itself.

The page is one file that asks the network for nothing, and says nothing of when it was made, and of
where only what its stages cost there: same results and costs, same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Chart:
    """A chart as `<svg>`, the same in words for those who cannot see it, and its caption."""

    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Panel:
    """One picture of a scene; without `uri` the caption says what is missing."""

    title: str
    uri: str | None
    alt: str
    photo: bool = False


@dataclass(frozen=True)
class Picture:
    """The six panels of a scene, its mean IoU on the test pixels (0..1), and the place among the test
    scenes that this gives it, in words."""

    scene: str
    rank: str
    miou: float | None
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Page:
    """Everything the template reads; shares and scores are 0..1.

    Attributes:
        source: name of the scene folder.
        simulated: the scenes are simulated.
        classes: name → colour `#rrggbb`.
        selected: the round in use.
        headline: scores of the round in use, fused head, with `bounds` of its mIoU, `oa_bounds` and
            `kappa_bounds`, and `start`, the mIoU of round 0.
        facts: column titles of what the index says of each scene's pixels.
        scenes: a row a scene: scene, splits, width, height, crs, labelled, facts (shares, in the order
            of `facts`), verdict, shift, apart, precision (px), reason.
        evidence: of the registration, see `dllr.report.registration.evidence`.
        audit: `warning` and `note` → total, left_out, and checks of (check, total, rows of (scene,
            message)); None where no audit was made.
        audit_file: name of the file that holds all of it.
        warnings: sentences on the split.
        ground: where the scenes lie, and close-ups.
        roles: what the pixels of some scenes may be used for.
        role_colours: name of a role → colour `#rrggbb`.
        windows: windows of each split.
        labelled_tiles: windows labelled for `train` and for `calibration`.
        pixels: split → class → labelled pixels; of train those in the budget.
        min_distance: px between training and held-out pixels; None where no scene holds both.
        params: section → its keys and values.
        scores: a row a round and head: round, head, selected, verdict, miou, boundary_miou, validation, oa,
            f1, kappa.
        drawn: what the intervals are taken by, `units`, and what they are of, `says`, in words.
        by_class: a row a class of the round in use: see `dllr.report.tables.class_rows`.
        masked: a mask tells of clouds.
        seen: pixels that both images see, and those that one alone does → pixels, and miou by head.
        guard: a row a round: round, verdict, best, correlation, entropy, and the mIoU of each head.
        guard_said: sentences on the rounds that were not kept.
        skipped: the rounds that were not trained.
        confusion: a row an actual class: name, total, and cells of (share, count).
        calibration: `before` and `after` the temperature → ece, brier.
        temperature: of the fused head, fitted on validation.
        certificate: a row a condition: see `dllr.report.certificate.rows`.
        readings: of those that the training took: name → what it is, in words.
        transport: a row a round that was trained on pseudo-labels: what the transport says of itself.
        prior: what the class shares do to its labels, a row a round and class: see
            `dllr.report.tables.prior_rows`.
        ledger: how right its labels are beside those of other rules: see `dllr.report.tables.ledger_rows`.
        rule_charts, label_charts: the same by rule, and class by class.
        pictures: six panels a scene.
        gradient: colours of the confidence panel from 0 to 100 %.
        right, wrong: colours of the error panel.
        version: of this package. machines: that the stages ran on, and their GPUs, in words.
        costs: a row a stage that ran here: stage, seconds, cpu_seconds, memory (MiB).
        model_card: of the exported model, Markdown.
        limits: sentences.
    """

    source: str
    simulated: bool
    classes: Mapping[str, str]
    selected: int
    headline: Mapping[str, Any]
    facts: Sequence[str]
    scenes: Sequence[Row]
    evidence: Mapping[str, Any]
    audit: Mapping[str, Row] | None
    audit_file: str
    warnings: Sequence[str]
    ground: Sequence[Chart]
    roles: Sequence[Panel]
    role_colours: Mapping[str, str]
    windows: Mapping[str, int]
    labelled_tiles: Mapping[str, int]
    pixels: Mapping[str, Mapping[str, int]]
    min_distance: float | None
    params: Mapping[str, Mapping[str, Any]]
    scores: Sequence[Row]
    score_charts: Sequence[Chart]
    drawn: Mapping[str, str]
    by_class: Sequence[Row]
    masked: bool
    seen: Mapping[str, Row]
    guard: Sequence[Row]
    guard_said: Sequence[str]
    skipped: Sequence[int]
    confusion: Sequence[Row]
    calibration: Mapping[str, Mapping[str, float | None]]
    temperature: float
    calibration_charts: Sequence[Chart]
    certificate: Sequence[Row]
    certificate_charts: Sequence[Chart]
    training_charts: Sequence[Chart]
    readings: Mapping[str, str]
    reading_charts: Sequence[Chart]
    transport: Sequence[Row]
    transport_charts: Sequence[Chart]
    prior: Sequence[Row]
    ledger: Mapping[str, Any]
    rule_charts: Sequence[Chart]
    label_charts: Sequence[Chart]
    pictures: Sequence[Picture]
    gradient: Sequence[str]
    right: str
    wrong: str
    version: str
    machines: Sequence[str]
    costs: Sequence[Row]
    model_card: str
    limits: Sequence[str]


def render(page: Page) -> str:
    """The whole HTML document."""
    return environment().get_template("page.html.j2").render(vars(page)) + "\n"


def environment(package: str = "dllr.report") -> Environment:
    """Where the templates of a package's pages are, and the style and script of all."""
    places = dict.fromkeys((package, "dllr.report"))
    found = Environment(
        loader=ChoiceLoader([PackageLoader(place, ".") for place in places]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"percent": percent, "count": count, "number": number, "rounds": rounds}
    return found


def percent(share: float | None, digits: int = 1) -> str:
    """0.634 → 63.4; a dash for what does not exist."""
    return "–" if share is None else f"{100 * share:.{digits}f}"


def count(value: int) -> str:
    """Thousands apart by a thin space that does not break."""
    return f"{value:,}".replace(",", "\u202f")


def number(value: float | None, digits: int = 3) -> str:
    """A plain number; a dash for what does not exist."""
    return "–" if value is None else f"{value:.{digits}f}"


def rounds(numbers: Sequence[int]) -> str:
    """[3] → round 3; [3, 4, 5] → rounds 3, 4 and 5."""
    *others, last = map(str, numbers)
    return f"rounds {', '.join(others)} and {last}" if others else f"round {last}"
