"""The page of a study: sections of a text, a table and charts, as Markdown and as one HTML file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from dllr.files import atomic_file
from dllr.report import figures
from dllr.report.page import environment


@dataclass(frozen=True)
class Chart:
    """A figure, its name in files, the same in words, and its caption."""

    figure: Callable[[], Figure]  # made anew for each file
    name: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Table:
    """Columns, the first `words` of them of words, the others of numbers; rows of texts."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int


@dataclass(frozen=True)
class Section:
    """name: of its place in the page, a word. Its text stands above what it tells of."""

    name: str
    title: str
    text: str
    table: Table | None = None
    charts: Sequence[Chart] = ()


def write(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write `path` (*.md), its charts <stem>_<name>.svg and the same as one file *.html beside it.

    lead: what was run, in Markdown that needs no more than `code`.
    """
    for section in sections:
        for chart in section.charts:
            _save(picture(path, chart), chart)
    with atomic_file(path) as temporary:
        temporary.write_text(markdown(path, title, lead, sections), encoding="utf-8")
    with atomic_file(path.with_suffix(".html")) as temporary:
        temporary.write_text(html(title, lead, sections), encoding="utf-8")


def picture(path: Path, chart: Chart) -> Path:
    return path.with_name(f"{path.stem}_{chart.name}.svg")


def markdown(path: Path, title: str, lead: str, sections: Sequence[Section]) -> str:
    lines = [f"# {title}", "", lead, ""]
    for section in sections:
        lines += [f"## {section.title}", "", section.text, ""]
        for chart in section.charts:
            lines += [f"![{chart.alt}]({picture(path, chart).name})", "", chart.caption, ""]
        if section.table:
            lines += [*rows(section.table), ""]
    return "\n".join(lines)


def rows(table: Table) -> list[str]:
    """A table in Markdown."""
    rule = ["---"] * table.words + ["---:"] * (len(table.columns) - table.words)
    return [_line(table.columns), _line(rule), *map(_line, table.rows)]


def html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Self-contained: it asks the network for nothing."""
    drawn = {
        chart.name: figures.svg(chart.figure(), chart.name)
        for section in sections
        for chart in section.charts
    }
    template = environment("dllr.study").get_template("study.html.j2")
    return template.render(title=title, lead=lead, sections=sections, drawn=drawn) + "\n"


def _save(path: Path, chart: Chart) -> None:
    """As a file of its own, on white; same chart, same bytes."""
    text = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({**figures.STYLE, "svg.hashsalt": chart.name, "svg.fonttype": "path"}):
        chart.figure().savefig(text, format="svg", facecolor="white", metadata=nothing)
    with atomic_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _line(fields: Sequence[str]) -> str:
    return "| " + " | ".join(field.replace("|", r"\|") for field in fields) + " |"
