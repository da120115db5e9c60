"""Run by run and as arrays, a mapping is the same; and both refuse the same."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

import qcowspec
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.places import Places
from qcowspec.fuzzing.vectors import base, bases
from qcowspec.mapping import Kind, Run, Walk, walk_of

STEP = 512


def walks(data: bytes) -> list[Walk]:
    """The walks through an image's states; none where it does not open, or is too large."""
    try:
        image = qcowspec.open(data)
    except qcowspec.QcowError:
        return []
    if image.size > 1 << 28:
        return []
    states = [None, *(image.snapshots[i] for i in range(min(3, len(image.snapshots))))]
    return [walk_of(image.metadata, image.source, snapshot=state) for state in states]


def walked(walk: Walk, start: int, end: int) -> list[Run] | str:
    """The runs of a range, one by one, or the rule that is broken."""
    runs: list[Run] = []
    try:
        while start < end:
            run = walk.run_at(start, end)
            assert run.offset == start
            assert run.length > 0
            runs.append(run)
            start += run.length
    except qcowspec.QcowError as error:
        return f"{error.rule} at {error.offset}"
    assert start == end
    return runs


def as_arrays(walk: Walk, start: int, end: int) -> list[Run] | str:
    """The same by the arrays."""
    try:
        return list(walk.arrays.runs(start, end - start))
    except qcowspec.QcowError as error:
        return f"{error.rule} at {error.offset}"


def joined(runs: list[Run] | str) -> list[Run] | str:
    """Neighbours made one."""
    if isinstance(runs, str) or not runs:
        return runs
    found = runs[:1]
    for one, run in pairwise(runs):
        follows = None if one.host_offset is None else one.host_offset + one.length
        if one.kind is run.kind and one.kind is not Kind.COMPRESSED and run.host_offset == follows:
            found[-1] = found[-1]._replace(length=found[-1].length + run.length)
        else:
            found.append(run)
    return found


def mutated(random: Random, seed: Places) -> bytes:
    """An image with a few of its table entries changed."""
    draft = Draft(seed)
    entries = [place for place in seed.entries if place.path.startswith(("l1_table", "l2_tables"))]
    for _ in range(random.randrange(4) if entries else 0):
        place = random.choice(entries)
        old = place.value if isinstance(place.value, int) else 0
        bit = 1 << random.randrange(8 * place.length)
        value = random.choice([0, old ^ bit, old ^ bit, old ^ 1, old + 512, old + (1 << 16), bit])
        draft.set(place, value % (1 << 8 * place.length))
    return bytes(draft.data)


@pytest.mark.parametrize("name", bases())
def test_a_walk_says_what_the_arrays_say(name: str) -> None:
    random, seed = Random(name), base(name)
    for _ in range(12):
        for walk in walks(mutated(random, seed)):
            if not walk.size:
                continue
            for _ in range(4):
                start = random.randrange(walk.size)
                start -= start % random.choice((1, STEP, walk.cluster_size))
                end = min(walk.size, start + random.randrange(1, 40 * walk.cluster_size))

                assert joined(walked(walk, start, end)) == joined(as_arrays(walk, start, end))
