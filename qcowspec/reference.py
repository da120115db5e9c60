"""A reader of QCOW images that one reads in a sitting, beside the format's document.

In: the bytes of an image, and of the files that it names. Out: for a guest offset, the kind and the
place of its bytes; for a guest range, the bytes. Refuses, with the rule's error: a structure that
breaks a rule of its own for which QEMU does not open the image, and a table entry for which QEMU
fails the read. It opens no file, decrypts nothing, and compares no structure with another.

The order is that of docs/interop/qcow2 in QEMU's tree, whose sections the functions cite; those for
version 1 cite block/qcow.c. The generated parsers take the structures apart. There are no arrays,
caches, threads or fast paths: the rest of the package has them, and is tested against this module.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from enum import Enum
from io import BytesIO
from mmap import mmap
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from kaitaistruct import KaitaiStream
from qcow_parsers import Qcow, Qcow1, Qcow2
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES
from zstandard import ZstdDecompressor, ZstdError

from qcowspec.errors import Invalid, NotQcow, QcowError, Refused, Unsupported
from qcowspec.spec.profiles import refused_by, refused_for_loading
from qcowspec.spec.rules import error_of

Bytes = bytes | mmap
"""A file's bytes; of a large one, mapped."""

Layout = TypeVar("Layout")


class Kind(Enum):
    """What a guest offset reads as."""

    UNALLOCATED = "the backing file's bytes, or zeros without one"
    ZERO = "zeros"
    DATA = "bytes that are stored as they are"
    COMPRESSED = "bytes of a cluster that is stored compressed"


class Place(NamedTuple):
    """Where the bytes at a guest offset are.

    Attributes:
        kind: How they are stored.
        length: Bytes from the guest offset to the end of its cluster, subcluster or disk.
        host: Offset of the byte, or of a compressed cluster's payload, in its file; or None.
        csize: Bytes of a compressed cluster's payload, at most.
    """

    kind: Kind
    length: int
    host: int | None = None
    csize: int = 0


def take(data: Bytes, offset: int, length: int) -> bytes:
    """Bytes of a file; QEMU reads zeros past its end (block/io.c: bdrv_aligned_preadv)."""
    return data[offset : offset + length].ljust(length, b"\0")


def parse(layout: type[Layout], data: bytes, *parameters: int | bool) -> Layout:
    """One structure, read by its generated parser."""
    return layout(*parameters, KaitaiStream(BytesIO(data)))  # type: ignore[call-arg]


REFUSED = refused_by("qemu") | refused_for_loading()
INSTANCES = [rule for rule in RULES if rule.predicate == "instance" and rule.id in REFUSED]
INSTANCES.sort(key=lambda rule: rule.qemu.order or 0)


def judge(layout: str, structure: object, version: int) -> None:
    """Raise the error of the first rule, in QEMU's order, that a structure breaks by itself."""
    for rule in INSTANCES:
        applies = rule.on == layout and min(version, 3) in rule.versions
        if applies and not attrgetter(rule.predicate_name)(structure):
            value = attrgetter(rule.field)(structure) if rule.field else None
            raise error_of(rule.id, value, offset=None, field=str(rule.field))


# --- Any version ----------------------------------------------------------------------------------


def reader(
    data: Bytes,
    *,
    snapshot: str | None = None,
    backing: Reference | bytes | None = None,
    data_file: Bytes | None = None,
) -> Reference:
    """The disk of an image (Header: magic and version).

    Args:
        data: The image file.
        snapshot: The id or the name of an internal snapshot; None for the active state.
        backing: The backing file: its reader, or its bytes if it is raw.
        data_file: The external data file.

    Raises:
        NotQcow: The magic or the version is not QCOW's.
        Malformed, Invalid, Unsupported: A structure breaks a rule, or the image is encrypted.
    """
    probe = parse(Qcow.Probe, take(data, 0, 8))
    below = Raw(backing) if isinstance(backing, bytes) else backing
    if probe.format == Qcow.Format.qcow and snapshot is None:
        return Version1(data, below)
    if probe.format == Qcow.Format.qcow2:
        return Version2(data, below, data_file, snapshot)
    if probe.format == Qcow.Format.qcow:
        raise Invalid(f"has no snapshot {snapshot!r}")
    raise NotQcow(f"begins with {probe.magic:#x} and version {probe.version}, and is no QCOW image")


class Reference:
    """A virtual disk.

    Attributes:
        size: Its bytes; QEMU leaves out an incomplete last sector.
        host: The file that host offsets of data lead to; None if it was not handed in.
        below: The backing file's disk; None if it was not handed in.
        backing_file: The backing file's name; empty without one.
        backing_format: Its format, such as ``raw``; empty if it is to be probed.
        data_file: The external data file's name.
        zstd: Whether clusters are compressed by Zstandard; if not, by raw deflate.
        payload_rule: The rule about compressed data, and the attribute of `Place` it is about.
    """

    size: int
    cluster_size: int
    data: Bytes
    host: Bytes | None
    below: Reference | None = None
    backing_file = backing_format = data_file = b""
    zstd = False
    payload_rule = "l2/compressed-data", "host"

    def at(self, offset: int) -> Place:
        """Where the byte at a guest offset below `size` is.

        Raises:
            Invalid: An entry breaks a rule for which QEMU fails the read.
        """
        raise NotImplementedError

    def read(self, offset: int, length: int) -> bytes:
        """Guest bytes; fewer only where the disk ends.

        Raises:
            Malformed, Invalid: See `at`; or a compressed cluster does not inflate.
            Refused: The bytes are in another file, which was not handed in.
        """
        end, pieces = min(offset + length, self.size), []
        while offset < end:
            place = self.at(offset)
            count = min(place.length, end - offset)
            pieces.append(self.bytes_at(place, offset, count))
            offset += count
        return b"".join(pieces)

    def bytes_at(self, place: Place, offset: int, count: int) -> bytes:
        """Bytes of one place (Header: backing file, external data file)."""
        absent, within = place.kind is Kind.UNALLOCATED, offset % self.cluster_size
        if place.kind is Kind.ZERO or (absent and not self.backing_file):
            return bytes(count)
        if absent and self.below is not None:
            return self.below.read(offset, count).ljust(count, b"\0")
        if absent:
            raise Refused("has a backing file, which was not handed in")
        if place.kind is Kind.COMPRESSED:
            return self.inflated(place)[within : within + count]
        if self.host is None:
            raise Refused("has an external data file, which was not handed in")
        return take(self.host, place.host or 0, count)

    def inflated(self, place: Place) -> bytes:
        """A compressed cluster (Additional fields: compression_type; decompress_cluster)."""
        payload = take(self.data, place.host or 0, place.csize)
        cluster = (zstd_frames if self.zstd else deflated)(payload, self.cluster_size)
        if len(cluster) != self.cluster_size:
            rule, value = self.payload_rule
            raise error_of(rule, getattr(place, value), offset=place.host, field="l2_entry")
        return cluster

    def rest(self, offset: int) -> int:
        """Bytes from a guest offset to the end of its cluster, or of the disk."""
        return min(self.cluster_size - offset % self.cluster_size, self.size - offset)

    def broken(self, rule: str, at: int, structure: str = "l2_entry") -> QcowError:
        """The error for the table entry at a host offset, which breaks a rule."""
        value = int.from_bytes(take(self.data, at, 8), "big")
        return error_of(rule, value, offset=at, field=structure)

    def begin(self, layout: str, header: Qcow1.Header | Qcow2.Header) -> None:
        """What the headers of all versions have (Header)."""
        judge(layout, header, header.version)
        if header.crypt_method:
            raise Unsupported("is encrypted, and this reader decrypts nothing")
        self.cluster_size = header.cluster_size
        self.size = header.size - header.size % c.BDRV_SECTOR_SIZE
        if header.backing_file_offset:
            name = take(self.data, header.backing_file_offset, header.backing_file_size)
            self.backing_file = name.partition(b"\0")[0]


class Raw(Reference):
    """A raw file: every byte at its own offset; its size is rounded up to a sector (block.c)."""

    def __init__(self, data: Bytes) -> None:
        self.data = self.host = data
        self.size = self.cluster_size = -(-len(data) // c.BDRV_SECTOR_SIZE) * c.BDRV_SECTOR_SIZE

    def at(self, offset: int) -> Place:
        """See `Reference.at`."""
        return Place(Kind.DATA, self.size - offset, offset)


# --- Versions 2 and 3: docs/interop/qcow2 ---------------------------------------------------------


class Version2(Reference):
    """An image of version 2 or 3."""

    def __init__(
        self, data: Bytes, below: Reference | None, data_file: Bytes | None, snapshot: str | None
    ) -> None:
        """Read the header and all that it leads to but the tables (Header; Additional fields)."""
        self.data, self.below = data, below
        self.header = header = parse(Qcow2.Header, take(data, 0, 112))
        self.begin("qcow2::header", header)
        self.l1_table_offset, self.l1_size = header.l1_table_offset, header.l1_size
        self.host = data_file if header.has_data_file else data
        self.zstd = header.effective_compression_type == Qcow2.CompressionType.zstd
        self.read_extensions()
        if snapshot is not None:
            self.load(snapshot)

    def read_extensions(self) -> None:
        """Header extensions; String header extensions."""
        start, end = self.header.effective_header_length, self.header.extensions_end
        area = parse(Qcow2.HeaderExtensions, take(self.data, start, max(0, end - start)))
        for extension in area.entries or ():
            judge("qcow2::header_extension", extension, self.header.version)
            if isinstance(extension.data, Qcow2.BackingFormat):
                self.backing_format = extension.data.format
            elif isinstance(extension.data, Qcow2.DataFile):
                self.data_file = extension.data.data_file

    def at(self, offset: int) -> Place:
        """Cluster mapping: from a guest offset by an L1 entry to an L2 entry."""
        header, rest = self.header, self.rest(offset)
        l1_index, l2_index = divmod(offset // self.cluster_size, header.l2_entries)
        if l1_index >= self.l1_size:
            return Place(Kind.UNALLOCATED, rest)
        at = self.l1_table_offset + 8 * l1_index
        table = parse(Qcow2.L1Entry, take(self.data, at, 8)).l2_table_offset
        if table % self.cluster_size:
            raise self.broken("l2/table-offset", at, f"l1_table[{l1_index}]")
        if table == 0:
            return Place(Kind.UNALLOCATED, rest)
        at, extended = table + header.l2_entry_size * l2_index, header.has_extended_l2
        data = take(self.data, at, header.l2_entry_size)
        entry = parse(Qcow2.L2Entry, data, header.cluster_bits, extended)
        if entry.compressed:
            return self.compressed(entry, at, rest)
        return self.standard(entry, at, offset, rest)

    def standard(self, entry: Any, at: int, offset: int, rest: int) -> Place:
        """Standard Cluster Descriptor: a place, and whether it reads as zeros (bit 0)."""
        within, has_data_file = offset % self.cluster_size, self.header.has_data_file
        extended = self.header.has_extended_l2
        zero = entry.zero and not extended
        # "The offset may only be 0 with bit 63 set (indicating a host cluster offset of 0) when an
        # external data file is used"; QEMU looks at bit 0 first (qcow2_get_cluster_type).
        placed = entry.offset != 0 or (has_data_file and entry.copied and not zero)
        if extended and entry.alloc_bitmap and entry.copied and not placed:
            raise self.broken("l2/subcluster-unallocated", at + 8)
        if not entry.ok_subcluster_bitmap:
            raise self.broken("l2/subcluster-bitmap", at + 8)
        if entry.zero and self.header.version == 2:
            raise self.broken("l2/zero-in-v2", at)
        if not entry.ok_offset:
            raise self.broken("l2/cluster-offset", at)
        if has_data_file and placed and entry.offset != offset - within:
            raise self.broken("l2/data-file-offset", at)
        host = entry.offset + within if placed else None
        if extended:
            return self.subcluster(entry, within, rest, host)
        kind = Kind.ZERO if zero else Kind.DATA if placed else Kind.UNALLOCATED
        return Place(kind, rest, host)

    def compressed(self, entry: Any, at: int, rest: int) -> Place:
        """Compressed Clusters Descriptor: an offset in bytes, a length in sectors."""
        if self.header.has_data_file:
            raise self.broken("l2/compressed-data-file", at)
        return Place(Kind.COMPRESSED, rest, entry.coffset, entry.csize)

    def subcluster(self, entry: Any, within: int, rest: int, host: int | None) -> Place:
        """Extended L2 Entries: bits 0 to 31 for allocation, 32 to 63 for zeros."""
        size = self.header.subcluster_size
        index, rest = within // size, min(rest, size - within % size)
        if entry.zero_bitmap >> index & 1:
            return Place(Kind.ZERO, rest, host)
        allocated = entry.alloc_bitmap >> index & 1
        return Place(Kind.DATA if allocated else Kind.UNALLOCATED, rest, host)

    def load(self, wanted: str) -> None:
        """Snapshots: the L1 table and the disk's size of one, by its id, or else by its name."""
        for field in ("id_str", "name"):
            for entry in self.snapshots():
                if getattr(entry, field) == os.fsencode(wanted):
                    self.l1_table_offset, self.l1_size = entry.l1_table_offset, entry.l1_size
                    if entry.disk_size is not None:
                        self.size = entry.disk_size - entry.disk_size % c.BDRV_SECTOR_SIZE
                    return
        raise Invalid(f"has no snapshot {wanted!r}")

    def snapshots(self) -> Iterator[Qcow2.Snapshot]:
        """Snapshots: the entries of the table; 40 bytes of each tell how long it is."""
        at = self.header.snapshots_offset
        for _ in range(self.header.nb_snapshots):
            entry = parse(Qcow2.Snapshot, take(self.data, at, 40))
            judge("qcow2::snapshot", entry, self.header.version)
            yield parse(Qcow2.Snapshot, take(self.data, at, entry.entry_size))
            at += entry.entry_size


# --- Version 1: block/qcow.c ----------------------------------------------------------------------


class Version1(Reference):
    """An image of version 1."""

    payload_rule = "l2/v1-compressed-data", "csize"

    def __init__(self, data: Bytes, below: Reference | None) -> None:
        """Read the header (QCowHeader; qcow_open)."""
        self.data, self.host, self.below = data, data, below
        self.header = parse(Qcow1.Header, take(data, 0, 48))
        self.begin("qcow1::header", self.header)

    def at(self, offset: int) -> Place:
        """Two levels of tables; bit 63 for compressed clusters (get_cluster_offset)."""
        header, rest = self.header, self.rest(offset)
        index, within = divmod(offset, header.l1_entry_span)
        at = header.l1_table_offset + 8 * index
        table = parse(Qcow1.L1Entry, take(self.data, at, 8)).l2_table_offset
        if table > c.BDRV_MAX_LENGTH - 8 * header.l2_size:
            raise self.broken("l2/v1-table-read", at, f"l1_table[{index}]")
        if table == 0:
            return Place(Kind.UNALLOCATED, rest)
        data = take(self.data, table + 8 * (within // self.cluster_size), 8)
        entry: Any = parse(Qcow1.L2Entry, data, header.cluster_bits)
        if entry.is_compressed:
            return Place(Kind.COMPRESSED, rest, entry.coffset, entry.csize)
        if entry.offset == 0:
            return Place(Kind.UNALLOCATED, rest)
        return Place(Kind.DATA, rest, entry.offset + offset % self.cluster_size)

    def bytes_at(self, place: Place, offset: int, count: int) -> bytes:
        """See `Reference`; a plain cluster starts at a sector (qcow_co_preadv)."""
        if place.kind is Kind.DATA and place.host is not None:
            host, field = place.host, "l2_entry.offset"
            if (host - offset) % c.QCOW1_CLUSTER_ALIGNMENT:
                raise error_of("l2/v1-cluster-offset", host, offset=host, field=field)
            if host + count > c.BDRV_MAX_LENGTH:
                raise error_of("l2/v1-cluster-read", host, offset=host, field=field)
        return super().bytes_at(place, offset, count)


def deflated(payload: bytes, size: int) -> bytes:
    """A raw deflate stream (RFC 1951), up to a number of bytes; none if it is broken."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload, size)
    except zlib.error:
        return b""


def zstd_frames(payload: bytes, size: int) -> bytes:
    """Zstandard frames (RFC 8878), the last of which ends with the cluster; none if broken."""
    data, at = bytearray(), 0
    while len(data) < size and at < len(payload):
        frame: Any = ZstdDecompressor().decompressobj()
        # Byte by byte: a frame's length is stated nowhere, and output has to stay bounded.
        while not frame.eof and at < len(payload) and len(data) <= size:
            try:
                data += frame.decompress(payload[at : at + 1])
            except ZstdError:
                return b""
            at += 1
        if not frame.eof:
            return b""
    return bytes(data)
