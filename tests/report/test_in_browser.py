"""The pages as a browser shows them: on a desk and on a phone, light and dark, without a network."""

import time
from pathlib import Path
from typing import Any

import pytest
from small_run import make

WIDTHS = {"desk": 1300, "phone": 390}
SPLITS = {
    "plain": "train",
    "hill": "train",
    "river": "validation",
    "coast": "test",
    "forest": "test",
}
# What the page fetched, from where, beside itself.
FETCHED = "return performance.getEntriesByType('resource').map(e => e.name)"
EMPTY = """
return [...document.querySelectorAll('main img, main svg')].filter(e => !e.closest('dialog')
  && (e.tagName === 'IMG' ? e.naturalWidth : e.getBoundingClientRect().width) < 8).length"""
COLUMN = (
    "return [...arguments[0].tBodies[0].rows].map(r => r.cells[arguments[1]].textContent.trim())"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "report"
    make(tmp_path_factory.mktemp("results"), splits=SPLITS, unlabelled=["hill"]).build(out)
    return out


def complaints(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "DEBUG"]


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole_asks_for_nothing_and_fits(
    browser: Any, folder: Path, scheme: str, width: int
) -> None:
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    complaints(browser)  # what pages before have left
    browser.get((folder / "index.html").as_uri())
    assert complaints(browser) == []
    assert [url for url in browser.execute_script(FETCHED) if url.startswith("http")] == []
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.execute_script(EMPTY) == 0
    assert browser.execute_script("return document.querySelectorAll('img, svg').length") > 3
    # Wide tables scroll inside their own frames, the page itself does not.
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ink, paper = (
        browser.execute_script(f"return getComputedStyle(document.body).{what}")
        for what in ("color", "backgroundColor")
    )
    assert (lightness(ink) > lightness(paper)) == (scheme == "dark")


def lightness(colour: str) -> float:
    return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])


def test_a_table_is_sorted_by_the_column_whose_head_is_pressed(browser: Any, folder: Path) -> None:
    browser.get((folder / "index.html").as_uri())
    (table, *_) = browser.find_elements("css selector", "#scores table.sortable")
    (head,) = (h for h in table.find_elements("css selector", "th") if h.text.startswith("mIoU, %"))
    place = browser.execute_script("return arguments[0].cellIndex", head)
    before = browser.execute_script(COLUMN, table, place)
    for order in (False, True):
        browser.execute_script("arguments[0].querySelector('button').click()", head)
        shown = browser.execute_script(COLUMN, table, place)
        assert sorted(shown) == sorted(before)
        values = [float(value) for value in shown if value != "–"]
        assert values == sorted(values, reverse=order)
        assert shown[len(values) :] == ["–"] * (len(shown) - len(values))


def test_a_picture_opens_large_and_closes(browser: Any, folder: Path) -> None:
    browser.get((folder / "index.html").as_uri())
    browser.execute_script("document.querySelector('#maps button.picture').click()")
    dialog = browser.find_element("css selector", "dialog")
    assert dialog.get_attribute("open")
    assert browser.execute_script("return document.querySelector('dialog img').naturalWidth") > 8
    browser.execute_script("document.querySelector('dialog form button').click()")
    assert not dialog.get_attribute("open")
    assert complaints(browser) == []


def test_a_chart_opens_large_on_a_phone(browser: Any, folder: Path) -> None:
    size = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((folder / "index.html").as_uri())
    width = "return document.querySelector('{} svg').getBoundingClientRect().width"
    small = browser.execute_script(width.format("#scores"))
    browser.execute_script("document.querySelector('#scores button.enlarge').click()")
    assert browser.execute_script(width.format("dialog")) > 2 * small
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert complaints(browser) == []


def test_a_verdict_leads_to_the_evidence_and_opens_it(browser: Any, folder: Path) -> None:
    browser.get((folder / "index.html").as_uri())
    browser.execute_script("document.querySelector('#scenes td a').click()")
    opened = "return [...document.querySelectorAll('details.evidence')].map(e => e.open)"
    until = time.monotonic() + 10
    while not any(browser.execute_script(opened)):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert browser.execute_script(opened).count(True) == 1
