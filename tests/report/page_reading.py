"""What tests read off a page: its tags, its words, its sections and the rows of their tables."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser


class Outline(HTMLParser):
    """Tags with their attributes, and whether every element that was opened was closed."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.tags if tag == name)

    def of(self, name: str, key: str) -> list[str]:
        return [attributes.get(key) or "" for attributes in self.all(name)]


def text(page: str) -> str:
    """What a reader sees, white space folded."""
    shown = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown))


def section(page: str, name: str) -> str:
    """A section of the page, markup and all."""
    start = page.index(f'<section id="{name}">')
    return page[start : page.index("</section>", start)]


def rows_of(page: str, name: str) -> list[str]:
    """The rows below the heads of a section's tables, as text."""
    return [
        text(row).strip()
        for row in re.findall(r"<tr[^>]*><th scope=\"row\".*?</tr>", section(page, name))
    ]
