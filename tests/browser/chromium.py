"""A real browser: Debian's chromium, by its driver; no name resolves in it.

In: a page on disk. Out: what a person would see and do. Refuses: to pass without chromium where
``CI`` is set; elsewhere its absence is a visible skip.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

SIZE = (1400, 1000)
PATIENCE = 10.0
"""Seconds after which something that has not come is a failure."""

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-device-scale-factor=1",
)


class Browser:
    """A window, and short words for what is done in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, *, width: int = SIZE[0], height: int = SIZE[1]) -> None:
        """Open a page of the disk, in a window of a size, in light colours, on a screen."""
        self.driver.get("about:blank")
        self.errors()  # what the page before has said
        self.media()
        self.resize(width, height)
        self.driver.get(path.as_uri())

    def resize(self, width: int, height: int = SIZE[1]) -> None:
        """Give the window a size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, media: str = "", scheme: str = "light") -> None:
        """Set what the page is shown on, and the colours that the user prefers."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # tests need not wait for it
        ]
        self.command("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def command(self, name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a command of Chrome's DevTools protocol."""
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(name, parameters or {})
        return answer

    def script(self, text: str, *arguments: object) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(text, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        """All elements of a selector."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        """The first element of a selector."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        """An element's text, shown or not, with single spaces."""
        return " ".join(str(self.one(selector).get_attribute("textContent")).split())

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements of a selector, with single spaces."""
        found = self.script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)",
            selector,
        )
        return [" ".join(text.split()) for text in found]

    def click(self, selector: str) -> None:
        """Click an element."""
        element = self.one(selector)
        self._centre(element)
        element.click()

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def point(self, selector: str, x: float, y: float) -> None:
        """Move the pointer over an element: parts of its width and height from its corner."""
        element = self.one(selector)
        self._centre(element)
        right = round((x - 0.5) * element.size["width"])
        down = round((y - 0.5) * element.size["height"])
        ActionChains(self.driver, duration=0).move_to_element_with_offset(
            element, right, down
        ).perform()

    def press(self, selector: str, x: float, y: float) -> None:
        """Click where `point` points."""
        self.point(selector, x, y)
        ActionChains(self.driver, duration=0).click().perform()

    def wait(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, "it has not come to hold"
            time.sleep(0.02)

    def errors(self) -> list[str]:
        """What the page has written to the console since this was asked last."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]

    def requests(self) -> list[str]:
        """What the page has asked for, beyond itself."""
        names = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        return list(self.script(names))

    def _centre(self, element: WebElement) -> None:
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)


@contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """A browser, with its profile in a folder."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        if os.environ.get("CI"):
            pytest.fail("chromium or its driver is missing, and CI has to have it", pytrace=False)
        pytest.skip("chromium or its driver is missing: no page is looked at")
    options = Options()
    options.binary_location = program
    for option in (*OPTIONS, f"--user-data-dir={folder}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(running)
    finally:
        running.quit()
