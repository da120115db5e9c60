"""What is parsed is built again byte for byte, and what is built is parsed as it was meant."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from construct import ConstructError
from hypothesis import given
from hypothesis import strategies as st

from qcowspec import build
from qcowspec.build.layouts import LAYOUTS, PLAIN
from qcowspec.errors import Invalid
from qcowspec.fuzzing import strategies as qcow
from qcowspec.fuzzing.strategies import Structure
from tests.property.notations import Arguments, by_construct, plain, ran_out, schema_for
from tests.property.real_images import IMAGES, everything


def built_again(layout: str, arguments: Arguments, data: bytes) -> None:
    parsed, length = by_construct(layout, arguments, data)

    assert schema_for(layout, arguments, data).build(parsed) == data[:length]


@given(qcow.structures())
def test_what_is_parsed_is_built_again(structure: Structure) -> None:
    built_again(structure.layout, structure.arguments, structure.data)


@given(qcow.structures(), st.binary(max_size=256))
def test_any_bytes_that_parse_are_built_again(structure: Structure, data: bytes) -> None:
    if ran_out(lambda: by_construct(structure.layout, structure.arguments, data)) is not None:
        built_again(structure.layout, structure.arguments, data)


@given(qcow.structures(), st.integers(0, 200))
def test_what_is_left_of_a_structure_is_built_again(structure: Structure, length: int) -> None:
    data = structure.data[:length]
    if ran_out(lambda: by_construct(structure.layout, structure.arguments, data)) is not None:
        built_again(structure.layout, structure.arguments, data)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_every_structure_of_a_real_image_is_built_again(path: Path) -> None:
    for found in everything(path):
        built_again(found.layout, found.arguments, found.data)


@given(
    st.one_of(
        qcow.probes(),
        qcow.v1_l1_entries(),
        qcow.v1_l2_entries(),
        qcow.l1_entries(),
        qcow.l2_entries(),
        qcow.refcount_table_entries(),
        qcow.refcount_blocks(),
        qcow.bitmap_table_entries(),
        qcow.v1_headers(),
        qcow.headers(2),
    )
)
def test_a_structure_of_fixed_size_says_what_it_was_built_from(structure: Structure) -> None:
    parsed = by_construct(structure.layout, structure.arguments, structure.data).parsed

    assert {name: plain(parsed[name]) for name in structure.fields} == dict(structure.fields)


@given(qcow.snapshot_tables() | qcow.bitmap_directories())
def test_a_table_says_what_it_was_built_from(structure: Structure) -> None:
    parsed = by_construct(structure.layout, structure.arguments, structure.data).parsed

    for entry, said in zip(parsed.entries, structure.fields["entries"], strict=True):
        assert all(holds(entry[name], said[name]) for name in said)


def holds(parsed: Any, said: Any) -> bool:
    """Whether a field says what was asked for; fields of it that were not named may be there."""
    if isinstance(said, Mapping):
        return all(holds(parsed[name], said[name]) for name in said)
    return bool(parsed == said)


@given(
    st.sampled_from(sorted(PLAIN)),
    st.dictionaries(
        st.sampled_from(["magic", "version", "name", "entries", "data", "offset", "copied"]),
        st.none() | st.integers() | st.binary() | st.text() | st.lists(st.integers()) | st.floats(),
    ),
)
def test_what_cannot_be_built_is_refused_with_our_own_error(
    layout: str, fields: dict[str, Any]
) -> None:
    with suppress(Invalid):  # anything else fails the test
        build.structure(layout, fields)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_field_that_no_layout_has_is_refused(layout: str) -> None:
    arguments = {
        "qcow1::l2_entry": (12,),
        "qcow2::l2_entry": (16, False),
        "qcow2::refcount_block": (4,),
        "qcow2::snapshot_table": (0,),
        "qcow2::bitmap_directory": (0, 16, 1 << 20),
        "qcow2::bitmap_directory_entry": (16, 1 << 20),
    }.get(layout, ())
    with pytest.raises(Invalid) as refused:
        build.structure(layout, {"entries": [], "no_such_field": 1}, *arguments)

    assert refused.value.field == layout
    assert isinstance(refused.value.__cause__, ConstructError)


def test_an_unknown_layout_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="there is no schema of 'qcow2::nothing'"):
        build.schema("qcow2::nothing")
    with pytest.raises(ValueError, match="takes no parameters"):
        build.schema("qcow2::header", 16)
    with pytest.raises(ValueError, match="does not take the parameters"):
        build.schema("qcow2::l2_entry")
