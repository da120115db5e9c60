"""The inspector, in a real browser: files are dropped on it, and shown."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qcowspec.fuzzing import vectors
from tests.browser.chromium import Browser
from tests.inspector.feeder import ROOT, Feeder
from tests.property.real_images import DATA, IMAGES
from tools.inspector.page import page

SHOWCASE = DATA / "showcase.qcow2"
SECONDS = 3
"""Seconds in which a file of any size is shown."""

DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (each) => each.charCodeAt(0));
const held = new DataTransfer();
held.items.add(new File([bytes], arguments[1]));
const how = {dataTransfer: held, bubbles: true, cancelable: true};
document.body.dispatchEvent(new DragEvent("drop", how));
"""


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as it is built."""
    path = tmp_path_factory.mktemp("inspector") / "inspector.html"
    path.write_text(page(ROOT), "utf-8")
    return path


@pytest.fixture
def opened(inspector: Path, browser: Browser) -> Browser:
    """The browser with the page."""
    browser.open(inspector)
    return browser


def shown(browser: Browser, act: Callable[[], object], number: int = 1) -> float:
    """Do something, and wait until something is shown that was not; the seconds that it took."""
    before = int(browser.script("return document.documentElement.dataset.shown || 0"))
    start = time.monotonic()
    act()
    browser.wait(
        lambda: (
            int(browser.script("return document.documentElement.dataset.shown || 0"))
            >= before + number
        )
    )
    return time.monotonic() - start


def choose(browser: Browser, path: Path) -> float:
    """Choose a file by the input."""
    return shown(browser, lambda: browser.one("#file").send_keys(str(path)))


def drop(browser: Browser, data: bytes, name: str) -> float:
    """Drop a file."""
    text = base64.b64encode(data).decode()
    return shown(browser, lambda: browser.script(DROP, text, name))


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_every_image_is_shown(path: Path, opened: Browser) -> None:
    choose(opened, path)

    assert path.name in opened.text("#page h1")
    assert "no rule broken" in opened.text("#page") or "rejects" in opened.text("#page")


def test_a_dropped_file_is_shown(opened: Browser) -> None:
    drop(opened, SHOWCASE.read_bytes(), "dropped.qcow2")

    assert "dropped.qcow2" in opened.text("#page h1")
    assert opened.text("#status").endswith("All tables were read.")


def test_the_second_file_replaces_the_first(opened: Browser) -> None:
    choose(opened, SHOWCASE)
    drop(opened, (DATA / "v1-plain.qcow").read_bytes(), "second.qcow")

    assert "second.qcow" in opened.text("#page h1")
    assert "showcase" not in opened.text("#page")


def test_what_is_no_image_gets_a_sentence(opened: Browser) -> None:
    for data in (b"", b"plain text", b"QFI\xfb", bytes(1 << 16)):
        drop(opened, data, "other.txt")
        assert opened.text("#status") == "other.txt is no QCOW image: it does not begin as one."
        assert opened.text("#page") == ""


HOSTILE = [
    vector
    for vector in vectors.everything()
    if vector.rule.endswith(
        ("size-maximum", "/count", "untrusted-count", "table-size", "name-unique")
    )
]


def test_hostile_images_are_shown_in_time(opened: Browser, tmp_path: Path) -> None:
    times = {}
    for number, vector in enumerate(HOSTILE):
        path = tmp_path / f"{number}.qcow2"
        path.write_bytes(vectors.image(vector))
        times[vector.line] = choose(opened, path)

    assert len(HOSTILE) > 10
    assert {line: each for line, each in times.items() if each > SECONDS} == {}


def test_names_are_inert(opened: Browser, tmp_path: Path) -> None:
    """Script tags and marks that turn the direction of writing, in the name of the file."""
    data = SHOWCASE.read_bytes().replace(b"before the update", b"</script>\xe2\x80\xae<b>\x1b[0")
    drop(opened, data, "<img src=x onerror=hit()>\u202e.qcow2")

    assert opened.script("return typeof window.hit") == "undefined"
    assert opened.all("#page b, #page img") == []
    assert "\u202e" not in opened.text("#page")


def test_a_file_of_5_gib_is_shown_in_time(opened: Browser, tmp_path: Path) -> None:
    path = tmp_path / "large.qcow2"
    path.write_bytes((DATA / "v3-1tib.qcow2").read_bytes())
    with path.open("r+b") as file:
        file.truncate(5 << 30)

    assert choose(opened, path) < SECONDS
    assert "5 GiB" in opened.text("#status")


def test_an_image_of_1_tib_is_shown_in_time(opened: Browser) -> None:
    assert choose(opened, DATA / "v3-1tib.qcow2") < SECONDS


def test_the_button_reads_on(opened: Browser) -> None:
    """Clusters of 2 MiB: one table is more than is read of a dropped file."""
    choose(opened, DATA / "v2-2m.qcow2")
    assert "were read" in opened.text("#page")
    assert opened.one("#more").is_displayed()

    for _ in range(4):
        if opened.one("#more").is_displayed():
            shown(opened, lambda: opened.click("#more"))

    assert not opened.one("#more").is_displayed()
    assert opened.text("#status").endswith("All tables were read.")


def test_it_shows_the_model_that_node_makes(
    opened: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What `tests/inspector` compares with Python is what stands in the page."""
    (model,) = Feeder.made(tmp_path_factory.mktemp("feeder")).models([SHOWCASE])
    choose(opened, SHOWCASE)
    text = opened.text("#page")

    assert [verdict["says"] for verdict in model["verdicts"] if verdict["says"] not in text] == []
    assert [said for said in model["left_out"] if said not in text] == []
    assert [label for label, _ in model["facts"] if label not in text] == []
