"""The rules in the Kaitai declarations, and the bits of table entries.

What comes in: formats/kaitai and the generated parsers. What is claimed: the limits in the rules
are constants, and their docs name them; every rule holds at its edge and breaks beyond it; entries
of tables agree with QEMU's masks.
"""

from __future__ import annotations

import random
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from kaitaistruct import KaitaiStream
from qcow_parsers import Luks1, Qcow, Qcow1, Qcow2
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES as CATALOGUE

from tests.every import every
from tools import gallery
from tools.generator import numbers

ROOT = Path(__file__).parents[2]
KAITAI = ROOT / "formats/kaitai"
SPECS: dict[str, dict[str, Any]] = {
    path.stem: gallery.read(path) for path in sorted(KAITAI.glob("*.ksy"))
}
TYPES: dict[str, dict[str, Any]] = dict(SPECS) | {
    f"{stem}::{name}": each for stem, spec in SPECS.items() for name, each in spec["types"].items()
}
RULES = [
    (layout, name)
    for layout, spec in TYPES.items()
    for name in spec.get("instances", {})
    if name.startswith(gallery.RULE)
]

by_rule = every(("layout", "name"), RULES)


def test_every_instance_that_is_a_rule_decides_one() -> None:
    rows = {(rule.on, rule.predicate_name) for rule in CATALOGUE if rule.predicate == "instance"}

    assert set(RULES) == rows


def test_no_two_instances_of_a_type_say_the_same() -> None:
    said = Counter((layout, _said(layout, name)) for layout, name in RULES)

    assert [each for each, times in said.items() if times > 1] == []


def _said(layout: str, name: str) -> str:
    return " ".join(TYPES[layout]["instances"][name]["value"].split())


WORD = re.compile(r"name == ([A-Z0-9_]+)")


def test_the_words_of_luks_are_the_constants_that_their_docs_name() -> None:
    words = [
        (each["doc"], found[1])
        for layout, spec in TYPES.items()
        if layout.startswith("luks1::")
        for each in spec.get("instances", {}).values()
        if (found := WORD.fullmatch(each.get("value", "")))
    ]

    assert len(words) == 5 + 4 + 3 + 8
    for doc, constant in words:
        assert doc == f'"{getattr(c, constant)}" ({constant}).'


def stream(data: bytes) -> KaitaiStream:
    return KaitaiStream(BytesIO(data))


# ---- limits

UNNAMED = {
    # (rule, number in it): what it is
    ("qcow1::header.ok_size_maximum", 1 << 62): "2^64, in a form that fits 63 bits",
    ("qcow1::header.ok_size_maximum", 4): "2^64, in a form that fits 63 bits",
    ("qcow1::header.ok_librbd_l2_bits", 3): "binary logarithm of L1E_SIZE",
    ("qcow2::header.ok_librbd_l1_size", 1 << 62): "2^64, in a form that fits 63 bits",
    ("qcow2::header.ok_librbd_l1_size", 4): "2^64, in a form that fits 63 bits",
    ("qcow2::feature_name_entry.ok_feature_name_bit", 63): "the last bit of a word of 64",
    ("qcow2::bitmap_directory_entry.ok_coverage", 8): "bits of a byte",
    ("qcow2::bitmap_directory_entry.ok_flags_reserved", 2): "one bit above the last flag",
    ("qcow2::bitmap_directory_entry.ok_untrusted_in_use_size", 8): "bits of a byte",
}


@by_rule
def test_a_rule_names_its_numbers_as_its_doc_does(layout: str, name: str) -> None:
    """Whoever reads the file with the numbers filled in finds the names in the doc."""
    instance = TYPES[layout]["instances"][name]
    names = set(numbers.NAME.findall(instance["value"]))
    literals = {int(n, 0) for n in re.findall(r"\b(0x[0-9a-f]+|\d+)\b", instance["value"])}
    versions = {2, 3} if "version" in instance["value"] else set()
    unnamed = {number for rule, number in UNNAMED if rule == f"{layout}.{name}"}
    assert names <= set(numbers.NAME.findall(instance["doc"]))
    assert literals - {0, 1} - versions == unnamed


# ---- rules: each holds at its edge and breaks beyond it

Change = dict[str, Any]
MAX = c.BDRV_MAX_LENGTH
END = c.QCOW2_MAX_TABLE_END
MIB = 1 << 20


def packed(form: str, defaults: Change, changes: Change) -> bytes:
    assert changes.keys() <= defaults.keys()
    return struct.pack(form, *(defaults | changes).values())


V1 = {
    "magic": c.QCOW_MAGIC, "version": 1, "backing_file_offset": 0, "backing_file_size": 0,
    "mtime": 0, "size": MIB, "cluster_bits": 12, "l2_bits": 9, "padding": 0, "crypt_method": 0,
    "l1_table_offset": 48,
}  # fmt: skip
SPAN1 = 1 << 12 + 9


def v1(**changes: Any) -> Qcow1.Header:
    return Qcow1.Header(stream(packed(">IIQIIQBBHIQ", V1, changes)))


V3 = {
    "magic": c.QCOW_MAGIC, "version": 3, "backing_file_offset": 0, "backing_file_size": 0,
    "cluster_bits": 16, "size": MIB, "crypt_method": 0, "l1_size": 1, "l1_table_offset": 3 << 16,
    "refcount_table_offset": 1 << 16, "refcount_table_clusters": 1, "nb_snapshots": 0,
    "snapshots_offset": 0, "incompatible_features": 0, "compatible_features": 0,
    "autoclear_features": 0, "refcount_order": 4, "header_length": 112, "compression_type": 0,
}  # fmt: skip
CS = 1 << 16
SPAN = CS * (CS // 8)
LARGEST = (1 << 64) - 1


def v3(**changes: Any) -> Qcow2.Header:
    return Qcow2.Header(stream(packed(">IIQIIQIIQQIIQQQQIIB", V3, changes) + bytes(7)))


def extension(magic: int, length: int, room: int = 4096) -> Qcow2.HeaderExtension:
    return Qcow2.HeaderExtension(stream(struct.pack(">II", magic, length) + bytes(room)))


def feature(**changes: Any) -> Qcow2.FeatureNameEntry:
    return Qcow2.FeatureNameEntry(stream(packed(">BB46x", {"type": 0, "bit": 0}, changes)))


def fields(padding: bytes) -> Qcow2.AdditionalFields:
    return Qcow2.AdditionalFields(stream(b"\0" + padding))


def named(layout: Callable[..., Any]) -> tuple[list[Any], list[Any]]:
    """A layout that holds a file name: paths, and names with a protocol."""
    paths, protocols = (b"", b"a/b:c", b"a\0:", b"a"), (b"a:", b":", b"a:b/c", b"json:{}")
    return [layout(stream(each)) for each in paths], [layout(stream(each)) for each in protocols]


BITMAPS = {
    "nb_bitmaps": 1, "reserved32": 0, "bitmap_directory_size": 32,
    "bitmap_directory_offset": 5 << 16,
}  # fmt: skip


def bitmaps(**changes: Any) -> Qcow2.BitmapsExtension:
    return Qcow2.BitmapsExtension(stream(packed(">IIQQ", BITMAPS, changes)))


BITMAP = {
    "bitmap_table_offset": 6 << 16, "bitmap_table_size": 1, "flags": 0, "type": 1,
    "granularity_bits": 16, "name_size": 2, "extra_data_size": 0, "tail": b"b0" + bytes(6),
}  # fmt: skip


def bitmap(cluster_bits: int = 16, size: int = MIB, **changes: Any) -> Qcow2.BitmapDirectoryEntry:
    data = packed(">QIIBBHI8s", BITMAP, changes)
    return Qcow2.BitmapDirectoryEntry(cluster_bits, size, stream(data))


def directory(length: int) -> Qcow2.BitmapDirectory:
    return Qcow2.BitmapDirectory(1, 16, MIB, stream(bytes(length)))


SNAPSHOT = {
    "l1_table_offset": CS, "l1_size": 1, "vm_state_size": 0, "extra_data_size": 16, "large": 0,
}  # fmt: skip


def snapshot(**changes: Any) -> Qcow2.Snapshot:
    return Qcow2.Snapshot(stream(packed(">QI20xIIQ", SNAPSHOT, changes) + bytes(4096)))


def l2(value: int, bitmap: int | None = None, cluster_bits: int = 16) -> Qcow2.L2Entry:
    extended = bitmap is not None
    data = value.to_bytes(8) + (bitmap or 0).to_bytes(8)
    return Qcow2.L2Entry(cluster_bits, extended, stream(data))


def entry(layout: Callable[..., Any], *arguments: int) -> Callable[[int], Any]:
    return lambda value: layout(*arguments, stream(value.to_bytes(8)))


l1, refcount_table, bitmap_table = map(
    entry, (Qcow2.L1Entry, Qcow2.RefcountTableEntry, Qcow2.BitmapTableEntry)
)
v1_l2 = entry(Qcow1.L2Entry, 12)


LUKS = {
    "magic": b"LUKS\xba\xbe", "version": 1, "cipher": b"aes", "mode": b"xts-plain64",
    "hash": b"sha256", "payload": 8, "key_length": 64, "iterations": 1,
}  # fmt: skip


def luks(**changes: Any) -> Luks1.Header:
    return Luks1.Header(stream(packed(">6sH32s32s32sII52xI424x", LUKS, changes)))


SLOT = {"active": 0x00AC71F3, "iterations": 1, "offset": 8, "stripes": 4000}


def key_slot(**changes: Any) -> Luks1.KeySlot:
    return Luks1.KeySlot(stream(packed(">II32xII", SLOT, changes)))


def probe(version: int, magic: int = c.QCOW_MAGIC) -> Qcow.Probe:
    return Qcow.Probe(stream(struct.pack(">II", magic, version)))


def pointer(offset: int = CS, length: int = 592) -> Qcow2.CryptoExtension:
    return Qcow2.CryptoExtension(stream(struct.pack(">QQ", offset, length)))


def essiv(cipher: bytes, hash: bytes, key_length: int) -> Luks1.Header:
    return luks(cipher=cipher, mode=b"cbc-essiv:" + hash, key_length=key_length)


def by(
    made: Callable[..., Any], field: str, holding: Iterable[Any], breaking: Iterable[Any]
) -> tuple[list[Any], list[Any]]:
    """Structures that differ by one field."""
    return [made(**{field: n}) for n in holding], [made(**{field: n}) for n in breaking]


COPIED, COMPRESSED = 1 << 63, 1 << 62

EDGES: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {
    ("luks1::header", "ok_magic"): ([luks()], [luks(magic=b"LUKS\xba\xbf")]),
    ("luks1::header", "ok_version"): ([luks()], [luks(version=2)]),
    ("luks1::key_slot", "ok_striped"): ([key_slot(stripes=1)], [key_slot(stripes=0)]),
    ("qcow1::header", "ok_magic"): ([v1()], [v1(magic=c.QCOW_MAGIC - 1)]),
    ("qcow1::header", "ok_version"): ([v1()], [v1(version=0), v1(version=2)]),
    ("qcow1::header", "ok_size_minimum"): ([v1(size=2)], [v1(size=1), v1(size=0)]),
    ("qcow1::header", "ok_cluster_bits"): by(v1, "cluster_bits", (9, 16), (8, 17, 255)),
    ("qcow1::header", "ok_l2_bits"): by(v1, "l2_bits", (6, 13), (5, 14, 255)),
    ("qcow1::header", "ok_crypt_method"): ([v1(crypt_method=1)], [v1(crypt_method=2)]),
    ("qcow1::header", "ok_size_maximum"): (
        [v1(size=LARGEST - SPAN1), v1(size=LARGEST, l2_bits=0)],
        [v1(size=LARGEST - SPAN1 + 1), v1(size=LARGEST)],
    ),
    ("qcow1::header", "ok_l1_size"): by(
        v1, "size", (c.QCOW1_MAX_L1_ENTRIES * SPAN1,), (c.QCOW1_MAX_L1_ENTRIES * SPAN1 + 1,)
    ),
    ("qcow1::header", "ok_l1_read"): (
        [v1(size=c.QCOW1_MAX_READ_L1_ENTRIES * SPAN1), v1(size=2, l1_table_offset=MAX - 8)],
        [v1(size=c.QCOW1_MAX_READ_L1_ENTRIES * SPAN1 + 1), v1(size=2, l1_table_offset=MAX - 7)],
    ),
    ("qcow1::header", "ok_l1_read_signed"): (
        [v1(size=c.QCOW1_MAX_READ_L1_ENTRIES * SPAN1), v1(size=2, l1_table_offset=END - 8)],
        [v1(size=c.QCOW1_MAX_READ_L1_ENTRIES * SPAN1 + 1), v1(size=2, l1_table_offset=END - 7)],
    ),
    ("qcow1::header", "ok_backing_file_size"): (
        [v1(backing_file_offset=48, backing_file_size=1023), v1(backing_file_size=1024)],
        [v1(backing_file_offset=48, backing_file_size=1024)],
    ),
    ("qcow1::header", "ok_backing_file_offset"): (
        [v1(backing_file_offset=MAX - 1, backing_file_size=1)],
        [v1(backing_file_offset=MAX, backing_file_size=1), v1(backing_file_offset=END + 1)],
    ),
    ("qcow1::header", "ok_backing_file_offset_signed"): (
        [v1(backing_file_offset=END - 1, backing_file_size=1)],
        [v1(backing_file_offset=END, backing_file_size=1), v1(backing_file_offset=END + 1)],
    ),
    ("qcow1::l2_entry", "ok_offset"): ([v1_l2(512), v1_l2(COPIED | 511)], [v1_l2(511)]),
    ("qcow1::l2_entry", "ok_cluster_read"): ([v1_l2(MAX - 4096)], [v1_l2(MAX - 4095)]),
    ("qcow2::header", "ok_magic"): ([v3()], [v3(magic=c.QCOW_MAGIC + 1)]),
    ("qcow2::header", "ok_version"): ([v3(), v3(version=2)], [v3(version=1), v3(version=4)]),
    ("qcow2::header", "ok_cluster_bits"): by(v3, "cluster_bits", (9, 21), (8, 22, 0xFFFFFFFF)),
    ("qcow2::header", "ok_header_length_minimum"): (
        [v3(header_length=104), v3(header_length=103, version=2)],
        [v3(header_length=103)],
    ),
    ("qcow2::header", "ok_header_length_maximum"): (
        [v3(header_length=CS), v3(header_length=CS + 1, version=2)],
        [v3(header_length=CS + 1)],
    ),
    ("qcow2::header", "ok_header_length_multiple"): by(v3, "header_length", (120,), (105,)),
    ("qcow2::header", "ok_backing_file_offset"): (
        [v3(backing_file_offset=CS), v3(backing_file_offset=CS + 1, cluster_bits=22)],
        [v3(backing_file_offset=CS + 1), v3(backing_file_offset=LARGEST)],
    ),
    ("qcow2::header", "ok_compression_type"): (
        [v3(compression_type=1), v3(compression_type=2, header_length=104)],
        [v3(compression_type=2)],
    ),
    ("qcow2::header", "ok_compression_bit_clear"): (
        [v3(compression_type=1, incompatible_features=8)],
        [
            v3(incompatible_features=8),
            v3(compression_type=1, incompatible_features=8, header_length=104),
        ],
    ),
    ("qcow2::header", "ok_compression_bit_set"): (
        [v3(compression_type=1, incompatible_features=8), v3(compression_type=1, version=2)],
        [v3(compression_type=1)],
    ),
    ("qcow2::header", "ok_unknown_incompatible"): (
        [v3(incompatible_features=31), v3(incompatible_features=32, version=2)],
        [v3(incompatible_features=32), v3(incompatible_features=1 << 63)],
    ),
    ("qcow2::header", "ok_subcluster_size"): (
        [v3(incompatible_features=16, cluster_bits=14), v3(cluster_bits=13)],
        [v3(incompatible_features=16, cluster_bits=13)],
    ),
    ("qcow2::header", "ok_refcount_order"): (
        [v3(refcount_order=6), v3(refcount_order=7, version=2)],
        [v3(refcount_order=7), v3(refcount_order=0xFFFFFFFF)],
    ),
    ("qcow2::header", "ok_refcount_table_present"): ([v3()], [v3(refcount_table_clusters=0)]),
    ("qcow2::header", "ok_refcount_table_size"): (
        [v3(refcount_table_clusters=128), v3(refcount_table_clusters=4, cluster_bits=21)],
        [v3(refcount_table_clusters=129), v3(refcount_table_clusters=0xFFFFFFFF)],
    ),
    ("qcow2::header", "ok_refcount_table_offset"): by(
        v3, "refcount_table_offset", (0, (1 << 63) - 2 * CS), (CS + 1, (1 << 63) - CS)
    ),
    ("qcow2::header", "ok_refcount_table_read"): by(
        v3, "refcount_table_offset", (MAX - CS,), (MAX,)
    ),
    ("qcow2::header", "ok_snapshots_count"): by(v3, "nb_snapshots", (65536,), (65537,)),
    ("qcow2::header", "ok_snapshots_offset"): (
        [v3(snapshots_offset=(1 << 63) - CS, nb_snapshots=1638)],
        [
            v3(snapshots_offset=(1 << 63) - CS, nb_snapshots=1639),
            v3(snapshots_offset=1),
            v3(snapshots_offset=1 << 63),
        ],
    ),
    ("qcow2::header", "ok_snapshots_data_file"): (
        [v3(nb_snapshots=1), v3(incompatible_features=4)],
        [v3(nb_snapshots=1, incompatible_features=4)],
    ),
    ("qcow2::header", "ok_l1_size_maximum"): ([v3(l1_size=4194304)], [v3(l1_size=4194305)]),
    ("qcow2::header", "ok_l1_size_minimum"): (
        [v3(size=SPAN), v3(size=0, l1_size=0), v3(size=LARGEST, l1_size=0)],
        [v3(size=SPAN + 1), v3(l1_size=0), v3(size=LARGEST - SPAN + 1)],
    ),
    ("qcow2::header", "ok_l1_table_offset"): (
        [v3(l1_table_offset=(1 << 63) - CS, l1_size=8191), v3(l1_table_offset=0)],
        [
            v3(l1_table_offset=(1 << 63) - CS, l1_size=8192),
            v3(l1_table_offset=CS + 8),
            v3(l1_table_offset=1 << 63, l1_size=0),
        ],
    ),
    ("qcow2::header", "ok_l1_read"): (
        [v3(l1_table_offset=MAX - CS, l1_size=8192), v3(l1_table_offset=MAX, l1_size=0)],
        [v3(l1_table_offset=MAX - CS, l1_size=8193)],
    ),
    ("qcow2::header", "ok_size_maximum"): (
        [
            v3(size=0x7FFFFFFF * (1 << 15), cluster_bits=9),
            v3(size=LARGEST, cluster_bits=9),
            v3(size=LARGEST, cluster_bits=99),
        ],
        [
            v3(size=0x7FFFFFFF * (1 << 15) + 1, cluster_bits=9),
            v3(size=LARGEST - (1 << 15) + 1, cluster_bits=9),
        ],
    ),
    ("qcow2::header", "ok_total_sectors"): ([v3(size=MAX + 511)], [v3(size=MAX + 512)]),
    ("qcow2::header", "ok_data_file_raw"): (
        [v3(autoclear_features=2, incompatible_features=4), v3(autoclear_features=2, version=2)],
        [v3(autoclear_features=2)],
    ),
    ("qcow2::header", "ok_backing_data_file_raw"): (
        [v3(autoclear_features=2), v3(backing_file_offset=512)],
        [v3(autoclear_features=2, backing_file_offset=512)],
    ),
    ("qcow2::header", "ok_crypt_method"): by(v3, "crypt_method", (1, 2), (3, 0xFFFFFFFF)),
    ("qcow2::header", "ok_backing_file_size"): (
        [
            v3(backing_file_offset=512, backing_file_size=1023),
            v3(backing_file_offset=CS - 8, backing_file_size=8),
            v3(backing_file_offset=CS, backing_file_size=0),
            v3(backing_file_offset=CS + 1, backing_file_size=1023),
            v3(backing_file_size=0xFFFFFFFF),
        ],
        [
            v3(backing_file_offset=512, backing_file_size=1024),
            v3(backing_file_offset=CS - 8, backing_file_size=9),
            v3(backing_file_offset=CS, backing_file_size=1),
        ],
    ),
    ("qcow2::header", "ok_backing_file_position"): (
        [v3(backing_file_offset=112), v3(backing_file_offset=72, version=2), v3()],
        [v3(backing_file_offset=111), v3(backing_file_offset=71, version=2)],
    ),
    ("qcow2::additional_fields", "ok_padding"): (
        [fields(bytes(7)), fields(b"")],
        [fields(bytes(6) + b"\1"), fields(b"\1")],
    ),
    ("qcow2::header_extension", "ok_len"): (
        [extension(1, 16, 16), extension(0, 0, 0)],
        [extension(1, 17, 16), extension(0, 1, 0), extension(1, 0xFFFFFFFF, 16)],
    ),
    ("qcow2::header_extension", "ok_backing_format_len"): (
        [extension(c.QCOW2_EXT_MAGIC_BACKING_FORMAT, 15), extension(1, 16)],
        [extension(c.QCOW2_EXT_MAGIC_BACKING_FORMAT, 16)],
    ),
    ("qcow2::header_extension", "ok_crypto_len"): (
        [extension(c.QCOW2_EXT_MAGIC_CRYPTO_HEADER, 16), extension(1, 15)],
        [extension(c.QCOW2_EXT_MAGIC_CRYPTO_HEADER, n) for n in (0, 15, 17)],
    ),
    ("qcow2::header_extension", "ok_bitmaps_len"): (
        [extension(c.QCOW2_EXT_MAGIC_BITMAPS, 24), extension(1, 23)],
        [extension(c.QCOW2_EXT_MAGIC_BITMAPS, n) for n in (0, 23, 25)],
    ),
    ("qcow2::header_extension", "ok_feature_table_len"): (
        [extension(c.QCOW2_EXT_MAGIC_FEATURE_TABLE, 96), extension(1, 47)],
        [extension(c.QCOW2_EXT_MAGIC_FEATURE_TABLE, 95)],
    ),
    ("qcow2::feature_name_entry", "ok_feature_name_type"): by(feature, "type", (0, 1, 2), (3, 255)),
    ("qcow2::feature_name_entry", "ok_feature_name_bit"): ([feature(bit=63)], [feature(bit=64)]),
    ("qcow2::bitmaps_extension", "ok_reserved32"): ([bitmaps()], [bitmaps(reserved32=1)]),
    ("qcow2::bitmaps_extension", "ok_nb_bitmaps_minimum"): ([bitmaps()], [bitmaps(nb_bitmaps=0)]),
    ("qcow2::bitmaps_extension", "ok_nb_bitmaps_maximum"): by(
        bitmaps, "nb_bitmaps", (65535,), (65536,)
    ),
    ("qcow2::bitmaps_extension", "ok_bitmap_directory_size"): by(
        bitmaps, "bitmap_directory_size", (67107840,), (67107841, LARGEST)
    ),
    ("qcow2::bitmaps_extension", "ok_bitmap_directory_size_minimum"): by(
        bitmaps, "bitmap_directory_size", (1,), (0,)
    ),
    ("qcow2::bitmaps_extension", "ok_bitmap_directory_read"): by(
        bitmaps, "bitmap_directory_offset", (MAX - 32,), (MAX - 31, LARGEST)
    ),
    ("qcow2::bitmaps_extension", "ok_directory_read_signed"): by(
        bitmaps, "bitmap_directory_offset", (END - 32,), (END - 31, LARGEST)
    ),
    ("qcow2::snapshot", "ok_extra_data_size"): by(snapshot, "extra_data_size", (1024,), (1025,)),
    ("qcow2::snapshot", "ok_l1_size"): ([snapshot(l1_size=4194304)], [snapshot(l1_size=4194305)]),
    ("qcow2::bitmap_directory_entry", "ok_extra_data_size"): (
        [bitmap()],
        [bitmap(extra_data_size=1)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_bitmap_table_size_minimum"): (
        [bitmap()],
        [bitmap(bitmap_table_size=0)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_bitmap_table_size_maximum"): by(
        bitmap, "bitmap_table_size", (0x8000000,), (0x8000001,)
    ),
    ("qcow2::bitmap_directory_entry", "ok_bitmap_table_offset_present"): (
        [bitmap()],
        [bitmap(bitmap_table_offset=0)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_bitmap_table_offset"): (
        [bitmap(bitmap_table_offset=0), bitmap(99, bitmap_table_offset=1)],
        [bitmap(bitmap_table_offset=CS + 8)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_bitmap_size"): (
        [bitmap(bitmap_table_size=8192), bitmap(99, bitmap_table_size=0xFFFFFFFF)],
        [bitmap(bitmap_table_size=8193)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_granularity_bits"): by(
        bitmap, "granularity_bits", (9, 31), (8, 32)
    ),
    ("qcow2::bitmap_directory_entry", "ok_granularity_bits_maximum"): by(
        bitmap, "granularity_bits", (63,), (64,)
    ),
    ("qcow2::bitmap_directory_entry", "ok_flags"): ([bitmap(flags=3)], [bitmap(flags=4)]),
    ("qcow2::bitmap_directory_entry", "ok_flags_reserved"): ([bitmap(flags=7)], [bitmap(flags=8)]),
    ("qcow2::bitmap_directory_entry", "ok_name_size"): by(bitmap, "name_size", (1023,), (1024,)),
    ("qcow2::bitmap_directory_entry", "ok_name_size_minimum"): ([bitmap()], [bitmap(name_size=0)]),
    ("qcow2::bitmap_directory_entry", "ok_table_read"): (
        [bitmap(bitmap_table_offset=MAX - 8), bitmap(bitmap_table_offset=MAX, flags=1)],
        [bitmap(bitmap_table_offset=MAX - 7), bitmap(bitmap_table_offset=LARGEST)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_table_read_signed"): (
        [bitmap(bitmap_table_offset=END - 8), bitmap(bitmap_table_offset=END, flags=1)],
        [bitmap(bitmap_table_offset=END - 7), bitmap(bitmap_table_offset=LARGEST)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_type"): ([bitmap()], [bitmap(type=0), bitmap(type=2)]),
    ("qcow2::bitmap_directory", "ok_entry_header"): (
        [directory(0), directory(24), directory(48)],
        [directory(1), directory(23), directory(47)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_coverage"): (
        [bitmap(size=CS * 8 << 16), bitmap(size=END, flags=1), bitmap(99, size=CS * 16 << 16)],
        [bitmap(size=(CS * 8 << 16) + 512), bitmap(size=END + 1, flags=1)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_table_size_exact"): (
        [bitmap(size=CS * 8 << 16), bitmap(bitmap_table_size=2, flags=1)],
        [bitmap(bitmap_table_size=2), bitmap(size=0), bitmap(size=(CS * 8 << 16) + 512)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_untrusted_in_use_size"): (
        [
            bitmap(size=512 * MIB * 8 << 16, flags=1),
            bitmap(size=LARGEST),
            bitmap(size=LARGEST, flags=1, granularity_bits=64),
        ],
        [bitmap(size=(512 * MIB * 8 << 16) + 512, flags=1)],
    ),
    ("qcow2::bitmap_directory_entry", "ok_padding"): (
        [bitmap(), bitmap(name_size=8, tail=bytes(7) + b"\1")],
        [bitmap(tail=bytes(7) + b"\1")],
    ),
    ("qcow2::l1_entry", "ok_reserved"): (
        [l1(c.L1E_OFFSET_MASK | COPIED)],
        [l1(1), l1(1 << 8), l1(1 << 56), l1(1 << 62)],
    ),
    ("qcow2::l1_entry", "ok_copied_unused"): ([l1(COPIED | 512), l1(0)], [l1(COPIED)]),
    ("qcow2::l2_entry", "ok_reserved"): (
        [l2(c.L2E_OFFSET_MASK | COPIED | 1), l2(COMPRESSED | 0x1FE)],
        [l2(2), l2(1 << 8), l2(1 << 56), l2(1 << 61)],
    ),
    ("qcow2::l2_entry", "ok_copied"): ([l2(COMPRESSED), l2(COPIED)], [l2(COPIED | COMPRESSED)]),
    ("qcow2::l2_entry", "ok_offset"): (
        [l2(CS), l2(512, cluster_bits=9), l2(COMPRESSED | 1), l2(512, cluster_bits=99)],
        [l2(CS + 512), l2(CS + 512 + 1), l2(CS, cluster_bits=17)],
    ),
    ("qcow2::l2_entry", "ok_extended_zero"): ([l2(1), l2(CS, 0)], [l2(1, 0), l2(CS + 1, 0)]),
    ("qcow2::l2_entry", "ok_compressed_offset"): (
        [l2(COMPRESSED | (1 << 56) - 1, cluster_bits=9), l2(COMPRESSED | 1 << 56, cluster_bits=21)],
        [l2(COMPRESSED | 1 << 56, cluster_bits=9)],
    ),
    ("qcow2::l2_entry", "ok_subcluster_bitmap"): (
        [l2(CS, 1 << 33 | 1), l2(0, 1 << 32), l2(COPIED, 1), l2(COMPRESSED, LARGEST)],
        [l2(CS, 1 << 32 | 1), l2(0, 1), l2(1, 1)],
    ),
    ("qcow2::l2_entry", "ok_compressed_bitmap"): (
        [l2(COMPRESSED, 0), l2(0, 1)],
        [l2(COMPRESSED, 1), l2(COMPRESSED, 1 << 63)],
    ),
    ("qcow2::refcount_table_entry", "ok_reserved"): (
        [refcount_table(c.REFT_OFFSET_MASK)],
        [refcount_table(1), refcount_table(1 << 8)],
    ),
    ("qcow2::bitmap_table_entry", "ok_reserved"): (
        [bitmap_table(c.BME_TABLE_ENTRY_OFFSET_MASK), bitmap_table(1)],
        [bitmap_table(CS + 1), bitmap_table(2), bitmap_table(1 << 8), bitmap_table(1 << 63)],
    ),
}

EDGES |= {
    ("qcow::probe", "ok_claimed"): (
        [probe(1), probe(2), probe(99)],
        [probe(0), probe(1, c.QCOW_MAGIC - 1)],
    ),
    ("luks1::header", "ok_cipher_name_terminated"): by(luks, "cipher", (b"a" * 31,), (b"a" * 32,)),
    ("luks1::header", "ok_cipher_mode_terminated"): by(luks, "mode", (b"a" * 31,), (b"a" * 32,)),
    ("luks1::header", "ok_hash_spec_terminated"): by(luks, "hash", (b"a" * 31,), (b"a" * 32,)),
    ("luks1::header", "ok_payload_offset"): ([luks()], [luks(payload=7)]),
    ("luks1::header", "ok_master_key_iterations"): ([luks()], [luks(iterations=0)]),
    ("luks1::header", "ok_cipher_mode_format"): by(
        luks, "mode", (b"xts-", b"-"), (b"xts", b"xts\0-", b"")
    ),
    ("luks1::header", "ok_ivgen_hash"): (
        [luks(), luks(mode=b"xts"), luks(mode=b"a:b-plain"), luks(mode=b"cbc-essiv:sm3")],
        [luks(mode=b"cbc-essiv:"), luks(mode=b"xts-a:sha1:sha1"), luks(mode=b"-:SHA1")],
    ),
    ("luks1::header", "ok_ivgen_hash_sm3"): (
        [luks(), luks(mode=b"cbc-essiv:sha1"), luks(mode=b"sm3")],
        [luks(mode=b"cbc-essiv:sm3")],
    ),
    ("luks1::header", "ok_cipher_mode"): (
        [luks(mode=each) for each in (b"ecb-", b"cbc-", b"xts", b"ctr-")],
        [luks(mode=b"XTS-"), luks(mode=b"xts:-"), luks(mode=b"")],
    ),
    ("luks1::header", "ok_cipher_name"): (
        [
            luks(),
            luks(mode=b"cbc-plain", key_length=24),
            luks(cipher=b"serpent", key_length=33),
            luks(cipher=b"twofish", key_length=48),
            luks(cipher=b"sm4", key_length=32),
            luks(cipher=b"cast5", mode=b"cbc-", key_length=16),
        ],
        [
            luks(cipher=b"des"),
            luks(cipher=b""),
            luks(key_length=16),
            luks(mode=b"cbc-plain"),
            luks(cipher=b"cast5"),
            luks(cipher=b"sm4", mode=b"cbc-", key_length=24),
        ],
    ),
    ("luks1::header", "ok_cipher_sm4"): ([luks()], [luks(cipher=b"sm4")]),
    ("luks1::header", "ok_hash_spec"): by(luks, "hash", (b"sm3", b"md5\0rest"), (b"SHA1", b"")),
    ("luks1::header", "ok_hash_sm3"): ([luks()], [luks(hash=b"sm3")]),
    ("luks1::header", "ok_ivgen"): (
        [luks(mode=each) for each in (b"-plain", b"-plain64:x", b"cbc-essiv")],
        [luks(mode=each) for each in (b"xts", b"xts-", b"xts-plain32", b"xts-plain-plain")],
    ),
    ("luks1::header", "ok_essiv_hash"): (
        [luks(), luks(mode=b"cbc-essiv:"), luks(mode=b"cbc")],
        [luks(mode=b"cbc-essiv")],
    ),
    ("luks1::header", "ok_essiv_cipher"): (
        [
            luks(),
            essiv(b"aes", b"sha256", 16),
            essiv(b"aes", b"foo", 16),
            essiv(b"aes", b"md5", 24),
            essiv(b"cast5", b"sha512", 16),
        ],
        [essiv(b"aes", b"sha1", 32), essiv(b"serpent", b"sha384", 16)],
    ),
    ("luks1::header", "ok_essiv_kind"): (
        [luks(cipher=b"des"), essiv(b"cast5", b"md5", 16), essiv(b"twofish", b"sha1", 16)],
        [essiv(b"cast5", b"sha256", 16), essiv(b"des", b"sha256", 16)],
    ),
    ("luks1::key_slot", "ok_stripes"): (
        [key_slot()],
        [key_slot(stripes=3999), key_slot(stripes=4001)],
    ),
    ("luks1::key_slot", "ok_active"): ([key_slot(), key_slot(active=0xDEAD)], [key_slot(active=1)]),
    ("luks1::key_slot", "ok_iterations"): (
        [key_slot(), key_slot(iterations=0, active=0xDEAD)],
        [key_slot(iterations=0)],
    ),
    ("luks1::key_slot", "ok_offset"): ([key_slot()], [key_slot(offset=7)]),
    ("qcow1::header", "ok_librbd_size_sectors"): ([v1(size=512)], [v1(size=513), v1(size=LARGEST)]),
    ("qcow1::header", "ok_librbd_cluster_bits"): by(v1, "cluster_bits", (9, 21), (8, 22)),
    ("qcow1::header", "ok_librbd_l2_bits"): by(v1, "l2_bits", (6, 18), (5, 19)),
    ("qcow1::header", "ok_librbd_backing_file"): (
        [v1(backing_file_offset=48), v1(backing_file_size=1)],
        [v1(backing_file_offset=48, backing_file_size=1)],
    ),
    ("qcow1::header", "ok_librbd_l1_size"): (
        [
            v1(size=c.QCOW1_MAX_L1_ENTRIES * SPAN1),
            v1(size=SPAN1 << 32),  # cut to 32 bits
            v1(size=LARGEST, cluster_bits=255, l2_bits=255),
        ],
        [v1(size=c.QCOW1_MAX_L1_ENTRIES * SPAN1 + 1), v1(size=1 << 31, cluster_bits=0, l2_bits=0)],
    ),
    ("qcow1::header", "ok_unencrypted"): ([v1()], [v1(crypt_method=1), v1(crypt_method=3)]),
    ("qcow1::header", "ok_untrusted_version"): ([], [v1(), v1(version=2)]),
    ("qcow1::header", "ok_untrusted_size"): ([v1(size=1 << 46)], [v1(size=(1 << 46) + 1)]),
    ("qcow1::header", "ok_untrusted_l1_size"): by(v1, "size", (SPAN1 << 22,), ((SPAN1 << 22) + 1,)),
    ("qcow1::header", "ok_untrusted_backing_file"): (
        [v1(backing_file_size=1)],
        [v1(backing_file_offset=48)],
    ),
    ("qcow1::backing_file_name", "ok_untrusted_protocol"): named(Qcow1.BackingFileName),
    ("qcow2::header", "ok_corrupt"): by(v3, "incompatible_features", (1,), (2,)),
    ("qcow2::header", "ok_librbd_v1_version"): ([v3(version=1)], [v3(version=2), v3()]),
    ("qcow2::header", "ok_librbd_size_sectors"): ([v3(size=512)], [v3(size=513), v3(size=LARGEST)]),
    ("qcow2::header", "ok_librbd_compression"): (
        [v3(), v3(incompatible_features=8, version=2)],
        [v3(incompatible_features=8), v3(compression_type=1)],
    ),
    ("qcow2::header", "ok_librbd_extended_l2"): ([v3()], [v3(incompatible_features=16)]),
    ("qcow2::header", "ok_librbd_backing_file"): (
        [v3(backing_file_offset=112), v3(backing_file_size=1)],
        [v3(backing_file_offset=112, backing_file_size=1)],
    ),
    ("qcow2::header", "ok_librbd_l1_size"): (
        [
            v3(size=c.QCOW1_MAX_L1_ENTRIES * SPAN, l1_size=c.QCOW1_MAX_L1_ENTRIES),
            v3(size=SPAN << 32, l1_size=0),  # cut to 32 bits
            v3(size=LARGEST - (1 << 39), cluster_bits=99, l1_size=1 << 25),
        ],
        [
            v3(size=c.QCOW1_MAX_L1_ENTRIES * SPAN + 1, l1_size=0xFFFFFFFF),
            v3(size=SPAN, l1_size=0),
            v3(size=LARGEST - SPAN + 1, l1_size=0xFFFFFFFF),
            v3(size=LARGEST, cluster_bits=0),
        ],
    ),
    ("qcow2::header", "ok_data_file_absent"): ([v3()], [v3(incompatible_features=4)]),
    ("qcow2::header", "ok_unencrypted"): ([v3()], [v3(crypt_method=2), v3(crypt_method=3)]),
    ("qcow2::header", "ok_untrusted_dirty"): ([v3()], [v3(incompatible_features=1)]),
    ("qcow2::header", "ok_untrusted_unknown_compatible"): (
        [v3(compatible_features=1), v3(compatible_features=2, version=2)],
        [v3(compatible_features=2), v3(compatible_features=1 << 63)],
    ),
    ("qcow2::header", "ok_untrusted_unknown_autoclear"): (
        [v3(autoclear_features=3), v3(autoclear_features=4, version=2)],
        [v3(autoclear_features=4), v3(autoclear_features=1 << 63)],
    ),
    ("qcow2::header", "ok_untrusted_size"): ([v3(size=1 << 46)], [v3(size=(1 << 46) + 1)]),
    ("qcow2::header", "ok_untrusted_backing_file"): (
        [v3(backing_file_size=1)],
        [v3(backing_file_offset=112)],
    ),
    ("qcow2::additional_fields", "ok_untrusted_unknown_fields"): (
        [fields(b""), fields(b"\1" * 7), fields(bytes(15))],
        [fields(bytes(7) + b"\1")],
    ),
    ("qcow2::backing_file_name", "ok_untrusted_protocol"): named(Qcow2.BackingFileName),
    ("qcow2::data_file", "ok_untrusted_data_file"): ([], [Qcow2.DataFile(stream(b""))]),
    ("qcow2::data_file", "ok_untrusted_data_file_protocol"): named(Qcow2.DataFile),
    ("qcow2::header_extension", "ok_untrusted_unknown"): (
        [extension(int(magic), 0) for magic in Qcow2.ExtensionMagic],
        [extension(1, 0), extension(0xFFFFFFFF, 0)],
    ),
    ("qcow2::crypto_extension", "ok_luks_length"): ([pointer()], [pointer(length=591)]),
    ("qcow2::crypto_extension", "ok_luks_read"): (
        [pointer(MAX - 592)],
        [pointer(MAX - 591), pointer(LARGEST)],
    ),
    ("qcow2::crypto_extension", "ok_luks_read_signed"): (
        [pointer(END - 592)],
        [pointer(END - 591), pointer(LARGEST)],
    ),
    ("qcow2::snapshot", "ok_extra_data_minimum"): by(snapshot, "extra_data_size", (16,), (15,)),
    ("qcow2::snapshot", "ok_l1_table_read"): (
        [snapshot(l1_table_offset=MAX - 8)],
        [snapshot(l1_table_offset=MAX - 7), snapshot(l1_table_offset=LARGEST, l1_size=0)],
    ),
    ("qcow2::snapshot", "ok_untrusted_vm_state"): (
        [snapshot(), snapshot(vm_state_size=1)],
        [snapshot(large=1), snapshot(vm_state_size=1, extra_data_size=7)],
    ),
}


def test_every_rule_has_its_edges_here() -> None:
    assert sorted(EDGES) == sorted(RULES)


@by_rule
def test_a_rule_holds_at_its_edge_and_breaks_beyond(layout: str, name: str) -> None:
    holding, breaking = EDGES[layout, name]
    assert [getattr(each, name) for each in holding] == [True] * len(holding)
    assert [getattr(each, name) for each in breaking] == [False] * len(breaking)


# ---- entries agree with QEMU's masks

WORDS = [random.Random(word).getrandbits(64) for word in range(300)]
WORDS += [1 << bit for bit in range(64)] + [0, LARGEST]


def test_entries_of_tables_agree_with_the_masks() -> None:
    for word in WORDS:
        entry = l1(word)
        assert entry.l2_table_offset == word & c.L1E_OFFSET_MASK
        assert entry.copied == bool(word & c.QCOW_OFLAG_COPIED)
        assert entry.ok_reserved == (word & c.L1E_RESERVED_MASK == 0)
        block = refcount_table(word)
        assert block.refcount_block_offset == word & c.REFT_OFFSET_MASK
        assert block.ok_reserved == (word & c.REFT_RESERVED_MASK == 0)
        assert bitmap_table(word).offset == word & c.BME_TABLE_ENTRY_OFFSET_MASK


@every("cluster_bits", range(9, 22))
def test_l2_entries_agree_with_the_masks(cluster_bits: int) -> None:
    shift = 62 - (cluster_bits - 8)
    for word in WORDS:
        entry = l2(word, cluster_bits=cluster_bits)
        if entry.compressed:
            assert entry.offset is None
            assert entry.coffset == word & ((1 << shift) - 1)
            assert entry.nb_csectors == word >> shift & ((1 << cluster_bits - 8) - 1)
            assert entry.csize == (entry.nb_csectors + 1) * 512 - entry.coffset % 512
        else:
            assert entry.coffset is None
            assert entry.offset == word & c.L2E_OFFSET_MASK
            assert entry.ok_reserved == (word & c.L2E_STD_RESERVED_MASK == 0)


@every("cluster_bits", range(9, 17))
def test_l2_entries_of_version_1_agree_with_their_formula(cluster_bits: int) -> None:
    for word in WORDS:
        entry = Qcow1.L2Entry(cluster_bits, stream(word.to_bytes(8)))
        low = word & LARGEST >> 1
        if entry.is_compressed:
            assert entry.coffset == low & ((1 << 63 - cluster_bits) - 1)
            assert entry.csize == low >> 63 - cluster_bits
        else:
            assert entry.offset == low


@every("order", range(7))
def test_refcounts_have_every_width_and_the_lowest_bits_first(order: int) -> None:
    data, bits = random.Random(order).randbytes(2048), 1 << order
    if bits >= 8:
        step = bits // 8
        expected = [int.from_bytes(data[i : i + step]) for i in range(0, len(data), step)]
    else:
        expected = [byte >> low & (1 << bits) - 1 for byte in data for low in range(0, 8, bits)]
    block = Qcow2.RefcountBlock(order, stream(data))
    assert [e.refcount for page in block.pages for e in page.entries] == expected


def test_cluster_types_are_those_that_qemu_tells_apart() -> None:
    kinds = [l2(0), l2(1), l2(CS + 1), l2(CS), l2(COMPRESSED | 1), l2(1, 0), l2(CS + 1, 0)]
    assert [int(each.cluster_type) for each in kinds] == [0, 1, 2, 3, 4, 0, 3]
