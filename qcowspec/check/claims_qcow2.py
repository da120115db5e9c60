"""What the structures and table entries of an image of version 2 or 3 claim of the image file.

In: what was followed of an image. Out: `Claims` on a stretch of the file. Refuses: nothing; what
lies past the end of the file claims nothing.

The L2 tables are read again for each stretch, but only those that reach into it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.claims import FARTHEST, ClusterClaims
from qcowspec.check.explain import BATCH, entries
from qcowspec.check.followed import Followed
from qcowspec.check.ownership import Owner
from qcowspec.check.tiles import CHUNK, Claims, Kind, union
from qcowspec.sources.batches import read_tables
from qcowspec.spec import decoding
from qcowspec.spec.decoding import EVERY_SUBCLUSTER
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.units import whole_sectors

REGIONS = {
    Owner.L1_TABLE: Kind.L1_TABLE,
    Owner.SNAPSHOT_L1_TABLE: Kind.SNAPSHOT_L1_TABLE,
    Owner.REFCOUNT_TABLE: Kind.REFCOUNT_TABLE,
    Owner.BITMAP_TABLE: Kind.BITMAP_TABLE,
    Owner.LUKS_HEADER: Kind.LUKS_HEADER,
}
"""The structures of one piece that have nothing between their parts."""


class Qcow2Claims(ClusterClaims):
    """The claims of an image of version 2 or 3."""

    def __init__(self, followed: Followed, *, deep: bool = False) -> None:
        """Collect what stands where; no L2 table is read."""
        assert followed.layout is not None
        layout, self._followed = followed.layout, followed
        header, geometry = layout.metadata.qcow2_header, layout.geometry
        kind = int(header.effective_compression_type)
        zstd = kind == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD
        deep = deep and header.ok_compression_type  # else nobody knows how to inflate
        super().__init__(layout.source, geometry, deep=deep, zstd=zstd)
        self._layout, self.length = layout, layout.source.length
        self._data_file = bool(header.has_data_file)
        self._structures: list[tuple[Kind, Numbers, Numbers]] = []
        # Bytes of the disk and of the VM state, of each snapshot.
        self._states: list[tuple[int, int]] = []
        self._header()
        self._regions()
        self._tables()
        # The lowest and the highest byte that the entries of each L2 table locate, once known.
        self._low = np.full(len(layout.tables), FARTHEST)
        self._high = np.zeros(len(layout.tables), np.int64)
        self._again = False

    def fill(self, claims: Claims) -> None:
        """See `Claimant`."""
        layout, size = self._layout, self.size
        claims.add_one(Kind.TAIL, self.length & -size, self.length)
        if not self._followed.why:
            self._leaks(claims)
        for structure in self._structures:
            claims.add(*structure)
        offsets = layout.tables.offsets.astype(np.int64)
        for kind, chosen in (
            (Kind.L2_TABLE, layout.tables.active > 0),
            (Kind.SNAPSHOT_L2_TABLE, layout.tables.inactive > 0),
        ):
            chosen = chosen & (offsets != 0)
            claims.add(kind, offsets[chosen], offsets[chosen] + size)
        blocks = layout.stored.located.astype(np.int64)
        blocks = blocks[blocks != 0]
        claims.add(Kind.REFCOUNT_BLOCK, blocks, blocks + size)
        for some in layout.bitmaps:
            bits = some.offsets[some.offsets != 0]
            claims.add(Kind.BITMAP_DATA, bits, bits + size)
        if not self._data_file:
            self._entries(claims)
        self._again = True

    def _leaks(self, claims: Claims) -> None:
        """Claim clusters with a refcount; what else claims them goes first."""
        stored, first = self._layout.stored, claims.start // self.size
        for start in range(0, len(claims.masks), CHUNK):
            masks = claims.masks[start : start + CHUNK]
            counts = np.zeros(len(masks), stored.dtype)
            stored.load(first + start, counts)
            masks[counts != 0] |= np.uint32(1 << Kind.LEAKED)

    def _entries(self, claims: Claims) -> None:
        """Claim what L2 entries locate."""
        geometry, offsets = self.geometry, self._layout.tables.offsets
        # QEMU's check follows an L1 entry that has flags and no offset; no reader does.
        here = (offsets != 0) & (offsets < np.uint64(self.length))
        if self._again:
            here &= (self._low < claims.end) & (self._high > claims.start)
        tables = np.flatnonzero(here)
        mixed = list[Numbers]()
        size = geometry.l2_table_size
        for part, rows in read_tables(self.source, offsets[tables], size, batch=BATCH):
            if not self._plain(claims, tables[part], rows.view(">u8").astype(np.uint64)):
                mixed.append(tables[part])
        if mixed:
            chosen = np.zeros(len(offsets), bool)
            chosen[np.concatenate(mixed)] = True
            self._mixed(claims, chosen)

    def _plain(self, claims: Claims, tables: Numbers, values: Words) -> bool:
        """Claim what tables locate of nothing but data in aligned clusters, if these are such."""
        size = self.size
        if self.geometry.has_extended_l2 or not self._inside[tables].all():
            return False
        if int(np.bitwise_or.reduce(values, axis=None)) & ~decoding.l2_plain(size):
            return False
        for kind, chosen in ((Kind.DATA, self._active), (Kind.SNAPSHOT_DATA, self._inactive)):
            rows = chosen[tables]
            flat = (values if rows.all() else values[rows]).reshape(-1)
            if not flat.all():
                flat = flat[flat != 0]
            offsets = decoding.l2_offset(flat)
            if not offsets.all():
                offsets = offsets[offsets != 0]
            if not len(offsets):
                continue
            clusters = (offsets >> np.uint64(self.geometry.cluster_bits)).view(np.int64)
            if not self._again:
                low, high = int(clusters.min()) * size, (int(clusters.max()) + 1) * size
                self._low[tables] = np.minimum(self._low[tables], low)
                self._high[tables] = np.maximum(self._high[tables], high)
            claims.add_clusters(kind, clusters)
        return True

    def _mixed(self, claims: Claims, chosen: Flags) -> None:
        """Claim what the entries of some tables locate, one by one."""
        for batch in entries(self._layout, chosen):
            table, bitmap = batch.table, batch.subclusters
            view = L2Entries(batch.values, Frame(self.geometry), 0, bitmap)
            if not self._again:
                host = view.host.astype(np.int64)
                np.minimum.at(self._low, table, host & -self.size)
                np.maximum.at(self._high, table, host + 3 * self.size)
            guest = self._base[table] + (batch.index << self.geometry.cluster_bits)
            active, inactive = self._active[table], self._inactive[table]
            left = np.maximum(self._disk[table] - guest, 0)
            vm_left = np.where(guest >= self._vm_start[table], self._vm_end[table] - guest, 0)
            state = view.data & (vm_left > 0) & (left == 0)
            start = view.offset.astype(np.int64)
            claims.add(Kind.VM_STATE, start[state], (start + np.minimum(vm_left, self.size))[state])
            rest = state & (vm_left < self.size)
            claims.add(Kind.BEYOND_DISK, (start + vm_left)[rest], start[rest] + self.size)
            whole = bitmap & EVERY_SUBCLUSTER[0] == EVERY_SUBCLUSTER[0]
            aside = view.located & (~whole if view.extended else ~view.data)
            claims.add(Kind.PREALLOCATED, start[aside], start[aside] + self.size)
            others = np.flatnonzero(~state)
            view = L2Entries(batch.values[others], Frame(self.geometry), 0, bitmap[others])
            self._clusters(claims, view, left[others], (active[others], inactive[others]))

    # --- structures -------------------------------------------------------------------------------

    def _claim(self, kind: Kind, ranges: Iterable[tuple[int, int]]) -> tuple[Numbers, Numbers]:
        """Claim ranges.

        Returns:
            Where they start and end, cut at the end of the file.
        """
        kept = [(start, min(end, self.length)) for start, end in ranges]
        starts, ends = (
            np.array([each for each in kept if each[0] < each[1]], np.int64).reshape(-1, 2).T
        )
        self._structures.append((kind, starts, ends))
        return starts, ends

    def _claim_rest(self, kind: Kind, starts: Numbers, ends: Numbers) -> None:
        """Claim what is left of the clusters of structures."""
        self._structures.append((kind, starts & -self.size, starts))
        self._structures.append((kind, ends, (ends + self.size - 1) & -self.size))

    def _header(self) -> None:
        """The header's cluster."""
        metadata, part = self._layout.metadata, self._layout.metadata.header_part
        assert part is not None
        records, names = list[tuple[int, int]](), list[tuple[int, int]]()
        for record in metadata.extensions.parts:
            end = record.offset + len(record.data) - len(record.parse().padding)
            records.append((record.offset, end))
        if (backing := metadata.backing) is not None:
            names.append((backing.offset, backing.offset + backing.length))
        self._claim(Kind.HEADER, [(0, len(part.data))])
        self._claim(Kind.HEADER_EXTENSIONS, records)
        self._claim(Kind.BACKING_FILE_NAME, names)
        taken = union(*np.array([(0, len(part.data)), *records, *names], np.int64).T)
        gaps = zip(taken[1].tolist(), [*taken[0][1:].tolist(), self.size], strict=True)
        if self._followed.header_cluster:
            self._claim(Kind.HEADER_PADDING, gaps)

    def _regions(self) -> None:
        """The other structures that no table entry locates."""
        ranges: dict[Kind, list[tuple[int, int]]] = defaultdict(list)
        for region in self._layout.regions:
            if region.owner in REGIONS:
                piece = region.offset, region.offset + region.length
                ranges[REGIONS[region.owner]].append(piece)
        for kind, found in ranges.items():
            self._claim_rest(Kind.TABLE_PADDING, *self._claim(kind, found))
        metadata = self._layout.metadata
        snapshots = list[tuple[int, int]]()
        kept = metadata.snapshots.numbers
        for part, length in zip(metadata.snapshots.parts, kept["unpadded_size"], strict=True):
            snapshots.append((part.offset, part.offset + length))
        self._states.extend(zip(kept["disk_size"], kept["vm_state_size"], strict=True))
        self._directory(Kind.SNAPSHOT_TABLE, snapshots, "snapshots")
        if any(region.owner is Owner.BITMAP_DIRECTORY for region in self._layout.regions):
            parts = metadata.bitmaps.parts
            bitmaps = [(part.offset, part.offset + part.parse().unpadded_size) for part in parts]
            self._directory(Kind.BITMAP_DIRECTORY, bitmaps, "bitmaps")

    def _directory(self, kind: Kind, ranges: Iterable[tuple[int, int]], stage: str) -> None:
        """Claim the entries of one table, and the padding between them and after the last."""
        starts, ends = self._claim(kind, ranges)
        if len(starts):
            self._structures.append((Kind.TABLE_PADDING, ends[:-1], starts[1:]))
            if stage not in self._followed.stages:  # else more entries may follow
                self._claim_rest(Kind.TABLE_PADDING, starts[:1], ends[-1:])

    def _tables(self) -> None:
        """What is known of each L2 table: who has it, and what of the disk it maps."""
        layout, tables = self._layout, self._layout.tables
        span, size = self.geometry.l2_span, whole_sectors(layout.metadata.qcow2_header.size)
        disks, states = {"": min(size, FARTHEST)}, {"": 0}
        for index, (own, state) in enumerate(self._states):
            disks[f"snapshots[{index}]."] = min(whole_sectors(own), FARTHEST)
            states[f"snapshots[{index}]."] = min(state, FARTHEST)
        largest, largest_state = max(disks.values()), max(states.values())
        places = tables.places.tolist()
        self._active, self._inactive = tables.active > 0, tables.inactive > 0
        self._base = np.array([layout.names.guest(place) for place in places], np.int64)
        prefixes = [layout.names.prefix(place) for place in places]
        shared = tables.active + tables.inactive > 1
        own_disk = np.array([disks[prefix] for prefix in prefixes], np.int64)
        own_state = np.array([states[prefix] for prefix in prefixes], np.int64)
        # A table that several states have is of use as far as any of them reaches.
        self._disk = np.where(shared, largest, own_disk)
        self._vm_start = -(-own_disk // span) * span
        # Every cluster that it maps is of the disk, as a whole.
        self._inside = self._base + span <= self._disk
        self._vm_end = self._vm_start + np.where(shared, largest_state, own_state)
