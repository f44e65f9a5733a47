"""What an audit finds."""

from typing import Literal, NamedTuple

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")


class Finding(NamedTuple):
    """One sentence: what was found, and what to do.

    Attributes:
        level: error = the scenes cannot be taken | warning = the maps may suffer | note = worth knowing.
        scene: its name, or empty for the whole set. Checks of one scene leave it empty; who calls them
            knows it.
        check: short name of what was looked at.
    """

    level: Level
    scene: str
    check: str
    message: str


def percent(share: float) -> str:
    """`<0.1 %` and `>99.9 %` are neither nothing nor all."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if 0.999 < share < 1 else f"{100 * share:.1f} %"


def error(check: str, message: str) -> Finding:
    return Finding("error", "", check, message)


def warning(check: str, message: str) -> Finding:
    return Finding("warning", "", check, message)


def note(check: str, message: str) -> Finding:
    return Finding("note", "", check, message)
