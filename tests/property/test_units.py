"""The sizes that follow from a header are those of the generated type."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qcowspec.fuzzing import strategies as qcow
from qcowspec.spec import units
from qcowspec.spec.units import Geometry
from tests.property.notations import by_kaitai


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


def test_a_refcount_of_no_known_width_has_none() -> None:
    """A header may claim 2^32 - 1, whose power of two has half a gigabyte."""
    widths = [Geometry(3, 16, 13, 8, order).refcount_bits for order in (0, 6, 7, (1 << 32) - 1)]

    assert widths == [1, 64, 0, 0]
