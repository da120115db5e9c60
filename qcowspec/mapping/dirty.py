"""The dirty ranges of a persistent bitmap, as arrays.

In: an opened image, and an entry of its bitmap directory. Out: `Dirty`, which tiles the disk.
Refuses: a table that does not cover the disk, and entries that break a rule.

Clusters whose bits are all ones or all zeros by their table entry cost one element each, whatever
they cover. The bits of others are compared with their neighbours 64 at a time: only words in which
a bit differs from the one before are taken apart.

Source: docs/interop/qcow2, Bitmap table, Bitmap data; block/qcow2-bitmap.c: load_bitmap_data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.errors import COMPARED, LONGEST_WORD, Invalid, QcowError, offered
from qcowspec.errors import name_of as shown
from qcowspec.mapping.spans import Flags, Offsets, Rows, Spans, join_batches
from qcowspec.sources.batches import read_tables, read_words
from qcowspec.sources.source import Source
from qcowspec.spec.entries import BitmapTableEntries, Frame
from qcowspec.spec.entry_rules import bitmaps_reserved, on_cluster
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.rules import BY_ID, error_of
from qcowspec.spec.sentences import sentence
from qcowspec.spec.units import BITS_PER_BYTE, whole_sectors

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

    from qcowspec.spec.named import Bitmap

PIECE = 64 << 10
"""Bytes of bits that are held at a time: half a million ranges at most."""

WORD = 64
"""Bits that are compared at a time."""

SIZE = c.BME_TABLE_ENTRY_SIZE


@dataclass(frozen=True, slots=True)
class Dirty(Spans):
    """Ranges of a virtual disk that leave no gap, as arrays of shape (n,).

    Attributes:
        starts: Guest offsets in bytes, dtype uint64, rising.
        lengths: Bytes of each, dtype uint64, above 0.
        dirty: Whether the bitmap marks the range as written to, dtype bool.
    """

    starts: Offsets
    lengths: Offsets
    dirty: Flags

    def parts(self, rows: Rows, starts: Offsets, lengths: Offsets) -> Dirty:
        """See `Spans.parts`."""
        return Dirty(starts, lengths, self.dirty[rows])

    def joined(self) -> Dirty:
        """The same with neighbours made one that are both dirty, or both clean."""
        return self.merged(self.dirty[1:] == self.dirty[:-1]) if len(self) else self


def bitmap_of(image: Metadata, name: str | bytes, path: str) -> Bitmap:
    """The entry of a bitmap, by its name; of several of one name, the first, as QEMU has it.

    Raises:
        Invalid: The image, which is the file `path`, has no such bitmap.
    """
    if not isinstance(name, (str, bytes)):
        raise TypeError(f"a bitmap's name is text or bytes, not {type(name).__name__}")
    wanted = os.fsencode(name)
    for entry in image.bitmaps:
        if name_of(entry) == wanted:
            return entry
    word = os.fsdecode(wanted)
    entries = islice(image.bitmaps, COMPARED)
    near = offered(word, (shown(name_of(each), LONGEST_WORD)[1:-1] for each in entries))
    stale = f"; {STALE}" if is_stale(image) else ""
    raise Invalid(f"has no bitmap {word!r}{stale}{near and f'.{near}'}", path=path)


def name_of(entry: Qcow2.BitmapDirectoryEntry) -> bytes:
    """A bitmap's name as QEMU has it: a zero byte ends it."""
    return entry.name.partition(b"\0")[0]


def is_stale(image: Metadata) -> bool:
    """Whether an image has bitmaps that are out of date as a whole."""
    return image.bitmaps_extension is not None and not image.qcow2_header.has_bitmaps


STALE = (
    "its bitmaps are out of date, and not read: bit 0 of autoclear_features is clear, so a program"
    " that does not know bitmaps has written to the image"
)


def dirty(
    image: Metadata,
    source: Source,
    bitmap: Qcow2.BitmapDirectoryEntry,
    offset: int = 0,
    length: int | None = None,
) -> Iterator[Dirty]:
    """What a bitmap says of a range, as far as the disk goes, some ranges at a time.

    Neighbours that are both dirty or both clean are one, from one batch to the next as well.

    Args:
        image: What opening read; it breaks no rule for which QEMU refuses the image.
        source: The image file.
        bitmap: The bitmap; one that is in use too.
        offset: Where to begin, in bytes.
        length: How far to look, in bytes; None for all that follows.

    Raises:
        Invalid: The bitmap is in use and its table is too short, or has an entry that breaks a
            rule.
        Unreadable: The source failed.
    """
    if offset < 0 or (length is not None and length < 0):
        raise ValueError(f"no range of a disk: {length} bytes at {offset}")
    return join_batches(BitmapReader(image, source, bitmap).read(offset, length))


class _Pieces(NamedTuple):
    """Pieces of a bitmap, as arrays of shape (n,).

    Attributes:
        first: Number of the first bit of each.
        ones: Whether all bits are ones; of stored ones, False.
        stored: Whether the bits are in the file.
        hosts: Host offset of stored bits.
    """

    first: Offsets
    ones: Flags
    stored: Flags
    hosts: Offsets


class BitmapReader:
    """Reads the bits of one bitmap.

    Attributes:
        work: Bytes of the table and of bits that were read so far.
    """

    def __init__(self, image: Metadata, source: Source, bitmap: Qcow2.BitmapDirectoryEntry) -> None:
        assert image.geometry is not None
        self._source, self._bitmap = source, bitmap
        self._frame = Frame(image.geometry, length=source.length)
        self._size = whole_sectors(image.qcow2_header.size)
        self._cluster = image.geometry.cluster_size
        self._piece = min(self._cluster, PIECE)
        self._bits = self._cluster * BITS_PER_BYTE
        self.work = 0

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[Dirty]:
        """Ranges that tile a range of the disk, in batches; neighbours may be alike."""
        end = self._size if length is None else min(self._size, offset + length)
        if offset >= end:
            return
        if self._bitmap.bitmap_table_size < self._bitmap.bitmap_table_size_needed:
            raise self._too_short()
        covered = self._bits * self._bitmap.granularity  # by one entry
        table = self._bitmap.bitmap_table_offset
        start, stop = (table + number * SIZE for number in (offset // covered, -(-end // covered)))
        done = offset
        for at, words in read_words(self._source, start, stop):
            self.work += len(words) * SIZE
            for pieces in self._batches(at, words):
                if done >= end:  # what is left of a cluster
                    return
                if len(found := self._ranges(pieces).cut(offset, end)):
                    done = found.end
                    yield found
        if done < end:  # past the end of the file QEMU reads zeros
            yield Dirty(
                np.array([done], np.uint64),
                np.array([end - done], np.uint64),
                np.zeros(1, np.bool_),
            )

    def _batches(self, at: int, words: Offsets) -> Iterator[_Pieces]:
        """Entries in pieces, about `PIECE` stored bytes at a time."""
        entries = BitmapTableEntries(words, self._frame)
        self._judge(entries, at)
        stored = entries.offset != 0
        counts = np.where(stored, self._cluster // self._piece, 1)
        each = np.repeat(np.arange(len(words)), counts)
        within = np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts)
        ahead = within.astype(np.uint64) * np.uint64(self._piece)
        number = (at - self._bitmap.bitmap_table_offset) // SIZE
        whole = _Pieces(
            (each.astype(np.uint64) + np.uint64(number)) * np.uint64(self._bits)
            + ahead * np.uint64(BITS_PER_BYTE),
            entries.all_ones[each],
            stored[each],
            entries.offset[each] + ahead,
        )
        filled = np.cumsum(whole.stored) // max(1, PIECE // self._piece)
        marks = np.flatnonzero(np.diff(filled)) + 1
        for low, high in pairwise([0, *marks.tolist(), len(each)]):
            rows = slice(low, high)
            yield _Pieces(
                whole.first[rows], whole.ones[rows], whole.stored[rows], whole.hosts[rows]
            )

    def _ranges(self, pieces: _Pieces) -> Dirty:
        """The ranges of some pieces, which follow one another."""
        step = np.uint64(self._bitmap.granularity)
        starts, values = [pieces.first], [pieces.ones]
        kept = np.flatnonzero(pieces.stored)
        last = self._bits if not pieces.stored[-1] else self._piece * BITS_PER_BYTE
        end = (int(pieces.first[-1]) + last) * int(step)
        if len(kept):
            self.work += len(kept) * self._piece
            ones = pieces.ones.copy()
            for chosen, data in read_tables(self._source, pieces.hosts[kept], self._piece):
                words = data.view("<u8").astype(np.uint64)
                before = words[:, :1] & np.uint64(1)
                ones[kept[chosen]] = before[:, 0] != 0
                before = np.hstack((before, words[:, :-1] >> np.uint64(WORD - 1)))
                row, column = np.nonzero(differs := words ^ (words << np.uint64(1) | before))
                which, bit = _ones(differs[row, column])
                row, column = row[which], column[which]
                places = pieces.first[kept[chosen]][row]
                places += (column * WORD + bit).astype(np.uint64)
                starts.append(places)
                values.append(words[row, column] >> bit.astype(np.uint64) & np.uint64(1) != 0)
            values[0] = ones
        order = np.argsort(bits := np.concatenate(starts), kind="stable")
        begins = bits[order] * step
        lengths = np.diff(begins, append=np.uint64(end))
        return Dirty(begins, lengths, np.concatenate(values)[order]).joined()

    def _judge(self, entries: BitmapTableEntries, at: int) -> None:
        """Refuse the first entry that breaks a rule, as QEMU's check_table_entry does."""
        held = {
            "bitmaps/reserved": bitmaps_reserved(entries),
            "bitmaps/cluster-offset": on_cluster(entries),
        }
        wrong = {rule: int(np.argmin(kept)) for rule, kept in held.items() if not kept.all()}
        if not wrong:
            return
        rule = min(wrong, key=lambda each: wrong[each])
        index = wrong[rule]
        number = (at - self._bitmap.bitmap_table_offset) // SIZE + index
        raise error_of(
            rule,
            int(entries.words[index]),
            offset=at + index * SIZE,
            field=f"bitmap_table[{number}].{BY_ID[rule].field}",
            path=self._source.name,
        )

    def _too_short(self) -> QcowError:
        """The error of the table of a bitmap in use, whose size no rule demands on opening."""
        row = BY_ID["bitmaps/table-size-exact"]
        size, needed = self._bitmap.bitmap_table_size, self._bitmap.bitmap_table_size_needed
        return error_of(
            row.id,
            size,
            offset=None,
            field=str(row.field),
            path=self._source.name,
            message=sentence(row, size, needed),
        )


def _ones(words: Offsets) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The bits that are set: the number of each one's word, and its own, rising."""
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")
    word, bit = np.nonzero(bits.reshape(-1, WORD))
    return word, bit
