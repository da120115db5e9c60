"""Extents tile what they were made for, however they are joined and cut."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from qcowspec.mapping.extents import Extents, Kind, Run
from qcowspec.spec.units import GuestOffset, HostOffset

CLUSTER = 4096


def drawn(seed: int) -> list[Run]:
    """Clusters of every kind, some of them neighbours in the host file too."""
    random_ = random.Random(seed)
    runs, host = [], 0
    for index in range(random_.randrange(1, 40)):
        kind = random_.choice(list(Kind))
        host = random_.choice([host + CLUSTER, random_.randrange(64) * CLUSTER])
        placed = kind in (Kind.DATA, Kind.COMPRESSED) or (
            kind is Kind.ZERO and random_.random() < 0.5
        )
        runs.append(
            Run(
                kind,
                GuestOffset(index * CLUSTER),
                CLUSTER,
                HostOffset(host) if placed else None,
                700 if kind is Kind.COMPRESSED else 0,
            )
        )
    return runs


def bytewise(runs: list[Run], step: int = 512) -> dict[int, tuple[Kind, int | None, int]]:
    """What every `step`-th byte of the disk is."""
    found: dict[int, tuple[Kind, int | None, int]] = {}
    for run in runs:
        for ahead in range(0, run.length, step):
            host = run.host_offset
            if host is not None and run.kind is not Kind.COMPRESSED:
                host = HostOffset(host + ahead)
            found[run.offset + ahead] = (run.kind, host, run.compressed_length)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_joining_changes_nothing_but_the_count(seed: int) -> None:
    runs = drawn(seed)
    joined = list(Extents.of(runs).joined().runs())

    assert bytewise(joined) == bytewise(runs)
    for one, next_ in pairwise(joined):
        assert one.offset + one.length == next_.offset
        if one.kind is next_.kind and one.kind is not Kind.COMPRESSED:
            end = None if one.host_offset is None else one.host_offset + one.length
            assert end != next_.host_offset, "what can be joined is joined"


@pytest.mark.parametrize("seed", range(30))
def test_cutting_keeps_what_is_inside(seed: int) -> None:
    runs = drawn(seed)
    end = runs[-1].offset + CLUSTER
    random_ = random.Random(seed)
    start, stop = sorted(512 * random_.randrange(end // 512 + 3) for _ in range(2))

    cut = Extents.of(runs).cut(start, stop)

    expected = {at: what for at, what in bytewise(runs).items() if start <= at < stop}
    assert bytewise(list(cut.runs())) == expected
    assert all(run.length > 0 for run in cut.runs())


def test_runs_and_extents_are_the_same() -> None:
    runs = drawn(3)

    assert list(Extents.of(runs).runs()) == runs
    assert list(Extents.chained([Extents.of(runs[:2]), Extents.of(runs[2:])]).runs()) == runs
    assert len(Extents.chained([])) == 0
