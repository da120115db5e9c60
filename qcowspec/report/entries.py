"""Table entries: their fields by QEMU's names, and their meaning in a few words.

In: an entry, as a number. Out: a `Describe` for each kind of table.
Refuses: nothing: every 64-bit number is an entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from qcow_parsers import constants as c

from qcowspec.report.words import plural, size
from qcowspec.spec import decoding
from qcowspec.spec.entries import (
    BitmapTableEntries,
    Frame,
    L1Entries,
    L2Entries,
    Qcow1L2Entries,
    RefcountTableEntries,
)
from qcowspec.spec.entry_rules import (
    l2_cluster_offset,
    on_cluster,
)
from qcowspec.spec.units import Geometry

Fields = Mapping[str, int]

Describe = Callable[[int, int], tuple[Fields, str]]
"""From an entry's index and value to its fields and its meaning."""

Kind = c.QCow2ClusterType

KIND_WORDS = {
    Kind.QCOW2_CLUSTER_NORMAL: "data",
    Kind.QCOW2_CLUSTER_COMPRESSED: "compressed",
    Kind.QCOW2_CLUSTER_ZERO_ALLOC: "zero, allocated",
    Kind.QCOW2_CLUSTER_ZERO_PLAIN: "zero",
    Kind.QCOW2_CLUSTER_UNALLOCATED: "unallocated",
}
"""QEMU's cluster types, in the order in which a summary counts them."""

L2_ENTRY_BITS = 64
"""An extended L2 entry is its standard half, shifted up by this, and its subcluster bitmap."""


def kind_name(kind: Kind) -> str:
    """QEMU's name of a cluster type as a key: ``zero_alloc``."""
    return kind.name.removeprefix("QCOW2_CLUSTER_").lower()


def l1(geometry: Geometry) -> Describe:
    """Entries of a v2/v3 L1 table."""
    frame = Frame(geometry)

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        decoded, guest = L1Entries(entry, frame), index * geometry.l2_span
        offset, copied = decoded.offset, decoded.copied
        fields = {"copied": int(copied), "l2_table_offset": offset, "guest_offset": guest}
        if not offset:
            return fields, _words("no L2 table", decoded.reserved)
        where, aligned = f"guest {guest:#x}: L2 table at {offset:#x}", on_cluster(decoded)
        return fields, _words(where, decoded.reserved, copied=copied, aligned=aligned)

    return describe


def v1_l1(geometry: Geometry) -> Describe:
    """Entries of a v1 L1 table: host offsets, to the byte."""

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        guest = index * geometry.l2_span
        fields = {"l2_table_offset": entry, "guest_offset": guest}
        return fields, f"guest {guest:#x}: L2 table at {entry:#x}" if entry else "no L2 table"

    return describe


def l2(geometry: Geometry, l1_index: int, *, data_file: bool) -> Describe:
    """Entries of a v2/v3 L2 table; with extended L2 entries, 128-bit ones."""
    extended, frame = geometry.has_extended_l2, Frame(geometry, data_file)

    def describe(index: int, value: int) -> tuple[Fields, str]:
        entry = value >> L2_ENTRY_BITS if extended else value
        decoded = L2Entries(entry, frame)
        guest = l1_index * geometry.l2_span + index * geometry.cluster_size
        kind = decoding.l2_type(entry, geometry, data_file=data_file)
        fields = {"guest_offset": guest, "copied": int(decoded.copied)}
        if kind is Kind.QCOW2_CLUSTER_COMPRESSED:
            offset, length = decoded.coffset, decoded.csize
            fields |= {"coffset": offset, "csize": length}
            words = f"compressed, up to {size(length)} at {offset:#x}"
            words += ", copied, which it must not be" if decoded.copied else ""
        else:
            offset, aligned = decoded.offset, l2_cluster_offset(decoded)
            fields |= {"offset": offset, "zero": int(decoded.zero)}
            located = offset or kind is Kind.QCOW2_CLUSTER_NORMAL
            where = KIND_WORDS[kind] + (f" at {offset:#x}" if located else "")
            words = _words(where, decoded.reserved, copied=decoded.copied, aligned=aligned)
        if extended:
            bitmap = value & ((1 << L2_ENTRY_BITS) - 1)
            fields["l2_bitmap"] = bitmap
            words += f", {subclusters(bitmap)}" if bitmap else ""
        return fields, f"guest {guest:#x}: {words}"

    return describe


def v1_l2(geometry: Geometry, l1_index: int) -> Describe:
    """Entries of a v1 L2 table."""

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        guest = l1_index * geometry.l2_span + index * geometry.cluster_size
        kind = decoding.v1_l2_type(entry)
        if kind is Kind.QCOW2_CLUSTER_COMPRESSED:
            decoded = Qcow1L2Entries(entry, Frame(geometry))
            offset, length = decoded.coffset, decoded.csize
            fields = {"guest_offset": guest, "coffset": offset, "csize": length}
            return fields, f"guest {guest:#x}: compressed, {size(length)} at {offset:#x}"
        where = KIND_WORDS[kind] + (f" at {entry:#x}" if entry else "")
        return {"guest_offset": guest, "offset": entry}, f"guest {guest:#x}: {where}"

    return describe


def refcount_table(geometry: Geometry) -> Describe:
    """Entries of the refcount table."""
    frame, span = Frame(geometry), geometry.refcount_block_entries * geometry.cluster_size

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        decoded, host = RefcountTableEntries(entry, frame), index * span
        fields = {"refcount_block_offset": decoded.offset, "host_offset": host}
        if not decoded.offset:
            return fields, _words("no refcount block", decoded.reserved)
        where = f"host {host:#x}: refcount block at {decoded.offset:#x}"
        return fields, _words(where, decoded.reserved, aligned=on_cluster(decoded))

    return describe


def refcounts(geometry: Geometry, block_index: int) -> Describe:
    """Refcounts of a refcount block."""
    first = block_index * geometry.refcount_block_entries

    def describe(index: int, refcount: int) -> tuple[Fields, str]:
        host = (first + index) * geometry.cluster_size
        return {"host_offset": host}, f"host {host:#x}: " + (
            "free" if refcount == 0 else plural(refcount, "reference")
        )

    return describe


def bitmap_table(geometry: Geometry) -> Describe:
    """Entries of a bitmap table."""
    frame = Frame(geometry)

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        decoded = BitmapTableEntries(entry, frame)
        fields = {"offset": decoded.offset, "all_ones": int(decoded.all_ones)}
        where = "all ones" if decoded.all_ones else "all zeros"
        if decoded.offset:
            where = f"bitmap data at {decoded.offset:#x}"
        return fields, _words(where, decoded.reserved, aligned=on_cluster(decoded))

    return describe


def _words(where: str, reserved: int, *, copied: bool = False, aligned: bool = True) -> str:
    """An entry in words: what it locates, whether that is the only reference to it, and faults."""
    strange = f"reserved bits {reserved:#x}" if reserved else ""
    words = where, "copied" if copied else "", "" if aligned else "unaligned", strange
    return ", ".join(word for word in words if word)


def subclusters(bitmap: int) -> str:
    """A cluster's subclusters, the first on the left: # data, 0 zero, ! both, which is wrong."""
    data, zeros = decoding.subclusters(bitmap)
    marks, total = (".", "#", "0", "!"), c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
    states = ((data >> i & 1) | (zeros >> i & 1) << 1 for i in range(total))
    return "subclusters " + "".join(marks[state] for state in states)


def kind_words(kinds: Counter[Kind]) -> str:
    """A summary of an L2 table: ``3 data, 1 compressed, 8,188 unallocated``."""
    return " · ".join(f"{kinds[kind]:,} {word}" for kind, word in KIND_WORDS.items() if kinds[kind])


def refcount_words(counts: Counter[int]) -> str:
    """A summary of a refcount block: how many clusters have no, one, or more references."""
    free, one = counts[0], counts[1]
    more = counts.total() - free - one
    words = [f"{free:,} free", f"{one:,} used once"]
    return " · ".join(words + ([f"{more:,} shared"] if more else []))
