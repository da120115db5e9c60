"""Descriptions of images as ``qemu-img info`` writes them: JSON, and text for people.

In: descriptions by `qcowspec.report.info`. Out: text, with QEMU's order, spacing and rounding.
Refuses: to print characters that could move a terminal's cursor: they are escaped.

Source: block/qapi.c: bdrv_image_info_dump, bdrv_snapshot_dump, dump_qobject; util/cutils.c:
size_to_str.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

from qcowspec.report.info import ID_ROOM, NAME_ROOM, SECOND, WORD, Plain
from qcowspec.report.words import duration, printable

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

ESCAPE = r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})"
"""An escaped character, and not a backslash before a u."""


def as_json(data: Plain | list[Plain]) -> str:
    """One description, or a list of them."""
    import json  # with `re`, a few milliseconds that text does not need
    import re

    lines = json.dumps(data, indent=4)
    # QEMU ends an empty list on a line of its own, and its escapes have capital letters.
    lines = re.sub(r'^( *)("[a-z-]+": )\[\]', r"\1\2[\n\1]", lines, flags=re.MULTILINE)
    return re.sub(ESCAPE, lambda found: found[1] + found[2].upper(), lines) + "\n"


def as_text(descriptions: Iterable[Plain]) -> Iterator[str]:
    """The descriptions, with an empty line between them."""
    before = ""
    for data in descriptions:
        yield before + "".join(f"{printable(line)}\n" for line in _lines(data))
        before = "\n"


def size(count: int) -> str:
    """A number of bytes in three digits, and a unit; from 1000 on the next one is taken."""
    unit = max(0, math.frexp(count / (1000 / 1024))[1] - 1) // 10
    return f"{count / (1 << 10 * unit):.3g} {UNITS[unit]}"


def _lines(data: Plain) -> Iterator[str]:
    yield f"image: {data['filename']}"
    yield f"file format: {data['format']}"
    yield f"virtual size: {size(data['virtual-size'])} ({data['virtual-size']} bytes)"
    actual = data.get("actual-size")
    yield f"disk size: {'unavailable' if actual is None else size(actual)}"
    if data.get("encrypted"):
        yield "encrypted: yes"
    if "cluster-size" in data:
        yield f"cluster_size: {data['cluster-size']}"
    if data["dirty-flag"]:
        yield "cleanly shut down: no"
    if "backing-filename" in data:
        name, full = data["backing-filename"], data["full-backing-filename"]
        yield f"backing file: {name}" + ("" if name == full else f" (actual path: {full})")
        if "backing-filename-format" in data:
            yield f"backing file format: {data['backing-filename-format']}"
    if "snapshots" in data:
        yield "Snapshot list:"
        yield from snapshot_lines(data["snapshots"])
    if "format-specific" in data:
        yield "Format specific information:"
        yield from _tree(data["format-specific"]["data"], 1)


def snapshot_lines(snapshots: Iterable[Plain]) -> Iterator[str]:
    """A table of snapshots, with its heading; times are local, as QEMU's are."""
    yield f"{'ID':<10}{'TAG':<17}{'VM SIZE':>8}{'DATE':>20}{'VM CLOCK':>13}{'ICOUNT':>11}"
    for data in snapshots:
        clock = duration(data["vm-clock-sec"] * SECOND + data["vm-clock-nsec"])
        date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(data["date-sec"]))
        yield (
            f"{_padded(data['id'], 9, ID_ROOM)} {_padded(data['name'], 16, NAME_ROOM)}"
            f" {size(data['vm-state-size'] % WORD):>8}{date:>20}{clock:>13}"
            f"{data.get('icount', ''):>11}"
        )


def _padded(word: str, width: int, room: int) -> str:
    """A word filled up with blanks; C counts bytes, where we would count characters."""
    data = word.encode("utf-8", "surrogateescape")[:room]
    return data.decode("utf-8", "replace") + " " * (width - len(data))


def _tree(value: Any, depth: int) -> Iterator[str]:
    """What is in a dictionary or a list, a line each, and deeper where it has more in it."""
    margin = " " * 4 * depth
    items: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        items = ((key.replace("-", " "), item) for key, item in value.items())
    else:
        items = ((f"[{index}]", item) for index, item in enumerate(value))
    for name, item in items:
        if isinstance(item, (dict, list)):
            yield f"{margin}{name}:"
            yield from _tree(item, depth + 1)
        else:
            shown = str(item).lower() if isinstance(item, bool) else str(item)
            yield f"{margin}{name}: {shown}"
