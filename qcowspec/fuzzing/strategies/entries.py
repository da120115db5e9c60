"""Entries of the mapping tables, and refcounts.

In: the image's geometry; what is not given is drawn. Out: strategies of `Structure`s. Refuses:
nothing.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from qcow_parsers import constants as c

from qcowspec.fuzzing.strategies.values import CLUSTER_BITS, Structure, given_or, numbers, structure
from qcowspec.spec.decoding import compressed_shift, v1_compressed_shift
from qcowspec.spec.units import BITS_PER_BYTE

REFCOUNT_ORDERS = range(c.QCOW2_MAX_REFCOUNT_ORDER + 1)
V1_CLUSTER_BITS = range(c.QCOW1_MIN_CLUSTER_BITS, c.QCOW1_MAX_CLUSTER_BITS + 1)

RESERVED = st.just(0)
"""The usual value of reserved bits."""


def _flag() -> SearchStrategy[int]:
    return st.integers(0, 1)


def _sectors(bits: int) -> SearchStrategy[int]:
    return numbers(bits, st.integers(0, 4096))


def l1_entries() -> SearchStrategy[Structure]:
    """Entries of a version 2 or 3 L1 table."""
    fields = {
        "copied": _flag(),
        "reserved1": numbers(7, RESERVED),
        "offset_sectors": _sectors(47),
        "reserved0": numbers(9, RESERVED),
    }
    return structure("qcow2::l1_entry", fields)


def l2_entries(
    cluster_bits: int | None = None, *, extended: bool | None = None
) -> SearchStrategy[Structure]:
    """Entries of a version 2 or 3 L2 table, standard and compressed.

    Args:
        cluster_bits: Binary logarithm of the image's cluster size; None for any.
        extended: Whether they carry a subcluster bitmap; None for either.
    """

    def of(bits: int, wide: bool) -> SearchStrategy[Structure]:
        shift = compressed_shift(bits)
        standard = {
            "copied": _flag(),
            "compressed": st.just(0),
            "reserved1": numbers(6, RESERVED),
            "offset_sectors": _sectors(47),
            "reserved0": numbers(8, RESERVED),
            "zero": _flag(),
        }
        compressed = {
            "copied": numbers(1, RESERVED),
            "compressed": st.just(1),
            "nb_csectors": numbers(c.QCOW2_CSIZE_END_BIT - shift),
            "coffset": numbers(shift, st.integers(0, 1 << 20)),
        }
        kinds: tuple[dict[str, SearchStrategy[int]], ...] = (standard, compressed)
        bitmaps = {"zero_bitmap": numbers(32), "alloc_bitmap": numbers(32)} if wide else {}
        either = (structure("qcow2::l2_entry", kind | bitmaps, bits, wide) for kind in kinds)
        return st.one_of(*either)

    wide = st.booleans() if extended is None else st.just(extended)
    return st.tuples(given_or(cluster_bits, CLUSTER_BITS), wide).flatmap(lambda drawn: of(*drawn))


def v1_l1_entries() -> SearchStrategy[Structure]:
    """Entries of a version 1 L1 table."""
    return structure("qcow1::l1_entry", {"l2_table_offset": numbers(64, st.integers(0, 1 << 20))})


def v1_l2_entries(cluster_bits: int | None = None) -> SearchStrategy[Structure]:
    """Entries of a version 1 L2 table, plain and compressed.

    Args:
        cluster_bits: Binary logarithm of the image's cluster size; None for any.
    """

    def of(bits: int) -> SearchStrategy[Structure]:
        shift = v1_compressed_shift(bits)
        plain = {"is_compressed": st.just(0), "offset": numbers(63, st.integers(0, 1 << 20))}
        compressed = {
            "is_compressed": st.just(1),
            "csize": numbers(bits),
            "coffset": numbers(shift, st.integers(0, 1 << 20)),
        }
        layout = "qcow1::l2_entry"
        return structure(layout, plain, bits) | structure(layout, compressed, bits)

    return given_or(cluster_bits, V1_CLUSTER_BITS).flatmap(of)


def refcount_table_entries() -> SearchStrategy[Structure]:
    """Entries of the refcount table."""
    fields = {"offset_sectors": _sectors(55), "reserved0": numbers(9, RESERVED)}
    return structure("qcow2::refcount_table_entry", fields)


def refcount_blocks(order: int | None = None, *, most: int = 64) -> SearchStrategy[Structure]:
    """Refcount blocks, or beginnings of them.

    Args:
        order: Binary logarithm of the width of a refcount; None for any.
        most: Bytes at most.
    """

    def of(order: int) -> SearchStrategy[Structure]:
        # As many as fill whole bytes, in units of what 8 bytes hold.
        unit = max(1, BITS_PER_BYTE >> order)
        units = st.integers(0, (most * BITS_PER_BYTE >> order) // unit)
        counts = units.flatmap(
            lambda count: st.lists(
                numbers(1 << order), min_size=count * unit, max_size=count * unit
            )
        )
        return structure("qcow2::refcount_block", {"entries": counts}, order)

    return given_or(order, REFCOUNT_ORDERS).flatmap(of)


def bitmap_table_entries() -> SearchStrategy[Structure]:
    """Entries of a bitmap table."""
    fields = {
        "reserved1": numbers(8, RESERVED),
        "offset_sectors": _sectors(47),
        "reserved0": numbers(8, RESERVED),
        "all_ones": _flag(),
    }
    return structure("qcow2::bitmap_table_entry", fields)
