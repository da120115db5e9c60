"""Block status as arrays means what it means stretch by stretch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qcowspec.fuzzing.vectors import base
from qcowspec.guest.holes import is_preallocated, split_at_holes
from qcowspec.guest.status import WINDOW, Status, _overlaid, _windows
from qcowspec.image import Image
from qcowspec.mapping import NOWHERE, Extents, Kind, Run
from qcowspec.reader.opening import laid_open
from qcowspec.sources.local import LocalFile
from qcowspec.sources.memory import Memory
from qcowspec.sources.spool import Spooled
from qcowspec.spec.units import GuestOffset, HostOffset

BLOCK = 64 << 10


def sparse(path: Path, blocks: list[bool]) -> LocalFile:
    """A file with data in some blocks and holes in the others."""
    with path.open("wb") as file:
        for index, full in enumerate(blocks):
            if full:
                file.seek(index * BLOCK)
                file.write(b"x" * BLOCK)
        file.truncate(len(blocks) * BLOCK)
    return LocalFile(str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.booleans(), max_size=40),
    st.lists(st.tuples(st.integers(0, 45), st.integers(1, 9), st.booleans()), min_size=1),
)
def test_stretches_are_cut_where_holes_begin_and_end(
    tmp_path: Path, blocks: list[bool], stretches: list[tuple[int, int, bool]]
) -> None:
    source = sparse(tmp_path / "file", blocks)
    offsets = np.array([at * BLOCK for at, _, _ in stretches], np.uint64)
    lengths = np.array([count * BLOCK for _, count, _ in stretches], np.uint64)
    wanted = np.array([flag for _, _, flag in stretches])
    rows, ahead, sizes, hole = split_at_holes(source, offsets, lengths, wanted)
    source.close()

    found = [
        (row, (int(before) + at) // BLOCK, bool(empty))
        for row, before, size, empty in zip(rows.tolist(), ahead, sizes, hole, strict=True)
        for at in range(0, int(size), BLOCK)
    ]
    full = dict(enumerate(blocks))
    assert found == [
        (row, index, flag and not full.get(at + index, False))
        for row, (at, count, flag) in enumerate(stretches)
        for index in range(count)
    ]


def test_a_source_that_knows_no_holes_has_one_behind_its_end() -> None:
    offsets, lengths = np.array([0, 600], np.uint64), np.array([600, 600], np.uint64)
    pieces = split_at_holes(Memory(bytes(1000)), offsets, lengths, np.array([True, True]))

    assert [column.tolist() for column in pieces] == [
        [0, 1, 1], [0, 0, 400], [600, 400, 200], [False, False, True],
    ]  # fmt: skip


def test_of_a_file_that_came_as_a_stream_no_holes_are_asked_for() -> None:
    spooled = Spooled([base("v3").data], "-")
    with Image(spooled, laid_open(spooled, None)) as image:
        assert not is_preallocated(image.disk().layers[0])


Cell = tuple[int, int, int | None]
"""Flags, depth and offset of one byte."""


def cells(status: Status) -> list[Cell]:
    """Byte by byte."""
    return [
        (int(flags), int(depth), None if offset == NOWHERE else int(offset) + at)
        for flags, depth, offset, length in zip(
            status.flags, status.depths, status.offsets, status.lengths, strict=True
        )
        for at in range(int(length))
    ]


@st.composite
def statuses(draw: st.DrawFn, length: int, depth: int, least: int) -> Status:
    marks = sorted(draw(st.sets(st.integers(1, length - 1), max_size=8)))
    starts = [0, *marks]
    flags = draw(st.lists(st.integers(least, 3), min_size=len(starts), max_size=len(starts)))
    places = st.sampled_from([NOWHERE, 0, 5, 100])
    offsets = draw(st.lists(places, min_size=len(starts), max_size=len(starts)))
    return Status(
        np.array(starts, np.uint64),
        np.diff([*starts, length]).astype(np.uint64),
        np.full(len(starts), depth, np.uint16),
        np.array(flags, np.uint8),
        np.array(offsets, np.uint64),
    )


@given(statuses(30, 1, 0), statuses(30, 2, 1))
def test_the_upper_layer_has_the_first_word(upper: Status, lower: Status) -> None:
    expected = [
        above if above[0] else below
        for above, below in zip(cells(upper), cells(lower), strict=True)
    ]

    assert cells(_overlaid(upper, lower)) == expected


@given(statuses(30, 1, 0))
def test_joining_changes_no_byte_and_leaves_no_neighbours_alike(status: Status) -> None:
    joined = status.joined()
    pairs = list(zip(cells(joined), cells(joined)[1:], strict=False))
    starts = {int(start) for start in joined.starts[1:]}

    assert cells(joined) == cells(status)
    for at, (one, two) in enumerate(pairs, 1):
        ahead = None if one[2] is None else one[2] + 1
        assert (at in starts) == ((one[0], one[1], ahead) != two)


def test_a_part_has_few_holes_and_is_as_long_as_it_comes(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 42)
        file.seek(1 << 41)
        file.write(b"x")
    source = LocalFile(str(tmp_path / "file"))
    # Data in a file that is a hole but for a block in its middle, then nothing at all.
    runs = [
        Run(Kind.DATA, GuestOffset(0), 1 << 42, HostOffset(0)),
        Run(Kind.UNALLOCATED, GuestOffset(1 << 42), 1 << 50),
    ]
    parts = list(_windows(Extents.of(runs), source))
    source.close()

    assert list(Extents.chained(parts).joined().runs()) == runs
    assert len(parts) <= 4


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0, 2, 4])), min_size=1))
def test_parts_tile_what_they_are_cut_from(lengths: list[tuple[int, int]]) -> None:
    runs, at = [], 0
    for length, kind in lengths:
        size = length * WINDOW // 4
        runs.append(Run(Kind(kind), GuestOffset(at), size, HostOffset(at) if kind == 0 else None))
        at += size
    whole = Extents.of(runs)
    parts = list(_windows(whole, Memory(bytes(1000))))

    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert list(Extents.chained(parts).joined().runs()) == list(whole.joined().runs())
