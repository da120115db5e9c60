"""The base of all mappings: ranges, batches and runs.

In: guest ranges. Out: `Extents` that tile them. Refuses: what a subclass refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from qcowspec.errors import QcowError
from qcowspec.mapping.extents import Extents, Run
from qcowspec.mapping.spans import join_batches


class Gap(NamedTuple):
    """A guest range whose table entries cannot be read.

    Attributes:
        start: Where it starts, in bytes.
        end: Where it ends.
        is_cut: Whether the entries lie past the end of the image file; if not, the file could not
            be read there.
    """

    start: int
    end: int
    is_cut: bool = True


class Mapping:
    """Where the bytes of one layer of a virtual disk are.

    Attributes:
        size: Bytes of the virtual disk that are mapped.
        cluster_size: Bytes of a cluster.
    """

    def __init__(self, size: int, cluster_size: int) -> None:
        self.size = size
        self.cluster_size = cluster_size

    def pieces(self, start: int, end: int) -> Iterator[Extents]:
        """Extents that tile [start, end), which lies within the disk, a bounded number at a time.

        Raises:
            Invalid: An entry on the way breaks a rule.
            Unreadable: The source failed.
        """
        raise NotImplementedError

    def batches(self, offset: int = 0, length: int | None = None) -> Iterator[Extents]:
        """Extents that tile a range as far as the disk goes, a bounded number at a time.

        Args:
            offset: Where the range starts on the virtual disk, in bytes.
            length: Its bytes; None for all that follow.
        """
        if offset < 0 or (length is not None and length < 0):
            raise ValueError(f"no range of a disk: {length} bytes at {offset}")
        end = self.size if length is None else min(self.size, offset + length)
        if offset < end:
            for piece in self.pieces(offset, end):
                yield piece.joined()

    def extents(self, offset: int, length: int) -> Extents:
        """Extents that tile a range as far as the disk goes, all at once."""
        return Extents.chained(list(self.batches(offset, length))).joined()

    def why(self, run: Run) -> QcowError | None:
        """Why a run is lost: the first error that a reader without salvage raises in it."""
        return None

    def without_entries(self) -> Iterator[Gap]:
        """Guest ranges whose entries cannot be read, so that they read as not allocated.

        Raises:
            Unreadable: The source failed.
        """
        return iter(())

    def runs(self, offset: int = 0, length: int | None = None) -> Iterator[Run]:
        """The same one by one; neighbours are joined where they lie side by side."""
        for batch in join_batches(self.batches(offset, length)):
            yield from batch.runs()


RunAt = Callable[[int, int], Run]


class RawMapping(Mapping):
    """A layer without tables: any range of it is one extent.

    Args:
        size: See `Mapping`.
        cluster_size: See `Mapping`.
        run_at: The run of a range; see `Walk.run_at`.
        error: Why all of it is lost; None if it can be read.
    """

    def __init__(
        self, size: int, cluster_size: int, run_at: RunAt, error: QcowError | None
    ) -> None:
        super().__init__(size, cluster_size)
        self._run_at, self._error = run_at, error

    def pieces(self, start: int, end: int) -> Iterator[Extents]:
        """One extent; see `Mapping.pieces`."""
        yield Extents.of([self._run_at(start, end)])

    def why(self, run: Run) -> QcowError | None:
        """See `Mapping.why`."""
        return self._error
