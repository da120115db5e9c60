"""Report pages for the tests, and what stands in them.

In: an image. Out: its report page, its model and its catalogue, and
where a byte's cell is in a picture, worked out anew. Refuses: nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qcowspec.image import lay_open
from qcowspec.report.page.document import document
from qcowspec.report.page.model import page_of
from tests.browser.chromium import Browser

SCRIPT = r'<script type="application/json" id="{}">(.*?)</script>'


@dataclass(frozen=True)
class Page:
    """A page on disk."""

    path: Path

    @cached_property
    def model(self) -> dict[str, Any]:
        """What is said of the image."""
        return self._block("model")

    @cached_property
    def catalogue(self) -> dict[str, Any]:
        """What is said in general."""
        return self._block("catalogue")

    def _block(self, name: str) -> dict[str, Any]:
        found = re.search(SCRIPT.format(name), self.path.read_text(encoding="utf-8"), re.DOTALL)
        assert found, f"the page has no {name}"
        block: dict[str, Any] = json.loads(found[1])
        return block

    def file_kind(self, offset: int) -> str:
        """The kind of a byte of the file."""
        tiles = self.model["tiles"]
        at = 0
        for kind, length in zip(tiles["kinds"], tiles["lengths"], strict=True):
            at += length * tiles["unit"]
            if offset < at:
                return str(self.catalogue["kinds"][kind]["name"])
        raise AssertionError(offset)

    def disk_runs(self, state: int = 0) -> list[tuple[str, int, int, int]]:
        """Runs of a state's disk: what they are, first byte, length, place in the file or -1."""
        runs = self.model["disk"]["states"][state]["runs"]
        found, at = [], 0
        for kind, length, host in zip(runs["states"], runs["lengths"], runs["hosts"], strict=True):
            size = length * runs["unit"]
            found.append((self.catalogue["states"][kind]["name"], at, size, host))
            at += size
        return found

    def colour(self, kind: str, scheme: str = "light") -> list[int]:
        """A kind of bytes or state of the disk as red, green, blue."""
        looks = self.catalogue["kinds"] + self.catalogue["states"]
        colour = next(look[scheme] for look in looks if look["name"] == kind)
        return list(bytes.fromhex(colour[1:]))


def report(image: Path, folder: Path, *, deep: bool = False) -> Page:
    """The page of an image."""
    page = Page(folder / f"{image.name}.html")
    with lay_open(image) as opened:
        page.path.write_text(document(page_of(opened, deep=deep)), encoding="utf-8")
    return page


@dataclass(frozen=True)
class Grid:
    """How a picture lays out its cells."""

    hilbert: bool
    size: int
    columns: int
    rows: int

    def place(self, offset: int) -> tuple[float, float]:
        """The middle of the cell of a byte, as parts of the picture's width and height."""
        cell = offset // self.size
        row, column = divmod(cell, self.columns)
        if self.hilbert:
            column, row = hilbert(self.columns, cell)
        return (column + 0.5) / self.columns, (row + 0.5) / self.rows


def hilbert(side: int, distance: int) -> tuple[int, int]:
    """Where the curve is after some steps, by halves: the definition, from the outside in."""
    if side == 1:
        return 0, 0
    half = side // 2
    quarter, rest = divmod(distance, half * half)
    x, y = hilbert(half, rest)
    return [
        (y, x),
        (x, y + half),
        (x + half, y + half),
        (side - 1 - y, half - 1 - x),
    ][quarter]


def grid(browser: Browser, side: str) -> Grid:
    """How a picture, ``file`` or ``disk``, is laid out now."""
    facts = browser.script(
        "const {dataset} = document.getElementById(arguments[0]).parentElement;"
        "return [dataset.bytes, dataset.columns, dataset.rows].map(Number)",
        f"{side}-picture",
    )
    return Grid(bool(browser.all("input[value=hilbert]:checked")), *facts)


def pixel(browser: Browser, side: str, offset: int) -> list[int]:
    """The colour in the middle of a byte's cell."""
    x, y = grid(browser, side).place(offset)
    found = browser.script(
        "const from = document.getElementById(arguments[0]);"
        "const copy = Object.assign(document.createElement('canvas'), {width: 1, height: 1});"
        "const context = copy.getContext('2d', {willReadFrequently: true});"
        "const at = [arguments[1] * from.width, arguments[2] * from.height].map(Math.floor);"
        "context.drawImage(from, ...at, 1, 1, 0, 0, 1, 1);"
        "return [...context.getImageData(0, 0, 1, 1).data]",
        f"{side}-picture",
        x,
        y,
    )
    return list(found[:3])


def point(browser: Browser, side: str, offset: int) -> None:
    """Move the pointer to a byte of a picture."""
    browser.point(f"#{side}-picture", *grid(browser, side).place(offset))
