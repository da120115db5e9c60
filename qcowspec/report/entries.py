"""What a table entry says: its fields by QEMU's names, and a few words.

In: an entry, as the number that stands in the table. Out: a `Describe` for each kind of table.
Refuses: nothing: every 64-bit number is some entry, and hostile ones are said too.
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
    bitmaps_cluster_offset,
    l2_cluster_offset,
    l2_table_offset,
    refcounts_block_offset,
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
        said = L1Entries(entry, frame)
        offset, strange = said.offset, reserved(said.reserved)
        fields = {
            "copied": int(said.copied),
            "l2_table_offset": offset,
            "guest_offset": index * geometry.l2_span,
        }
        if not offset:
            return fields, _join("no L2 table", strange)
        words = (
            f"guest {index * geometry.l2_span:#x}: L2 table at {offset:#x}",
            copied(said.copied),
            unaligned(l2_table_offset(said)),
            strange,
        )
        return fields, _join(*words)

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
        said = L2Entries(entry, frame)
        guest = l1_index * geometry.l2_span + index * geometry.cluster_size
        kind = decoding.l2_type(entry, geometry, data_file=data_file)
        fields = {"guest_offset": guest, "copied": int(said.copied)}
        if kind is Kind.QCOW2_CLUSTER_COMPRESSED:
            offset, length = said.coffset, said.csize
            fields |= {"coffset": offset, "csize": length}
            where = f"compressed, up to {size(length)} at {offset:#x}"
            words = [where, "copied, which it must not be" if fields["copied"] else ""]
        else:
            offset = said.offset
            fields |= {"offset": offset, "zero": int(said.zero)}
            where = KIND_WORDS[kind] + (f" at {offset:#x}" if offset or _is_data(kind) else "")
            strange = reserved(said.reserved)
            words = [where, copied(said.copied), unaligned(l2_cluster_offset(said)), strange]
        if extended:
            bitmap = value & ((1 << L2_ENTRY_BITS) - 1)
            fields["l2_bitmap"] = bitmap
            words.append(subclusters(bitmap))
        return fields, f"guest {guest:#x}: {_join(*words)}"

    return describe


def v1_l2(geometry: Geometry, l1_index: int) -> Describe:
    """Entries of a v1 L2 table."""

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        guest = l1_index * geometry.l2_span + index * geometry.cluster_size
        kind = decoding.v1_l2_type(entry)
        if kind is Kind.QCOW2_CLUSTER_COMPRESSED:
            said = Qcow1L2Entries(entry, Frame(geometry))
            offset, length = said.coffset, said.csize
            fields = {"guest_offset": guest, "coffset": offset, "csize": length}
            return fields, f"guest {guest:#x}: compressed, {size(length)} at {offset:#x}"
        where = KIND_WORDS[kind] + (f" at {entry:#x}" if entry else "")
        return {"guest_offset": guest, "offset": entry}, f"guest {guest:#x}: {where}"

    return describe


def refcount_table(geometry: Geometry) -> Describe:
    """Entries of the refcount table."""
    frame = Frame(geometry)

    def describe(index: int, entry: int) -> tuple[Fields, str]:
        said = RefcountTableEntries(entry, frame)
        offset, strange = said.offset, reserved(said.reserved)
        span = geometry.refcount_block_entries * geometry.cluster_size
        fields = {"refcount_block_offset": offset, "host_offset": index * span}
        if not offset:
            return fields, _join("no refcount block", strange)
        words = f"host {index * span:#x}: refcount block at {offset:#x}"
        return fields, _join(words, unaligned(refcounts_block_offset(said)), strange)

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
        said = BitmapTableEntries(entry, frame)
        offset = said.offset
        fields = {"offset": offset, "all_ones": int(said.all_ones)}
        if offset:
            where = _join(f"bitmap data at {offset:#x}", unaligned(bitmaps_cluster_offset(said)))
        else:
            where = "all ones" if said.all_ones else "all zeros"
        return fields, _join(where, reserved(said.reserved))

    return describe


def copied(flag: bool) -> str:
    """COPIED: the only reference to what the entry points at."""
    return "copied" if flag else ""


def unaligned(aligned: bool) -> str:
    """What is wrong with an offset that is not a multiple of the cluster size."""
    return "" if aligned else "unaligned"


def reserved(bits: int) -> str:
    """What is wrong with an entry that has reserved bits."""
    return f"reserved bits {bits:#x}" if bits else ""


def subclusters(bitmap: int) -> str:
    """A cluster's subclusters, the first on the left: # data, 0 zero, ! both, which is wrong."""
    if not bitmap:
        return ""
    data, zeros = decoding.subclusters(bitmap)
    marks, total = (".", "#", "0", "!"), c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
    states = ((data >> i & 1) | (zeros >> i & 1) << 1 for i in range(total))
    return "subclusters " + "".join(marks[state] for state in states)


def kind_words(kinds: Counter[Kind]) -> str:
    """A summary of an L2 table: ``3 data, 1 compressed, 8,188 unallocated``."""
    said = (f"{kinds[kind]:,} {word}" for kind, word in KIND_WORDS.items() if kinds[kind])
    return " · ".join(said)


def refcount_words(counts: Counter[int]) -> str:
    """A summary of a refcount block: how many clusters have no, one, or more references."""
    free, one = counts[0], counts[1]
    more = counts.total() - free - one
    said = [f"{free:,} free", f"{one:,} used once", f"{more:,} shared" if more else ""]
    return " · ".join(word for word in said if word)


def _is_data(kind: Kind) -> bool:
    return kind is Kind.QCOW2_CLUSTER_NORMAL


def _join(*words: str) -> str:
    return ", ".join(word for word in words if word)
