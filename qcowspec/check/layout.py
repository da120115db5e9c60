"""Where the structures of an image lie: all that is known before references are counted.

In: an opened image. Out: a `Layout`, and findings about L1 tables. Refuses: as `Aborted`, what QEMU
does not count.
"""

from __future__ import annotations

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.findings import Fault, Findings
from qcowspec.check.l1 import NOTHING, Names, l2_tables
from qcowspec.check.places import RefcountPlaces
from qcowspec.check.regions import WORK, Aborted, BitmapTables, GiveUp, give_up, l1_tables, regions
from qcowspec.check.stored import StoredRefcounts
from qcowspec.sources.batches import word_at
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Metadata, Table
from qcowspec.spec.units import HostOffset, align_up

INT_MAX = (1 << 31) - 1
"""Clusters of the largest file that QEMU checks."""


class Layout:
    """The structures of one image of version 2 or 3.

    Attributes:
        metadata: The image; it breaks no rule for which QEMU gives a check up.
        source: The image file.
        geometry: Its sizes.
        findings: Where broken rules go.
        length: Bytes of the file, in whole sectors, as QEMU's block layer has it.
        clusters: Clusters of the file.
        stored: The refcounts in the image.
        places: The host offsets of these.
        regions: The structures of one piece.
        bitmaps: The entries of the bitmap tables.
        names: The L1 tables, and the paths of their entries.
        tables: The L2 tables, each once.
    """

    def __init__(
        self, metadata: Metadata, source: Source, findings: Findings, lost: GiveUp = give_up
    ) -> None:
        """Collect them.

        Args:
            metadata: The image.
            source: The image file.
            findings: Where broken rules go.
            lost: Takes the reason why a structure is left out; ends the check if it is not given.

        Raises:
            Aborted: QEMU gives the check up.
        """
        assert metadata.geometry is not None
        self.metadata, self.source, self.findings = metadata, source, findings
        self.geometry = metadata.geometry
        findings.step = self.geometry.cluster_size
        self.length = align_up(source.length, c.BDRV_SECTOR_SIZE)
        self.clusters = self.geometry.clusters(self.length)
        if self.clusters > INT_MAX:
            raise Aborted("the file has more clusters than QEMU counts")
        refcounts, geometry = metadata.refcount_table, self.geometry
        if refcounts is None:  # then their width may be one that no refcount has
            refcounts = Table("refcount_table", HostOffset(0), 0, b"")
            geometry = geometry._replace(refcount_order=0)
        self.stored = StoredRefcounts(source, geometry, refcounts)
        self.places = RefcountPlaces(self.stored, metadata, source.length)
        l1 = l1_tables(metadata, findings, source.length, lost)
        self.regions = list(regions(metadata, l1, self.length, lost))
        self.bitmaps = BitmapTables(metadata, source, lost)
        self.names = Names(l1, self.geometry)
        self.tables = l2_tables(source, metadata.l1_table, self.names, findings)
        held = int((self.tables.offsets < np.uint64(source.length)).sum())
        if held * self.geometry.l2_table_size > max(WORK, source.length):
            lost(Aborted("the L2 tables lie on each other, more often than is looked at"))
            self.tables = NOTHING

    @property
    def limit(self) -> int:
        """A structure that ends here or later has a cluster or more past the file's end."""
        return self.length + self.geometry.cluster_size

    def is_past(self, offset: int, length: int) -> bool:
        """Whether a structure ends a whole cluster or more past the end of the file."""
        return length > 0 and offset + length >= self.limit

    def lost_range(self, start: int, end: int) -> str:
        """A range of the disk whose mapping may be lost, in words: its first byte and its last."""
        last = max(start, min(end, self.metadata.qcow2_header.size) - 1)
        return f"guest range {start:#x} to {last:#x} may be lost"

    def l2_table(self, table: int, note: str = "") -> Fault:
        """An L2 table at fault, at the L1 entry that locates it."""
        place, offset = int(self.tables.places[table]), int(self.tables.offsets[table])
        return self.names.l1_fault(place, word_at(self.source, place), offset, note)

    def l2_entry(
        self, table: int, index: int, value: int, cluster: int | None = None, note: str = ""
    ) -> Fault:
        """An L2 entry at fault, by the number of its table and its index."""
        place, offset = int(self.tables.places[table]), int(self.tables.offsets[table])
        return self.names.l2_fault(place, offset, index, value, cluster, note)
