"""Nothing here or below posts to MLflow unless it asks to; no test is judged by the clock.

`make test` runs folders of tests side by side: what a folder's tests share is made once.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

LONGEST = ("stages", "pipeline")  # folders that are begun first

os.environ.setdefault("DLLR_TRACK", "0")
if together := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    share = max(1, len(os.sched_getaffinity(0)) // together)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))  # read when torch is imported
settings.register_profile("dllr", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("dllr")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_folder(item)))
    items.sort(key=lambda item: _folder(item) not in LONGEST)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window, by Selenium."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip(
            "chromium or its driver is missing (Debian: apt install chromium chromium-driver)"
        )
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()
