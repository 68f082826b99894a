"""Debian's Chromium, headless, and pages for it. Not part of `make test`, which must run where there is no browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import HANGS_S
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from optsuite.catalog.datasets import DATASETS
from optsuite.report import page, picks
from optsuite.results import reader

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # it runs as root in CI, and shows our own pages only
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    """The browser; what it logs and asks of the network is kept."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or pytest.fail("no chromium; .ci/run installs it")
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def shown_run(run_json: dict[str, Any]) -> dict[str, Any]:
    """The small run, of the first images of MNIST."""
    run_json["optsuite"]["datasets"][0]["labels"] = DATASETS["mnist"].load("test").y[:100].tolist()
    return run_json


@pytest.fixture
def resize(chromium: webdriver.Chrome) -> Callable[..., None]:
    """Make the window so wide, in pixels, and the user's preference the light or the dark."""

    def resize(width: int, theme: str = "light") -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        preferred = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", preferred)

    return resize


@pytest.fixture
def opened(chromium: webdriver.Chrome) -> Callable[[Path], None]:
    """Open a page, and wait until all of it is drawn."""

    def opened(page: Path) -> None:
        chromium.get(page.as_uri())
        ready = "return document.documentElement.dataset.ready === 'yes'"
        WebDriverWait(chromium, HANGS_S).until(lambda browser: browser.execute_script(ready))

    return opened


@pytest.fixture
def show(
    chromium: webdriver.Chrome,
    opened: Callable[[Path], None],
    resize: Callable[..., None],
    write_run: Callable[[Any], Path],
    tmp_path: Path,
) -> Callable[[Any], webdriver.Chrome]:
    """Open the page of a run, given as JSON, in a window of 1280 x 900."""

    def show(run: Any) -> webdriver.Chrome:
        path = tmp_path / "report.html"
        read = reader.read(write_run(run))
        path.write_text(page.render(read, DATASETS["mnist"].load("test"), picks.picks(read)), "utf-8")
        chromium.get("about:blank")
        for log in ("browser", "performance"):
            chromium.get_log(log)  # what was before
        resize(1280)
        opened(path)
        return chromium

    return show
