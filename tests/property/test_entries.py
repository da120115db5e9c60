"""Entries decoded and judged here are what the generated types say, one by one or as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaitaistruct import BytesIO, KaitaiStream
from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES

from qcowspec.fuzzing import strategies as qcow
from qcowspec.fuzzing.strategies.entries import V1_CLUSTER_BITS
from qcowspec.fuzzing.strategies.values import CLUSTER_BITS
from qcowspec.spec import decoding
from qcowspec.spec.entries import (
    KINDS,
    BitmapTableEntries,
    Frame,
    L1Entries,
    L2Entries,
    Qcow1L2Entries,
    RefcountTableEntries,
)
from qcowspec.spec.entry_rules import HOLDS, all_plain, bitmaps_reserved
from qcowspec.spec.units import Geometry
from tests.property.notations import by_kaitai

BITS = st.sampled_from([9, 12, 16, 21])
FLAGS = (c.QCOW_OFLAG_COPIED, c.QCOW_OFLAG_COMPRESSED, c.QCOW_OFLAG_ZERO)


@st.composite
def words(draw: st.DrawFn) -> int:
    """A 64-bit word: noise, or an aligned offset with a few flags."""
    if draw(st.booleans()):
        return draw(st.integers(0, (1 << 64) - 1))
    offset = draw(st.integers(0, 1 << 20)) << draw(st.sampled_from([0, 9, 16]))
    return offset | sum(draw(st.sets(st.sampled_from(FLAGS))))


@st.composite
def frames(draw: st.DrawFn, version: int = 3) -> Frame:
    bits = draw(BITS)
    extended = version == 3 and draw(st.booleans())
    size = c.L2E_SIZE_EXTENDED if extended else c.L2E_SIZE_NORMAL
    geometry = Geometry(version, bits, bits - (4 if extended else 3), size, 4)
    length = draw(st.one_of(st.none(), st.integers(0, 1 << 40)))
    return Frame(geometry, draw(st.booleans()), length, draw(st.integers(0, 1 << 40)))


def of_kaitai(frame: Frame, word: int, bitmap: int) -> Any:
    extended = frame.geometry.has_extended_l2
    data = word.to_bytes(8, "big") + (bitmap.to_bytes(8, "big") if extended else b"")
    return Qcow2.L2Entry(frame.geometry.cluster_bits, extended, KaitaiStream(BytesIO(data)))


@given(frames(), words(), words())
def test_an_l2_entry_is_what_the_generated_type_says(frame: Frame, word: int, bitmap: int) -> None:
    kaitai, ours = of_kaitai(frame, word, bitmap), L2Entries(word, frame, 0, bitmap)

    assert (ours.compressed, ours.copied) == (kaitai.compressed, kaitai.copied)
    if kaitai.compressed:
        assert (ours.coffset, ours.csize) == (kaitai.coffset, kaitai.csize)
    else:
        assert (ours.offset, ours.zero) == (kaitai.offset, kaitai.zero)
    if frame.geometry.has_extended_l2:
        assert ours.allocated_subclusters == kaitai.alloc_bitmap
        assert ours.zero_subclusters == kaitai.zero_bitmap


INSTANCES = [
    rule for rule in RULES if rule.on == "qcow2::l2_entry" and rule.predicate == "instance"
]


@pytest.mark.parametrize("rule", INSTANCES, ids=lambda rule: rule.id)
@given(frame=frames(), word=words(), bitmap=words())
def test_an_instance_of_the_generated_type_says_the_same(
    rule: Any, frame: Frame, word: int, bitmap: int
) -> None:
    bitmap = bitmap if frame.geometry.has_extended_l2 else 0
    kaitai = of_kaitai(frame, word, bitmap)

    ours = HOLDS[rule.id](L2Entries(word, frame, 0, bitmap))

    assert ours == getattr(kaitai, rule.predicate_name)


@given(frame=frames(), word=words())
def test_a_v1_entry_is_what_the_generated_type_says(frame: Frame, word: int) -> None:
    bits = min(frame.geometry.cluster_bits, c.QCOW1_MAX_CLUSTER_BITS)
    frame = frame._replace(geometry=Geometry(1, bits, bits - 3, 8, 0))
    kaitai = Qcow1.L2Entry(bits, KaitaiStream(BytesIO(word.to_bytes(8, "big"))))

    ours = Qcow1L2Entries(word, frame)

    assert ours.compressed == kaitai.is_compressed
    if kaitai.is_compressed:
        assert (ours.coffset, ours.csize) == (kaitai.coffset, kaitai.csize)
    else:
        assert HOLDS["l2/v1-cluster-offset"](ours) == kaitai.ok_offset
        assert HOLDS["l2/v1-cluster-read"](ours) == kaitai.ok_cluster_read


@pytest.mark.parametrize("name", HOLDS)
@settings(max_examples=30)
@given(frame=frames(), some=st.lists(st.tuples(words(), words(), words()), min_size=1, max_size=4))
def test_an_array_is_judged_as_its_entries(
    name: str, frame: Frame, some: list[tuple[int, int, int]]
) -> None:
    rule = next(rule for rule in RULES if rule.id == name)
    if "qcow" in rule.formats:
        frame = frame._replace(geometry=Geometry(1, 12, 9, 8, 0), data_file=False)
    kind = KINDS[rule.on]
    guests = [guest >> 20 for _, _, guest in some]
    entries, bitmaps, guest = (
        np.array(column, np.uint64)
        for column in ([one[0] for one in some], [one[1] for one in some], guests)
    )

    if "l2_entry" in rule.on:
        whole = kind(entries, frame, guest, bitmaps)
        each = [kind(w, frame, g, b) for (w, b, _), g in zip(some, guests, strict=True)]
    else:
        whole, each = kind(entries, frame), [kind(w, frame) for w, _, _ in some]

    expected = [bool(HOLDS[name](one)) for one in each]
    assert np.broadcast_to(HOLDS[name](whole), len(some)).tolist() == expected


Word = Callable[[Any], Any]

TABLES = st.lists(qcow.numbers(64), min_size=1, max_size=8)
"""Entries as the numbers that stand in a table."""

ANY = Frame(Geometry(3, 16, 13, c.L2E_SIZE_NORMAL, 4))
"""What the reserved bits of an entry do not depend on."""


def parsed(layout: str, entry: int, *arguments: int | bool, size: int = 8) -> Any:
    return by_kaitai(layout, arguments, entry.to_bytes(size, "big")).parsed


def reserved(kind: Any, words: Any) -> Any:
    return kind(words, ANY).reserved


def check(words: list[int], expected: list[int], compute: Word) -> None:
    """Both for single entries and for the table as an array, as it stands in the file."""
    table = np.frombuffer(b"".join(word.to_bytes(8, "big") for word in words), dtype=">u8")
    many = cast("npt.NDArray[np.uint64]", compute(table))

    assert [compute(word) for word in words] == expected
    assert [int(each) for each in many] == expected
    assert many.dtype.kind == "u"
    assert many.dtype.itemsize == 8


def l2_entries(words: list[int], bits: int, *, extended: bool) -> list[Any]:
    if extended:  # the bitmap behind the entry changes nothing of it
        return [parsed("qcow2::l2_entry", w << 64 | 0xABCDEF, bits, True, size=16) for w in words]
    return [parsed("qcow2::l2_entry", word, bits, False) for word in words]


def geometry(bits: int, *, extended: bool = False) -> Geometry:
    size = c.L2E_SIZE_EXTENDED if extended else c.L2E_SIZE_NORMAL
    return Geometry(
        version=3,
        cluster_bits=bits,
        l2_bits=bits - (size.bit_length() - 1),
        l2_entry_size=size,
        refcount_order=4,
    )


@given(TABLES)
def test_l1_entries(words: list[int]) -> None:
    entries = [parsed("qcow2::l1_entry", word) for word in words]

    check(words, [entry.l2_table_offset for entry in entries], decoding.l1_offset)
    check(
        words,
        [e.reserved1 << 56 | e.reserved0 for e in entries],
        lambda w: reserved(L1Entries, w),
    )


@pytest.mark.parametrize("extended", [False, True])
@given(TABLES, st.sampled_from(CLUSTER_BITS))
def test_standard_l2_entries(extended: bool, words: list[int], bits: int) -> None:
    words = [word & ~c.QCOW_OFLAG_COMPRESSED for word in words]
    entries = l2_entries(words, bits, extended=extended)

    check(words, [entry.offset for entry in entries], decoding.l2_offset)
    check(
        words,
        [e.reserved1 << 56 | e.reserved0 << 1 for e in entries],
        lambda w: reserved(L2Entries, w),
    )


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("bits", CLUSTER_BITS)
@given(words=TABLES)
def test_compressed_l2_entries(bits: int, extended: bool, words: list[int]) -> None:
    words = [word | c.QCOW_OFLAG_COMPRESSED for word in words]
    entries = l2_entries(words, bits, extended=extended)

    check(words, [e.coffset for e in entries], lambda w: decoding.compressed_offset(w, bits))
    check(
        words, [e.nb_csectors + 1 for e in entries], lambda w: decoding.compressed_sectors(w, bits)
    )
    check(words, [e.csize for e in entries], lambda w: decoding.compressed_length(w, bits))


@pytest.mark.parametrize("extended", [False, True])
@given(qcow.numbers(64), st.sampled_from(CLUSTER_BITS))
def test_types_of_l2_entries(extended: bool, word: int, bits: int) -> None:
    (entry,) = l2_entries([word], bits, extended=extended)

    assert decoding.l2_type(word, geometry(bits, extended=extended), data_file=False) == int(
        entry.cluster_type
    )


@given(st.integers(0, 1), st.integers(0, 1), st.sampled_from(CLUSTER_BITS))
def test_an_entry_at_offset_0_of_a_data_file_is_data_where_it_is_copied(
    copied: int, zero: int, bits: int
) -> None:
    word = copied * c.QCOW_OFLAG_COPIED | zero * c.QCOW_OFLAG_ZERO
    kinds = c.QCow2ClusterType
    alone = decoding.l2_type(word, geometry(bits), data_file=False)
    expected = kinds.QCOW2_CLUSTER_NORMAL if copied and not zero else alone

    assert decoding.l2_type(word, geometry(bits), data_file=True) == expected


@pytest.mark.parametrize("bits", V1_CLUSTER_BITS)
@given(words=TABLES)
def test_v1_l2_entries(bits: int, words: list[int]) -> None:
    words = [word | c.QCOW1_OFLAG_COMPRESSED for word in words]
    entries = [parsed("qcow1::l2_entry", word, bits) for word in words]

    check(words, [e.coffset for e in entries], lambda w: decoding.v1_compressed_offset(w, bits))
    check(words, [e.csize for e in entries], lambda w: decoding.v1_compressed_length(w, bits))


@given(qcow.numbers(64, st.just(0)), st.sampled_from(V1_CLUSTER_BITS))
def test_types_of_v1_l2_entries(word: int, bits: int) -> None:
    entry = parsed("qcow1::l2_entry", word, bits)
    kinds = c.QCow2ClusterType
    plain = kinds.QCOW2_CLUSTER_NORMAL if entry.offset else kinds.QCOW2_CLUSTER_UNALLOCATED
    expected = kinds.QCOW2_CLUSTER_COMPRESSED if entry.is_compressed else plain

    assert decoding.v1_l2_type(word) == expected


@given(TABLES)
def test_refcount_table_entries(words: list[int]) -> None:
    entries = [parsed("qcow2::refcount_table_entry", word) for word in words]

    check(words, [e.refcount_block_offset for e in entries], decoding.refcount_block_offset)
    check(
        words,
        [entry.reserved0 for entry in entries],
        lambda w: reserved(RefcountTableEntries, w),
    )


@pytest.mark.parametrize("order", range(c.QCOW2_MAX_REFCOUNT_ORDER + 1))
@given(drawn=st.data())
def test_refcount_blocks(order: int, drawn: st.DataObject) -> None:
    block = drawn.draw(qcow.refcount_blocks(order))
    read = by_kaitai(block.layout, block.arguments, block.data).parsed
    counts = tuple(entry.refcount for page in read.pages for entry in page.entries)

    assert decoding.refcounts(block.data, order) == counts == tuple(block.fields["entries"])


@given(TABLES)
def test_bitmap_table_entries(words: list[int]) -> None:
    entries = [parsed("qcow2::bitmap_table_entry", word) for word in words]
    views = [BitmapTableEntries(word, ANY) for word in words]

    check(words, [entry.offset for entry in entries], lambda w: BitmapTableEntries(w, ANY).offset)
    assert [view.all_ones for view in views] == [bool(entry.all_ones) for entry in entries]
    assert [bitmaps_reserved(view) for view in views] == [entry.ok_reserved for entry in entries]
    many = BitmapTableEntries(np.array(words, np.uint64), ANY)
    assert bitmaps_reserved(many).tolist() == [entry.ok_reserved for entry in entries]


@given(frame=frames(), some=st.lists(words(), min_size=1, max_size=4), size=st.integers(0, 1 << 40))
def test_entries_that_pass_the_quick_look_break_no_rule(
    frame: Frame, some: list[int], size: int
) -> None:
    plain = np.array(
        [word & decoding.l2_plain(frame.geometry.cluster_size) for word in some], np.uint64
    )
    frame = frame._replace(size=size)
    rules = [rule.id for rule in RULES if rule.on == "qcow2::l2_entry" and rule.id in HOLDS]
    held = frame.geometry.version > c.QCOW2_MIN_VERSION

    if all_plain(plain, frame) and held:
        view = L2Entries(plain, frame, np.zeros(len(plain), np.uint64))
        assert [name for name in rules if not np.all(HOLDS[name](view))] == []
