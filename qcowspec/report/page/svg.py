"""A picture of an image file alone, as SVG: for a document, a README, a mail.

In: an opened image. Out: the text of an SVG file. Refuses: an image whose header cannot be read.

The file is drawn row by row, in cells of one size. Of a small file each cluster is a cell. A cell
has the colours of the kinds in it, one above the other; small ones are drawn larger than they are,
so that a table in a cell of a gigabyte is seen. The legend has the exact sizes.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qcowspec.check.findings import Progress, silent
from qcowspec.check.tiles import Kind
from qcowspec.image import Image
from qcowspec.report.page import room
from qcowspec.report.page.catalogue import KIND_WORDS, KINDS, NOT_LOOKED_AT
from qcowspec.report.page.facts import exact_size
from qcowspec.report.page.tiles import Cells, Numbers
from qcowspec.report.page.tiling import Sums, tally
from qcowspec.report.words import plural, size

WIDTH, LEFT, GAP = 720, 104, 2
"""Of the picture; of the column of offsets; between cells."""

MOST_CELLS = 960
LAYERS = 4
"""Kinds that are drawn in a cell, at most: those in use come first, then the largest."""

THINNEST = 0.14
"""Of a cell's height: what a kind has at least."""

HEAD, LINE, SMALL = 58, 22, 12
COLUMNS = 2
"""Of the legend."""

CAVITIES = {kind.word for kind in Kind if kind.is_cavity} | {NOT_LOOKED_AT}

INK = {
    "ink": ("#1b1d20", "#e8e6e1"),
    "faint": ("#6a6d72", "#9a9da2"),
    "line": ("#d5d3cd", "#3b3e43"),
}
"""Colours of the words and lines, light and dark."""


class Box(NamedTuple):
    """A part of a cell: a kind, and where it is drawn."""

    kind: int
    x: float
    y: float
    width: float
    height: float


def drawn(
    image: Image, *, name: str | None = None, deep: bool = False, progress: Progress = silent
) -> str:
    """A picture of an image file.

    Args:
        image: The image, as `qcowspec.image.lay_open` gives it.
        name: Its name as it is shown; the last part of its own if it is left out.
        deep: See `qcowspec.report.page.model.page_of`.
        progress: See there.
    """
    geometry, length = image.metadata.geometry, image.source.length
    least = 512 if geometry is None else geometry.cluster_size
    cells = Cells(length, len(KIND_WORDS), MOST_CELLS, least=least)
    sums, notes = tally(image, cells, deep=deep, progress=progress)
    hidden = [
        f"{KINDS[word].label.lower()} {plural(total['nonzero'], 'byte')}"
        for word, total in sums.items()
        if total.get("nonzero")
    ]
    if hidden:
        notes.append(f"Not zero, though no reader looks at it: {', '.join(hidden)}.")
    title = room.short(name or image.source.name.rpartition("/")[2], 60)
    return "".join(_document(title, length, cells, sums, notes))


def _document(title: str, length: int, cells: Cells, sums: Sums, notes: list[str]) -> Iterator[str]:
    columns = _columns(cells.count)
    side = (WIDTH - LEFT) / columns
    rows = -(-cells.count // columns)
    legend = HEAD + rows * side + LINE
    lines = -(-len(sums) // COLUMNS)
    height = legend + lines * LINE + LINE * len(notes) + 8
    shares = ", ".join(
        f"{KINDS[kind].label} {size(total['bytes'])}, {_share(total['bytes'], length)}"
        for kind, total in sums.items()
    )
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img"'
        f' aria-labelledby="title desc">\n<title id="title">{_text(title)}</title>\n'
        f'<desc id="desc">{_text(f"What the bytes of the image file are: {shares}.")}</desc>\n'
    )
    yield from _style(sums)
    about = f"{exact_size(length)}; a cell is {size(cells.unit)}"
    yield _words(0, 20, title, "ink title")
    yield _words(0, 40, about, "faint")
    for row in range(rows):
        offset = f"{row * columns * cells.unit:#x}"
        yield _words(LEFT - 10, HEAD + row * side + side / 2 + 4, offset, "faint mono end")
    yield from _paths(list(_boxes(cells.table(), columns, side)))
    yield from _legend(sums, length, legend)
    for number, note in enumerate(notes, lines):
        yield _words(0, legend + number * LINE + SMALL, room.short(note, 110), "faint")
    yield "</svg>\n"


def _columns(count: int) -> int:
    """Cells of a row: wide ones of a small file."""
    return next((n for n in (8, 16, 32) if count <= n * n // 2), 40)


def _boxes(table: Numbers, columns: int, side: float) -> Iterator[Box]:
    """The parts of all cells."""
    inner = side - GAP
    for number, counts in enumerate(table):
        row, column = divmod(number, columns)
        x, y = LEFT + column * side, HEAD + row * side
        kinds = _shown(counts)
        shares = np.maximum(counts[kinds] / counts.sum(), THINNEST)
        heights = inner * shares / shares.sum()
        for kind, height in zip(kinds, heights.tolist(), strict=True):
            yield Box(kind, x, y, inner, height)
            y += height


def _shown(counts: Numbers) -> list[int]:
    """The kinds that are drawn in a cell, in their order."""
    found = np.flatnonzero(counts).tolist()
    found.sort(key=lambda kind: (KIND_WORDS[kind] in CAVITIES, -counts[kind]))
    return sorted(found[:LAYERS])


def _paths(boxes: list[Box]) -> Iterator[str]:
    """A path for each kind; cavities are hatched."""
    parts: dict[int, list[str]] = defaultdict(list)
    for box in boxes:
        place = f"M{box.x:.1f} {box.y:.1f}h{box.width:.1f}v{box.height:.1f}h-{box.width:.1f}z"
        parts[box.kind].append(place)
    for kind, places in sorted(parts.items()):
        word, path = KIND_WORDS[kind], "".join(places)
        yield f'<path class="{word}" d="{path}"/>\n'
        if word in CAVITIES:
            yield f'<path fill="url(#hatch)" d="{path}"/>\n'


def _legend(sums: Sums, length: int, top: float) -> Iterator[str]:
    """Colour, name, size and share of each kind."""
    lines = -(-len(sums) // COLUMNS)
    wide = WIDTH / COLUMNS
    for number, (word, total) in enumerate(sums.items()):
        column, line = divmod(number, lines)
        x, y = column * wide, top + line * LINE
        end = x + wide - 24
        box = f'x="{x:g}" y="{y:.1f}" width="14" height="14"'
        yield f'<rect class="{word}" {box}/>'
        if word in CAVITIES:
            yield f'<rect fill="url(#hatch)" {box}/>'
        y += SMALL
        yield _words(x + 22, y, KINDS[word].label, "ink")
        yield _words(end - 64, y, size(total["bytes"]), "ink end")
        yield _words(end, y, _share(total["bytes"], length), "faint end")


def _style(sums: Sums) -> Iterator[str]:
    """The colours, light and dark, and the hatching of cavities."""
    pairs = INK | {word: (KINDS[word].light, KINDS[word].dark) for word in sums}
    light, dark = (
        "".join(f".{word}{{fill:{colours[side]}}}" for word, colours in pairs.items())
        for side in (0, 1)
    )
    yield (
        "<style>text{font:13px system-ui,sans-serif}.title{font-size:16px;font-weight:600}"
        ".end{text-anchor:end}"
        ".mono{font:11px ui-monospace,monospace}.hatch{fill:none;stroke:#000;stroke-opacity:.16}"
        f"{light}@media (prefers-color-scheme:dark){{{dark}.hatch{{stroke:#fff}}}}</style>\n"
        '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse">'
        '<path class="hatch" d="M0 5L5 0"/></pattern></defs>\n'
    )


def _share(part: int, whole: int) -> str:
    """A share, which is never rounded to nothing or to all."""
    percent = 100 * part / whole
    if percent < 0.05:
        return "< 0.1 %"
    return "> 99.9 %" if part < whole and percent > 99.9 else f"{percent:.1f} %"


def _words(x: float, y: float, text: str, look: str) -> str:
    return f'<text class="{look}" x="{x:g}" y="{y:.1f}">{_text(text)}</text>\n'


def _text(text: str) -> str:
    return html.escape(text)
