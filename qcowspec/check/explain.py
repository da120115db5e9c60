"""Who references some clusters, by name: the second look, at what the first one found.

In: a check that has run. Out: the owners of each cluster that its findings are about, as paths.
Refuses: to name more than a few owners of one cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec import units
from qcowspec.batches import read_tables
from qcowspec.check.findings import Owned, Progress
from qcowspec.check.qcow2 import Qcow2Check
from qcowspec.check.regions import bitmap_clusters

Numbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time."""

NAMED = 16
"""Owners of one cluster that are named."""

NOBODY_ELSES = frozenset({"l2/compressed-data"})
"""Rules whose faults are one entry's: who else has payloads in that cluster is not concerned."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of some L2 tables that are not zero.

    Attributes:
        table: Which table each is of, by its number in the check's `tables`.
        index: Which entry of the table.
        values: The entries.
        done: Tables that were gone through so far.
        of: Tables that there are.
    """

    table: Numbers
    index: Numbers
    values: Words
    done: int
    of: int


def entries(check: Qcow2Check) -> Iterator[Entries]:
    """The entries of all L2 tables, each table once."""
    geometry, tables = check.geometry, check.tables
    here = np.flatnonzero(tables.offsets < np.uint64(check.source.length))
    words = geometry.l2_entry_size // c.L2E_SIZE_NORMAL
    size = geometry.l2_table_size
    for part, rows in read_tables(check.source, tables.offsets[here], size, batch=BATCH):
        values = rows.view(">u8").reshape(len(rows), -1, words)[:, :, 0]
        row, index = np.nonzero(values)
        used = values[row, index].astype(np.uint64)
        yield Entries(here[part][row], index, used, part.stop, len(here))


def explain(check: Qcow2Check, progress: Progress | None = None) -> None:
    """Fill in the owners of every cluster that a finding is about."""
    bits = check.geometry.cluster_bits
    about = [
        fault
        for group in check.findings
        if group.rule.id not in NOBODY_ELSES
        for fault in group.faults
        if fault.cluster is not None
    ]
    wanted = np.unique([(fault.cluster or 0) >> bits for fault in about]).astype(np.int64)
    if not len(wanted):
        return
    owners: dict[int, list[Owned]] = defaultdict(list)
    for owner, cluster in _references(check, wanted, progress):
        if len(owners[cluster]) < NAMED:
            owners[cluster].append(owner)
    for fault in about:
        fault.owners = tuple(owners[(fault.cluster or 0) >> bits])


def _references(
    check: Qcow2Check, wanted: Numbers, progress: Progress | None
) -> Iterator[tuple[Owned, int]]:
    """All that has one of some clusters, and which."""
    bits, names, tables = check.geometry.cluster_bits, check.names, check.tables
    for region in check.regions:
        first, behind = region.offset >> bits, (region.offset + region.length - 1 >> bits) + 1
        if region.length > 0:
            low, high = np.searchsorted(wanted, [first, behind])
            yield from ((Owned(region.path), one) for one in wanted[low:high].tolist())
    for index in _among(check.stored.offsets, check.stored.offsets, bits, wanted).tolist():
        if check.stored.offsets[index]:
            yield Owned(f"refcount_blocks[{index}]"), int(check.stored.offsets[index]) >> bits
    size = np.uint64(check.geometry.cluster_size - 1)
    for table in _among(tables.offsets, tables.offsets + size, bits, wanted).tolist():
        owner = Owned(names.table(int(tables.places[table])))
        yield from _each(
            owner, int(tables.offsets[table]), check.geometry.cluster_size, bits, wanted
        )
    for number, first, offsets in bitmap_clusters(check.metadata, check.source):
        found = np.flatnonzero((offsets != 0) & np.isin(offsets >> bits, wanted))
        for one in found.tolist():
            path = f"bitmaps[{number}].bitmap_table[{first + one}]"
            yield Owned(path), int(offsets[one]) >> bits
    if not check.metadata.qcow2_header.has_data_file:
        yield from _guest(check, wanted, progress)


def _guest(
    check: Qcow2Check, wanted: Numbers, progress: Progress | None
) -> Iterator[tuple[Owned, int]]:
    """The L2 entries that reference one of some clusters."""
    bits = check.geometry.cluster_bits
    for batch in entries(check):
        if progress is not None:
            progress("owners", batch.done, batch.of)
        compressed = units.is_compressed(batch.values)
        length = np.where(
            compressed, units.compressed_length(batch.values, bits), check.geometry.cluster_size
        )
        start = np.where(
            compressed, units.compressed_offset(batch.values, bits), units.l2_offset(batch.values)
        )
        held = np.flatnonzero(start)
        for one in held[_among(start[held], start[held] + length[held] - 1, bits, wanted)].tolist():
            l1_entry, index = int(check.tables.places[batch.table[one]]), int(batch.index[one])
            path, guest = (
                f"{check.names.table(l1_entry)}[{index}]",
                check.names.guest(l1_entry, index),
            )
            yield from _each(Owned(path, guest), int(start[one]), int(length[one]), bits, wanted)


def _among(starts: Words, lasts: Words, bits: int, wanted: Numbers) -> Numbers:
    """Which of some ranges touch one of the clusters."""
    shift = np.uint64(bits)
    low = np.searchsorted(wanted, (starts >> shift).astype(np.int64), side="left")
    high = np.searchsorted(wanted, (lasts >> shift).astype(np.int64), side="right")
    found: Numbers = np.flatnonzero(high > low)
    return found


def _each(
    owner: Owned, start: int, length: int, bits: int, wanted: Numbers
) -> Iterator[tuple[Owned, int]]:
    """An owner with each of the wanted clusters that its bytes touch."""
    low, high = np.searchsorted(wanted, [start >> bits, ((start + length - 1) >> bits) + 1])
    yield from ((owner, one) for one in wanted[low:high].tolist())
