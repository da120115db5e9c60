"""What a guest reads, one byte at a time: slow, and written straight from the documents.

In: the bytes of an image and of the files that it names. Out: the byte at a guest offset, and where
it stands. Refuses, with `Wrong`: what the documents do not let a reader read. Encrypted images are
not for it.

It shares nothing with `qcowspec.mapping`, `qcowspec.guest` or the generated parsers: numbers are
repeated here on purpose, from docs/interop/qcow2 in QEMU's tree for versions 2 and 3, whose section
names stand beside them, and from block/qcow.c for version 1, which no document describes. Where the
document is silent the sentence says whose word it is.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Mapping
from typing import Any

Bytes = bytes | mmap.mmap
"""A file's bytes; of a large sparse one, mapped."""

SECTOR = 512
MAGIC = b"QFI\xfb"


class Wrong(Exception):
    """The documents do not say what is read here."""


def number(data: Bytes, offset: int, length: int) -> int:
    """A big-endian number; behind the end of a file QEMU reads zeros."""
    return int.from_bytes(data[offset : offset + length].ljust(length, b"\0"), "big")


def oracle(
    files: Mapping[str, Bytes],
    name: str,
    *,
    driver: str | None = None,
    snapshot: str | None = None,
    like_qemu: bool = False,
) -> Raw | Version1 | Version2:
    """What reads a file.

    Args:
        files: The bytes of the file and of all that it leads to, by their names.
        name: Which of them is read.
        driver: ``qcow``, ``qcow2`` or ``raw``; None where the first bytes are to tell.
        snapshot: The id of an internal snapshot; None for the active state.
        like_qemu: Read the snapshot at the active state's size, as qemu-img does.
    """
    data = files[name]
    if driver is None:
        version = number(data, 4, 4) if data[:4] == MAGIC else 0
        driver = {1: "qcow", 2: "qcow2", 3: "qcow2"}.get(version, "raw")
    if driver == "raw":
        return Raw(data)
    if driver == "qcow":
        return Version1(files, name)
    return Version2(files, name, snapshot, like_qemu=like_qemu)


class Raw:
    """A raw file: every byte at its own offset (block/raw-format.c)."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.size = -(-len(data) // SECTOR) * SECTOR  # block.c counts in sectors

    def byte(self, offset: int) -> int:
        """The byte at a guest offset."""
        return self.data[offset] if offset < len(self.data) else 0

    def where(self, offset: int) -> tuple[str, int | None]:
        """How it is had: kind of extent, and its host offset."""
        return "DATA", offset


class Behind:
    """What stands behind an image: its backing file, if it names one."""

    def __init__(self, files: Mapping[str, Bytes], name: bytes, driver: str | None) -> None:
        self.disk: Raw | Version1 | Version2 | None = None
        if name.startswith(b"json:"):
            node: Any = json.loads(name[5:])
            driver, name = node["driver"], node["file"]["filename"].encode()
        if name:
            key = name.removeprefix(b"file:").decode().rpartition("/")[2]
            self.disk = oracle(files, key, driver=driver)

    def byte(self, offset: int) -> int:
        """Its byte; "if the backing file is smaller, the rest reads as zeros"."""
        if self.disk is None or offset >= self.disk.size:
            return 0
        return self.disk.byte(offset)

    @property
    def kind(self) -> str:
        """What a cluster that is not allocated is."""
        return "UNALLOCATED" if self.disk is None else "BACKING"


# --- Version 1: block/qcow.c ----------------------------------------------------------------------


class Version1:
    """Source: QCowHeader, qcow_open, get_cluster_offset, decompress_cluster."""

    def __init__(self, files: Mapping[str, Bytes], name: str) -> None:
        self.data = data = files[name]
        assert number(data, 4, 4) == 1
        named, length = number(data, 8, 8), number(data, 16, 4)
        self.size = number(data, 24, 8) // SECTOR * SECTOR
        self.cluster_bits, self.l2_bits = data[32], data[33]
        assert number(data, 36, 4) == 0, "encrypted"
        self.l1 = number(data, 40, 8)
        backing = data[named : named + length].partition(b"\0")[0] if named else b""
        self.behind = Behind(files, backing, None)
        self.inflated: dict[int, bytes] = {}

    def entry(self, offset: int) -> int:
        """The L2 entry of a guest offset; 0 where there is no table."""
        table = number(self.data, self.l1 + 8 * (offset >> self.cluster_bits + self.l2_bits), 8)
        index = (offset >> self.cluster_bits) % (1 << self.l2_bits)
        return number(self.data, table + 8 * index, 8) if table else 0

    def byte(self, offset: int) -> int:
        """The byte at a guest offset."""
        entry, within = self.entry(offset), offset % (1 << self.cluster_bits)
        if not entry:
            return self.behind.byte(offset)
        if entry >> 63:
            if entry not in self.inflated:
                self.inflated[entry] = self.cluster(entry)
            return self.inflated[entry][within]
        if entry % SECTOR:
            raise Wrong("a cluster is not aligned to a sector")
        return number(self.data, entry + within, 1)

    def cluster(self, entry: int) -> bytes:
        """A compressed cluster: bits 63 - cluster_bits to 62 are its length, those below where."""
        bits = self.cluster_bits
        at, length = entry % (1 << 63 - bits), (entry >> 63 - bits) % (1 << bits)
        return inflated(self.data[at : at + length], 1 << bits)

    def where(self, offset: int) -> tuple[str, int | None]:
        """How it is had; of a compressed cluster, where its payload starts."""
        entry = self.entry(offset)
        if not entry:
            return self.behind.kind, None
        if entry >> 63:
            return "COMPRESSED", entry % (1 << 63 - self.cluster_bits)
        return "DATA", entry + offset % (1 << self.cluster_bits)


# --- Versions 2 and 3: docs/interop/qcow2 ---------------------------------------------------------


class Version2:
    """Source: Header, Header extensions, Cluster mapping, Extended L2 Entries, Snapshots."""

    def __init__(
        self,
        files: Mapping[str, Bytes],
        name: str,
        snapshot: str | None = None,
        *,
        like_qemu: bool = False,
    ) -> None:
        self.data = data = files[name]
        self.version = number(data, 4, 4)
        assert self.version in (2, 3)
        named, length = number(data, 8, 8), number(data, 16, 4)
        self.cluster_bits = number(data, 20, 4)
        self.size = number(data, 24, 8)
        assert number(data, 32, 4) == 0, "encrypted"
        self.l1_size, self.l1 = number(data, 36, 4), number(data, 40, 8)
        # "For version 2, the header is always 72 bytes", and all feature bits are zero.
        features = number(data, 72, 8) if self.version == 3 else 0
        header = number(data, 100, 4) if self.version == 3 else 72
        self.extended = bool(features >> 4 & 1)
        self.zstd = header > 104 and features >> 3 & 1 and data[104] == 1
        if snapshot is not None:
            self.take(snapshot, like_qemu=like_qemu)
        self.size -= self.size % SECTOR  # QEMU's word: it counts in sectors
        backing = data[named : named + length].partition(b"\0")[0] if named else b""
        driver, data_file = self.extensions(header, named)
        self.behind = Behind(files, backing, driver)
        self.has_data_file = bool(features >> 2 & 1)
        self.host = files[data_file] if self.has_data_file else data
        self.inflated: dict[int, bytes] = {}

    def extensions(self, at: int, end: int) -> tuple[str | None, str]:
        """Header extensions: the backing file's format, and the data file's name."""
        driver, data_file, end = None, "", end or 1 << self.cluster_bits
        while at + 8 <= end:
            magic, length = number(self.data, at, 4), number(self.data, at + 4, 4)
            if magic == 0:
                break
            text = self.data[at + 8 : at + 8 + length]
            if magic == 0xE2792ACA:
                driver = text.decode() or None
            elif magic == 0x44415441:
                data_file = text.decode().rpartition("/")[2]
            at += 8 + -(-length // 8) * 8
        return driver, data_file

    def take(self, wanted: str, *, like_qemu: bool) -> None:
        """Become a snapshot: its own L1 table, and its own size."""
        at = number(self.data, 64, 8)
        for _ in range(number(self.data, 60, 4)):
            extra, ids = number(self.data, at + 36, 4), number(self.data, at + 12, 2)
            names, start = number(self.data, at + 14, 2), at + 40 + extra
            if self.data[start : start + ids] == wanted.encode():
                self.l1, self.l1_size = number(self.data, at, 8), number(self.data, at + 8, 4)
                if extra >= 16 and not like_qemu:
                    self.size = number(self.data, at + 48, 8)
                return
            at = -(-(start + ids + names) // 8) * 8
        raise Wrong(f"no snapshot {wanted}")

    # l2_entries = cluster_size / sizeof(entry); l2_index = (offset / cluster_size) % l2_entries;
    # l1_index = (offset / cluster_size) / l2_entries

    def entry(self, offset: int) -> tuple[int, int]:
        """The L2 entry of a guest offset, and its subcluster bitmap; zeros where none is."""
        width = 16 if self.extended else 8
        entries = (1 << self.cluster_bits) // width
        cluster = offset >> self.cluster_bits
        index = cluster // entries
        if index >= self.l1_size:
            return 0, 0
        table = number(self.data, self.l1 + 8 * index, 8) & 0x00FF_FFFF_FFFF_FE00
        if table == 0:  # "all clusters described by this L2 table are unallocated"
            return 0, 0
        if table % (1 << self.cluster_bits):
            raise Wrong("an L2 table is not aligned to a cluster")
        at = table + width * (cluster % entries)
        return number(self.data, at, 8), number(self.data, at + 8, 8) if self.extended else 0

    def found(self, offset: int) -> tuple[str, int | None]:
        """Kind, and host offset: of the byte, of a payload, or of the space that is set aside."""
        entry, bitmap = self.entry(offset)
        cluster_size = 1 << self.cluster_bits
        if entry >> 62 & 1:
            if self.has_data_file:
                raise Wrong("a compressed cluster in an image with a data file")
            return "COMPRESSED", entry % (1 << 62 - (self.cluster_bits - 8))
        host = entry & 0x00FF_FFFF_FFFF_FE00
        # "If the offset is 0 and bit 63 is clear, the cluster is unallocated"; with bit 63 only an
        # external data file has one there.
        zero = bool(entry & 1) and not self.extended
        # "Cluster contains all zeros" is asked for first (block/qcow2.h: qcow2_get_cluster_type).
        allocated = host != 0 or (self.has_data_file and entry >> 63 == 1 and not zero)
        if zero and self.version == 2:
            raise Wrong("a zero cluster in version 2")
        if allocated and host % cluster_size:
            raise Wrong("a cluster is not aligned")
        data = allocated and not zero
        if self.extended:
            index = offset % cluster_size // (cluster_size // 32)
            data, zero = bool(bitmap >> index & 1), bool(bitmap >> 32 + index & 1)
            if (data and zero) or (data and not allocated):
                raise Wrong("a subcluster is two things")
        kind = "ZERO" if zero else "DATA" if data else self.behind.kind
        return kind, host + offset % cluster_size if allocated else None

    def where(self, offset: int) -> tuple[str, int | None]:
        """How it is had; see `found`."""
        return self.found(offset)

    def byte(self, offset: int) -> int:
        """The byte at a guest offset."""
        kind, host = self.found(offset)
        if kind == "ZERO":
            return 0
        if kind == "DATA":
            assert host is not None
            return number(self.host, host, 1)
        if kind != "COMPRESSED":
            return self.behind.byte(offset)
        entry = self.entry(offset)[0]
        if entry not in self.inflated:
            self.inflated[entry] = self.cluster(entry)
        return self.inflated[entry][offset % (1 << self.cluster_bits)]

    def cluster(self, entry: int) -> bytes:
        """Compressed Clusters Descriptor: x = 62 - (cluster_bits - 8); sectors from bit x on."""
        x = 62 - (self.cluster_bits - 8)
        at, more = entry % (1 << x), entry % (1 << 62) >> x
        payload = self.data[at : at - at % SECTOR + SECTOR * (more + 1)]
        if self.zstd:
            return unpacked(payload, 1 << self.cluster_bits)
        return inflated(payload, 1 << self.cluster_bits)


def inflated(payload: bytes, size: int) -> bytes:
    """A raw deflate stream of one cluster; the payload may go on behind it."""
    try:
        data = zlib.decompressobj(-15).decompress(payload, size)
    except zlib.error as error:
        raise Wrong(str(error)) from error
    if len(data) != size:
        raise Wrong("not a whole cluster")
    return data


def unpacked(payload: bytes, size: int) -> bytes:
    """Zstandard frames of one cluster."""
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(payload, read_across_frames=True)
    try:
        data: bytes = reader.read(size)
    except zstandard.ZstdError as error:
        raise Wrong(str(error)) from error
    if len(data) != size:
        raise Wrong("not a whole cluster")
    return data
