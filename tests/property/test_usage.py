"""Every byte of an image file is in one tile of `usage`, whatever the image is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest

from qcowspec.check import owners, refusal, usage
from qcowspec.check.ownership import Owner, overlapping
from qcowspec.check.tiles import UNSURE, Kind
from qcowspec.check.usage import Tile, Usage
from qcowspec.errors import NotQcow, QcowError
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.mutations import mutate
from qcowspec.fuzzing.places import Places
from qcowspec.image import Image, lay_open
from qcowspec.spec.metadata import Format
from tests.every import every
from tests.property.real_images import DATA, IMAGES, SMALL_IMAGES

BASES = [path for path in SMALL_IMAGES if path.stat().st_size < 64 << 10]

UNREFERENCED = {Kind.LEAKED, Kind.FREE, Kind.TAIL}


def tiles(image: Image, *, deep: bool = False) -> list[Tile]:
    """All tiles of an image."""
    return list(Usage(image, deep=deep))


def assert_tiled(image: Image, found: list[Tile]) -> None:
    """The tiles lie side by side, and none is empty."""
    edges = [0, *(tile.end for tile in found)]
    assert [tile.offset for tile in found] == edges[:-1]
    assert all(tile.length > 0 for tile in found)
    assert edges[-1] == image.source.length
    kinds = [(tile.kind, tile.also) for tile in found]
    assert all(one != other for one, other in pairwise(kinds))


def assert_owned(image: Image, found: list[Tile]) -> None:
    """The clusters that nothing references are those of `owners`, which counts as QEMU does."""
    if image.format is Format.QCOW:
        return
    size, length = image.geometry.cluster_size, image.source.length
    named = np.zeros(image.geometry.clusters(length), bool)
    for tile in found:
        if tile.kind not in UNREFERENCED:
            named[tile.offset // size : (tile.end - 1) // size + 1] = True
    owned = owners(image)[: len(named)] != 0

    assert np.flatnonzero(named & ~owned).tolist() == []
    assert np.flatnonzero(owned & ~named).tolist() == []


L2_TABLES = Owner.L2_TABLE | Owner.SNAPSHOT_L2_TABLE
"""The bits of `owners`."""


def assert_overlaps(image: Image, found: list[Tile]) -> None:
    """What `check` calls an overlap is one; it does not look at what ends past the file's end."""
    if refusal(image.judge) is not None:
        return  # nor does `check` look at it
    if image.format is Format.QCOW2:
        owned = owners(image)
        if int(owned[0]) & L2_TABLES:
            return  # as QEMU's, it follows L1 entries without an offset: to the header
        if overlapping(owned).any():
            assert any(tile.also for tile in found)


@every("path", IMAGES, ids=lambda path: path.name)
def test_tiles_of_real_images(path: Path) -> None:
    with lay_open(path) as image:
        found = tiles(image, deep=True)
        data = path.read_bytes()

        assert Usage(image).not_followed == []
        assert_tiled(image, found)
        assert_owned(image, found)
        for tile in found:
            if tile.kind.is_cavity:
                part = data[tile.offset : tile.end]
                assert tile.nonzero == len(part) - part.count(0)
            assert tile.also == ()


def mutants() -> Iterator[tuple[str, bytes]]:
    for path in BASES:
        seed = Places(path.read_bytes())
        for number in range(MUTANTS):
            made = mutate(seed, Random(number), most=3)
            yield f"{path.name}-{number}", made.data


MUTANTS = 12


def broken() -> Iterator[tuple[str, bytes]]:
    """Vectors and mutants."""
    for vector in vectors.everything():
        yield vector.id, vectors.image(vector)
    yield from mutants()


def test_tiles_of_vectors_and_mutants() -> None:
    """Every image whose header can be read is tiled; what is not followed is no cavity."""
    tiled = partly = 0
    for name, data in broken():
        try:
            image = lay_open(data)
        except NotQcow:
            continue
        with image:
            asked = Usage(image, deep=True)
            found = list(asked)
            kinds = {tile.kind for tile in found}
            tiled, partly = tiled + 1, partly + bool(asked.not_followed)
            try:
                assert_tiled(image, found)
                if asked.not_followed:
                    assert not kinds & {*UNREFERENCED, *UNSURE}
                else:
                    assert Kind.NOT_FOLLOWED not in kinds
                    assert_overlaps(image, found)
            except (AssertionError, QcowError) as error:
                raise AssertionError(name) from error

    assert (tiled > 900, partly > 100) == (True, True), (tiled, partly)


def test_stretches_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles do not depend on how many clusters, or ranges, are looked at together."""
    for name in ("showcase.qcow2", "v3-extended-l2.qcow2", "v3-vmstate.qcow2", "v1-backing.qcow"):
        with lay_open(DATA / name) as image:
            whole = tiles(image, deep=True)
            with monkeypatch.context() as patch:
                patch.setattr(usage, "STRETCH", 2)
                assert tiles(image, deep=True) == whole
            with monkeypatch.context() as patch:
                patch.setattr("qcowspec.check.tiles.HELD", 3)
                patch.setattr("qcowspec.check.tiles.CHUNK", 2)
                assert tiles(image, deep=True) == whole


def test_compressed_clusters_are_counted_to_the_end_of_their_stream() -> None:
    """Without inflating, all that the entries claim counts as payload."""
    with lay_open(DATA / "v2-compressed.qcow2") as image:
        claimed, inflated = Usage(image), Usage(image, deep=True)
        assert_tiled(image, list(claimed))
        assert_tiled(image, list(inflated))

    more = claimed.totals[Kind.COMPRESSED].length - inflated.totals[Kind.COMPRESSED].length
    assert more > 0
    assert inflated.cavities.length - claimed.cavities.length == more


def test_hidden_bytes_are_found() -> None:
    """Bytes that are planted in a cavity are counted there, and located."""
    data = bytearray((DATA / "v3-leaks.qcow2").read_bytes())
    with lay_open(bytes(data)) as image:
        before = Usage(image, deep=True)
        gap = next(tile for tile in before if tile.kind is Kind.TABLE_PADDING)
    data[gap.offset + 3] = data[gap.end - 1] = 0xFF
    with lay_open(bytes(data)) as image:
        after = [tile for tile in Usage(image, deep=True) if tile.offset == gap.offset]

    assert [(t.nonzero, t.first, t.last) for t in after] == [(2, gap.offset + 3, gap.end - 1)]


@pytest.mark.parametrize("deep", [False, True], ids=["tables", "deep"])
@pytest.mark.parametrize("at_once", [1, 3, 1 << 20])
def test_arrays_say_what_the_tiles_say(
    deep: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come at a time."""
    monkeypatch.setattr(usage, "AT_ONCE", at_once)
    with lay_open(DATA / "showcase.qcow2") as image:
        found, asked = tiles(image, deep=deep), Usage(image, deep=deep)
        rows = list[Tile]()
        for batch in asked.arrays():
            columns = [batch.starts.tolist(), batch.lengths.tolist(), batch.kinds.tolist()]
            columns += [batch.meanings.tolist()]
            hidden = batch.hidden or [[None] * len(batch), [0] * len(batch), [0] * len(batch)]
            for start, length, kind, meaning, count, first, last in zip(
                *columns, *hidden, strict=True
            ):
                assert asked.meanings[meaning][0] == kind
                nonzero = None if count in (None, -1) else count
                also = asked.meanings[meaning][1]
                rows.append(Tile(start, length, Kind(kind), also, nonzero, first, last))

        assert rows == found
        assert sum(total.length for total in asked.totals.values()) == image.source.length


def test_an_l1_entry_without_an_offset_locates_no_l2_table(tmp_path: Path) -> None:
    # qemu-img check follows it, to the header; a reader, qemu-io among them, finds no table.
    empty = DATA / "v3-empty.qcow2"
    data = bytearray(empty.read_bytes())
    at = Places(bytes(data)).find("header.l1_table_offset").value
    assert isinstance(at, int)
    data[at] = 0x80
    changed = tmp_path / "copied.qcow2"
    changed.write_bytes(data)

    def sums(path: Path) -> tuple[object, object]:
        with lay_open(path) as image:
            found = Usage(image)
            list(found)
        return found.totals, found.overlaps

    assert sums(changed) == sums(empty)
