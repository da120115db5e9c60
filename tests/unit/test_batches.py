"""Tables read many at a time are the tables read one at a time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from qcowspec.sources.batches import read_tables
from qcowspec.sources.memory import Memory
from qcowspec.sources.source import GAP

SIZE = 64


class Counting(Memory):
    """A source that remembers what it was asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.asked: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        """Read, and remember."""
        self.asked.append((offset, length))
        return super().read_at(offset, length)


def one_by_one(data: bytes, offsets: list[int], size: int) -> list[bytes]:
    return [data[offset : offset + size].ljust(size, b"\0") for offset in offsets]


def together(source: Memory, offsets: list[int], size: int, batch: int = 1 << 20) -> list[bytes]:
    rows: list[bytes] = []
    for chosen, read in read_tables(source, np.array(offsets, np.uint64), size, batch=batch):
        assert (chosen.start, chosen.stop - chosen.start) == (len(rows), len(read))
        rows += [row.tobytes() for row in read]
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_any_order_repeats_overlaps_and_the_end_of_the_file(seed: int) -> None:
    random_ = random.Random(seed)
    data = random_.randbytes(random_.choice([100, 5000, 300_000]))
    offsets = [random_.randrange(2 * len(data)) for _ in range(random_.randrange(1, 60))]
    offsets += random_.choices(offsets, k=5)

    assert together(Memory(data), offsets, SIZE, batch=7 * SIZE) == one_by_one(data, offsets, SIZE)


def test_neighbours_are_one_request() -> None:
    source = Counting(random.Random(1).randbytes(100 * SIZE))
    offsets = [SIZE * index for index in range(100)]

    assert together(source, offsets, SIZE) == one_by_one(
        bytes(source.read_at(0, 1 << 20)), offsets, SIZE
    )
    assert source.asked[0] == (0, 100 * SIZE)
    assert len(source.asked) == 2, "one for the tables, one for the comparison"


def test_what_lies_far_apart_is_not_read_in_between() -> None:
    source = Counting(bytes(10 * GAP))

    together(source, [0, 5 * GAP], SIZE)

    assert source.asked == [(0, SIZE), (5 * GAP, SIZE)]


def test_no_table_is_no_request() -> None:
    source = Counting(b"")

    assert together(source, [], SIZE) == []
    assert source.asked == []
