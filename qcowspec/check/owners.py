"""Who references one byte's cluster, without an owner map of the whole file.

In: an opened image and a host offset. Out: `Cluster`: the references, and the refcount. Refuses:
an image that a check refuses; and to read more L2 tables than `SEARCHED`, which it reports.

Of the L2 tables only the entries that may be of that cluster are decoded: the disk of 1 TiB that
takes a check a second has its owner in a tenth of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check import refuse
from qcowspec.check.arrays import Numbers, Words
from qcowspec.check.findings import Findings
from qcowspec.check.l1 import l1_words
from qcowspec.check.layout import Layout
from qcowspec.check.ownership import Owner
from qcowspec.check.places import Place
from qcowspec.check.regions import Aborted, L1Table
from qcowspec.errors import Invalid
from qcowspec.sources.batches import read_tables, read_words
from qcowspec.spec import decoding
from qcowspec.spec.entries import Frame, L2Entries, Qcow1L2Entries
from qcowspec.spec.metadata import Format

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
    """

    offset: int
    refcount: int | None
    place: Place | None
    references: list[Reference] = field(default_factory=list)
    count: int = 0
    searched: int = 0
    left: int = 0


def cluster_at(image: Image, offset: int, *, searched: int = SEARCHED) -> Cluster:
    """The cluster of a byte, and who references it.

    Args:
        image: The image.
        offset: Host offset of the byte.
        searched: Bytes of L2 tables that are read at most.

    Raises:
        Malformed, Invalid, Unsupported: The image breaks a rule for which QEMU does not check it.
        Unreadable: The source failed.
    """
    refuse(image)
    if image.format is Format.QCOW:
        return _v1_cluster(image, offset, searched)
    try:
        layout = Layout(image.metadata, image.source, Findings(0))
    except Aborted as reason:
        raise Invalid(f"is not checked: {reason}", path=image.source.name) from reason
    number = offset >> layout.geometry.cluster_bits
    refcounts, known = layout.stored.lookup(np.array([number]))
    found = Cluster(
        number << layout.geometry.cluster_bits,
        int(refcounts[0]) if known[0] else None,
        layout.places.of(number),
    )
    most = max(1, searched // layout.geometry.l2_table_size)
    held = layout.tables.offsets < np.uint64(layout.source.length)
    here = np.flatnonzero(held)
    found.searched, found.left = min(most, len(here)), max(0, len(here) - most)
    if image.has_data_file:
        found.searched = found.left = 0
    for reference in _references(layout, number, here[: found.searched]):
        found.count += 1
        if len(found.references) < NAMED:
            found.references.append(reference)
    return found


def _references(layout: Layout, cluster: int, tables: Numbers) -> Iterator[Reference]:
    yield from _structures(layout, cluster)
    size = layout.geometry.cluster_size
    start = cluster << layout.geometry.cluster_bits
    offsets = layout.tables.offsets
    low = np.searchsorted(offsets, np.uint64(max(0, start - size + 1)))
    high = np.searchsorted(offsets, np.uint64(start + size))
    for table, index, l1 in _locators(layout, np.arange(low, high)):
        owner = Owner.L2_TABLE if l1.active else Owner.SNAPSHOT_L2_TABLE
        path, by = (f"{l1.prefix}{name}[{index}]" for name in ("l2_tables", "l1_table"))
        yield Reference(owner, path, by, int(offsets[table]), size)
    yield from _mapped(layout, cluster, tables)


def _structures(layout: Layout, cluster: int) -> Iterator[Reference]:
    """References of all but the L1 and L2 tables."""
    size = layout.geometry.cluster_size
    start = cluster << layout.geometry.cluster_bits
    for region in layout.regions:
        touches = region.offset < start + size and region.offset + region.length > start
        if region.length > 0 and touches:
            by = region.pointer.place(layout.source.length).path
            yield Reference(region.owner, region.path, by, region.offset, region.length)
    blocks = layout.stored.offsets
    for index in np.flatnonzero(blocks >> np.uint64(layout.geometry.cluster_bits) == cluster):
        if at := int(blocks[index]):
            path, by = f"refcount_blocks[{index}]", f"refcount_table[{index}]"
            yield Reference(Owner.REFCOUNT_BLOCK, path, by, at, size)
    for some in layout.bitmaps:
        for entry in np.flatnonzero(some.offsets >> layout.geometry.cluster_bits == cluster):
            if at := int(some.offsets[entry]):
                path = some.path(int(entry))
                yield Reference(Owner.BITMAP_DATA, path, path, at, size)


def _mapped(layout: Layout, cluster: int, tables: Numbers) -> Iterator[Reference]:
    """References of L2 entries: of each state that has the table."""
    geometry = layout.geometry
    size, start = geometry.cluster_size, cluster << geometry.cluster_bits
    hits: dict[int, list[tuple[int, int, int, bool]]] = {}
    for table_of, index_of, values in _near(layout, cluster, tables):
        decoded = L2Entries(values, Frame(geometry))
        host, compressed = decoded.host.astype(np.int64), decoded.compressed
        length = np.where(compressed, decoded.csize.astype(np.int64), size)
        touches = (host != 0) & (host < start + size) & (host + length > start)
        for one in np.flatnonzero(touches).tolist():
            hit = int(index_of[one]), int(host[one]), int(length[one]), bool(compressed[one])
            hits.setdefault(int(table_of[one]), []).append(hit)
    for table, number, l1 in _locators(layout, np.array(sorted(hits), np.int64)):
        for index, host_offset, held, is_compressed in hits[table]:
            guest = number * geometry.l2_span + index * size
            path = f"{l1.prefix}l2_tables[{number}][{index}]"
            owner = Owner.DATA if l1.active else Owner.SNAPSHOT_DATA
            owner = Owner.COMPRESSED if is_compressed else owner
            yield Reference(owner, path, path, host_offset, held, guest)


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


def _locators(layout: Layout, tables: Numbers) -> Iterator[tuple[int, int, L1Table]]:
    """For L2 tables, each L1 entry that locates one: the table, the entry's index, its L1 table."""
    if not len(tables):
        return
    wanted, read = layout.tables.offsets[tables], 0
    for one in layout.names.tables:
        read += one.count * c.L1E_SIZE
        if read > L1_READ and not one.active:
            return
        active = layout.metadata.l1_table if one.active else None
        for at, entries in l1_words(layout.source, active, one.offset, one.end):
            offsets = decoding.l1_offset(entries)
            where = np.searchsorted(wanted, offsets)
            where[where == len(wanted)] = 0
            for entry in np.flatnonzero(wanted[where] == offsets).tolist():
                index = (at - one.offset) // c.L1E_SIZE + entry
                yield int(tables[where[entry]]), index, one


# --- version 1 ------------------------------------------------------------------------------------


def _v1_cluster(image: Image, offset: int, searched: int) -> Cluster:
    """What has one byte of an image of version 1."""
    table, size = image.l1_table, image.geometry.l2_table_size
    assert table is not None
    found, left = Cluster(offset, None, None), searched
    table_end, header_end = table.offset + table.length, c.QCOW1_HEADER_SIZE
    if offset < header_end:
        found.references.append(Reference(Owner.HEADER, "header", "header.magic", 0, header_end))
    if table.offset <= offset < table_end:
        by = "header.l1_table_offset"
        one = Reference(Owner.L1_TABLE, "l1_table", by, table.offset, table.length)
        found.references.append(one)
    for at, entries in read_words(image.source, table.offset, table_end):
        first = (at - table.offset) // c.QCOW1_TABLE_ENTRY_SIZE
        used = np.flatnonzero((entries != 0) & (entries < np.uint64(image.source.length)))
        held = used[: max(0, left // size)]
        left -= len(held) * size
        found.searched, found.left = found.searched + len(held), found.left + len(used) - len(held)
        for reference in _v1_tables(image, offset, first + held, entries[held]):
            found.count += 1
            if len(found.references) < NAMED:
                found.references.append(reference)
    found.count = max(found.count, len(found.references))
    return found


def _v1_tables(image: Image, offset: int, places: Numbers, tables: Words) -> Iterator[Reference]:
    """The L2 tables, and their entries, that have a byte."""
    geometry = image.geometry
    size = geometry.l2_table_size
    for index, start in zip(places.tolist(), tables.tolist(), strict=True):
        if start <= offset < start + size:
            path, by = f"l2_tables[{index}]", f"l1_table[{index}]"
            yield Reference(Owner.L2_TABLE, path, by, start, size)
    for part, rows in read_tables(image.source, tables, size, batch=BATCH):
        values = rows.view(">u8").astype(np.uint64)
        decoded = Qcow1L2Entries(values, Frame(geometry))
        start, compressed = decoded.host.astype(np.int64), decoded.compressed
        length = np.where(compressed, decoded.csize.astype(np.int64), geometry.cluster_size)
        hit = (values != 0) & (start <= offset) & (offset - start < length)
        for row, entry in zip(*(each.tolist() for each in np.nonzero(hit)), strict=True):
            number = int(places[part][row])
            path = f"l2_tables[{number}][{entry}]"
            owner = Owner.COMPRESSED if compressed[row, entry] else Owner.DATA
            guest = number * geometry.l2_span + entry * geometry.cluster_size
            at, held = int(start[row, entry]), int(length[row, entry])
            yield Reference(owner, path, path, at, held, guest)
