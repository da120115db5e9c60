"""A virtual disk: the layers of a chain, read as one.

In: guest ranges. Out: bytes. Refuses: what a layer refuses, and the files that the gate refuses,
if a range needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING

from qcowspec.chain import Chain, Layer
from qcowspec.guest.layers import LayerReader
from qcowspec.guest.losses import Loss, Losses, loss
from qcowspec.mapping import Kind, Run
from qcowspec.spec.units import GuestOffset, in_units

if TYPE_CHECKING:
    from qcowspec.mapping import Extents

MANY = 1 << 17
"""Clusters from which on arrays find the runs of a range faster, NumPy's import included."""

PLAIN, PACKED = Kind.DATA, Kind.COMPRESSED

REMEMBERED = 1 << 16
"""Clusters of data whose host offsets small reads remember: some 8 MiB."""


class Disk:
    """A readable virtual disk: the active state or a snapshot, with its backing files.

    Attributes:
        size: Its bytes.
        losses: In a salvage, what could not be read so far; else None, and reading fails.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._readers: dict[int, LayerReader] = {}
        self.size = chain.layers[0].size
        self.losses = Losses() if chain.salvage else None
        self._walk = chain.layers[0].walk
        self._top = self.reader_of(0)
        self._read_at = self._top.layer.data.read_at
        self._cluster_size = self._walk.cluster_size
        self._within = self._cluster_size - 1
        self._cluster_bits = self._within.bit_length()
        self._places: dict[int, int] = {}  # by its number, where a cluster of data starts
        self._may_remember = self._walk.by_cluster and self._top.is_direct

    def __repr__(self) -> str:
        count = len(self.layers)
        return f"<Disk {in_units(self.size)}, {count:,} layer{'s' * (count > 1)} open>"

    def open_all(self) -> None:
        """Open every file that the disk needs, so that none is refused halfway."""
        self._chain.open_all()

    def lost_ranges(self) -> Losses:
        """The ranges that lie past the end of a file, by the tables; in a salvage, all losses.

        Raises:
            QcowError: A table cannot be read.
        """
        from qcowspec.guest.missing import missing  # which takes NumPy

        losses = Losses() if self.losses is None else self.losses
        for each in missing(self):
            losses.add(each)
        return losses

    def check_unchanged(self) -> None:
        """Refuse files that were written to since they were opened.

        Raises:
            Changed: A file on this machine was; one on a server is checked by every read.
        """
        for layer in self.layers:
            for source in {id(each): each for each in (layer.source, layer.data)}.values():
                source.check_unchanged()

    def refuse_writers(self) -> None:
        """Refuse files that another program has open for writing; see `Source.refuse_writers`.

        Only those that are open are asked about: see `open_all`.

        Raises:
            Unreadable: One of them is.
        """
        for layer in self.layers:
            layer.refuse_writers()

    @property
    def layers(self) -> list[Layer]:
        """The layers that are open, from the top."""
        return self._chain.layers

    def reader_of(self, depth: int) -> LayerReader:
        """The reader of a layer, by its depth."""
        reader = self._readers.get(depth)
        if reader is None:
            layer = self._chain.layer(depth)
            assert layer is not None
            if self.losses is None:
                reader = LayerReader(layer)
            else:
                from qcowspec.guest.salvage import SalvagingReader

                reader = SalvagingReader(layer, self.losses)
            self._readers[depth] = reader
        return reader

    # --- bytes ------------------------------------------------------------------------------------

    def pread(self, offset: int, length: int) -> bytes:
        """Read a range.

        Args:
            offset: Its first byte on the virtual disk.
            length: Its bytes; fewer are returned only at the end of the disk.

        Raises:
            Invalid, Malformed: A table or a payload on the way breaks a rule.
            Refused: The range needs a file that the gate does not open.
            Unreadable: A source failed.
        """
        end = index(offset) + index(length)
        if 0 <= offset < end <= self.size:
            # Most small reads need one run of the topmost layer, and one read of its file.
            place = self._places.get(offset >> self._cluster_bits)
            if (
                place is not None
                and (within := offset & self._within) + length <= self._cluster_size
            ):
                return self._read_at(place + within, length).ljust(length, b"\0")
            run = self._walk.run_at(offset, end)
            if run.length == length:
                if run.kind is PLAIN:
                    if self._may_remember:
                        self._remember(run)
                    return self._top.plain(run)
                if run.kind is PACKED:
                    return self._top.packed(run)
        if length < 0:
            raise ValueError(f"no length: {length}")
        buffer = bytearray(max(0, min(length, self.size - offset)))
        self._fill(memoryview(buffer), offset)
        return bytes(buffer)

    def _remember(self, run: Run) -> None:
        """Remember where the first cluster of a run is."""
        assert run.host_offset is not None
        if len(self._places) >= REMEMBERED:
            self._places.clear()
        self._places[run.offset >> self._cluster_bits] = run.host_offset - (
            run.offset & self._within
        )

    def readinto(self, offset: int, buffer: memoryview | bytearray) -> int:
        """Read into a buffer, as much as it holds; see `pread`.

        Returns:
            How many bytes were read; fewer than it holds only at the end of the disk.
        """
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.size - offset))
        if self.losses is not None:
            view[:count] = bytes(count)
        self._fill(view[:count], offset, has_zeros=self.losses is not None)
        return count

    def read_extents(self, extents: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many ranges in parallel; no host cluster is fetched or inflated twice.

        Args:
            extents: Offset and length of each, in bytes; in any order, overlapping or not. One
                that extends past the end of the disk is cut there.

        Returns:
            Their bytes, in the order asked for. Twice as many are held while they are read: the
            caller bounds how many are asked for.

        Raises:
            QcowError: What `pread` raises for one of them.
        """
        if self.losses is not None:
            return [self.pread(offset, max(0, length)) for offset, length in extents]
        from qcowspec.guest.requests import read_extents

        return read_extents(self, extents)

    def _fill(self, buffer: memoryview, offset: int, *, has_zeros: bool = True) -> None:
        """Write a range's bytes into a buffer; zeros too, unless it has them."""
        if offset < 0:
            raise ValueError(f"no offset on a disk: {offset}")
        held: list[Run] = []
        at = 0
        for depth, run in self.runs(offset, len(buffer)):
            if held and depth != at:
                self.reader_of(at).fill(held, buffer, offset)
                held = []
            at = depth
            if run.kind is PLAIN or run.kind is PACKED:
                held.append(run)
                continue
            if not has_zeros:
                at_run = run.offset - offset
                buffer[at_run : at_run + run.length] = bytes(run.length)
            if run.kind is Kind.LOST and self.losses is not None:
                self.losses.add(self.lost(depth, run))
        if held:
            self.reader_of(at).fill(held, buffer, offset)

    def lost(self, depth: int, run: Run) -> Loss:
        """Why a run of a layer is lost."""
        layer = self.layers[depth]
        error = layer.mapping.why(run)
        assert error is not None
        return loss(run.offset, run.length, error, layer.name)

    # --- where they are ---------------------------------------------------------------------------

    def runs(self, offset: int = 0, length: int | None = None) -> Iterator[tuple[int, Run]]:
        """Runs that tile a range, each with the depth of the layer that has its bytes.

        Args:
            offset: Where the range starts on the virtual disk, in bytes.
            length: Its bytes; None for all that follow.

        Yields:
            Depth, 0 for the image itself, and a run of that layer; none of them is `BACKING`.

        Raises:
            Invalid: A table entry on the way breaks a rule.
            Refused: The range needs a file that the gate does not open.
            Unreadable: A source failed.
        """
        end = self.size if length is None else min(self.size, offset + length)
        if offset >= end:
            return iter(())
        if (end - offset) // self._walk.cluster_size < MANY:
            return self._walked(0, offset, end)
        tiles = self.extents(offset, end)
        return ((depth, run) for depth, extents in tiles for run in extents.runs())

    def extents(self, start: int, end: int) -> Iterator[tuple[int, Extents]]:
        """The same as arrays, for a range within the disk."""
        return self._resolved(0, start, end)

    def _walked(self, depth: int, start: int, end: int) -> Iterator[tuple[int, Run]]:
        """See `runs`; past the end of a backing file there are zeros."""
        layer = self._chain.layer(depth)
        assert layer is not None
        run_at, inner = layer.walk.run_at, min(end, layer.size)
        while start < inner:
            run = run_at(start, inner)
            if run.kind is Kind.BACKING:
                yield from self._walked(depth + 1, start, start + run.length)
            else:
                yield depth, run
            start += run.length
        if start < end:
            yield depth, Run(Kind.UNALLOCATED, GuestOffset(start), end - start)

    def _resolved(self, depth: int, start: int, end: int) -> Iterator[tuple[int, Extents]]:
        """The same as arrays."""
        layer = self._chain.layer(depth)
        assert layer is not None
        if start < (inner := min(end, layer.size)):
            for batch in layer.mapping.batches(start, inner - start):
                for part in batch.sections():
                    if part.kinds[0] == Kind.BACKING:
                        yield from self._resolved(depth + 1, part.start, part.end)
                    else:
                        yield depth, part
            start = inner
        if start < end:
            from qcowspec.mapping import Extents

            yield depth, Extents.of([Run(Kind.UNALLOCATED, GuestOffset(start), end - start)])
