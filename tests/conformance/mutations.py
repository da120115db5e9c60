"""The mutations that know the header, the extensions, the backing file's name, and no format.

In: chance, an image, and the mutant so far. Out: changes. Refused: nothing; one that does not fit
the image changes nothing.
"""

from __future__ import annotations

import random
import struct

from qcow_parsers import constants as c

from qcowspec.spec.units import align_up
from tests.conformance import grafts
from tests.conformance.mutants import Base, Mutant, interesting, mutation

__all__ = ["grafts"]


@mutation(weight=20)
def field(rng: random.Random, base: Base, made: Mutant) -> None:
    """Any field of any structure, to a value at the edge of something."""
    leaf = rng.choice(base.fields)
    if isinstance(leaf.value, int):
        value = interesting(rng, leaf.length, leaf.value, base.cluster_size)
        made.number_at(leaf.offset, leaf.length, value)
    else:
        made.write(leaf.offset, rng.randbytes(min(leaf.length, rng.choice((1, 2, 8, 64)))))


@mutation(weight=14)
def header_field(rng: random.Random, base: Base, made: Mutant) -> None:
    """A field of the header, to a value at the edge of something."""
    end = c.QCOW1_HEADER_SIZE if base.is_v1 else c.QCOW2_HEADER_SIZE
    leaf = rng.choice([f for f in base.fields if f.offset + f.length <= end and f.name != "magic"])
    now = leaf.value if isinstance(leaf.value, int) else 0
    made.number_at(leaf.offset, leaf.length, interesting(rng, leaf.length, now, base.cluster_size))


@mutation(weight=4)
def small_field(rng: random.Random, base: Base, made: Mutant) -> None:
    """A narrow field of the header, to any small value: versions, bits, methods, orders."""
    names = (
        "version",
        "cluster_bits",
        "crypt_method",
        "refcount_order",
        "header_length",
        "l2_bits",
    )
    leaves = [f for f in base.fields if f.name in names and f.offset < c.QCOW2_HEADER_SIZE]
    leaf = rng.choice(leaves)
    most = 140 if leaf.name == "header_length" else 24
    made.number_at(leaf.offset, leaf.length, rng.randrange(most))


@mutation(weight=5)
def features(rng: random.Random, base: Base, made: Mutant) -> None:
    """Feature bits and the compression type, in any combination."""
    if base.image.header.version != 3:
        return
    for name in rng.sample(("incompatible_features", "autoclear_features"), rng.choice((1, 2))):
        offset, width = base.at(name)
        bits = sum(
            1 << rng.choice((0, 1, 2, 3, 4, 5, 31, 63)) for _ in range(rng.choice((0, 1, 2)))
        )
        made.number_at(offset, width, bits)
    if rng.random() < 0.5:
        made.write(c.QCOW2_V3_MIN_HEADER_LENGTH, bytes([rng.choice((0, 0, 1, 1, 2, 255))]))
    if rng.random() < 0.3:
        offset, width = base.at("header_length")
        made.number_at(offset, width, rng.choice((96, 103, 104, 105, 108, 111, 112, 113, 120, 128)))


@mutation(weight=6)
def sizes(rng: random.Random, base: Base, made: Mutant) -> None:
    """Disk and L1 table, of sizes that belong together, nearly."""
    geometry, header = base.image.geometry, base.image.header
    offset, width = base.at("size")
    if base.is_v1:
        most = c.QCOW1_MAX_L1_ENTRIES
        entries = rng.choice((0, 1, 2, most, most + 1, c.QCOW1_MAX_READ_L1_ENTRIES + 1, 1 << 32))
        if entries > 2 and rng.random() < 0.7:  # each of these makes QEMU read 2 GiB
            return
        made.number_at(offset, width, entries * geometry.l2_span + rng.choice((-1, 0, 1)))
        return
    most = c.QCOW_MAX_L1_SIZE // c.L1E_SIZE
    entries = rng.choice((0, 1, 2, 3, most - 1, most, most + 1, 1 << 31, (1 << 31) - 1, 1 << 32))
    size = entries * geometry.l2_span + rng.choice((-1, 0, 1, 511, 512))
    if rng.random() < 0.2:
        size = c.INV_OFFSET - rng.choice((0, 511, geometry.l2_span - 2, geometry.l2_span - 1))
    made.number_at(offset, width, size)
    offset, width = base.at("l1_size")
    made.number_at(offset, width, max(0, min(entries, most) + rng.choice((-1, 0, 0, 0, 1))))
    if rng.random() < 0.3 and header.version == 3:
        offset, width = base.at("cluster_bits")
        made.number_at(offset, width, geometry.cluster_bits + rng.choice((-1, 1)))


@mutation(weight=5)
def far_table(rng: random.Random, base: Base, made: Mutant) -> None:
    """A table at the end of what can be addressed."""
    cluster, limit = base.cluster_size, rng.choice((c.BDRV_MAX_LENGTH, c.QCOW2_MAX_TABLE_END + 1))
    if base.is_v1:
        offset, width = base.at(rng.choice(("l1_table_offset", "backing_file_offset")))
        made.number_at(offset, width, limit - rng.choice((0, 1, 8, 16, 512, 1024)))
        return
    names = ["l1_table_offset", "refcount_table_offset", "snapshots_offset"]
    offset, width = base.at(rng.choice(names))
    made.number_at(
        offset, width, limit - rng.choice((0, 1, 2, 3)) * cluster + rng.choice((0, 0, 8))
    )
    if rng.random() < 0.4:
        offset, width = base.at("nb_snapshots")
        made.number_at(offset, width, rng.choice((0, 1, 2, 3000)))


@mutation(weight=4)
def clusters(rng: random.Random, base: Base, made: Mutant) -> None:
    """Sizes of the tables that the header counts."""
    if base.is_v1:
        return
    most = c.QCOW_MAX_REFTABLE_SIZE // base.cluster_size
    offset, width = base.at("refcount_table_clusters")
    made.number_at(offset, width, rng.choice((0, 1, most - 1, most, most + 1, 0xFFFFFFFF)))


@mutation(weight=10)
def extensions(rng: random.Random, base: Base, made: Mutant) -> None:
    """A new extension area, well made or not."""
    if base.is_v1:
        return
    header = base.image.metadata.qcow2_header
    start, at = header.effective_header_length, rng.random()
    room = base.cluster_size - start
    records = [_record(rng, base) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    area = b"".join(records)
    if rng.random() < 0.7:
        area += struct.pack(">II", 0, rng.choice((0, 0, 0, 4, 1 << 20)))
    made.write(start, area[:room])
    name, width = base.at("backing_file_offset")
    size, size_width = base.at("backing_file_size")
    if at < 0.3:  # the area ends exactly, or nearly
        made.number_at(name, width, start + len(area) + rng.choice((-1, 0, 0, 0, 1, 4, 7)))
        made.number_at(size, size_width, rng.choice((0, 1, 5)))
    elif at < 0.6:
        made.write(start + len(area), bytes(max(0, min(64, room - len(area)))))


def _record(rng: random.Random, base: Base) -> bytes:
    known = rng.choice(c.EXTENSIONS).magic
    magic = rng.choice((known, known, known, 0x12345678, rng.getrandbits(32)))
    length = rng.choice((0, 1, 5, 8, 15, 16, 16, 17, 24, 24, 47, 48, 96))
    data = rng.randbytes(length) if rng.random() < 0.5 else bytes(length)
    if magic == c.QCOW2_EXT_MAGIC_BITMAPS and length == c.QCOW2_BITMAPS_EXTENSION_SIZE:
        count, reserved = rng.choice((0, 1, 65535, 65536)), rng.choice((0, 0, 0, 1))
        offset = rng.choice((0, base.cluster_size, base.cluster_size + 8))
        data = struct.pack(">IIQQ", count, reserved, rng.choice((0, 24, 1 << 26)), offset)
    said = length if rng.random() < 0.9 else interesting(rng, 4, length, 8)
    return struct.pack(">II", magic, said) + data.ljust(align_up(length, 8), b"\0")


@mutation(weight=5)
def backing(rng: random.Random, base: Base, made: Mutant) -> None:
    """The backing file's name, anywhere and of any length."""
    offset, width = base.at("backing_file_offset")
    size, size_width = base.at("backing_file_size")
    end = base.cluster_size
    where = rng.choice((0, 8, 100, 112, 200, end - 1024, end - 1, end, end + 1, len(base.data)))
    length = rng.choice((0, 1, 10, 1022, 1023, 1024, 65536, end - where, end - where + 1))
    made.number_at(offset, width, where)
    made.number_at(size, size_width, max(0, length))
    if rng.random() < 0.5:
        name = rng.choice((b"json:{}", b"nbd://h/x", b"/etc/x", b"a\0b", b"\0", b"x" * 1023))
        made.write(where, name)


@mutation(weight=3)
def truncated(rng: random.Random, base: Base, made: Mutant) -> None:
    """A shorter file, or a longer one."""
    length = len(base.data)
    cluster = base.cluster_size * rng.randrange(1 + length // base.cluster_size)
    lengths = (8, 40, 72, 104, 111, 112, 512, cluster, cluster + 8, rng.randrange(length + 1))
    made.length = rng.choice((*lengths, length + base.cluster_size))


@mutation(weight=5)
def flipped(rng: random.Random, base: Base, made: Mutant) -> None:
    """Bits inside the metadata."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        leaf = rng.choice(base.fields)
        at = leaf.offset + rng.randrange(leaf.length)
        if at < len(base.data):
            made.write(at, bytes([base.data[at] ^ 1 << rng.randrange(8)]))


@mutation(weight=1)
def scrambled(rng: random.Random, base: Base, made: Mutant) -> None:
    """Any bytes, anywhere in the first cluster."""
    at = rng.randrange(min(len(base.data), base.cluster_size))
    made.write(at, rng.randbytes(rng.choice((1, 4, 16))))
