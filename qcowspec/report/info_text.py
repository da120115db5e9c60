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
from typing import Any, NamedTuple

from qcowspec.report.info import ID_ROOM, NAME_ROOM, SECOND, WORD, Plain
from qcowspec.report.words import duration, printable
from qcowspec.spec.profiles import OUTPUT, has

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

ESCAPE = r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})"
"""An escaped character, and not a backslash before a u."""


def as_json(data: Plain | list[Plain]) -> str:
    """One description, or a list of them."""
    import json  # with `re`, a few milliseconds that text does not need
    import re

    lines = json.dumps(data, indent=4)
    # QEMU ends an empty list or object on a line of its own, and its escapes have capital letters.
    lines = re.sub(r'^( *)("[a-z-]+": )(\[|\{)(\]|\})', r"\1\2\3\n\1\4", lines, flags=re.MULTILINE)
    return re.sub(ESCAPE, lambda found: found[1] + found[2].upper(), lines) + "\n"


def as_text(descriptions: Iterable[Plain], like: str = OUTPUT) -> Iterator[str]:
    """The descriptions, with an empty line between them.

    Args:
        descriptions: What `qcowspec.report.info` says of images.
        like: Whose text; the same as for the descriptions.
    """
    before = ""
    for data in descriptions:
        yield before + "".join(f"{printable(line)}\n" for line in _lines(data, like))
        before = "\n"


def size(count: int) -> str:
    """A number of bytes in three digits, and a unit; from 1000 on the next one is taken."""
    unit = max(0, math.frexp(count / (1000 / 1024))[1] - 1) // 10
    return f"{count / (1 << 10 * unit):.3g} {UNITS[unit]}"


def _lines(data: Plain, like: str) -> Iterator[str]:
    yield from _sizes(data, "image", "file format", "virtual size")
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
        yield from snapshot_lines(data["snapshots"], like)
    if "format-specific" in data:
        yield "Format specific information:"
        yield from _tree(data["format-specific"]["data"], 1)
    for child in data.get("children", ()):
        yield f"Child node '/{child['name']}':"
        for line in _sizes(child["info"], "filename", "protocol type", "file length"):
            yield f"    {line}"


def _sizes(data: Plain, name: str, form: str, length: str) -> Iterator[str]:
    """The first lines of a node, of which an image and its file have the same, by other words."""
    yield f"{name}: {data['filename']}"
    yield f"{form}: {data['format']}"
    yield f"{length}: {size(data['virtual-size'])} ({data['virtual-size']} bytes)"
    actual = data.get("actual-size")
    yield f"disk size: {'unavailable' if actual is None else size(actual)}"


class _Columns(NamedTuple):
    """How a list of snapshots is laid out.

    Attributes:
        id, tag, vm_size: Widths of the first three columns; blanks are between them.
        rest: The format of the others: date, clock, instruction count.
        titles: The titles that changed: of the third and of the fifth column.
        hours: Digits that the hours of a clock have at least.
        uncounted: What stands for no instruction count.
    """

    id: int
    tag: int
    vm_size: int
    rest: str
    titles: tuple[str, str]
    hours: int
    uncounted: str


def _columns(like: str) -> _Columns:
    if has(like, "snapshot-columns"):
        return _Columns(7, 16, 8, " {:>19} {:>15} {:>10}", ("VM_SIZE", "VM_CLOCK"), 4, "--")
    tag, vm_size = (16, 8) if has(like, "snapshot-size-column") else (17, 7)
    return _Columns(9, tag, vm_size, "{:>20}{:>13}{:>11}", ("VM SIZE", "VM CLOCK"), 2, "")


def snapshot_lines(snapshots: Iterable[Plain], like: str = OUTPUT) -> Iterator[str]:
    """A table of snapshots, with its heading; times are local, as QEMU's are."""
    columns = _columns(like)
    width = columns.vm_size
    sized, clocked = columns.titles
    yield f"{'ID':<{columns.id}} {'TAG':<{columns.tag}} {sized:>{width}}" + columns.rest.format(
        "DATE", clocked, "ICOUNT"
    )
    for data in snapshots:
        clock = duration(data["vm-clock-sec"] * SECOND + data["vm-clock-nsec"], columns.hours)
        date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(data["date-sec"]))
        yield (
            f"{_padded(data['id'], columns.id, ID_ROOM)} "
            f"{_padded(data['name'], columns.tag, NAME_ROOM)} "
            f"{size(data['vm-state-size'] % WORD):>{width}}"
            + columns.rest.format(date, clock, data.get("icount", columns.uncounted))
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
