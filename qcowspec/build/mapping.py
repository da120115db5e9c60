"""L1 and L2 tables of versions 2 and 3, and the clusters that they point at.

In: guest clusters by index. Out: an L1 table; the rest is placed. Refuses: data that do not fit a
cluster, or that an L2 entry cannot describe once they are compressed.

Source: docs/interop/qcow2, Cluster mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby

from qcow_parsers import constants as c

from qcowspec.build.compression import deflated, zstd_frame
from qcowspec.build.description import Cluster, ImageSpec, Kind
from qcowspec.build.host import Host
from qcowspec.build.layouts import structure
from qcowspec.errors import Invalid
from qcowspec.spec.units import HostOffset

SUBCLUSTERS: Mapping[Kind, int] = {
    Kind.QCOW2_CLUSTER_NORMAL: c.QCOW_L2_BITMAP_ALL_ALLOC,
    Kind.QCOW2_CLUSTER_ZERO_ALLOC: c.QCOW_L2_BITMAP_ALL_ZEROES,
    Kind.QCOW2_CLUSTER_ZERO_PLAIN: c.QCOW_L2_BITMAP_ALL_ZEROES,
}
"""The subcluster bitmap that goes with a kind of cluster; of the others it is 0."""

ALLOCATED = (Kind.QCOW2_CLUSTER_NORMAL, Kind.QCOW2_CLUSTER_ZERO_ALLOC)
ZERO = (Kind.QCOW2_CLUSTER_ZERO_PLAIN, Kind.QCOW2_CLUSTER_ZERO_ALLOC)

HALF = 32
"""Bits of each of the two halves of a subcluster bitmap."""


def content(cluster: Cluster, cluster_bits: int) -> bytes:
    """All bytes of a cluster.

    Raises:
        Invalid: There are too many.
    """
    if len(cluster.data) > 1 << cluster_bits:
        raise Invalid(
            f"{len(cluster.data)} bytes are more than a cluster holds", stage="build", field="data"
        )
    return cluster.data.ljust(1 << cluster_bits, b"\0")


def tables(
    clusters: Mapping[int, Cluster], entries: int
) -> Iterator[tuple[int, list[tuple[int, Cluster]]]]:
    """The clusters by L2 table: the table's index, and each cluster with its index in the table."""
    for index, group in groupby(sorted(clusters.items()), lambda item: item[0] // entries):
        yield index, [(number % entries, cluster) for number, cluster in group]


@contextmanager
def about(cluster: int) -> Iterator[None]:
    """Name the guest cluster that an error is about."""
    try:
        yield
    except Invalid as error:
        place = f"guest cluster {cluster}"
        raise Invalid(f"{place}: {error.message}", stage="build", field="clusters") from error


class Mapper:
    """Places the clusters of one image, version 2 or 3."""

    def __init__(self, host: Host, spec: ImageSpec, *, extended: bool) -> None:
        self.host = host
        self.spec = spec
        self.extended = extended
        self.entry_size = c.L2E_SIZE_EXTENDED if extended else c.L2E_SIZE_NORMAL
        self.l2_entries = host.cluster_size // self.entry_size

    def l1_size(self, size: int, clusters: Mapping[int, Cluster]) -> int:
        """Entries of an L1 table that maps a disk, and what lies past its end."""
        needed = -(-size // (self.l2_entries * self.host.cluster_size))
        return max(needed, max(clusters, default=-1) // self.l2_entries + 1)

    def l2_tables(
        self, clusters: Mapping[int, Cluster], *, references: int, copied: bool
    ) -> dict[int, int]:
        """Place clusters and the L2 tables that map them.

        Args:
            clusters: The clusters, by guest index.
            references: How many L1 tables point at the L2 tables.
            copied: Whether the clusters may be written in place.

        Returns:
            Offset of each L2 table, by its index in the L1 table.
        """
        placed: dict[int, int] = {}
        for index, group in tables(clusters, self.l2_entries):
            table = bytearray(self.host.cluster_size)
            for number, cluster in group:
                guest = index * self.l2_entries + number
                with about(guest):
                    entry = self._entry(cluster, guest, references, copied=copied)
                table[number * self.entry_size : (number + 1) * self.entry_size] = entry
            placed[index] = self.host.place(bytes(table), references)
        return placed

    def l1_table(self, placed: Mapping[int, int], size: int, *, copied: bool) -> HostOffset:
        """Place an L1 table that points at placed L2 tables."""
        table = self.host.reserve(size * c.L1E_SIZE)
        for index, offset in placed.items():
            fields = {"copied": int(copied), "offset_sectors": offset // c.BDRV_SECTOR_SIZE}
            self.host.write(table + index * c.L1E_SIZE, structure("qcow2::l1_entry", fields))
        return table

    def _entry(self, cluster: Cluster, guest: int, references: int, *, copied: bool) -> bytes:
        kind, bits = Kind(cluster.kind), self.spec.cluster_bits
        data = content(cluster, bits)
        fields: dict[str, int] = {}
        if kind is Kind.QCOW2_CLUSTER_COMPRESSED:
            fields = self._compressed(data, cluster.stored, references)
        elif kind in ALLOCATED and self.spec.data_file is not None:
            # The data file has the cluster at its guest offset, and nobody shares it.
            offset = guest << bits
            fields = {"copied": 1, "offset_sectors": offset // c.BDRV_SECTOR_SIZE}
        elif kind in ALLOCATED:
            offset = self.host.place(data, references)
            fields = {"copied": int(copied), "offset_sectors": offset // c.BDRV_SECTOR_SIZE}
        if kind in ZERO and not self.extended:
            fields["zero"] = 1
        if self.extended:
            bitmap = cluster.subclusters
            bitmap = SUBCLUSTERS.get(kind, 0) if bitmap is None else bitmap
            fields["zero_bitmap"], fields["alloc_bitmap"] = divmod(bitmap, 1 << HALF)
        return structure("qcow2::l2_entry", fields | dict(cluster.fields), bits, self.extended)

    def _compressed(self, data: bytes, stored: bytes | None, references: int) -> dict[str, int]:
        zstd = self.spec.compression_type == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD
        packed = stored or (zstd_frame(data) if zstd else deflated(data))
        # From the start of a sector it has to fit; at its end it touches one sector more.
        sector = c.QCOW2_COMPRESSED_SECTOR_SIZE
        most = (1 << (self.spec.cluster_bits - c.QCOW2_CSIZE_CLUSTER_BITS)) * sector
        if len(packed) > most - sector:
            raise Invalid(
                f"a cluster becomes {len(packed)} bytes compressed, which its entry cannot say",
                stage="build",
                field="data",
            )
        offset = self.host.pack(packed, references)
        last = (offset + len(packed) - 1) // sector
        return {"compressed": 1, "nb_csectors": last - offset // sector, "coffset": offset}
