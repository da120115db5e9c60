"""Every byte of the image file accounted for: what owns it, and which bytes no reader looks at.

In: an opened image. Out: `Tile`s, from the file's first byte to its last, and their sums. Refuses:
an image that QEMU does not open for a check, as `owners` does.

    with qcowspec.open("disk.qcow2") as image:
        usage = Usage(image)
        for tile in usage:
            print(tile.offset, tile.length, tile.kind.word)
        usage.totals[Kind.LEAKED].length

The tables are walked once for each stretch of the file, so that memory is bounded: by a stretch's
clusters, and not by the disk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qcowspec.check import refuse
from qcowspec.check.claims import Claimant, Qcow1Claims, Qcow2Claims
from qcowspec.check.findings import Findings, Progress, silent
from qcowspec.check.layout import Layout
from qcowspec.check.regions import Aborted
from qcowspec.check.tiles import Claims, Kind
from qcowspec.errors import Invalid
from qcowspec.image import Image
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Format

STRETCH = 1 << 22
"""Clusters of the file whose tiles are made together."""

PIECE = 1 << 20
"""Bytes of a cavity that are read at once."""


@dataclass(slots=True)
class Tile:
    """A run of bytes of one kind.

    Attributes:
        offset: Host offset of the first byte.
        length: Bytes.
        kind: What they are.
        also: What else claims them, though it has no right to: the image is broken.
        nonzero: Of a cavity, how many of them are not zero; None where they were not read.
        first: Host offset of the first of these; 0 if there is none.
        last: Host offset of the last of them.
    """

    offset: int
    length: int
    kind: Kind
    also: tuple[Kind, ...] = ()
    nonzero: int | None = None
    first: int = 0
    last: int = 0

    @property
    def end(self) -> int:
        """Host offset of the byte after the last."""
        return self.offset + self.length


@dataclass(slots=True)
class Total:
    """All tiles of a kind together: bytes, tiles, and bytes that are known not to be zero."""

    length: int = 0
    tiles: int = 0
    nonzero: int = 0


class Usage:
    """The tiles of an image file, and their sums.

    Attributes:
        length: Bytes of the file.
        deep: Whether cavities are read, and compressed clusters inflated.
        totals: The sums, by kind, of all tiles that were iterated over.
        overlaps: Bytes that more than one kind claims, by the kind of the tile and the other.
    """

    def __init__(self, image: Image, *, deep: bool = False, progress: Progress = silent) -> None:
        """Take an image; nothing is read.

        Args:
            image: The image, as `qcowspec.image.open` or `lay_open` gives it.
            deep: Read the cavities to count the bytes that are not zero, and inflate compressed
                clusters to find where each payload ends.
            progress: Shows how far it is; see `qcowspec.check.findings.Progress`.

        Raises:
            Malformed, Invalid, Unsupported: A rule is broken for which QEMU does not check it.
        """
        refuse(image)
        self._image, self.deep, self._progress = image, deep, progress
        self.length = image.source.length
        self.totals: dict[Kind, Total] = defaultdict(Total)
        self.overlaps: dict[tuple[Kind, Kind], int] = defaultdict(int)

    @property
    def cavities(self) -> Total:
        """The sums of all cavities together."""
        found = [total for kind, total in self.totals.items() if kind.is_cavity]
        columns = ([one.length, one.tiles, one.nonzero] for one in found)
        return Total(*map(sum, zip(*columns, strict=True))) if found else Total()

    def __iter__(self) -> Iterator[Tile]:
        """The tiles, in the order of the file.

        Raises:
            Invalid: The image's structures are broken so that QEMU gives a check up.
            Unreadable: The source failed.
        """
        self.totals.clear()
        self.overlaps.clear()
        for tile in self._joined():
            if self.deep and tile.kind.is_cavity:
                tile.nonzero, tile.first, tile.last = nonzero(self._image.source, tile)
            total = self.totals[tile.kind]
            total.length += tile.length
            total.tiles += 1
            total.nonzero += tile.nonzero or 0
            for other in tile.also:
                self.overlaps[tile.kind, other] += tile.length
            yield tile

    def _joined(self) -> Iterator[Tile]:
        """The tiles; those that a stretch's end cuts are one."""
        held: Tile | None = None
        for claims in self._stretches():
            for start, end, kind, also in claims.tiles():
                if held is not None and (held.kind, held.also) == (kind, also):
                    held.length += end - start
                    continue
                if held is not None:
                    yield held
                held = Tile(start, end - start, kind, also)
        if held is not None:
            yield held

    def _stretches(self) -> Iterator[Claims]:
        claimant, length = self._claimant(), self.length
        step = STRETCH << self._image.geometry.cluster_bits
        for start in range(0, length, step):
            self._progress("usage", start, length)
            claims = Claims(start, min(start + step, length))
            claimant.fill(claims)
            yield claims

    def _claimant(self) -> Claimant:
        image, path = self._image, self._image.source.name
        if image.format is Format.QCOW:
            return Qcow1Claims(image.metadata, image.source, deep=self.deep)
        try:
            layout = Layout(image.metadata, image.source, Findings(0))
        except Aborted as reason:
            raise Invalid(f"has structures that are not followed: {reason}", path=path) from reason
        return Qcow2Claims(layout, deep=self.deep)


def nonzero(source: Source, tile: Tile) -> tuple[int, int, int]:
    """How many bytes of a tile are not zero, and where the first and the last are; holes are."""
    count = first = last = 0
    at = tile.offset
    while (at := source.next_data(at)) < tile.end:
        end = min(source.next_hole(at), tile.end)
        while at < end:
            data = source.read_once(at, min(PIECE, end - at))
            if not data:
                return count, first, last  # the file has shrunk
            found = np.flatnonzero(np.frombuffer(data, np.uint8))
            if len(found):
                first = first if count else at + int(found[0])
                count, last = count + len(found), at + int(found[-1])
            at += len(data)
    return count, first, last
