"""Nothing here or below posts to MLflow unless it asks to; no test is judged by the clock."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("DLLR_TRACK", "0")
settings.register_profile("dllr", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("dllr")


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
