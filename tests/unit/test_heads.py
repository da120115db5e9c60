"""An entry speaks for those behind it only where they say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from qcow_parsers import constants as c

from qcowspec.mapping.heads import heads, runs_of_zeros
from qcowspec.spec.decoding import l2_placed

CLUSTER = 0x10000
COPIED, COMPRESSED = c.QCOW_OFLAG_COPIED, c.QCOW_OFLAG_COMPRESSED

ENTRIES = st.one_of(
    st.sampled_from(
        [0, 1, CLUSTER, COPIED, COPIED | CLUSTER, COMPRESSED, (1 << 56) - CLUSTER, (1 << 64) - 1]
    ),
    st.builds(lambda flags, at: flags | at * CLUSTER, st.sampled_from([0, 1, COPIED]),
              st.integers(0, 9)),
    st.integers(0, (1 << 64) - 1),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> list[int]:
    """Entries, with sequences among them."""
    found: list[int] = []
    for _ in range(draw(st.integers(1, 6))):
        first, count = draw(ENTRIES), draw(st.integers(1, 5))
        step = draw(st.sampled_from([0, CLUSTER]))
        found += [(first + index * step) % (1 << 64) for index in range(count)]
    return found


@given(tables())
def test_a_sequence_is_of_zeros_or_of_clusters_in_a_row(table: list[int]) -> None:
    entries = np.array(table, np.uint64)
    first = heads(entries, CLUSTER, l2_placed, empty=c.QCOW_OFLAG_ZERO).tolist()

    assert first == sorted({0, *first})
    for begin, end in zip(first, [*first[1:], len(table)], strict=True):
        head = table[begin]
        follow = [head + index * CLUSTER for index in range(end - begin)]
        alike = {entry & ~c.L2E_OFFSET_MASK for entry in table[begin:end]} == {
            head & ~c.L2E_OFFSET_MASK
        }
        plain = not head & COMPRESSED and head & c.L2E_OFFSET_MASK
        assert (
            end - begin == 1
            or set(table[begin:end]) in ({0}, {c.QCOW_OFLAG_ZERO})
            or (plain and alike and table[begin:end] == follow)
        )


def test_clusters_in_a_row_are_one_sequence() -> None:
    table = [0, 0, COPIED | CLUSTER, COPIED | 2 * CLUSTER, 5 * CLUSTER, 6 * CLUSTER, 0, 1, 1]
    found = heads(np.array(table, np.uint64), CLUSTER, l2_placed)

    assert found.tolist() == [0, 2, 4, 6, 7, 8]


def test_zero_clusters_without_a_place_are_one_sequence() -> None:
    table = np.array([0, 1, 1, 1, COPIED | 1, COPIED | 1, 0, 0], np.uint64)
    found = heads(table, CLUSTER, l2_placed, empty=1)

    assert found.tolist() == [0, 1, 4, 5, 6]


def test_extended_entries_of_zeros_are_one_sequence() -> None:
    rows = np.array([[0, 0], [0, 0], [0, 1], [0, 0], [0, 0], [1, 0], [1, 0]], np.uint64)

    assert runs_of_zeros(rows).tolist() == [0, 2, 3, 5, 6]
