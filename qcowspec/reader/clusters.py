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

from collections.abc import Iterator
from typing import Any

from qcow_parsers import constants as c

from qcowspec.reader.l1 import SOME, Passed, Place, Seen, followed, highest, runs, words
from qcowspec.reader.needs import Need, Reading, Window
from qcowspec.spec import decoding
from qcowspec.spec.entries import KINDS, Frame, Words
from qcowspec.spec.entry_rules import aligned, all_plain, reach
from qcowspec.spec.metadata import Format, Metadata, Table
from qcowspec.spec.rules import Judge
from qcowspec.spec.units import BITS_PER_BYTE, MAX_L1_ENTRIES, Geometry, HostOffset

WORK = 1 << 30
"""Bytes of L2 tables that are read where all are wanted; of a larger file, as many as it has."""

LITTLE = 4 << 20
"""Bytes of L2 tables that are read where their entries are not judged."""

READ = 4 << 20
"""Bytes of tables that are asked for at once, at most; neighbours in the file come together."""

DIRTY = 64 << 20
"""Bytes of L1 tables of snapshots, which break a rule, that are read; others are read once."""


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
    if farthest := highest(geometry, table, _layout(geometry, "l1_entry")):
        image.reaches(farthest + geometry.l2_table_size)
    if (blocks := image.refcount_table) is not None:
        image.reaches(blocks.offset + blocks.length)
        if farthest := highest(geometry, blocks, REFCOUNTS):
            image.reaches(farthest + geometry.cluster_size)
    if image.luks_part is not None:
        image.reaches(image.luks_part.offset + len(image.luks_part.data))


def _judge_words(
    image: Metadata, judge: Judge, geometry: Geometry, table: Table, layout: str, first: int = 0
) -> None:
    """Judge the entries of an L1 table or a refcount table, or some from the `first` on."""
    frame = Frame(geometry, length=image.length)
    for entries, indices in words(table.data):

        def named(at: int, indices: Any = indices) -> tuple[int, str]:
            index = int(indices[at])
            return table.offset + index * table.ENTRY_SIZE, f"{table.name}[{first + index}]"

        judge.entries(layout, KINDS[layout](entries, frame), named)


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
    used = sum(len(indices) for _, indices in words(table.data, SOME))
    return used * geometry.l2_table_size <= LITTLE


def located(image: Metadata) -> Iterator[Need]:
    """What this stage will ask for, as far as the tables of the header tell: for a stream."""
    table, geometry = image.l1_table, image.geometry
    if geometry is None or table is None:
        return
    if (last := _last_block(image)) is not None:
        yield Need(HostOffset(last[1]), geometry.cluster_size)
    if image.entries:
        offsets = _place(geometry, table, Seen(), None)[0]
        for run in runs(offsets, geometry.l2_table_size, READ):
            yield Need(HostOffset(int(offsets[run.start])), len(run) * geometry.l2_table_size)


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
        for run in runs(place.offsets, size, READ):
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
    size, seen, passed = 0 if image.header is None else image.header.size, Seen(), Passed()
    found = [Place("", *_place(geometry, table, seen, image.length), size)]
    if not image.entries:
        return found
    layout, left = _layout(geometry, "l1_entry"), DIRTY
    for index, (offset, count, saved) in enumerate(_l1_tables(image)):
        prefix, end = f"snapshots[{index}].", offset + count * c.L1E_SIZE
        # Tables that lie on each other are not read again, if their entries are the same.
        gaps = [(offset, end)] if offset % c.L1E_SIZE else passed.gaps(offset, end)
        for start, stop in [each for gap in gaps for each in _pieces(*gap)]:
            if left <= 0:
                image.entries_left = True
                return found
            data = yield Need(HostOffset(start), stop - start, optional=True)
            if not data and image.present(start, stop - start):
                image.entries_left = True
            first, broken = (start - offset) // c.L1E_SIZE, judge.counts.total()
            some = Table(f"{prefix}l1_table", HostOffset(start), (stop - start) // c.L1E_SIZE, data)
            _judge_words(image, judge, geometry, some, layout, first)
            offsets, indices = _place(geometry, some, seen, image.length, first)
            if len(offsets):
                found.append(Place(prefix, offsets, indices, saved))
            if judge.counts.total() > broken:
                left -= stop - start
            elif offset % c.L1E_SIZE == 0:
                passed.add(start, stop)
    return found


def _l1_tables(image: Metadata) -> Iterator[tuple[int, int, int]]:
    """Each snapshot's L1 table: its offset, its entries, the bytes of the disk that it maps."""
    kept = image.snapshots.numbers
    for offset, count, size in zip(*(kept[name] for name in L1_TABLE), strict=True):
        yield offset, min(count, MAX_L1_ENTRIES), size


L1_TABLE = "l1_table_offset", "l1_size", "disk_size"


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    for at in range(start, end, READ):
        yield at, min(at + READ, end)


def _place(
    geometry: Geometry, table: Table, seen: Seen, length: int | None, first: int = 0
) -> tuple[Any, Any]:
    """The L2 tables of an L1 table that were not seen before, and the indices of their entries.

    Those past the end of the file are left out: there are zeros.
    """
    layout = _layout(geometry, "l1_entry")
    columns: tuple[list[Any], list[Any]] = [], []
    for entries, numbers in words(table.data):
        offsets, indices = followed(geometry, layout, entries, numbers)
        if length is not None and isinstance(offsets, tuple):
            offsets, indices = ((), ()) if offsets and offsets[0] >= length else (offsets, indices)
        elif length is not None:
            inside = offsets < length
            offsets, indices = offsets[inside], indices[inside]
        columns[0].append(offsets)
        columns[1].append(indices)
    if not columns[0] or isinstance(columns[0][0], tuple):
        flat = ([each for some in column for each in some] for column in columns)
        offsets, indices = seen.new(*flat)
        return offsets, [first + index for index in indices]
    import numpy as np

    offsets, indices = seen.new(*map(np.concatenate, columns))
    return offsets, indices + np.uint64(first)


def _table(
    image: Metadata, judge: Judge, place: Place, number: int, frame: Frame, data: bytes
) -> None:
    """One L2 table that is not all zeros."""
    geometry, width = frame.geometry, frame.geometry.l2_entry_size
    layout, index = _layout(geometry, "l2_entry"), int(place.indices[number])
    offset, base = int(place.offsets[number]), index * geometry.l2_span

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


def _l2_words(data: bytes, width: int) -> Iterator[tuple[Words, Words, Any]]:
    """Entries of an L2 table that are not zero, their bitmaps, and the index of each."""
    if width == 1:
        for entries, indices in words(data):
            yield entries, 0, indices
        return
    import numpy as np

    rows = np.frombuffer(data[: len(data) // 16 * 16], ">u8").astype(np.uint64).reshape(-1, width)
    used = np.flatnonzero(rows.any(axis=1))
    if len(used):
        yield rows[used, 0], rows[used, 1], used.astype(np.uint64)
