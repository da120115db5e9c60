"""The byte of the image file that a finding is about: the field or entry that locates something.

In: structures as bytes, and clusters. Out: a `Place` within the file. Refuses: nothing; where an
entry lies past the end of the file, the field that locates its table is the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from qcow_parsers import constants as c

from qcowspec.check.arrays import Counts, Numbers
from qcowspec.check.findings import Fault
from qcowspec.check.neighbours import alike, run
from qcowspec.check.stored import StoredRefcounts
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.structures import Part, lay_open


@dataclass(frozen=True, slots=True)
class Place:
    """A byte of the image file, by name.

    Attributes:
        path: The structure and field, or index, as a dump shows them.
        offset: Its host offset, in bytes.
        value: The entry or field; 0 for a refcount without a block.
        note: Why it is in place of a refcount or field that the file has not; else empty.
    """

    path: str
    offset: int
    value: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A field that says where a structure lies, or how long it is.

    Attributes:
        part: Returns the structure that it is a field of.
        field: Its name.
        locator: The field that locates that structure; None for the header and its extensions.
    """

    part: Callable[[], Part[Any]]
    field: str
    locator: Pointer | None = None

    def place(self, length: int) -> Place:
        """The place of the field.

        Args:
            length: Bytes of the image file. A structure past its end reads as zeros.
        """
        part = self.part()
        field = lay_open(part).at(self.field)
        if field.offset >= length and self.locator is not None:
            place = self.locator.place(length)
            return replace(place, note=f"{part.name} lies past the end of the file")
        value = field.value if isinstance(field.value, int) else 0
        return Place(f"{part.name}.{self.field}", int(field.offset), value)

    def faults(self, length: int, cluster: int | None = None, note: str = "") -> Iterator[Fault]:
        """The field at fault: one, which is made only if it is asked for; see `Fault`."""
        place = self.place(length)
        yield Fault(place.path, place.offset, place.value, cluster, note=place.note or note)


class RefcountPlaces:
    """The place of each cluster's refcount, or of what locates no block for it."""

    def __init__(self, stored: StoredRefcounts, metadata: Metadata, length: int) -> None:
        """Take what is known of the refcount table.

        Args:
            stored: The refcounts.
            metadata: The image.
            length: Bytes of the image file.
        """
        header = metadata.header_part
        assert header is not None
        self._stored, self._length = stored, length
        self._offset = int(metadata.qcow2_header.refcount_table_offset)
        self._table = Pointer(lambda: header, "refcount_table_offset").place(length)
        self._size = Pointer(lambda: header, "refcount_table_clusters").place(length)

    def entry(self, index: int, note: str = "") -> Fault:
        """An entry of the refcount table as a fault."""
        place, value = self._offset + index * c.REFTABLE_ENTRY_SIZE, self._stored.entries[index]
        block = int(self._stored.offsets[index]) or None
        return Fault(f"refcount_table[{index}]", place, int(value), block, note=note)

    def fault(self, cluster: int, value: int, expected: int | None = None) -> Fault:
        """A fault about a cluster, at its refcount; see `Fault`."""
        place, bits = self.of(cluster), self._stored.geometry.cluster_bits
        return Fault(
            place.path, place.offset, value, cluster << bits, expected=expected, note=place.note
        )

    def faults(
        self, clusters: Numbers, values: Counts, expected: Counts | None = None
    ) -> Iterator[Fault]:
        """The faults about some clusters; neighbours of one block that say the same are one.

        Args:
            clusters: Their numbers, rising.
            values: The refcount of each, or another number in its place.
            expected: The references to each, where the refcount is not that.
        """

        def one(at: int) -> Fault:
            references = None if expected is None else int(expected[at])
            return self.fault(int(clusters[at]), int(values[at]), references)

        columns = [clusters // self._stored.per_block, values]
        columns += [] if expected is None else [expected]
        for first, last in alike(clusters, *columns):
            yield run(one, first, last)

    def of(self, cluster: int) -> Place:
        """The refcount of a cluster; else what keeps it from being: an entry, a header's field."""
        stored = self._stored
        index, entry = divmod(cluster, stored.per_block)
        if index >= stored.count:
            return _instead(self._size, "the refcount table ends before this cluster")
        at = self._offset + index * c.REFTABLE_ENTRY_SIZE
        if at >= self._length:
            return _instead(self._table, "the refcount table goes past the end of the file")
        block = Place(f"refcount_table[{index}]", at)
        if not stored.offsets[index]:
            return _instead(block, "there is no refcount block")
        if stored.unreadable[index]:
            return _instead(block, "the refcount block cannot be read")
        where = stored.place(index, entry)
        if where >= self._length:
            return _instead(block, "the refcount block goes past the end of the file")
        return Place(f"refcount_blocks[{index}][{entry}]", where)


def _instead(place: Place, why: str) -> Place:
    """The place of what leads to a refcount, which is 0 then."""
    return replace(place, value=0, note=why)
