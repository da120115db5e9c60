"""Every byte of the image file accounted for: what owns it, and which bytes no reader looks at.

In: an opened image, however broken. Out: `Tile`s, from the file's first byte to its last, and their
sums. Refuses: nothing whose header can be read.

    with qcowspec.open("disk.qcow2") as image:
        usage = Usage(image)
        for tile in usage:
            print(tile.offset, tile.length, tile.kind.word)
        usage.totals[Kind.LEAKED].length

`Usage.arrays` gives the same tiles as arrays, for images with millions of them. The tables of the
image are walked once for each stretch of the file, so that memory is bounded: by a stretch's
clusters, and not by the disk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from qcowspec.check.arrays import Numbers
from qcowspec.check.claims import Claimant, HeaderClaims
from qcowspec.check.claims_qcow1 import Qcow1Claims
from qcowspec.check.claims_qcow2 import Qcow2Claims
from qcowspec.check.findings import Progress, silent
from qcowspec.check.followed import Followed, follow
from qcowspec.check.hidden import NOT_READ, Hidden, nonzero
from qcowspec.check.tiles import Claims, Full, Kind, Masks, Meanings
from qcowspec.errors import Invalid
from qcowspec.image import Image
from qcowspec.reader.laid_open import check_image
from qcowspec.spec.metadata import Format

STRETCH = 20 << 20
"""Clusters of the file that are claimed together, at most."""

SPARSE = 8
"""Stretches in a row that are not too full, after which they are made longer again."""

AT_ONCE = 1 << 20
"""Tiles of a batch, at most."""


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
class Batch:
    """Neighbouring tiles, in the order of the file: one element of each array a tile, shape (n,).

    Attributes:
        starts: Host offsets of their first bytes.
        lengths: Bytes.
        kinds: What they are: values of `Kind`.
        meanings: What they are, and what else claims them: numbers of `Usage.meanings`.
        hidden: What was found in the cavities; None where they were not read.
    """

    starts: Numbers
    lengths: Numbers
    kinds: npt.NDArray[np.uint8]
    meanings: Numbers
    hidden: Hidden | None = None

    def __len__(self) -> int:
        return len(self.starts)


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
            Invalid: It has no header that can be read.
        """
        check_image(image)
        if image.metadata.header_part is None:
            raise Invalid("has no header that can be read", path=image.source.name)
        self._image, self.deep, self._progress = image, deep, progress
        self.length = image.source.length
        self.totals: dict[Kind, Total] = defaultdict(Total)
        self.overlaps: dict[tuple[Kind, Kind], int] = defaultdict(int)
        self._meanings = Meanings()

    @property
    def cavities(self) -> Total:
        """The sums of all cavities together."""
        found = [total for kind, total in self.totals.items() if kind.is_cavity]
        columns = ([one.length, one.tiles, one.nonzero] for one in found)
        return Total(*map(sum, zip(*columns, strict=True))) if found else Total()

    @property
    def not_followed(self) -> list[str]:
        """What of the image could not be followed and why, a few words each; empty for a whole one.

        If there is any, what nothing claims is `Kind.NOT_FOLLOWED`: it is not known to be free.
        """
        return self._followed.why

    @cached_property
    def _followed(self) -> Followed:
        return follow(self._image)

    @property
    def meanings(self) -> list[tuple[Kind, tuple[Kind, ...]]]:
        """By number: the kind of a tile, and what else claims it, though it has no right to."""
        return self._meanings.each

    def __iter__(self) -> Iterator[Tile]:
        """The tiles, in the order of the file.

        Raises:
            Unreadable: The source failed.
        """
        for batch in self.arrays():
            for first in range(0, len(batch), OBJECTS):
                some = slice(first, first + OBJECTS)
                columns = [side[some].tolist() for side in (batch.starts, batch.lengths)]
                found = [self.meanings[number] for number in batch.meanings[some].tolist()]
                if batch.hidden is None:
                    for start, length, (kind, also) in zip(*columns, found, strict=True):
                        yield Tile(start, length, kind, also)
                    continue
                hidden = (side[some].tolist() for side in batch.hidden)
                for start, length, (kind, also), count, low, high in zip(
                    *columns, found, *hidden, strict=True
                ):
                    yield Tile(
                        start, length, kind, also, None if count == NOT_READ else count, low, high
                    )

    def arrays(self) -> Iterator[Batch]:
        """The same tiles as arrays, some of them at a time; two neighbours differ.

        Raises:
            Unreadable: The source failed.
        """
        self.totals.clear()
        self.overlaps.clear()
        self._meanings = Meanings()
        for starts, ends, meanings in self._joined():
            kinds = self._meanings.kinds(meanings)
            batch = Batch(starts, ends - starts, kinds, meanings)
            if self.deep:
                batch.hidden = nonzero(
                    self._image.source, starts, ends, kinds >= Kind.HEADER_PADDING
                )
            self._sum(batch)
            yield batch

    def _sum(self, batch: Batch) -> None:
        """Add a batch to the totals."""
        count = len(self.meanings)
        tiles = np.bincount(batch.meanings, minlength=count)
        lengths, found = np.zeros(count, np.int64), np.zeros(count, np.int64)
        np.add.at(lengths, batch.meanings, batch.lengths)
        if batch.hidden is not None:
            np.add.at(found, batch.meanings, np.maximum(batch.hidden.counts, 0))
        for number in np.flatnonzero(tiles).tolist():
            kind, also = self.meanings[number]
            total = self.totals[kind]
            total.length += int(lengths[number])
            total.tiles += int(tiles[number])
            total.nonzero += int(found[number])
            for other in also:
                self.overlaps[kind, other] += int(lengths[number])

    def _joined(self) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
        """Starts, ends and meanings of tiles; neighbours of one meaning are one tile."""
        held: tuple[Numbers, Numbers, Numbers] | None = None
        for starts, ends, masks in self._pieces():
            meanings = self._meanings.of(masks)
            if held is not None:  # the last tile, which this piece may carry on
                starts = np.append(held[0], starts)
                ends = np.append(held[1], ends)
                meanings = np.append(held[2], meanings)
            edges = np.flatnonzero(meanings[1:] != meanings[:-1])
            starts = starts[np.append(0, edges + 1)]
            ends = np.append(starts[1:], ends[-1])
            meanings = meanings[np.append(edges, len(meanings) - 1)]
            held = starts[-1:], ends[-1:], meanings[-1:]
            if len(starts) > 1:
                yield starts[:-1], ends[:-1], meanings[:-1]
        if held is not None:
            yield held

    def _pieces(self) -> Iterator[tuple[Numbers, Numbers, Masks]]:
        """Tiles of all stretches, not too many at a time."""
        for claims in self._stretches():
            for starts, ends, masks in claims.tiles():
                for first in range(0, len(starts), AT_ONCE):
                    some = slice(first, first + AT_ONCE)
                    yield starts[some], ends[some], masks[some]

    def _stretches(self) -> Iterator[Claims]:
        claimant, length = self._claimant(), self.length
        geometry, followed = self._image.metadata.geometry, not self._followed.why
        bits = 0 if geometry is None else geometry.cluster_bits
        if self._followed.layout is None:  # a file of any length, whose tables locate no clusters
            bits = max(bits, (length // STRETCH).bit_length())
        start, clusters, sparse = 0, STRETCH, 0
        while start < length:
            self._progress("usage", start, length)
            claims = Claims(start, min(start + (clusters << bits), length), bits, followed=followed)
            try:
                claimant.fill(claims)
            except Full:
                clusters, sparse = max(1, len(claims.masks) // 2), 0
                continue
            yield claims
            start, sparse = claims.end, sparse + 1
            if sparse == SPARSE:
                clusters, sparse = min(2 * clusters, STRETCH), 0

    def _claimant(self) -> Claimant:
        image, followed = self._image, self._followed
        assert image.metadata.header_part is not None
        if followed.header_only:
            return HeaderClaims(len(image.metadata.header_part.data))
        if image.format is Format.QCOW:
            return Qcow1Claims(image.metadata, image.source, deep=self.deep)
        return Qcow2Claims(followed, deep=self.deep)


CAVITY = np.array([kind.is_cavity for kind in Kind])
"""By kind."""

OBJECTS = 1 << 12
"""Tiles that become objects together."""
