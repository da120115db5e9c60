"""The mutations that put whole structures into an image: snapshots, bitmaps, a LUKS header.

In: chance, an image, and the mutant so far. Out: changes. Refused: nothing; one that does not fit
the image changes nothing.
"""

from __future__ import annotations

import random
import struct
from functools import cache
from pathlib import Path

from qcow_parsers import constants as c

from qcowspec.image import lay_open
from qcowspec.spec.units import align_up
from tests.conformance.mutants import Base, Mutant, interesting, mutation

DATA = Path(__file__).parents[1] / "data"


def _area(base: Base, made: Mutant, *records: tuple[int, bytes]) -> None:
    """Put these extensions, and an end, behind the header; move the backing file's name away."""
    start = base.image.metadata.qcow2_header.effective_header_length
    area = b"".join(
        struct.pack(">II", magic, len(data)) + data.ljust(align_up(len(data), 8), b"\0")
        for magic, data in records
    )
    made.write(start, area + bytes(c.QCOW2_EXT_HEADER_SIZE))
    made.number_at(*base.at("backing_file_offset"), 0)


# --- snapshots ------------------------------------------------------------------------------------


@mutation(weight=7)
def snapshots(rng: random.Random, base: Base, made: Mutant) -> None:
    """A snapshot table behind the end of the file."""
    if base.is_v1:
        return
    count = rng.choice((1, 1, 2, 3, 20))
    offset = base.new_cluster()
    table = b""
    for index in range(count):
        table = table.ljust(align_up(len(table), c.QCOW2_SNAPSHOT_ALIGNMENT), b"\0")
        table += _snapshot(rng, base, index)
    made.write(offset, table)
    made.number_at(*base.at("snapshots_offset"), offset)
    said = count if rng.random() < 0.9 else interesting(rng, 4, count)
    made.number_at(*base.at("nb_snapshots"), min(said, 70000))


def _snapshot(rng: random.Random, base: Base, index: int) -> bytes:
    extra = rng.choice((0, 8, 16, 16, 16, 24, 24, 1024))
    if rng.random() < 0.1:
        extra = rng.choice((1025, 1032, 0xFFFFFFFF, 1 << 31))
    name = rng.randbytes(rng.choice((0, 1, 8, 8, 40, 300)))
    identifier = str(rng.choice((index, 1))).encode()
    l1_offset = rng.choice((base.cluster_size, base.cluster_size, 0, 8, 1 << 60))
    l1_size = rng.choice((0, 1, 1, c.QCOW_MAX_L1_SIZE // 8, c.QCOW_MAX_L1_SIZE // 8 + 1))
    fixed = struct.pack(
        ">QIHHIIQII", l1_offset, l1_size, len(identifier), len(name), 0, 0, 0, 0, extra
    )
    return fixed + bytes(min(extra, 1100)) + identifier + name


@mutation(weight=1)
def large_snapshot_table(rng: random.Random, base: Base, made: Mutant) -> None:
    """A table of nearly 64 MiB, or more, in a sparse file."""
    if base.is_v1:
        return
    extra = 1024
    length = c.QCOW2_SNAPSHOT_HEADER_SIZE + extra + 2 * 0xFFFF
    step = align_up(length, c.QCOW2_SNAPSHOT_ALIGNMENT)
    count = c.QCOW_MAX_SNAPSHOTS_SIZE // step + rng.choice((0, 1, 2))
    offset = base.new_cluster()
    for index in range(count):
        fixed = struct.pack(">QIHHIIQII", 0, 0, 0xFFFF, 0xFFFF, 0, 0, 0, 0, extra)
        made.write(offset + index * step, fixed)
    made.number_at(*base.at("snapshots_offset"), offset)
    made.number_at(*base.at("nb_snapshots"), count)
    made.length = offset + count * step


@mutation(weight=1)
def far_snapshots(rng: random.Random, base: Base, made: Mutant) -> None:
    """A table that ends where nothing can be read."""
    if base.is_v1:
        return
    limit = c.BDRV_MAX_LENGTH - base.cluster_size
    made.number_at(*base.at("snapshots_offset"), limit)
    made.number_at(*base.at("nb_snapshots"), base.cluster_size // 40 + rng.choice((-1, 0, 1, 2)))


# --- bitmaps --------------------------------------------------------------------------------------


@mutation(weight=14)
def bitmaps(rng: random.Random, base: Base, made: Mutant) -> None:
    """A bitmap directory with tables, all of it new, with a flaw or two."""
    if base.image.header.version != 3:
        return
    flaws = set(rng.sample(FLAWS, rng.choice((0, 1, 1, 1, 1, 2))))
    if "large_disk" in flaws and rng.random() < 0.8:
        flaws.add("in_use")
    count = rng.choice((1, 1, 2, 3))
    directory_at = base.new_cluster()
    directory = b""
    for index in range(count):
        table_at = base.new_cluster(2 + 3 * index)
        flawed = flaws if index == count - 1 else set()
        directory += _bitmap(rng, base, made, table_at, index, flawed)
    size, announced = len(directory), count
    if "size" in flaws:
        size = rng.choice((0, 1, size - 1, size + 1, size + 8, size + 23, size + 24, size - 8))
    if "count" in flaws:
        announced = rng.choice((count + 1, count - 1, 65535, 65536, 0))
    where = directory_at
    if "directory" in flaws:
        where = rng.choice((0, 8, directory_at + 8, c.BDRV_MAX_LENGTH, 1 << 63))
        size = rng.choice((size, c.QCOW2_MAX_BITMAP_DIRECTORY_SIZE + rng.choice((0, 1))))
    if "large_disk" in flaws:
        most = c.QCOW_MAX_L1_SIZE // c.L1E_SIZE
        entries = rng.choice((1, 1 << 10, most, most, most))
        made.number_at(*base.at("size"), entries * base.image.geometry.l2_span)
        made.number_at(*base.at("l1_size"), entries)
    reserved = 1 if "reserved32" in flaws else 0
    made.write(directory_at, directory)
    extension = struct.pack(">IIQQ", max(0, announced), reserved, max(0, size), where)
    _area(base, made, (c.QCOW2_EXT_MAGIC_BITMAPS, extension))
    made.number_at(*base.at("autoclear_features"), 1)


FLAWS = (
    "size", "count", "directory", "reserved32", "table_offset", "table_size", "flags", "type",
    "granularity", "name", "extra", "entry", "far", "in_use", "same_name", "padding",
    "large_disk",
)  # fmt: skip


def _bitmap(
    rng: random.Random, base: Base, made: Mutant, table_at: int, index: int, flaws: set[str]
) -> bytes:
    cluster, header = base.cluster_size, base.image.metadata.qcow2_header
    granularity = rng.choice((9, 16, 16, 31))
    bits = -(-header.size // 512 * 512 >> granularity)
    needed = max(1, -(-(align_up(max(bits, 1), 64) // 8) // cluster))
    most = c.BME_MAX_PHYS_SIZE // cluster
    entries = [rng.choice((0, 0, 1, base.new_cluster(1))) for _ in range(min(needed, 8))]
    flags = rng.choice((0, 0, 2))
    kind, name, extra = 1, f"bitmap{index}".encode() * rng.choice((1, 1, 3, 120)), b""
    if "in_use" in flaws:
        flags |= 1
        granularity = rng.choice((granularity, 9))
    if "same_name" in flaws:
        name = b"bitmap0"
    if "name" in flaws:
        name = rng.choice((b"", b"a\0b", b"n" * 1023, b"n" * 1024))
    if "flags" in flaws:
        flags = rng.choice((4, 8, 1 << 31, 5, 3))
    if "type" in flaws:
        kind = rng.choice((0, 2, 255))
    if "granularity" in flaws:
        granularity = rng.choice((0, 8, 32, 63, 64, 255))
    if "extra" in flaws:
        extra = bytes(rng.choice((1, 8, 16)))
    if "entry" in flaws:
        bad = (2, 0x100, 1 << 56, 1 << 63, table_at | 1, table_at + 512, 512)
        entries[rng.randrange(len(entries))] = rng.choice(bad)
    if "table_size" in flaws:
        needed = rng.choice((0, needed + 1, needed - 1, most, most + 1, 1 << 27, (1 << 27) + 1))
    where = table_at
    if "table_offset" in flaws:
        where = rng.choice((0, 512, table_at + 8, 1 << 63))
    if "far" in flaws:
        where = c.BDRV_MAX_LENGTH - rng.choice((0, cluster))
    made.write(table_at, struct.pack(f">{len(entries)}Q", *entries))
    said = len(extra) if rng.random() < 0.97 else interesting(rng, 4)
    entry = struct.pack(
        ">QIIBBHI", where, max(0, needed), flags, kind, granularity, len(name), said
    )
    filler = b"\xff" if "padding" in flaws else b"\0"
    entry += extra + name
    return entry.ljust(align_up(len(entry), c.QCOW2_BITMAP_DIR_ALIGNMENT), filler)


@mutation(weight=1)
def many_bitmap_tables(rng: random.Random, base: Base, made: Mutant) -> None:
    """More bitmap tables than fit into 64 MiB, or nearly, in a sparse file."""
    if base.image.header.version != 3:
        return
    size = min(c.BME_MAX_PHYS_SIZE // base.cluster_size, c.BME_MAX_PHYS_SIZE >> 9)
    count = c.POLICY_MAX_BITMAP_TABLES // (size * c.BME_TABLE_ENTRY_SIZE) + rng.choice((0, 1, 1))
    if count > MOST_BITMAPS:
        return
    step = align_up(size * c.BME_TABLE_ENTRY_SIZE, base.cluster_size)
    first = base.new_cluster(1)
    directory = b"".join(
        struct.pack(">QIIBBHI", first + index * step, size, 0, 1, 31, 8, 0) + b"%08d" % index
        for index in range(count)
    )
    made.write(base.new_cluster(), directory)
    extension = struct.pack(">IIQQ", count, 0, len(directory), base.new_cluster())
    _area(base, made, (c.QCOW2_EXT_MAGIC_BITMAPS, extension))
    made.number_at(*base.at("autoclear_features"), 1)
    made.length = first + count * step


MOST_BITMAPS = 100
"""Bitmaps that the directory of such an image may have: it has one cluster."""


# --- LUKS -----------------------------------------------------------------------------------------

CIPHERS = (
    ("aes", 16), ("aes", 24), ("aes", 32), ("cast5", 16), ("serpent", 16), ("serpent", 32),
    ("twofish", 24), ("twofish", 32),
)  # fmt: skip
OTHER_CIPHERS = (("sm4", 16), ("des", 8), ("", 16), ("AES", 16), ("aes", 20), ("cast5", 32))
MODES, OTHER_MODES = ("xts", "cbc", "ecb", "ctr"), ("foo", "", "XTS", "xts cbc")
GENERATORS = (
    "-plain64", "-plain", "-essiv:sha256", "-plain64:sha1", "-essiv:md5", "-plain64:ripemd160",
    "-essiv:sha1", "-essiv:sha512", "-essiv:sha224",
)  # fmt: skip
OTHER_GENERATORS = (
    "-essiv", "-essiv:", "-plain:foo", "-essiv:foo", "-foo", "-", "", "-plain-plain",
    "-plain64:sha256:sha1", "-essiv", "-foo:sha256",
)  # fmt: skip
HASHES = ("sha1", "sha256", "sha512", "md5", "ripemd160", "sha224", "sha384")
OTHER_HASHES = ("SHA256", "foo", "", "sha256:", "whirlpool")


@cache
def _luks_header() -> bytes:
    with lay_open(DATA / "v3-luks.qcow2") as image:
        part = image.metadata.luks_part
        assert part is not None
        return part.data


@mutation(weight=10)
def luks(rng: random.Random, base: Base, made: Mutant) -> None:
    """A LUKS header with a flaw or two."""
    if base.is_v1:
        return
    at = base.new_cluster()
    header = bytearray(_luks_header())
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        rng.choice(LUKS_FLAWS)(rng, header)
    made.write(at, bytes(header))
    where = at if rng.random() < 0.93 else rng.choice((at + 8, 1 << 63, c.BDRV_MAX_LENGTH))
    length = rng.choice((1 << 21, 1 << 21, 1 << 21, 592, 591, 0, c.INV_OFFSET))
    pointer = (c.QCOW2_EXT_MAGIC_CRYPTO_HEADER, struct.pack(">QQ", where, length))
    _area(base, made, *[pointer] * rng.choice((1, 1, 1, 1, 0, 2)))
    made.number_at(*base.at("crypt_method"), rng.choice((2, 2, 2, 2, 2, 2, 1, 0)))


@mutation(weight=1)
def many_luks_headers(rng: random.Random, base: Base, made: Mutant) -> None:
    """Pointers to many LUKS headers, more than anybody reads."""
    room = base.cluster_size - c.QCOW2_HEADER_SIZE - c.QCOW2_EXT_HEADER_SIZE
    count = c.POLICY_MAX_LUKS_HEADERS + rng.choice((0, 1))
    size = c.QCOW2_EXT_HEADER_SIZE + c.QCOW2_CRYPTO_EXTENSION_SIZE
    if base.is_v1 or count * size > room:
        return
    headers = [base.new_cluster(index) for index in range(count)]
    for at in headers:
        made.write(at, _luks_header())
    magic = c.QCOW2_EXT_MAGIC_CRYPTO_HEADER
    _area(base, made, *[(magic, struct.pack(">QQ", at, 1 << 21)) for at in headers])
    made.number_at(*base.at("crypt_method"), 2)


@mutation(weight=1)
def many_extensions(rng: random.Random, base: Base, made: Mutant) -> None:
    """As many extensions as are judged one by one, or more."""
    room = (base.cluster_size - c.QCOW2_HEADER_SIZE) // c.QCOW2_EXT_HEADER_SIZE - 1
    count = c.POLICY_MAX_HEADER_EXTENSIONS + rng.choice((-1, 0, 1, room))
    if base.is_v1 or room < c.POLICY_MAX_HEADER_EXTENSIONS:
        return
    record = (rng.choice((0x12345678, c.QCOW2_EXT_MAGIC_BACKING_FORMAT)), b"")
    _area(base, made, *[record] * min(count, room))


def _words(rng: random.Random, header: bytearray) -> None:
    """Cipher, mode and hash, which fit together, or with one that does not."""
    wrong = rng.choice((None, "cipher", "mode", "generator", "generator", "hash", "length"))
    cipher, length = rng.choice(OTHER_CIPHERS if wrong == "cipher" else CIPHERS)
    mode = rng.choice(OTHER_MODES if wrong == "mode" else MODES)
    generator = rng.choice(OTHER_GENERATORS if wrong == "generator" else GENERATORS)
    digest = rng.choice(OTHER_HASHES if wrong == "hash" else HASHES)
    length *= 2 if mode == "xts" else 1
    if wrong == "length":
        length = rng.choice((0, 1, length + 1, length * 2, length // 2))
    size = c.QCRYPTO_BLOCK_LUKS_CIPHER_NAME_LEN
    for index, word in enumerate((cipher, mode + generator, digest)):
        filler = b"x" if rng.random() < 0.05 else b"\0"
        header[8 + size * index : 8 + size * (index + 1)] = word.encode().ljust(size, filler)
    header[108:112] = struct.pack(">I", length)


def _lead(rng: random.Random, header: bytearray) -> None:
    """Magic, or version."""
    header[rng.randrange(8)] ^= 1 << rng.randrange(8)


def _numbers(rng: random.Random, header: bytearray) -> None:
    """Payload's sector, length and iterations of the master key."""
    at = rng.choice((104, 108, 164))
    now = struct.unpack_from(">I", header, at)[0]
    value = rng.choice((0, 7, 8, 15, 17, 32, 1 << 20, 0xFFFFFFFF, interesting(rng, 4, now, 8)))
    struct.pack_into(">I", header, at, value)


def _slot(rng: random.Random, header: bytearray) -> None:
    """A number of one of the key slots."""
    size, length = c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE, len(header)
    at = length - size * rng.randrange(1, 9) + rng.choice((0, 4, 4, 40, 40, 40, 44))
    now = struct.unpack_from(">I", header, at)[0]
    other = struct.unpack_from(">I", header, length - size * rng.randrange(1, 9) + 40)[0]
    value = rng.choice((0, 7, 8, other, now - 8, now + 8, 3999, 4001, interesting(rng, 4, now)))
    struct.pack_into(">I", header, at, value % (1 << 32))


def _bits(rng: random.Random, header: bytearray) -> None:
    """Any bit."""
    header[rng.randrange(len(header))] ^= 1 << rng.randrange(8)


LUKS_FLAWS = (*[_words] * 4, _lead, _numbers, _slot, _slot, _bits)
