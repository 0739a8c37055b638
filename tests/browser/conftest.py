"""Headless Chromium against the live server, with the sample of a shop in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.conftest import need

CHROME = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1400,1200",
)  # fmt: skip


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    need(bool(CHROME and DRIVER), "Chromium with chromedriver (pages not looked at)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROME)
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def pictures() -> Path:
    """Where screenshots are left to be looked at."""
    folder = Path(settings.VAR) / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
