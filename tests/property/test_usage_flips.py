"""A bit whose flip nobody notices lies in what `usage` calls a cavity, or in a field named here.

"Nobody": the profile `untrusted` still accepts the image, and all its states read the same.
"""

from __future__ import annotations

import os
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

import qcowspec
from qcowspec.check.findings import Findings
from qcowspec.check.layout import Layout
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Tile, Usage
from qcowspec.errors import QcowError
from qcowspec.image import Image, lay_open
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.structures import lay_open as fields_of
from tests.property.real_images import DATA

IMAGES = {"v3-zstd-512.qcow2": 600, "v2-compressed.qcow2": 500, "v3-refcount-4.qcow2": 250}
"""Three that `untrusted` accepts, and how many bits are flipped: one with few cavities, one with
compressed clusters, one with snapshots."""

LOOSE = {
    Kind.REFCOUNT_BLOCK: "refcounts, which only `check` holds against references",
    Kind.HEADER_EXTENSIONS: "names of features, for people, and the length of the last record",
    Kind.SNAPSHOT_TABLE: "times, clocks and names",
}
"""Kinds that have fields of which no verdict depends."""

HEADER = {"backing_file_size", "snapshots_offset", "l1_size"}
"""Fields of the header that may be anything where there is no backing file and no snapshot, and an
L1 table may have more entries than it needs."""

STREAM = 0.02
"""The share of the bits of compressed streams, at most, that their inflaters pass over."""

JUDGED = Kind.HEADER_PADDING
"""The cavity that `untrusted` wants to be zero."""


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


def flips(data: bytes, count: int) -> Iterator[tuple[int, int, bytes]]:
    """Bits drawn from all of an image's: the byte's offset, the bit, and the image without it."""
    random = Random(19)
    for at in random.sample(range(len(data) * 8), count):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        yield at // 8, at % 8, bytes(changed)


def unjudged(image: Image, tile: Tile, offset: int, bit: int) -> bool:
    """Whether a bit is of a field that no verdict depends on."""
    if tile.kind is Kind.HEADER:
        assert image.metadata.header_part is not None
        leaves = [f for f in fields_of(image.metadata.header_part).walk() if not f.fields]
        return any(f.offset <= offset < f.offset + f.length and f.name in HEADER for f in leaves)
    if tile.kind in (Kind.L2_TABLE, Kind.SNAPSHOT_L2_TABLE):
        return unjudged_entry(image, offset, bit)
    return tile.kind in LOOSE


def unjudged_entry(image: Image, offset: int, bit: int) -> bool:
    """Whether a bit of an L2 entry is one that no verdict depends on."""
    layout, geometry = Layout(image.metadata, image.source, Findings(0)), image.geometry
    tables = layout.tables.offsets.tolist()
    number = bisect(tables, offset) - 1
    index, byte = divmod(offset - tables[number], geometry.l2_entry_size)
    guest = layout.names.guest(int(layout.tables.places[number]), index)
    word = int.from_bytes(image.source.read_at(offset - byte, 8), "big")
    after = word ^ 1 << (8 * (7 - byte) + bit)
    old, new = (L2Entries(value, Frame(geometry)) for value in (word, after))
    return (
        guest >= image.size  # of a cluster past the disk's end
        or old.copied != new.copied  # which only `check` holds against refcounts
        or (old.compressed and old.coffset == new.coffset)  # more sectors than the stream takes
        or (not old.data and not new.data and old.zero != new.zero)  # nothing, or zeros
    )


@pytest.mark.parametrize("name", IMAGES)
def test_what_nobody_notices_is_a_cavity(name: str) -> None:
    data = (DATA / name).read_bytes()
    before, streams, silent_streams = states(data), 0, 0
    silent, wrong = Counter[Kind](), list[str]()
    assert is_silent(data, before)
    with lay_open(data) as image:
        tiles = list(Usage(image, deep=True))
        starts = [tile.offset for tile in tiles]
        for offset, bit, changed in flips(data, IMAGES[name]):
            tile = tiles[bisect(starts, offset) - 1]
            unnoticed = is_silent(changed, before)
            silent[tile.kind] += unnoticed
            if "compressed" in tile.kind.word and not tile.kind.is_cavity:
                streams += 1
                silent_streams += unnoticed
            elif tile.kind.is_cavity:
                if unnoticed == (tile.kind is JUDGED):
                    wrong.append(f"{offset:#x}.{bit}: {tile.kind.word}, noticed: {not unnoticed}")
            elif unnoticed and not unjudged(image, tile, offset, bit):
                wrong.append(f"{offset:#x}.{bit}: {tile.kind.word}")

    assert wrong == []
    assert silent_streams <= STREAM * streams
    hidden = sum(count for kind, count in silent.items() if kind.is_cavity)
    assert hidden >= 0.8 * silent.total()  # what is left of the fields is little
