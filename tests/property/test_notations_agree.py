"""Kaitai and Construct were written by different hands, and say the same of every field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from qcowspec.build.layouts import LAYOUTS
from qcowspec.fuzzing import strategies as qcow
from qcowspec.fuzzing.strategies import Structure
from tests.property.notations import (
    ENTRY_COUNT,
    ONLY_IN_KAITAI,
    Arguments,
    both,
    by_construct,
    by_kaitai,
    layout,
    ran_out,
)
from tests.property.real_images import IMAGES, everything

COUNTED = ("qcow2::snapshot_table", "qcow2::bitmap_directory")
"""Where bytes run out, Kaitai stops at the last whole entry, and Construct refuses the table."""

STRATEGIES: dict[str, SearchStrategy[Structure]] = {
    "qcow::probe": qcow.probes(),
    "qcow1::header": qcow.headers(1),
    "qcow1::l1_entry": qcow.v1_l1_entries(),
    "qcow1::l2_entry": qcow.v1_l2_entries(),
    "qcow2::header, v2": qcow.headers(2),
    "qcow2::header, v3": qcow.headers(3),
    "qcow2::header, any version": qcow.v2_headers(),
    "qcow2::header_extension": qcow.extensions(),
    "qcow2::header_extensions": qcow.header_extensions(),
    "qcow2::feature_name_table": qcow.feature_name_tables(),
    "qcow2::snapshot": qcow.snapshots(),
    "qcow2::snapshot_table": qcow.snapshot_tables(),
    "qcow2::bitmap_directory_entry": qcow.bitmap_directory_entries(),
    "qcow2::bitmap_directory": qcow.bitmap_directories(),
    "qcow2::bitmap_table_entry": qcow.bitmap_table_entries(),
    "qcow2::l1_entry": qcow.l1_entries(),
    "qcow2::l2_entry, standard": qcow.l2_entries(extended=False),
    "qcow2::l2_entry, extended": qcow.l2_entries(extended=True),
    "qcow2::refcount_table_entry": qcow.refcount_table_entries(),
    "luks1::header": qcow.luks_headers(),
} | {f"qcow2::refcount_block, order {order}": qcow.refcount_blocks(order) for order in range(7)}

PARTS = {
    "qcow2::additional_fields",
    "qcow2::backing_format",
    "qcow2::bitmaps_extension",
    "qcow2::crypto_extension",
    "qcow2::data_file",
    "qcow2::feature_name_entry",
    "qcow2::snapshot_extra_data",
    "luks1::key_slot",
}
"""Layouts that are compared as parts of others."""


def layout_of(name: str) -> str:
    return name.partition(",")[0]


def agree(name: str, arguments: Arguments, data: bytes) -> None:
    kaitai, construct = by_kaitai(name, arguments, data), by_construct(name, arguments, data)
    ours, theirs = both(kaitai.parsed, construct.parsed, arguments, rest=data[construct.length :])

    assert ours == theirs
    if name not in (ENTRY_COUNT, "qcow2::bitmap_directory"):  # lazy; takes the rest as well
        assert kaitai.length == construct.length


@pytest.mark.parametrize("name", STRATEGIES)
@given(drawn=st.data())
def test_what_construct_builds_both_read_alike(name: str, drawn: st.DataObject) -> None:
    structure = drawn.draw(STRATEGIES[name])

    assert structure.layout == layout_of(name)
    agree(structure.layout, structure.arguments, structure.data)


@given(qcow.structures(), st.integers(0, 200))
def test_a_structure_that_is_cut_off_both_read_alike(structure: Structure, length: int) -> None:
    if structure.layout not in COUNTED:
        read_alike(structure.layout, structure.arguments, structure.data[:length])


@given(qcow.structures(), st.binary(max_size=256))
def test_any_bytes_both_read_alike(structure: Structure, data: bytes) -> None:
    if structure.layout not in COUNTED:
        read_alike(structure.layout, structure.arguments, data)


def read_alike(name: str, arguments: Arguments, data: bytes) -> None:
    kaitai = ran_out(lambda: by_kaitai(name, arguments, data))
    construct = ran_out(lambda: by_construct(name, arguments, data))

    assert (kaitai is None) == (construct is None), "one runs out of bytes, the other does not"
    if kaitai is not None:
        agree(name, arguments, data)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_every_structure_of_a_real_image_both_read_alike(path: Path) -> None:
    for found in everything(path):
        agree(found.layout, found.arguments, found.data)


def test_every_layout_is_compared() -> None:
    assert {layout_of(name) for name in STRATEGIES} | PARTS == set(LAYOUTS)


@pytest.mark.parametrize("name", ONLY_IN_KAITAI)
def test_fields_that_only_kaitai_has_are_there(name: str) -> None:
    assert set(ONLY_IN_KAITAI[name]) <= set(layout(name).SEQ_FIELDS)
