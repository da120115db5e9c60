"""What every byte of an image file is, as text and as JSON.

In: a `Usage`. Out: pieces of text. Refuses: nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Tile, Total, Usage
from qcowspec.report.words import plural, size


def as_text(usage: Usage, name: str, *, ranges: bool = False) -> Iterator[str]:
    """A table of the kinds, what overlaps, and the cavities.

    Args:
        usage: What was asked for.
        name: The image's name, printable.
        ranges: List the cavities that hold bytes that are not zero.
    """
    hidden = [_range(tile) for tile in usage if ranges and tile.nonzero]
    yield f"{name}: {_bytes(usage.length)}\n\n"
    yield f"{'':<22}{'bytes':>18}{'share':>9}{'not zero' if usage.deep else '':>12}".rstrip() + "\n"
    for kind in Kind:
        if kind in usage.totals:
            yield _row(usage, kind.word, usage.totals[kind], counted=kind.is_cavity)
    yield _row(usage, "total", Total(usage.length), counted=False)
    for (kind, other), count in sorted(usage.overlaps.items()):
        yield f"\n{plural(count, 'byte')} of {kind.word} also claimed as {other.word}"
    if usage.overlaps:
        yield "\n"
    cavities = usage.cavities
    yield f"\n{plural(cavities.length, 'byte')} that no reader looks at"
    if usage.deep:
        yield f", {cavities.nonzero:,} of them not zero"
    yield ".\n"
    yield from hidden


def as_json(usage: Usage, name: str) -> Iterator[str]:
    """One object: the file, its tiles one a line, and their sums."""
    yield f'{{"filename": {json.dumps(name)}, "length": {usage.length}, "tiles": ['
    before = "\n"
    for tile in usage:
        yield before + json.dumps(_tile(tile))
        before = ",\n"
    cavities = usage.cavities
    sums = {
        "kinds": {
            kind.word: _total(usage, usage.totals[kind], counted=kind.is_cavity)
            for kind in Kind
            if kind in usage.totals
        },
        "cavities": _total(usage, cavities, counted=True),
        "overlaps": [
            {"kind": kind.word, "also": other.word, "bytes": count}
            for (kind, other), count in sorted(usage.overlaps.items())
        ],
    }
    yield "\n],\n" + json.dumps(sums)[1:] + "\n"


def _tile(tile: Tile) -> dict[str, object]:
    found: dict[str, object] = {"kind": tile.kind.word, "offset": tile.offset}
    found["length"] = tile.length
    if tile.also:
        found["also"] = [kind.word for kind in tile.also]
    if tile.nonzero is not None:
        found["nonzero"] = tile.nonzero
    if tile.nonzero:
        found["first_nonzero"], found["last_nonzero"] = tile.first, tile.last
    return found


def _total(usage: Usage, total: Total, *, counted: bool) -> dict[str, int]:
    found = {"bytes": total.length, "tiles": total.tiles}
    return found | {"nonzero": total.nonzero} if counted and usage.deep else found


def _row(usage: Usage, name: str, total: Total, *, counted: bool) -> str:
    share = f"{100 * total.length / usage.length:.1f} %"
    hidden = f"{total.nonzero:,}" if counted and usage.deep else ""
    return f"  {name:<20}{total.length:>18,}{share:>9}{hidden:>12}".rstrip() + "\n"


def _range(tile: Tile) -> str:
    """A cavity, from its first byte that is not zero to its last."""
    return (
        f"  {tile.first:#x} to {tile.last:#x}: {tile.kind.word},"
        f" {plural(tile.nonzero or 0, 'byte')} not zero\n"
    )


def _bytes(count: int) -> str:
    return f"{plural(count, 'byte')}" + (f" ({size(count)})" if count >= 1 << 10 else "")
