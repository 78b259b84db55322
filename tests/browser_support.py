"""A real Chromium, and the page served by a process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from support import eventually
from tickwire.config.kafka_config import KafkaConfig

_FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1600,1000")


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Debian's headless Chromium; skips without it, or fails if it is required."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        reason = "Chromium was not found: install it, on Debian with `apt-get install chromium chromium-driver`."
        if os.environ.get("TICKWIRE_REQUIRE_CHROMIUM") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    for flag in _FLAGS:
        options.add_argument(flag)
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options, Service(driver))
    try:
        yield made
    finally:
        made.quit()


@contextmanager
def serve(config: KafkaConfig, log: Path, *arguments: str, metrics: str = "") -> Iterator[str]:
    """Run ``tickwire ui`` on a free port; return its address."""
    names = ("brokers", "ticker_topic", "orderbook_topic", "trades_topic", "dlq_topic", "group_id")
    env = os.environ | {KafkaConfig.variable(name): str(getattr(config, name)) for name in names}
    command = [sys.executable, "-m", "tickwire", "ui", "--port", "0", "--metrics", metrics, *arguments]
    with log.open("wb") as file, subprocess.Popen(command, env=env, stdout=file, stderr=file) as process:
        try:
            eventually(lambda: "The page is at" in log.read_text() or process.poll() is not None, "the page", 60)
            assert process.poll() is None, log.read_text()
            yield log.read_text().partition("The page is at ")[2].split()[0]
        except BaseException:
            process.kill()
            raise
        process.terminate()
        assert process.wait(20) == 0, log.read_text()


def cells(browser: webdriver.Chrome) -> dict[str, list[str]]:
    """The texts of the visible rows, by key."""
    found: dict[str, list[str]] = browser.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('#rows .row')].filter(row => row.style.display !== "
        "'none').map(row => [row.dataset.key, [...row.children].map(cell => cell.textContent)]))"
    )
    return found


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    """The text of each element."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(node => node.textContent)", selector
    )
    return found


def complaints(browser: webdriver.Chrome) -> list[Any]:
    """Script errors and content security violations in the browser's console."""
    return [entry for entry in browser.get_log("browser") if entry["source"] != "network"]  # type: ignore[no-untyped-call]
