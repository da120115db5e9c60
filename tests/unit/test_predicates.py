"""The predicates that compute: each at its edge, and just beyond."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from kaitaistruct import KaitaiStream
from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.image import Image, lay_open
from qcowspec.reader.bitmaps import broken_entries, past_end_entries
from qcowspec.spec.metadata import Metadata, Turn
from qcowspec.spec.predicates import FACTS, FUNCTIONS
from qcowspec.spec.rules import BY_ID
from qcowspec.spec.structures import Part
from qcowspec.spec.units import HostOffset

DATA = Path(__file__).parents[1] / "data"


def holds(rule: str, structure: Any, image: Metadata | None = None) -> bool:
    if rule in FUNCTIONS:
        return FUNCTIONS[rule](structure, image or Metadata())
    return bool(getattr(structure, BY_ID[rule].predicate_name))


def header(name: str, *changes: tuple[int, int, int]) -> Metadata:
    """What is known of an image of tests/data with other numbers at some offsets."""
    data = bytearray((DATA / name).read_bytes())
    for offset, width, value in changes:
        data[offset : offset + width] = value.to_bytes(width, "big")
    return lay_open(bytes(data)).metadata


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"nbd://host/export", True),
        (b"json:{}", True),
        (b":", True),
        (b"a:b/c", True),
        (b"./a:b", False),
        (b"/dev/disk/by-id/a:b", False),
        (b"disk.qcow2", False),
        (b"", False),
        (b"disk\0:", False),
    ],
)
def test_a_protocol_is_a_colon_before_any_slash(name: bytes, expected: bool) -> None:
    for layout in (Qcow1.BackingFileName, Qcow2.BackingFileName):
        assert layout(KaitaiStream(BytesIO(name))).ok_untrusted_protocol != expected
    data_file = Qcow2.DataFile(KaitaiStream(BytesIO(name)))
    assert data_file.ok_untrusted_data_file_protocol != expected


# --- librbd ---------------------------------------------------------------------------------------

SPAN = 1 << (16 + 13)
"""Guest bytes of an L1 entry, with clusters of 64 KiB."""


@pytest.mark.parametrize(
    ("size", "l1_size", "expected"),
    [
        (0, 0, True),
        (SPAN, 1, True),
        (SPAN + 512, 1, False),
        (c.QCOW1_MAX_L1_ENTRIES * SPAN, c.QCOW1_MAX_L1_ENTRIES, True),
        ((c.QCOW1_MAX_L1_ENTRIES + 1) * SPAN, c.QCOW1_MAX_L1_ENTRIES + 1, False),
        ((1 << 32) * SPAN, 0, True),  # cut to 32 bits
        (c.INV_OFFSET - SPAN, 1 << 30, False),
        (c.INV_OFFSET - SPAN + 1, 0, False),
    ],
)
def test_librbd_counts_l1_entries_in_32_bits(size: int, l1_size: int, expected: bool) -> None:
    image = header("v3-empty.qcow2", (24, 8, size), (36, 4, l1_size))

    assert holds("l1/librbd-size", image.header, image) == expected


def test_librbd_reads_no_more_of_the_l1_table_than_the_size_needs() -> None:
    image = header("v3-empty.qcow2", (36, 4, 1 << 20))
    assert image.length is not None
    end = image.length - c.L1E_SIZE

    assert holds("l1/librbd-past-end", header("v3-empty.qcow2", (40, 8, end)).header, image)
    assert not holds("l1/librbd-past-end", header("v3-empty.qcow2", (40, 8, end + 1)).header, image)


@pytest.mark.parametrize(("bits", "expected"), [(8, False), (9, True), (21, True), (22, False)])
def test_librbd_has_one_bound_for_all_versions(bits: int, expected: bool) -> None:
    image = header("v1-plain.qcow", (32, 1, bits))

    assert holds("header/v1-librbd-cluster-bits", image.header, image) == expected


@pytest.mark.parametrize(("bits", "expected"), [(5, False), (6, True), (18, True), (19, False)])
def test_librbd_holds_l2_tables_to_it_as_well(bits: int, expected: bool) -> None:
    image = header("v1-plain.qcow", (33, 1, bits))

    assert holds("header/v1-librbd-l2-bits", image.header, image) == expected


# --- snapshots ------------------------------------------------------------------------------------


def snapshot(extra: int = 0, id_size: int = 0, name_size: int = 0, l1_size: int = 0) -> Any:
    fixed = struct.pack(">QIHHIIQII", 0, l1_size, id_size, name_size, 0, 0, 0, 0, extra)
    return Part("snapshots[0]", Qcow2.Snapshot, HostOffset(0), fixed).parse()


def at(offset: int, image: Metadata | None = None, **facts: Any) -> Metadata:
    image = image or header("v3-empty.qcow2")
    image.turns.append(Turn(facts.pop("index", 0), HostOffset(offset), **facts))
    return image


def test_an_entry_is_read_as_far_as_the_block_layer_goes() -> None:
    entry, last = snapshot(16, 1, 7), c.BDRV_MAX_LENGTH - 64

    assert holds("snapshots/table-read", entry, at(last))
    assert not holds("snapshots/table-read", entry, at(last + 8))


def test_an_entry_with_too_much_extra_data_is_not_read_beyond_its_fixed_part() -> None:
    entry, last = snapshot(c.QCOW_MAX_SNAPSHOT_EXTRA_DATA + 1), c.BDRV_MAX_LENGTH - 40

    assert holds("snapshots/table-read", entry, at(last))
    assert not holds("snapshots/table-read", entry, at(last + 8))


def test_a_snapshot_table_is_as_large_as_its_entries_up_to_here() -> None:
    start = header("v3-empty.qcow2").qcow2_header.snapshots_offset
    entry, most = snapshot(24), start + c.QCOW_MAX_SNAPSHOTS_SIZE - 64

    assert holds("snapshots/table-size", entry, at(most))
    assert not holds("snapshots/table-size", entry, at(most + 8))
    assert FACTS["snapshots/table-size"](entry, at(most)) == c.QCOW_MAX_SNAPSHOTS_SIZE


def test_librbd_adds_the_parts_of_an_entry_in_32_bits() -> None:
    entry = snapshot((1 << 32) - 2, 1, 1, l1_size=1 << 30)
    image = header("v3-snapshots.qcow2")
    assert image.length is not None

    assert holds("snapshots/librbd-past-end", entry, at(image.length - 40, image))
    assert not holds("snapshots/librbd-past-end", entry, at(image.length - 39, image))
    assert holds("snapshots/librbd-l1-past-end", entry, image)  # no parts: its table is not read


# --- bitmaps --------------------------------------------------------------------------------------


def bitmap(
    size: int = 1, granularity: int = 16, flags: int = 0, extra: int = 0, disk: int = 1 << 20
) -> Any:
    data = struct.pack(">QIIBBHI", 65536, size, flags, 1, granularity, 0, extra)
    layout, known = Qcow2.BitmapDirectoryEntry, (16, disk)
    return Part("bitmaps[0]", layout, HostOffset(0), data, known).parse()


COVERED = 65536 * 8 << 16
"""Bytes that a cluster of a bitmap stands for, with 64 KiB for both."""


@pytest.mark.parametrize(
    ("size", "entries", "covers", "exact"),
    [
        (0, 1, True, False),  # an empty disk has no bitmap that could be read
        (511, 1, True, False),
        (512, 1, True, True),
        (COVERED, 1, True, True),
        (COVERED + 511, 1, True, True),
        (COVERED + 512, 1, False, False),
        (COVERED + 512, 2, True, True),
        (COVERED, 2, True, False),
    ],
)
def test_a_bitmap_covers_the_disk_and_no_more(
    size: int, entries: int, covers: bool, exact: bool
) -> None:
    assert holds("bitmaps/coverage", bitmap(entries, disk=size)) == covers
    assert holds("bitmaps/table-size-exact", bitmap(entries, disk=size)) == exact


def test_a_bitmap_in_use_may_have_the_size_of_another_disk() -> None:
    assert holds("bitmaps/coverage", bitmap(flags=1, disk=COVERED * 5))
    assert holds("bitmaps/table-size-exact", bitmap(7, flags=1, disk=COVERED * 5))


def test_a_disk_without_a_length_passes_with_no_bitmap() -> None:
    assert not holds("bitmaps/coverage", bitmap(flags=1, disk=1 << 63))


def test_a_bitmap_in_use_is_held_in_memory_nevertheless() -> None:
    most = c.BME_MIN_GRANULARITY_BITS + c.HBITMAP_LOG_MAX_SIZE
    entry = bitmap(granularity=9, flags=1, disk=1 << most)

    assert holds("bitmaps/in-use-bits", entry, at(0))
    assert not holds("bitmaps/untrusted-in-use-size", entry)
    entry = bitmap(granularity=9, flags=1, disk=(1 << most) + 512)
    assert not holds("bitmaps/in-use-bits", entry, at(0))
    assert holds("bitmaps/in-use-bits", entry, at(0, repeats=True))


@pytest.mark.parametrize(
    ("extra", "left", "expected"),
    [(0, 24, True), (0, 23, False), (1, 32, True), (1, 31, False), ((1 << 32) - 24, 24, True)],
)
def test_the_end_of_an_entry_is_a_c_int(extra: int, left: int, expected: bool) -> None:
    assert holds("bitmaps/entry-end", bitmap(extra=extra), at(0, left=left)) == expected


@pytest.mark.parametrize("left", [1, 8, 23])
def test_a_directory_does_not_end_inside_an_entry(left: int) -> None:
    image = at(0, header("v3-bitmaps.qcow2"), left=left)
    rest = Part("rest", Qcow2.BitmapDirectory, HostOffset(0), bytes(left), (1, 16, 1)).parse()

    assert not holds("bitmaps/entry-header", rest, image)
    assert holds("bitmaps/count-minimum", rest, image)  # QEMU counts what it has read to the end
    assert FACTS["bitmaps/entry-header"](rest, image) == left


def table_entry_is_broken(value: int, image: Metadata) -> bool:
    part = Part("entry", Qcow2.BitmapTableEntry, HostOffset(0), value.to_bytes(8, "big"))
    entry = part.parse()
    return not (entry.ok_reserved and holds("bitmaps/cluster-offset", entry, image))


@pytest.mark.parametrize("bit", range(64))
@pytest.mark.parametrize("base", [0, 1, 0x70000])
def test_whole_bitmap_tables_are_judged_as_their_entries(bit: int, base: int) -> None:
    image, value = header("v3-empty.qcow2"), base ^ 1 << bit
    table = struct.pack(">4Q", 0, value, 1, 0x10000)

    assert (list(broken_entries(table, image)) == [1]) == table_entry_is_broken(value, image)


def test_clusters_behind_the_end_are_found_by_their_offset_alone() -> None:
    image = header("v3-empty.qcow2")
    table = struct.pack(">5Q", 0, 1, 0x10000, 1 << 50, 1 << 63)

    assert list(past_end_entries(table, image)) == [3]


# --- LUKS -----------------------------------------------------------------------------------------


def luks(
    mode: str = "xts-plain64", cipher: str = "aes", length: int = 32, hash: str = "sha1"
) -> Any:
    header_part = lay_open(DATA / "v3-luks.qcow2").metadata.luks_part
    assert header_part is not None
    data = bytearray(header_part.data)
    for index, word in enumerate((cipher, mode, hash)):
        data[8 + 32 * index : 40 + 32 * index] = word.encode().ljust(32, b"\0")
    data[108:112] = struct.pack(">I", length)
    return Part("luks_header", header_part.layout, HostOffset(0), bytes(data)).parse()


@pytest.mark.parametrize(
    ("broken", "changes"),
    [
        ((), {}),
        ((), {"mode": "cbc-essiv:sha256"}),
        ((), {"mode": "cbc-essiv:sha256", "length": 16}),  # essiv takes AES with a longer key
        ((), {"mode": "cbc-essiv:md5", "cipher": "cast5", "length": 16}),
        ((), {"mode": "ctr-plain:sha1", "cipher": "twofish", "length": 24}),
        (("cipher-mode-format",), {"mode": "xts"}),
        (("ivgen",), {"mode": "xts-"}),
        (("ivgen",), {"mode": "xts-foo:sha1"}),
        (("ivgen-hash",), {"mode": "xts-plain64:foo"}),
        (("ivgen-hash",), {"mode": "cbc-essiv:"}),
        (("ivgen-hash",), {"mode": "xts-plain64:sha1:sha1"}),
        (("cipher-mode",), {"mode": "XTS-plain64", "length": 16}),
        (("cipher-name",), {"cipher": "des"}),
        (("cipher-name",), {"length": 16}),  # half of it is no key of AES
        (("cipher-name",), {"mode": "cbc-plain64", "length": 64}),
        (("cipher-sm4",), {"mode": "cbc-plain64", "cipher": "sm4", "length": 16}),
        (("hash-spec",), {"hash": "SHA1"}),
        (("essiv-hash",), {"mode": "cbc-essiv"}),
        (("essiv-cipher",), {"mode": "cbc-essiv:sha1"}),
        (("essiv-cipher",), {"mode": "cbc-essiv:sha512", "cipher": "serpent"}),
        (("essiv-kind",), {"mode": "cbc-essiv:sha256", "cipher": "cast5", "length": 16}),
    ],
)
def test_the_words_of_a_luks_header_fit_together(
    broken: tuple[str, ...], changes: dict[str, Any]
) -> None:
    words = (
        "cipher-mode-format", "ivgen-hash", "cipher-mode", "cipher-name", "cipher-sm4",
        "hash-spec", "ivgen", "essiv-hash", "essiv-cipher", "essiv-kind",
    )  # fmt: skip
    parsed = luks(**changes)
    found = [word for word in words if not holds(f"encryption/luks-{word}", parsed)]

    assert set(broken) <= set(found) <= {*broken, "ivgen"}


def slots_of(**changes: int) -> Metadata:
    """A LUKS header of two key slots, one behind the other, that leave no sector unused."""
    image = lay_open(DATA / "v3-luks.qcow2").metadata
    assert image.luks is not None
    image.luks.master_key_len = changes.get("length", 32)
    image.luks.payload_offset_sector = changes.get("payload", 8 + 256)
    del image.luks.key_slots[2:]
    for slot in image.luks.key_slots:
        slot.key_offset_sector, slot.stripes = 8, changes.get("stripes", 4000)
    image.luks.key_slots[1].key_offset_sector = changes.get("second", 8 + 256)
    image.turns.append(Turn(0, HostOffset(0)))
    return image


@pytest.mark.parametrize(
    ("changes", "payload", "overlap"),
    [
        ({}, True, True),
        ({"payload": 8 + 255}, False, True),
        ({"second": 8 + 255}, True, False),
        ({"length": 33}, False, False),  # 257.8 sectors, rounded up to 264
        ({"length": 1 << 31, "stripes": 2}, True, True),  # 2^32 bytes are none in a C unsigned int
    ],
)
def test_key_material_lies_apart(changes: dict[str, int], payload: bool, overlap: bool) -> None:
    image = slots_of(**changes)
    assert image.luks is not None

    assert holds("encryption/luks-slot-payload", image.luks.key_slots[0], image) == payload
    assert holds("encryption/luks-slot-overlap", image.luks.key_slots[0], image) == overlap


# --- the header -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ((), None),
        (((40, 8, 0),), "l1_table_offset"),  # the L1 table is the header
        (((40, 8, 65536),), "refcount_table_offset"),  # the L1 table is the refcount table
        (((40, 8, 65536), (36, 4, 0)), None),  # an empty one takes no place
    ],
)
def test_tables_lie_apart(changes: tuple[tuple[int, int, int], ...], where: str | None) -> None:
    image = header("v3-empty.qcow2", *changes)

    assert holds("header/untrusted-overlap", image.header, image) == (where is None)
    assert FACTS["header/untrusted-overlap"](image.header, image) == where


def test_a_file_of_unknown_length_ends_nowhere() -> None:
    image = Metadata()

    assert image.holds(1 << 60, 1 << 60)
    assert holds("header/librbd-length", None, image)


def test_every_function_is_total() -> None:
    """No field of a header breaks the functions that look at the header alone."""
    for name in ("v1-plain.qcow", "v2-empty.qcow2", "v3-empty.qcow2"):
        data = (DATA / name).read_bytes()
        for fill in (b"\0", b"\xff", b"\x80"):
            patched = data[:8] + fill * 104 + data[112:]
            image: Image = lay_open(patched)
            assert image.judge.counts is not None
