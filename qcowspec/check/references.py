"""Who references one byte's cluster, without an owner map of the whole file.

In: an opened image and a host offset. Out: `Cluster`: the references, as a check counts them:
without what ends a cluster or more past the end of the file; and the refcount. Of a broken image
what can be followed, as `usage` does. Refuses: to read more tables than `SEARCHED` and `L1_READ`;
how many were left out is counted.

Of the L2 tables only the entries that may be of that cluster are decoded: the disk of 1 TiB that
takes a check a second has its owner in a tenth of that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Numbers, Words
from qcowspec.check.followed import follow, sentence
from qcowspec.check.l1 import l1_words
from qcowspec.check.layout import Layout
from qcowspec.check.ownership import Owner
from qcowspec.check.places import Place
from qcowspec.check.regions import L1Table
from qcowspec.errors import Invalid
from qcowspec.sources.batches import read_tables, read_words
from qcowspec.spec import decoding
from qcowspec.spec.entries import Frame, L2Entries, Qcow1L2Entries

if TYPE_CHECKING:
    from qcowspec.image import Image

SEARCHED = 1 << 30
"""Bytes of L2 tables that are read at most: those of a disk of 8 TiB in clusters of 64 KiB."""

BATCH = 1 << 20
"""Bytes of L2 tables that are held at a time."""

NAMED = 64
"""References that are named at most; all are counted."""

L1_READ = 64 << 20
"""Bytes of L1 tables that are read to name the states which share an L2 table."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference to a cluster.

    Attributes:
        owner: What it is.
        path: Its path, as a dump shows it, such as ``l2_tables[3][17]``.
        by: The field or entry that locates it; the same path for an entry.
        start: Host offset of its first byte.
        length: Its bytes; of a compressed payload the most that it can have.
        guest: Guest offset of the cluster that it maps; None where it maps nothing.
    """

    owner: Owner
    path: str
    by: str
    start: int
    length: int
    guest: int | None = None

    @property
    def state(self) -> str | None:
        """The snapshot whose tables refer to it, as ``snapshots[3]``; None for all else."""
        return self.path.partition(".")[0] if self.path.startswith("snapshots[") else None

    def has(self, offset: int) -> bool:
        """Whether a byte of the file is one of its own."""
        return self.start <= offset < self.start + self.length


@dataclass(slots=True)
class Cluster:
    """A cluster of the image file.

    Attributes:
        offset: Host offset of its first byte; in version 1, whose structures lie anywhere, of the
            byte that was asked for.
        refcount: Its refcount; None in version 1, and where QEMU cannot read it.
        place: Where the refcount stands, or what is there instead; None in version 1.
        references: What references it, `NAMED` at most.
        count: How many references were found.
        searched: L2 tables that were searched.
        left: L2 tables that were not.
        l1_left: L1 tables of snapshots that were not, and are counted nowhere else.
        not_followed: What of the image could not be followed and why; see `Usage.not_followed`.
    """

    offset: int
    refcount: int | None
    place: Place | None
    references: list[Reference] = field(default_factory=list)
    count: int = 0
    searched: int = 0
    left: int = 0
    l1_left: int = 0
    not_followed: list[str] = field(default_factory=list)

    def add(self, count: int, references: Iterator[Reference]) -> None:
        """Count references, and name those that there is room for: no other is made."""
        self.count += count
        self.references += islice(references, max(0, NAMED - len(self.references)))


def cluster_at(image: Image, offset: int) -> Cluster:
    """The cluster of a byte, and who references it.

    Args:
        image: The image.
        offset: Host offset of the byte.

    Raises:
        Invalid: Nothing that follows the header is known.
        Unreadable: The source failed.
    """
    followed = follow(image)
    layout = followed.layout
    if followed.header_only or (layout is None and image.l1_table is None):
        raise Invalid(sentence(followed.why), path=image.source.name)
    if layout is None:
        found = _v1_cluster(image, offset)
        found.not_followed = followed.why
        return found
    number = offset >> layout.geometry.cluster_bits
    refcounts, known = layout.stored.lookup(np.array([number]))
    found = Cluster(
        number << layout.geometry.cluster_bits,
        int(refcounts[0]) if known[0] else None,
        layout.places.of(number),
        not_followed=followed.why,
    )
    most = max(1, SEARCHED // layout.geometry.l2_table_size)
    held = layout.tables.offsets < np.uint64(layout.source.length)
    here = np.flatnonzero(held)
    found.searched, found.left = min(most, len(here)), max(0, len(here) - most)
    if image.has_data_file:
        found.searched = found.left = 0
    _structures(layout, number, found)
    _bitmap_data(layout, number, found)
    _l2_tables(layout, number, found)
    _mapped(layout, number, here[: found.searched], found)
    return found


def _structures(layout: Layout, cluster: int, found: Cluster) -> None:
    """References of all but the L1, L2 and bitmap tables."""
    size = layout.geometry.cluster_size
    start = cluster << layout.geometry.cluster_bits
    for region in layout.regions:
        past = region.length <= 0 or layout.is_past(region.offset, region.length)
        if not past and region.offset < start + size and region.offset + region.length > start:
            by = region.pointer.place(layout.source.length).path
            one = Reference(region.owner, region.path, by, region.offset, region.length)
            found.add(1, iter([one]))
    blocks = layout.stored.located
    here = blocks >> np.uint64(layout.geometry.cluster_bits) == cluster
    hit = np.flatnonzero(here & (blocks != 0))
    names = ((f"refcount_blocks[{index}]", f"refcount_table[{index}]", index) for index in hit)
    found.add(
        len(hit),
        (
            Reference(Owner.REFCOUNT_BLOCK, path, by, int(blocks[index]), size)
            for path, by, index in names
        ),
    )


def _bitmap_data(layout: Layout, cluster: int, found: Cluster) -> None:
    """References of bitmap tables."""
    size, bits = layout.geometry.cluster_size, layout.geometry.cluster_bits
    for some in layout.bitmaps:
        held = (some.offsets != 0) & (some.offsets + size < layout.limit)
        hit = np.flatnonzero((some.offsets >> bits == cluster) & held)
        paths = ((some.path(int(entry)), int(some.offsets[entry])) for entry in hit)
        found.add(
            len(hit),
            (Reference(Owner.BITMAP_DATA, path, path, at, size) for path, at in paths),
        )


def _l2_tables(layout: Layout, cluster: int, found: Cluster) -> None:
    """References of L1 entries: of each state that has the table."""
    size, offsets = layout.geometry.cluster_size, layout.tables.offsets
    start = cluster << layout.geometry.cluster_bits
    low = np.searchsorted(offsets, np.uint64(max(0, start - size + 1)))
    high = np.searchsorted(offsets, np.uint64(min(start + size, max(0, layout.limit - size))))
    for tables, places, l1 in _locators(layout, np.arange(low, high), found):
        owner = Owner.L2_TABLE if l1.active else Owner.SNAPSHOT_L2_TABLE
        above, below = f"{l1.prefix}l1_table", f"{l1.prefix}l2_tables"
        pairs = zip(offsets[tables].tolist(), places.tolist(), strict=True)
        references = (
            Reference(owner, f"{below}[{index}]", f"{above}[{index}]", at, size)
            for at, index in pairs
        )
        found.add(len(tables), references)


class Hit(NamedTuple):
    """An L2 entry that has bytes in the cluster."""

    entry: int
    host: int
    length: int
    compressed: bool


def _mapped(layout: Layout, cluster: int, tables: Numbers, found: Cluster) -> None:
    """References of L2 entries: of each state that has the table."""
    geometry = layout.geometry
    size, start = geometry.cluster_size, cluster << geometry.cluster_bits
    hits, named = defaultdict[int, list[Hit]](list), 0
    counts = np.zeros(len(layout.tables), np.int64)
    for table_of, index_of, values in _near(layout, cluster, tables):
        decoded = L2Entries(values, Frame(geometry))
        host, compressed = decoded.host.astype(np.int64), decoded.compressed
        length = np.where(compressed, decoded.csize.astype(np.int64), size)
        touches = (compressed | (host != 0)) & (host < start + size) & (host + length > start)
        touches &= host + length < layout.limit
        np.add.at(counts, table_of[touches], 1)
        for one in np.flatnonzero(touches)[: NAMED - named].tolist():
            hit = Hit(int(index_of[one]), int(host[one]), int(length[one]), bool(compressed[one]))
            hits[int(table_of[one])].append(hit)
            named += 1

    def of_table(number: int, each: list[Hit], l1: L1Table) -> Iterator[Reference]:
        for hit in each:
            guest = number * geometry.l2_span + hit.entry * size
            path = f"{l1.prefix}l2_tables[{number}][{hit.entry}]"
            owner = Owner.DATA if l1.active else Owner.SNAPSHOT_DATA
            owner = Owner.COMPRESSED if hit.compressed else owner
            yield Reference(owner, path, path, hit.host, hit.length, guest)

    for where, places, l1 in _locators(layout, np.flatnonzero(counts), found):
        named_of = zip(where.tolist(), places.tolist(), strict=True)
        found.add(
            int(counts[where].sum()),
            chain.from_iterable(
                of_table(number, hits.get(table, []), l1) for table, number in named_of
            ),
        )


def _near(
    layout: Layout, cluster: int, tables: Numbers
) -> Iterator[tuple[Numbers, Numbers, Words]]:
    """Entries of L2 tables that may be of a cluster: table, index and value of each."""
    geometry = layout.geometry
    size, words = geometry.l2_table_size, geometry.l2_entry_size // c.L2E_SIZE_NORMAL
    for part, rows in read_tables(layout.source, layout.tables.offsets[tables], size, batch=BATCH):
        stored = rows.view(np.uint64).reshape(len(rows), -1, words)[:, :, 0]
        hit = decoding.l2_may_touch(stored, cluster, geometry.cluster_bits)
        if hit.any():
            row, index = np.nonzero(hit)
            values = stored[row, index].view(">u8").astype(np.uint64)
            yield tables[part][row], index, values


def _locators(
    layout: Layout, tables: Numbers, found: Cluster
) -> Iterator[tuple[Numbers, Numbers, L1Table]]:
    """For L2 tables, the L1 entries that locate them: tables, the entries, their L1 table."""
    if not len(tables):
        return
    wanted, read = layout.tables.offsets[tables], 0
    for number, one in enumerate(layout.names.tables):
        read += one.count * c.L1E_SIZE
        if read > L1_READ and not one.active:
            found.l1_left = len(layout.names.tables) - number
            return
        active = layout.metadata.l1_table if one.active else None
        for at, entries in l1_words(layout.source, active, one.offset, one.end):
            offsets = decoding.l1_offset(entries)
            where = np.searchsorted(wanted, offsets)
            where[where == len(wanted)] = 0
            # An entry of reserved bits alone locates a table at offset 0, as QEMU's check has it.
            hit = np.flatnonzero((wanted[where] == offsets) & (entries != 0))
            if len(hit):
                yield tables[where[hit]], (at - one.offset) // c.L1E_SIZE + hit, one


# --- version 1 ------------------------------------------------------------------------------------


def _v1_cluster(image: Image, offset: int) -> Cluster:
    """What has one byte of an image of version 1."""
    table, size = image.l1_table, image.geometry.l2_table_size
    assert table is not None
    found, left = Cluster(offset, None, None), SEARCHED
    table_end, header_end = table.offset + table.length, c.QCOW1_HEADER_SIZE
    by = "header.l1_table_offset"
    structures = (
        Reference(Owner.HEADER, "header", "header.magic", 0, header_end),
        Reference(Owner.L1_TABLE, "l1_table", by, table.offset, table.length),
    )
    for one in structures:
        if one.has(offset):
            found.add(1, iter([one]))
    for at, entries in read_words(image.source, table.offset, table_end):
        first = (at - table.offset) // c.QCOW1_TABLE_ENTRY_SIZE
        used = np.flatnonzero((entries != 0) & (entries < np.uint64(image.source.length)))
        held = used[: max(0, left // size)]
        left -= len(held) * size
        found.searched, found.left = found.searched + len(held), found.left + len(used) - len(held)
        _v1_tables(image, offset, first + held, entries[held], found)
    return found


def _v1_tables(image: Image, offset: int, places: Numbers, tables: Words, found: Cluster) -> None:
    """The L2 tables, and their entries, that have a byte."""
    geometry = image.geometry
    size, starts = geometry.l2_table_size, tables.astype(np.int64)

    has = np.flatnonzero((starts <= offset) & (offset - starts < size))
    paths = ((places[at], int(starts[at])) for at in has)
    found.add(
        len(has),
        (
            Reference(Owner.L2_TABLE, f"l2_tables[{index}]", f"l1_table[{index}]", at, size)
            for index, at in paths
        ),
    )
    for part, rows in read_tables(image.source, tables, size, batch=BATCH):
        values = rows.view(">u8").astype(np.uint64)
        decoded = Qcow1L2Entries(values, Frame(geometry))
        start, compressed = decoded.host.astype(np.int64), decoded.compressed
        length = np.where(compressed, decoded.csize.astype(np.int64), geometry.cluster_size)
        row, entry = np.nonzero((values != 0) & (start <= offset) & (offset - start < length))
        columns = places[part][row], entry, start[row, entry], length[row, entry]
        some = [column[:NAMED].tolist() for column in (*columns, compressed[row, entry])]
        references = (
            Reference(
                Owner.COMPRESSED if packed else Owner.DATA,
                path := f"l2_tables[{number}][{index}]",
                path,
                at,
                held,
                number * geometry.l2_span + index * geometry.cluster_size,
            )
            for number, index, at, held, packed in zip(*some, strict=True)
        )
        found.add(len(row), references)
