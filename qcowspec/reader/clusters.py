"""CLUSTERS: what the tables locate, and how far it reaches past the end of the file.

In: the tables that the stages before have read. Out: `Metadata.reach`; where the image's entries
are judged, a finding for each entry of an L1, L2 or refcount table that breaks a rule. Refuses: to
read more tables than `WORK` allows, or one at an unaligned offset, which QEMU does not follow
either.

Where entries are not judged, little is read: one refcount block tells the last cluster in use. L2
tables are read for it only where refcounts cannot tell, and they are few.

Source: docs/interop/qcow2, Cluster mapping, Host cluster management; block/qcow.c:
get_cluster_offset.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec.reader.needs import Need, Reading, Window
from qcowspec.spec import decoding
from qcowspec.spec.entries import KINDS, Frame, Words
from qcowspec.spec.entry_rules import aligned, all_plain, reach
from qcowspec.spec.metadata import Format, Metadata, Table
from qcowspec.spec.rules import Judge
from qcowspec.spec.units import BITS_PER_BYTE, MAX_L1_ENTRIES, Geometry, HostOffset, readable

WORK = 1 << 30
"""Bytes of L2 tables that are read where all are wanted; of a larger file, as many as it has."""

LITTLE = 4 << 20
"""Bytes of L2 tables that are read where their entries are not judged."""

READ = 4 << 20
"""Bytes of tables that are asked for at once, at most; neighbours in the file come together."""

FEW = 1 << 10
"""Entries of a table that are judged one by one; more are worth importing NumPy for."""

SOME = 1 << 13
"""The same where nothing but their offsets is needed."""


class Place(NamedTuple):
    """Where the L2 tables of one state of the disk are.

    Attributes:
        prefix: What their paths begin with: empty, or ``snapshots[3].``.
        offsets: Host offset of each; a table of the active state is not repeated for a snapshot.
        indices: Index of the L1 entry that locates each.
        size: Bytes of the state's disk.
    """

    prefix: str
    offsets: Sequence[int]
    indices: Sequence[int]
    size: int


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Find how far the image reaches, and judge the entries of its tables if asked."""
    geometry, table, blocks = image.geometry, image.l1_table, image.refcount_table
    if geometry is None or table is None:
        return True
    _tables_end(image, geometry, table)
    if image.entries:
        _judge_words(image, judge, geometry, table, _layout(geometry, "l1_entry"))
        if blocks is not None:
            _judge_words(image, judge, geometry, blocks, REFCOUNTS)
    yield from _last_refcount(image, geometry)
    if image.entries or _is_cut(image, geometry, table):
        yield from _entries(image, judge, geometry, table)
    judge.header("clusters")
    return True


REFCOUNTS = "qcow2::refcount_table_entry"


def _layout(geometry: Geometry, entry: str) -> str:
    return f"{'qcow1' if geometry.version == c.QCOW_VERSION else 'qcow2'}::{entry}"


def _tables_end(image: Metadata, geometry: Geometry, table: Table) -> None:
    """Note where the tables end that the header locates, and those that they locate."""
    image.reaches(table.offset + table.length if table.count else 0)
    if highest := _highest(geometry, table, _layout(geometry, "l1_entry")):
        image.reaches(highest + geometry.l2_table_size)
    if (blocks := image.refcount_table) is not None:
        image.reaches(blocks.offset + blocks.length)
        if highest := _highest(geometry, blocks, REFCOUNTS):
            image.reaches(highest + geometry.cluster_size)
    if image.luks_part is not None:
        image.reaches(image.luks_part.offset + len(image.luks_part.data))


def _highest(geometry: Geometry, table: Table, layout: str) -> int:
    """The highest host offset that a table's entries name and a reader follows, or 0."""
    found = _words(table.data, SOME)
    followed = (_followed(geometry, layout, words, indices) for words, indices in found)
    return max((max(offsets, default=0) for offsets, _ in followed), default=0)


def _followed(
    geometry: Geometry, layout: str, words: Words, indices: Any
) -> tuple[Sequence[int], Sequence[int]]:
    """The host offsets, above 0, that entries name and a reader follows; the index of each."""
    offsets = KINDS[layout](words, Frame(geometry)).offset
    kept = (offsets != 0) & readable(offsets, 0)
    if geometry.version != c.QCOW_VERSION:
        kept &= aligned(offsets, geometry)
    if isinstance(offsets, int):
        return ((offsets,), indices) if kept else ((), ())
    return offsets[kept].tolist(), indices[kept].tolist()


def _words(data: bytes, few: int = FEW) -> Iterator[tuple[Words, Any]]:
    """The entries that are not zero, and the index of each: a few one by one, or all as arrays."""
    size = Table.ENTRY_SIZE
    data = data[: len(data) // size * size]
    if "numpy" not in sys.modules and len(data) // size - data.count(bytes(size)) <= few:
        words = array("Q", data)
        if sys.byteorder == "little":
            words.byteswap()
        for index, word in enumerate(words):
            if word:
                yield word, (index,)
        return
    import numpy as np

    entries = np.frombuffer(data, ">u8").astype(np.uint64)
    used = np.flatnonzero(entries)
    if len(used):
        yield entries[used], used.astype(np.uint64)


def _judge_words(
    image: Metadata, judge: Judge, geometry: Geometry, table: Table, layout: str
) -> None:
    """Judge the entries of an L1 table or a refcount table."""
    frame = Frame(geometry, length=image.length)
    for words, indices in _words(table.data):

        def named(at: int, indices: Any = indices) -> tuple[int, str]:
            index = int(indices[at])
            return table.offset + index * table.ENTRY_SIZE, f"{table.name}[{index}]"

        judge.entries(layout, KINDS[layout](words, frame), named)


# --- the last cluster in use ----------------------------------------------------------------------


def _last_refcount(image: Metadata, geometry: Geometry) -> Reading[None]:
    """Note the last cluster that has a refcount, if it begins past the end of the file."""
    length, found = image.length, _last_block(image)
    if found is None or length is None:
        return
    index, offset = found
    per_block, size = geometry.refcount_block_entries, geometry.cluster_size
    if not aligned(offset, geometry) or (index + 1) * per_block * size <= length:
        return
    block = yield Need(HostOffset(offset), size, optional=True)
    last = index * per_block + _last_used(block, geometry.refcount_order)
    if last >= index * per_block and last * size >= length:
        image.reaches((last + 1) * size)


def _last_block(image: Metadata) -> tuple[int, int] | None:
    """Index of the last refcount block, and its host offset; None where there is none."""
    table = image.refcount_table
    used = b"" if table is None else table.data.rstrip(b"\0")
    if table is None or not used:
        return None
    index = (len(used) - 1) // table.ENTRY_SIZE
    entry = int.from_bytes(table.data[index * table.ENTRY_SIZE :][: table.ENTRY_SIZE], "big")
    return index, decoding.refcount_block_offset(entry)


def _last_used(block: bytes, order: int) -> int:
    """Index of the last refcount of a block that is not 0; below 0 where all are."""
    used = block.rstrip(b"\0")
    if not used:
        return -1
    if order >= decoding.WHOLE_BYTES:
        return (len(used) - 1) >> (order - decoding.WHOLE_BYTES)
    per_byte = BITS_PER_BYTE >> order
    return (len(used) - 1) * per_byte + (used[-1].bit_length() - 1 >> order)


def _is_cut(image: Metadata, geometry: Geometry, table: Table) -> bool:
    """Whether only L2 entries can tell if bytes are missing, and there are few to read.

    Version 1 has no refcounts; and a file that ends within a cluster may end within data.
    """
    if image.length is None or image.reach:
        return False
    if image.format is Format.QCOW2:
        inside = image.length % geometry.cluster_size
        if not inside or image.qcow2_header.has_data_file:
            return False
    if len(table.data) > LITTLE:
        return False
    used = sum(len(indices) for _, indices in _words(table.data, SOME))
    return used * geometry.l2_table_size <= LITTLE


def located(image: Metadata) -> Iterator[Need]:
    """What this stage will ask for, as far as the tables of the header tell: for a stream."""
    table, geometry = image.l1_table, image.geometry
    if geometry is None or table is None:
        return
    if (last := _last_block(image)) is not None:
        yield Need(HostOffset(last[1]), geometry.cluster_size)
    if image.entries:
        offsets = _place(geometry, table, "", 0, set()).offsets
        for run in _runs(offsets, geometry.l2_table_size):
            yield Need(HostOffset(offsets[run.start]), len(run) * geometry.l2_table_size)


# --- L2 tables ------------------------------------------------------------------------------------


def _entries(image: Metadata, judge: Judge, geometry: Geometry, table: Table) -> Reading[None]:
    """Read all L2 tables, in the order of the file, and judge their entries if asked."""
    left = image.entries or LITTLE
    if left >= WORK:
        left = max(left, image.length or 0)
    places = yield from _places(image, judge, geometry, table)
    size = geometry.l2_table_size
    data_file = image.format is Format.QCOW2 and bool(image.qcow2_header.has_data_file)
    for place in places:
        frame = Frame(geometry, data_file, image.length, place.size)
        for run in _runs(place.offsets, size):
            offset = int(place.offsets[run.start])
            if image.length is not None and offset >= image.length:
                continue  # past the end there are zeros
            if (fit := min(len(run), left // size)) < len(run):
                image.entries_left = True
            if not fit:
                return
            run, left = run[:fit], left - fit * size
            wanted = fit * size
            optional = bool(place.prefix) or not image.entries
            data = yield Need(HostOffset(offset), wanted, optional)
            if not data:
                image.entries_left = True  # a stream has gone by
            for number in run:
                start = (number - run.start) * size
                one = data[start : start + size]
                if one.strip(b"\0"):
                    _table(image, judge, place, number, frame, one)


def _places(
    image: Metadata, judge: Judge, geometry: Geometry, table: Table
) -> Reading[list[Place]]:
    """Where the L2 tables are: the active state's, and those that only snapshots have."""
    size = 0 if image.header is None else image.header.size
    seen: set[int] = set()
    found = [_place(geometry, table, "", size, seen)]
    if not image.entries:
        return found
    for index, snapshot in enumerate(image.snapshots):
        count = min(snapshot.l1_size, MAX_L1_ENTRIES)
        offset, prefix = HostOffset(snapshot.l1_table_offset), f"snapshots[{index}]."
        data = yield Need(offset, count * c.L1E_SIZE, optional=True)
        if not data and image.present(offset, count * c.L1E_SIZE):
            image.entries_left = True
        own = Table(f"{prefix}l1_table", offset, count, data)
        _judge_words(image, judge, geometry, own, _layout(geometry, "l1_entry"))
        saved = snapshot.disk_size
        found.append(_place(geometry, own, prefix, size if saved is None else saved, seen))
    return found


def _place(geometry: Geometry, table: Table, prefix: str, size: int, seen: set[int]) -> Place:
    """The L2 tables of one L1 table that are not in `seen`, in the order of the file."""
    located: dict[int, int] = {}
    layout = _layout(geometry, "l1_entry")
    for words, indices in _words(table.data):
        for offset, index in zip(*_followed(geometry, layout, words, indices), strict=True):
            located.setdefault(offset, index)
    offsets = sorted(offset for offset in located if offset not in seen)
    seen.update(offsets)
    return Place(prefix, offsets, [located[offset] for offset in offsets], size)


def _runs(offsets: Sequence[int], size: int) -> Iterator[range]:
    """Neighbours that are read together: tables that follow one another in the file."""
    first = 0
    for number, (one, other) in enumerate(pairwise(offsets), 1):
        if other != one + size or (number - first + 1) * size > READ:
            yield range(first, number)
            first = number
    if offsets:
        yield range(first, len(offsets))


def _table(
    image: Metadata, judge: Judge, place: Place, number: int, frame: Frame, data: bytes
) -> None:
    """One L2 table that is not all zeros."""
    geometry, width = frame.geometry, frame.geometry.l2_entry_size
    layout, index = _layout(geometry, "l2_entry"), place.indices[number]
    offset, base = place.offsets[number], index * geometry.l2_span

    for entries, bitmap, indices in _l2_words(data, width // Table.ENTRY_SIZE):
        if all_plain(entries, frame):
            judge.meets(layout)
            continue

        def named(at: int, indices: Any = indices) -> tuple[int, str]:
            entry = int(indices[at])
            return offset + entry * width, f"{place.prefix}l2_tables[{index}][{entry}]"

        first = indices[0] if isinstance(entries, int) else indices
        guest = base + first * geometry.cluster_size
        view = KINDS[layout](entries, frame, guest, bitmap)
        if image.entries:
            judge.entries(layout, view, named)
        if not frame.data_file:
            image.reaches(reach(view))


def _l2_words(data: bytes, words: int) -> Iterator[tuple[Words, Words, Any]]:
    """Entries of an L2 table that are not zero, their bitmaps, and the index of each."""
    if words == 1:
        for entries, indices in _words(data):
            yield entries, 0, indices
        return
    import numpy as np

    rows = np.frombuffer(data[: len(data) // 16 * 16], ">u8").astype(np.uint64).reshape(-1, words)
    used = np.flatnonzero(rows.any(axis=1))
    if len(used):
        yield rows[used, 0], rows[used, 1], used.astype(np.uint64)
