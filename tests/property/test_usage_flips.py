"""A bit whose flip nobody notices lies in what `usage` calls a cavity, or in a field named here.

"Nobody": the profile `untrusted` still accepts the image, and all its states read the same.
"""

from __future__ import annotations

import os
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from qcow_parsers import constants as c

import qcowspec
from qcowspec.check.findings import Findings
from qcowspec.check.layout import Layout
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Tile, Usage
from qcowspec.errors import QcowError
from qcowspec.image import Image, lay_open
from qcowspec.spec import decoding
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.structures import Part
from qcowspec.spec.structures import lay_open as fields_of
from qcowspec.spec.units import whole_sectors
from tests.property.real_images import DATA

PAGE = Path(__file__).parents[2] / "docs" / "usage.md"

IMAGES = [
    "showcase-base.qcow2",
    "v2-512.qcow2",
    "v2-compressed.qcow2",
    "v3-bitmaps-in-use.qcow2",
    "v3-extended-l2-16k.qcow2",
    "v3-extended-l2.qcow2",
    "v3-l1-larger.qcow2",
    "v3-preallocated.qcow2",
    "v3-refcount-4.qcow2",
    "v3-upgraded.qcow2",
    "v3-zstd-512.qcow2",
]
"""Images that `untrusted` accepts."""

FLIPS = 40
"""Bits of each kind that are flipped; of guest data and of cavities a quarter."""

LOOSE = {Kind.REFCOUNT_TABLE, Kind.REFCOUNT_BLOCK, Kind.BITMAP_TABLE, Kind.BITMAP_DATA}
"""Kinds without a field on which a verdict of `untrusted`, or a state of the disk, depends."""

FIELDS = {
    Kind.HEADER: {
        "backing_file_size", "snapshots_offset", "l1_size", "header_length", "refcount_order",
        "refcount_table_offset", "refcount_table_clusters", "compatible_features",
        "autoclear_features",
    },
    Kind.SNAPSHOT_TABLE: {
        "date_sec", "date_nsec", "vm_clock_nsec", "vm_state_size", "id_str", "name", "icount",
        "id_str_size", "name_size", "extra_data_size", "l1_size",
    },
    Kind.BITMAP_DIRECTORY: {
        "bitmap_table_offset", "bitmap_table_size", "flags", "granularity_bits", "name",
    },
}  # fmt: skip
"""Fields on which nothing depends, at least in images that lack what they are about."""

SECTOR = c.BDRV_SECTOR_SIZE.bit_length() - 1

STREAM = 0.3
"""The share of the bits of a compressed stream, at most, whose flip gives another code for the same
bytes: where data repeat, a match may lie in several places."""


def states(data: bytes, sizes: list[int] | None = None) -> list[bytes]:
    """The guest's bytes in all states; none if these have not the sizes that they had."""
    with qcowspec.open(data) as image:
        names = [None, *(os.fsdecode(entry.id_str) for entry in image.snapshots)]
        disks = [image.disk(name) for name in names]
        if sizes is not None and [disk.size for disk in disks] != sizes:
            return []  # a disk of 2^60 bytes is not read
        return [disk.pread(0, disk.size) for disk in disks]


def is_silent(data: bytes, before: list[bytes]) -> bool:
    """Whether an image is accepted, and reads as it did."""
    try:
        accepted = qcowspec.validate(data, profile="untrusted").accepted
        return accepted and states(data, [len(state) for state in before]) == before
    except QcowError:
        return False


def flips(tiles: list[Tile]) -> Iterator[tuple[Tile, int, int]]:
    """Bits drawn from each kind: the tile, the byte's offset, and the bit."""
    random, by_kind = Random(19), defaultdict[Kind, list[Tile]](list)
    for tile in tiles:
        by_kind[tile.kind].append(tile)
    for kind, found in by_kind.items():
        ends = np.cumsum([tile.length * 8 for tile in found]).tolist()
        few = kind.is_cavity or kind.word.endswith("data")
        for at in random.sample(range(ends[-1]), min(ends[-1], FLIPS // 4 if few else FLIPS)):
            tile = found[bisect(ends, at)]
            at -= ends[bisect(ends, at)] - tile.length * 8
            yield tile, tile.offset + at // 8, at % 8


class Reasons:
    """Why nobody notices the flip of a bit that is no cavity's."""

    def __init__(self, image: Image) -> None:
        self.image, self.geometry = image, image.geometry
        self.layout = Layout(image.metadata, image.source, Findings(0))
        self.frame = Frame(image.geometry)

    def hold(self, tile: Tile, offset: int, bit: int) -> bool:
        """Whether there is one."""
        metadata, kind = self.image.metadata, tile.kind
        if kind in LOOSE:
            return True
        if kind in (Kind.L1_TABLE, Kind.SNAPSHOT_L1_TABLE):
            return self._l1_entry(offset, bit)
        if kind in (Kind.L2_TABLE, Kind.SNAPSHOT_L2_TABLE):
            return self._l2_entry(offset, bit)
        if kind is Kind.HEADER_EXTENSIONS:
            return self._extension(offset)
        parts: dict[Kind, Any] = {
            Kind.HEADER: [metadata.header_part],
            Kind.SNAPSHOT_TABLE: metadata.snapshots.parts,
            Kind.BITMAP_DIRECTORY: metadata.bitmaps.parts,
        }
        name, place = self._field(parts.get(kind, []), offset)
        if name in ("size", "disk_size"):  # the disk ends with its last whole sector
            return 8 * (7 - place) + bit < SECTOR
        return name in FIELDS.get(kind, ())

    def _field(self, parts: Any, offset: int) -> tuple[str, int]:
        """The name of the field that has a byte, and which of its bytes that is."""
        part: Part[Any]
        for part in parts:
            for field in fields_of(part).walk():
                if not field.fields and field.offset <= offset < field.offset + field.length:
                    return field.name, offset - field.offset
        return "", 0

    def _extension(self, offset: int) -> bool:
        """The names of features, and the length of the last record."""
        for part in self.image.metadata.extensions.parts:
            if part.offset <= offset < part.offset + len(part.data):
                magic = int(part.parse().magic)
                if magic == c.QCOW2_EXT_MAGIC_FEATURE_TABLE:
                    return offset >= part.offset + 8
                return magic == c.QCOW2_EXT_MAGIC_END and offset >= part.offset + 4
        return False

    def _l1_entry(self, offset: int, bit: int) -> bool:
        """The copied flag; an entry past the disk's end; a table with the same bytes."""
        place = offset & -8
        word, after = self._words(place, offset, bit)
        old, new = (int(decoding.l1_offset(value)) for value in (word, after))
        beyond = self.layout.names.guest(place) >= self.image.size
        return beyond or self._table(old) == self._table(new)

    def _table(self, offset: int) -> bytes:
        size = self.geometry.l2_table_size
        return self.image.source.read_at(offset, size).ljust(size, b"\0") if offset else bytes(size)

    def _l2_entry(self, offset: int, bit: int) -> bool:
        """What `docs/usage.md` says of L2 entries."""
        tables, size = self.layout.tables, self.geometry.l2_entry_size
        number = bisect(tables.offsets.tolist(), offset) - 1
        index, byte = divmod(offset - int(tables.offsets[number]), size)
        start = offset - byte
        if self.layout.names.guest(int(tables.places[number]), index) >= whole_sectors(
            self.image.size
        ):
            return True  # of a cluster past the disk's end
        pairs = [self._words(start, offset, bit)]
        if size > 8:
            pairs.append(self._words(start + 8, offset, bit))
        values, bitmaps = pairs[0], pairs[1] if size > 8 else (0, 0)
        old, new = (L2Entries(values[i], self.frame, 0, bitmaps[i]) for i in (0, 1))
        if old.compressed or new.compressed:
            same = old.compressed and new.compressed and old.coffset == new.coffset
            return bool(same) and bitmaps[0] == bitmaps[1]
        return self._reads(old) == self._reads(new)

    def _reads(self, view: L2Entries) -> bytes:
        """What a standard cluster reads as; nothing is below it, so that gaps are zeros."""
        size, parts = self.geometry.cluster_size, c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
        data = self.image.source.read_at(int(view.offset), size).ljust(size, b"\0")
        if not self.geometry.has_extended_l2:
            return data if view.data else bytes(size)
        step, has = size // parts, int(view.allocated_subclusters)
        return b"".join(
            data[part * step : (part + 1) * step] if has >> part & 1 else bytes(step)
            for part in range(parts)
        )

    def _words(self, place: int, offset: int, bit: int) -> tuple[int, int]:
        """A word of the image, before and after a bit is flipped, which may lie elsewhere."""
        word = int.from_bytes(self.image.source.read_at(place, 8), "big")
        inside = place <= offset < place + 8
        return word, word ^ (1 << 8 * (7 - offset + place) + bit if inside else 0)


def is_judged(image: Image, tile: Tile, offset: int) -> bool:
    """Whether `untrusted` wants a byte of a cavity to be zero: of what follows the last record."""
    last = image.extensions.part(len(image.extensions) - 1)
    return tile.kind is Kind.HEADER_PADDING and offset >= last.offset


@pytest.mark.parametrize("name", IMAGES)
def test_what_nobody_notices_is_a_cavity_or_a_named_field(name: str) -> None:
    data = (DATA / name).read_bytes()
    before, wrong = states(data), list[str]()
    silent, asked = Counter[Kind](), Counter[Kind]()
    assert is_silent(data, before)
    with lay_open(data) as image:
        reasons = Reasons(image)
        for tile, offset, bit in flips(list(Usage(image, deep=True))):
            changed = bytearray(data)
            changed[offset] ^= 1 << bit
            unnoticed = is_silent(bytes(changed), before)
            asked[tile.kind] += 1
            silent[tile.kind] += unnoticed
            named = f"{offset:#x}.{bit}: {tile.kind.word}, noticed: {not unnoticed}"
            if tile.kind.is_cavity:
                if unnoticed == is_judged(image, tile, offset):
                    wrong.append(named)
            elif "compressed" in tile.kind.word:
                continue
            elif unnoticed and not reasons.hold(tile, offset, bit):
                wrong.append(named)

    assert wrong == []
    for kind, count in asked.items():
        if "compressed" in kind.word and not kind.is_cavity:
            assert silent[kind] <= STREAM * count


def test_the_page_names_every_field_on_which_nothing_depends() -> None:
    page = PAGE.read_text(encoding="utf-8")

    names = {kind.word for kind in LOOSE}.union(*FIELDS.values())
    assert sorted(name for name in names if f"`{name}`" not in page) == []
