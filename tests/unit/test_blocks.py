"""A cache of blocks gives the file's bytes, fetches each once, and forgets what failed."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from qcowspec.errors import Unreadable
from qcowspec.sources.blocks import AHEAD, BLOCK, Blocks

DATA = random.Random(4).randbytes(100 * BLOCK + 12_345)


class File:
    """What is fetched from, with a record of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fails = False
        self.pool = ThreadPoolExecutor(4)
        self._lock = Lock()
        capacity = 2 * len(DATA)
        self.blocks = Blocks(len(DATA), self.fetch, self.later, capacity=capacity)

    def fetch(self, offset: int, length: int) -> bytes:
        """A range, whole."""
        with self._lock:
            self.asked.append((offset, length))
        if self.fails:
            raise Unreadable("no")
        assert offset + length <= len(DATA)
        return DATA[offset : offset + length]

    def later(self, work: object, otherwise: object) -> None:
        """Beside."""
        self.pool.submit(work)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(10))
def test_threads_read_the_files_bytes_and_each_block_is_fetched_once(seed: int) -> None:
    file, pick = File(), random.Random(seed)
    ranges = [
        (start, min(pick.randrange(1, 400_000), len(DATA) - start))
        for start in (pick.randrange(len(DATA)) for _ in range(60))
    ]
    with ThreadPoolExecutor(8) as readers:
        found = list(readers.map(lambda each: file.blocks.read(*each), ranges))
    file.pool.shutdown()

    assert found == [DATA[start : start + length] for start, length in ranges]
    blocks = [at // BLOCK + i for at, size in file.asked for i in range(-(-size // BLOCK))]
    assert len(blocks) == len(set(blocks))
    assert max(size for _, size in file.asked) <= AHEAD * BLOCK


def test_reads_that_follow_each_other_are_read_ahead_of() -> None:
    file = File()
    for start in range(0, len(DATA), 10_000):
        length = min(10_000, len(DATA) - start)
        assert file.blocks.read(start, length) == DATA[start : start + length]
    file.pool.shutdown()

    assert sum(size for _, size in file.asked) == len(DATA)
    assert len(file.asked) <= 10


def test_a_read_in_the_middle_of_nowhere_is_not() -> None:
    file = File()
    file.blocks.read(50 * BLOCK + 5, 10)

    assert file.asked == [(50 * BLOCK, BLOCK)]


def test_what_failed_is_fetched_again() -> None:
    file = File()
    file.fails = True
    for _ in range(2):
        with pytest.raises(Unreadable):
            file.blocks.read(5, 10)
    file.fails = False

    assert file.blocks.read(5, 10) == DATA[5:15]
    assert len(file.asked) == 3


def test_memory_is_bounded() -> None:
    blocks = Blocks(len(DATA), lambda at, size: DATA[at : at + size], lambda a, b: a(), capacity=1)
    for start in range(0, len(DATA) - 10, 30_000):
        blocks.read(start, 10)

    assert len(blocks._held) <= 2 * AHEAD + AHEAD
