"""What every byte of an image file is, as text and as JSON.

In: a `Usage`. Out: pieces of text. Refuses: nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from qcowspec.check.arrays import Numbers
from qcowspec.check.followed import sentence
from qcowspec.check.hidden import NOT_READ
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Batch, Total, Usage
from qcowspec.report.words import plural, printable, size

SHOWN = 100_000
"""Ranges that are listed as text, at most."""

TOGETHER = 1 << 12
"""Tiles that become one piece of text."""


def as_text(usage: Usage, name: str, *, ranges: bool = False) -> Iterator[str]:
    """A table of the kinds, what overlaps, and the cavities.

    Args:
        usage: What was asked for.
        name: The image's name, printable.
        ranges: List the cavities that hold bytes that are not zero.
    """
    hidden, more = list[str](), 0
    for batch in usage.arrays():
        if ranges and batch.hidden is not None:
            rows = np.flatnonzero(batch.hidden.counts > 0)
            hidden.extend(_ranges(batch, rows[: SHOWN - len(hidden)]))
            more += len(rows)
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
    if usage.not_followed:
        yield printable(sentence(usage.not_followed)) + "\n"
    yield from hidden
    if more > len(hidden):
        yield f"  and {more - len(hidden):,} more; --json has them all\n"


def as_json(usage: Usage, name: str) -> Iterator[str]:
    """One object: the file, its tiles one a line, and their sums."""
    yield f'{{"filename": {json.dumps(name)}, "length": {usage.length}, "tiles": ['
    before = "\n"
    for batch in usage.arrays():
        for first in range(0, len(batch), TOGETHER):
            yield before + ",\n".join(_tiles(usage, batch, slice(first, first + TOGETHER)))
            before = ",\n"
    cavities = usage.cavities
    sums = {
        "kinds": {
            kind.word: _total(usage, usage.totals[kind], counted=kind.is_cavity)
            for kind in Kind
            if kind in usage.totals
        },
        "not_followed": usage.not_followed,
        "cavities": _total(usage, cavities, counted=True),
        "overlaps": [
            {"kind": kind.word, "also": other.word, "bytes": count}
            for (kind, other), count in sorted(usage.overlaps.items())
        ],
    }
    yield "\n],\n" + json.dumps(sums)[1:] + "\n"


def _tiles(usage: Usage, batch: Batch, some: slice) -> Iterator[str]:
    """Some tiles of a batch as JSON."""
    begins = [json.dumps({"kind": kind.word})[:-1] for kind, _ in usage.meanings]
    ends = [_also(also) for _, also in usage.meanings]
    columns = (side[some].tolist() for side in (batch.meanings, batch.starts, batch.lengths))
    rows = zip(*columns, strict=True)
    if batch.hidden is None:
        for kind, start, length in rows:
            yield f'{begins[kind]}, "offset": {start}, "length": {length}{ends[kind]}}}'
        return
    hidden = (side[some].tolist() for side in batch.hidden)
    for (kind, start, length), count, low, high in zip(rows, *hidden, strict=True):
        found = "" if count == NOT_READ else f', "nonzero": {count}'
        if count > 0:
            found += f', "first_nonzero": {low}, "last_nonzero": {high}'
        yield f'{begins[kind]}, "offset": {start}, "length": {length}{ends[kind]}{found}}}'


def _also(kinds: tuple[Kind, ...]) -> str:
    return f', "also": {json.dumps([kind.word for kind in kinds])}' if kinds else ""


def _total(usage: Usage, total: Total, *, counted: bool) -> dict[str, int]:
    found = {"bytes": total.length, "tiles": total.tiles}
    return found | {"nonzero": total.nonzero} if counted and usage.deep else found


def _row(usage: Usage, name: str, total: Total, *, counted: bool) -> str:
    share = f"{100 * total.length / usage.length:.1f} %"
    hidden = f"{total.nonzero:,}" if counted and usage.deep else ""
    return f"  {name:<20}{total.length:>18,}{share:>9}{hidden:>12}".rstrip() + "\n"


def _ranges(batch: Batch, rows: Numbers) -> Iterator[str]:
    """Cavities, each from its first byte that is not zero to its last."""
    assert batch.hidden is not None
    columns = (side[rows].tolist() for side in (batch.kinds, *batch.hidden))
    for kind, count, first, last in zip(*columns, strict=True):
        word = Kind(kind).word
        yield f"  {first:#x} to {last:#x}: {word}, {plural(count, 'byte')} not zero\n"


def _bytes(count: int) -> str:
    return f"{plural(count, 'byte')}" + (f" ({size(count)})" if count >= 1 << 10 else "")
