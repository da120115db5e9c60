"""What Python knows of an image, in the shape of the page's model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from qcow_parsers.catalogue import RULES

from qcowspec.check.usage import Usage
from qcowspec.errors import QcowError
from qcowspec.image import Image, lay_open
from qcowspec.mapping.runs import Kind
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import ALL_ENTRIES, Machine, thorough
from qcowspec.report import tree
from qcowspec.report.document import plain
from qcowspec.report.nodes import Node
from qcowspec.report.words import printable
from qcowspec.sources import open_source
from qcowspec.spec.predicates import FACTS, PLACES
from tools.inspector.facts import judged

JUDGED = {rule.id for rule in judged()}
STOPPING = {rule.id for rule in RULES if rule.stops} - JUDGED
"""Rules for which Python reads no further, and which the inspector does not judge."""

FREE_TEXT = {*FACTS, *PLACES}
"""Rules whose findings name a place or a number that a predicate alone does not give."""

Rows = list[Any]
Tiled = tuple[Rows, dict[str, tuple[int, int]]]
"""Runs, kind and length; and of each kind its bytes and tiles."""


def opened(data: bytes) -> Image:
    """An image with the entries of all its tables judged."""
    return lay_open(data, entries=ALL_ENTRIES)


def machine(data: bytes) -> Machine:
    """A machine that has judged an image by all rules."""
    made = Machine(thorough("untrusted"), length=len(data), entries=ALL_ENTRIES)
    drive(made, open_source(data))
    return made


def near(offset: int | None) -> int | None:
    """An offset that a file may have; None of one that lies past all of them."""
    return None if offset is None or offset >= 1 << 53 else offset


def findings(judged: Machine) -> Rows:
    """The findings of the rules that the inspector judges: rule, offset, path, message."""
    found = [
        (each.rule,)
        if each.rule in FREE_TEXT
        else (each.rule, near(each.offset), each.field, each.message)
        for each in judged.findings
        if each.rule in JUDGED
    ]
    return sorted(found, key=repr)


def structures(image: Image, largest: int) -> Rows:
    """All structures and their fields, without what they mean in words.

    Args:
        image: The image.
        largest: Bytes of the largest refcount block whose counts are summed up.
    """
    nodes = (node for node in tree.structures(image, whole=True) if near(node.offset) is not None)
    found = list(chain.from_iterable(map(_flat, nodes)))
    for row in found:
        if row[3] == "qcow2::refcount_block" and row[2] > largest:
            row[-1] = None
    return found


def _flat(node: Node, path: str = "") -> Iterator[Any]:
    if node.meaning in {"unaligned: not read", "past the end of the file: zeros"}:
        return
    if node.meaning == "belongs to no structure":
        return
    path = f"{path}.{node.name}" if path else node.name
    row: list[Any] = [path, node.offset, node.length, node.layout]
    if node.raw is not None and not node.children:
        row += [node.raw[:32].hex(), value(node.value)]
    yield [*row, node.summary or None]
    for child in node.children:
        yield from _flat(child, path)


def value(found: int | bytes | None) -> Any:
    """A field's value as JSON has it."""
    if isinstance(found, int):
        return found if found < 1 << 53 else str(found)
    if not isinstance(found, bytes):
        return found
    return printable(str(plain(found[:200]))) + "…" * (len(found) > 200)


def tiles(image: Image) -> Tiled:
    """The runs of the file, and the sums of each kind."""
    usage = Usage(image)
    found: Rows = []
    for tile in usage:
        if found and found[-1][0] == tile.kind.word:
            found[-1][1] += tile.length
        else:
            found.append([tile.kind.word, tile.length])
    return found, {kind.word: (one.length, one.tiles) for kind, one in usage.totals.items()}


STATES = {
    Kind.DATA: "data",
    Kind.COMPRESSED: "compressed",
    Kind.ZERO: "zero",
    Kind.BACKING: "unallocated",
    Kind.UNALLOCATED: "unallocated",
}


def runs(image: Image, snapshot: str | None = None) -> Rows | None:
    """The runs of a state of the disk; None where one cannot be mapped."""
    found: Rows = []
    try:
        for run in image.runs(snapshot=snapshot):
            host = near(run.host_offset) if run.kind in {Kind.DATA, Kind.COMPRESSED} else None
            push(found, STATES[run.kind], run.length, host)
    except QcowError:
        return None
    return found


def push(found: Rows, state: str, length: int, host: int | None) -> None:
    """Add a run; one that continues the last is a part of it."""
    if found and state != "compressed" and found[-1][0] == state:
        last = found[-1]
        if (host is None and last[2] is None) or (
            host is not None and last[2] is not None and host == last[2] + last[1]
        ):
            last[1] += length
            return
    found.append([state, length, host])
