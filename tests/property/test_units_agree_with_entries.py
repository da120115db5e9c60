"""The arithmetic on table entries gives what the generated types give, one or many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qcow_parsers import constants as c

from qcowspec.fuzzing import strategies as qcow
from qcowspec.fuzzing.strategies.entries import V1_CLUSTER_BITS
from qcowspec.fuzzing.strategies.values import CLUSTER_BITS
from qcowspec.spec import decoding, units
from qcowspec.spec.units import Geometry
from tests.property.notations import by_kaitai

Word = Callable[[Any], Any]

WORDS = st.lists(qcow.numbers(64), min_size=1, max_size=8)
"""Entries as the numbers that stand in a table."""


def parsed(layout: str, entry: int, *arguments: int | bool, size: int = 8) -> Any:
    return by_kaitai(layout, arguments, entry.to_bytes(size, "big")).parsed


def check(words: list[int], expected: list[int], compute: Word) -> None:
    """Both for single entries and for the table as an array, as it stands in the file."""
    table = np.frombuffer(b"".join(word.to_bytes(8, "big") for word in words), dtype=">u8")
    many = cast("npt.NDArray[np.uint64]", compute(table))

    assert [compute(word) for word in words] == expected
    assert [int(each) for each in many] == expected
    assert many.dtype.kind == "u"
    assert many.dtype.itemsize == 8


@given(WORDS)
def test_l1_entries(words: list[int]) -> None:
    entries = [parsed("qcow2::l1_entry", word) for word in words]

    check(words, [entry.l2_table_offset for entry in entries], decoding.l1_offset)
    check(words, [e.reserved1 << 56 | e.reserved0 for e in entries], decoding.l1_reserved)


@pytest.mark.parametrize("extended", [False, True])
@given(WORDS, st.sampled_from(CLUSTER_BITS))
def test_standard_l2_entries(extended: bool, words: list[int], bits: int) -> None:
    words = [word & ~c.QCOW_OFLAG_COMPRESSED for word in words]
    entries = l2_entries(words, bits, extended=extended)

    check(words, [entry.offset for entry in entries], decoding.l2_offset)
    check(words, [e.reserved1 << 56 | e.reserved0 << 1 for e in entries], decoding.l2_reserved)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("bits", CLUSTER_BITS)
@given(words=WORDS)
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


@pytest.mark.parametrize("bits", V1_CLUSTER_BITS)
@given(words=WORDS)
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


@given(WORDS)
def test_refcount_table_entries(words: list[int]) -> None:
    entries = [parsed("qcow2::refcount_table_entry", word) for word in words]

    check(words, [e.refcount_block_offset for e in entries], decoding.refcount_block_offset)
    check(words, [entry.reserved0 for entry in entries], decoding.refcount_table_reserved)


@pytest.mark.parametrize("order", range(c.QCOW2_MAX_REFCOUNT_ORDER + 1))
@given(drawn=st.data())
def test_refcount_blocks(order: int, drawn: st.DataObject) -> None:
    block = drawn.draw(qcow.refcount_blocks(order))
    read = by_kaitai(block.layout, block.arguments, block.data).parsed
    counts = tuple(entry.refcount for page in read.pages for entry in page.entries)

    assert decoding.refcounts(block.data, order) == counts == tuple(block.fields["entries"])


@given(qcow.headers(3) | qcow.headers(2))
def test_geometry_is_that_of_the_header(structure: qcow.Structure) -> None:
    header = by_kaitai(structure.layout, (), structure.data).parsed
    if not (header.ok_cluster_bits and header.ok_refcount_order and header.ok_subcluster_size):
        return
    made = Geometry(
        version=header.version,
        cluster_bits=header.cluster_bits,
        l2_bits=header.l2_bits,
        l2_entry_size=header.l2_entry_size,
        refcount_order=header.effective_refcount_order,
    )

    assert {
        "cluster_size": made.cluster_size,
        "l1_entry_span": made.l2_span,
        "refcount_bits": made.refcount_bits,
        "refcount_block_entries": made.refcount_block_entries,
        "l2_entries": made.l2_table_size // made.l2_entry_size,
        "has_extended_l2": made.has_extended_l2,
        "cluster_size again": made.l2_table_size,
    } == {
        "cluster_size": header.cluster_size,
        "l1_entry_span": header.l1_entry_span,
        "refcount_bits": header.refcount_bits,
        "refcount_block_entries": header.refcount_block_entries,
        "l2_entries": header.l2_entries,
        "has_extended_l2": header.has_extended_l2,
        "cluster_size again": header.cluster_size,
    }


@given(qcow.numbers(64), st.integers(1, 1 << 32))
def test_rounding_up_ends_at_the_next_step(value: int, step: int) -> None:
    rounded = units.align_up(value, step)

    assert rounded % step == 0
    assert value <= rounded < value + step
