"""The machine takes the edges of its table and no others, asks for little, minds no chunking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kaitaistruct import KaitaiStruct
from qcow_parsers import constants as c

from qcowspec import build
from qcowspec.build import Bitmap, Cluster, Extension, ImageSpec, Snapshot
from qcowspec.fuzzing import strategies as qcow
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import NEXT, STAGES, Event, Machine, Policy, State, thorough
from qcowspec.reader.needs import Need, Window
from qcowspec.sources.memory import Memory
from qcowspec.spec.metadata import Metadata, Structures
from tests.property.notations import plain
from tests.property.real_images import SMALL_IMAGES

EDGES = [(state, event) for state, row in NEXT.items() for event in row]

RICH = ImageSpec(
    clusters={0: Cluster(b"first"), 7: Cluster(b"eighth")},
    backing_name=b"base.raw",
    backing_format=b"raw",
    feature_names=True,
    snapshots=(Snapshot(b"1", b"one"), Snapshot(b"2", b"another")),
    bitmaps=(Bitmap(b"dirty"),),
    extensions=(Extension(0x12345678, b"unknown"),),
)
"""An image with something for every state."""

V1 = ImageSpec(version=1, clusters={0: Cluster(b"first")}, backing_name=b"base.raw")

IMAGES = {
    Event.V1: build.image(V1),
    Event.V2: build.image(RICH),
    Event.NOT_QCOW: b"raw".ljust(4096, b"\0"),
    Event.LOST: build.image(ImageSpec(header={"cluster_bits": c.MAX_CLUSTER_BITS + 1})),
    Event.REFUSED: build.image(RICH),
}
"""What brings each event about; REFUSED is the policy's."""


def never(state: State, judge: object) -> bool:
    """The policy that refuses nothing."""
    return False


class Traced(Machine):
    """A machine that remembers which edges it took, and what it asked for."""

    def __init__(self, policy: Policy = never, *, length: int | None = None) -> None:
        self.edges: list[tuple[State, Event]] = []
        self.needs: list[Need] = []
        super().__init__(policy, length=length)

    def _event(self, sound: bool) -> Event:
        event = super()._event(sound)
        self.edges.append((self.state, event))
        return event


def opened(data: bytes, policy: Policy = never) -> Traced:
    machine = Traced(policy, length=len(data))
    drive(machine, Memory(data))
    return machine


# --- states and edges -----------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "event"), EDGES, ids=lambda each: str(each))
def test_every_edge_is_taken_by_some_image(state: State, event: Event) -> None:
    refusing = event is Event.REFUSED
    machine = opened(IMAGES[event], lambda here, judge: refusing and here is state)

    assert (state, event) in machine.edges


def test_every_state_is_reached_or_is_the_first() -> None:
    reached = {State.PROBE} | {state for row in NEXT.values() for state in row.values()}

    assert reached == set(State)


def test_the_states_without_a_stage_are_final() -> None:
    assert set(STAGES) == set(NEXT)
    assert set(State) - set(NEXT) == {State.READY, State.REJECTED}


@given(qcow.mutants(qcow.images(cluster_bits=12)))
def test_no_other_edge_is_taken(data: bytes) -> None:
    machine = opened(data, thorough("qemu"))
    state = State.PROBE
    for here, event in machine.edges:
        assert here is state
        state = NEXT[here][event]

    assert machine.state is state
    assert state not in NEXT


@pytest.mark.parametrize("profile", ["qemu", "spec"])
@given(qcow.images(cluster_bits=14))
def test_a_built_image_ends_ready_and_breaks_no_rule(profile: str, data: bytes) -> None:
    machine = opened(data, thorough(profile))

    assert machine.judge.first(profile) is None
    assert machine.state is State.READY


# --- chunks ---------------------------------------------------------------------------------------


@contextmanager
def windows(step: int, large: int) -> Iterator[None]:
    """Windows that ask for other pieces than usual."""
    with mock.patch.multiple(Window, STEP=step, LARGE=large):
        yield


def known(image: Metadata) -> dict[str, Any]:
    """All that is known of an image, but for the length of its file."""
    return {name: shown(value) for name, value in vars(image).items() if name != "length"}


def shown(value: Any) -> Any:
    if isinstance(value, Structures):
        return list(value.parts)
    return plain(value) if isinstance(value, KaitaiStruct) else value


CHUNKS = pytest.mark.parametrize(
    ("step", "large"),
    [(1, 0), (1, 1 << 30), (7, 100), (512, 512), (65536, 1 << 20), (1 << 24, 1 << 30)],
)
"""Byte by byte, in odd pieces, by the sector, and the whole image at once."""


@CHUNKS
@given(data=qcow.images(cluster_bits=12) | qcow.mutants(qcow.images(cluster_bits=12)))
def test_any_chunking_reads_the_same(step: int, large: int, data: bytes) -> None:
    usual = opened(data)
    with windows(step, large):
        other = opened(data)

    assert known(other.image) == known(usual.image)
    assert (other.edges, other.findings) == (usual.edges, usual.findings)


@CHUNKS
@pytest.mark.parametrize("path", SMALL_IMAGES, ids=lambda path: path.name)
def test_any_chunking_reads_a_real_image_the_same(step: int, large: int, path: Path) -> None:
    data = path.read_bytes()
    usual = opened(data)
    with windows(step, large):
        other = opened(data)

    assert known(other.image) == known(usual.image)
    assert (other.edges, other.findings) == (usual.edges, usual.findings)


@given(qcow.images(cluster_bits=12), st.binary(min_size=1, max_size=5000))
def test_garbage_behind_the_last_cluster_changes_nothing(data: bytes, garbage: bytes) -> None:
    assert known(opened(data + garbage).image) == known(opened(data).image)


@pytest.mark.parametrize("path", SMALL_IMAGES, ids=lambda path: path.name)
def test_garbage_behind_a_real_image_changes_nothing(path: Path) -> None:
    # QEMU leaves out what is zero at the end of its last table.
    data = path.read_bytes() + bytes(2 << 20)

    assert known(opened(data + b"\xa5" * 5000).image) == known(opened(data).image)


# --- needs ----------------------------------------------------------------------------------------

MOST_READ = (
    2 * (1 << c.MAX_CLUSTER_BITS)  # header and extensions
    + c.QCOW_MAX_L1_SIZE
    + c.QCOW_MAX_REFTABLE_SIZE
    + c.QCOW_MAX_SNAPSHOTS_SIZE
    + c.QCOW2_MAX_BITMAP_DIRECTORY_SIZE
)
"""Bytes of the largest tables that QEMU takes, all together."""

OVERHEAD = 4
"""A small structure at the edge of a window costs a window or two."""


def asked(data: bytes, *, behind: int) -> int:
    """Bytes that a machine asks for of an image with so many zeros behind it.

    How long the file is, it is not told.
    """
    machine, total = Traced(thorough("qemu")), 0
    while (need := machine.need) is not None:
        total += need.length
        assert need.length <= MOST_READ, f"{need} is more than any table has"
        assert total <= OVERHEAD * MOST_READ, f"{need} is one too many"
        there = max(0, min(need.length, len(data) + behind - need.offset))
        machine.feed(data[need.offset : need.offset + need.length].ljust(there, b"\0")[:there])
    return total


HOSTILE = st.one_of(
    qcow.headers(1),
    qcow.headers(2),
    qcow.headers(3),
).map(lambda structure: structure.data)


@given(HOSTILE)
def test_whatever_a_header_says_needs_are_bounded(header: bytes) -> None:
    assert asked(header, behind=0) <= OVERHEAD * MOST_READ


@given(HOSTILE)
def test_whatever_a_header_of_a_large_file_says_needs_are_bounded(header: bytes) -> None:
    assert asked(header, behind=1 << 70) <= OVERHEAD * MOST_READ


@given(qcow.mutants(qcow.images(cluster_bits=12)))
def test_whatever_an_image_says_needs_are_bounded(data: bytes) -> None:
    assert asked(data, behind=0) <= OVERHEAD * MOST_READ


@given(qcow.images(cluster_bits=16))
def test_needs_are_not_empty_and_do_not_repeat(data: bytes) -> None:
    machine, seen = Traced(thorough("qemu"), length=len(data)), []
    while (need := machine.need) is not None:
        seen.append(need)
        machine.feed(data[need.offset : need.offset + need.length])

    assert all(need.length > 0 for need in seen)
    assert all(one != other for one, other in pairwise(seen))


# --- misuse ---------------------------------------------------------------------------------------


@given(st.integers(1, 10_000))
def test_more_bytes_than_asked_for_are_an_error_of_the_caller(more: int) -> None:
    machine = Machine(never)
    assert machine.need is not None

    with pytest.raises(ValueError, match="the machine asked for"):
        machine.feed(bytes(machine.need.length + more))


@given(st.binary(max_size=16))
def test_bytes_that_nobody_asked_for_are_an_error_of_the_caller(data: bytes) -> None:
    machine = opened(IMAGES[Event.V2])
    assert machine.need is None

    with pytest.raises(ValueError, match="the machine asked for None"):
        machine.feed(data)


def test_an_error_of_the_caller_leaves_the_machine_where_it_was() -> None:
    data = IMAGES[Event.V2]
    machine = Machine(never, length=len(data))
    assert machine.need is not None
    with pytest.raises(ValueError, match="the machine asked for"):
        machine.feed(bytes(machine.need.length + 1))
    drive(machine, Memory(data))

    assert machine.state is State.READY
