"""Blocks of a remote file that were read before, or are being fetched.

In: ranges, and a way to fetch some. Out: their bytes, each block fetched once however many threads
want it. Refuses: what fetching refuses.

Reads that follow each other are read ahead of, further each time, so that a stretch of small reads
(compressed clusters, one after the other) costs a few large requests. Any other
read fetches the blocks that it touches, and no more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from qcowspec.errors import Unreadable

BLOCK = 64 << 10
"""Bytes of a block."""

AHEAD = 32
"""Most blocks of one request."""

EAGER = 8
"""The least blocks of a request for which the next one is made before it is asked for."""

STREAMS = 32
"""Ends of requests that are kept, to see whether a read follows one of them."""

CLOSED = Unreadable("was closed while it was read")

Fetch = Callable[[int, int], bytes]
Later = Callable[[Callable[[], None], Callable[[], None]], None]


class Blocks:
    """A cache over a file of known length; may be used by several threads."""

    def __init__(self, length: int, fetch: Fetch, later: Later, *, capacity: int) -> None:
        """Begin with nothing.

        Args:
            length: Bytes of the file.
            fetch: Reads a range of it, whole: offset and length, both within the file.
            later: Calls its first argument in another thread, or else, if it cannot, the second.
            capacity: Bytes to keep.
        """
        self._length, self._fetch, self._later = length, fetch, later
        self._count = -(-length // BLOCK)
        self._most = max(2 * AHEAD, capacity // BLOCK)
        self._held: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._ends: OrderedDict[int, int] = OrderedDict()  # where a request ended: its blocks
        self._marks: dict[int, int] = {}  # block: the end of a request, after which to read ahead
        self._lock = Lock()

    def put(self, data: bytes) -> None:
        """Keep the beginning of the file: whole blocks, or the whole file."""
        for index in range(-(-len(data) // BLOCK)):
            piece = data[index * BLOCK : (index + 1) * BLOCK]
            if len(piece) == self._size(index):
                future: Future[bytes] = Future()
                future.set_result(piece)
                self._held[index] = future

    def read(self, offset: int, length: int) -> bytes:
        """Bytes within the file."""
        first, stop = offset // BLOCK, -(-(offset + length) // BLOCK)
        with self._lock:
            futures, claimed = self._claim(first, stop)
            upcoming = self._upcoming(first, stop)
        if upcoming is not None:
            self._later(lambda: self._work([upcoming]), lambda: self._give_up([upcoming], CLOSED))
        self._work(claimed)
        pieces = [future.result() for future in futures]
        begin = offset - first * BLOCK
        if len(pieces) == 1:
            return pieces[0][begin : begin + length]
        return b"".join(pieces)[begin : begin + length]

    def peek(self, offset: int, length: int) -> bytes | None:
        """Bytes within the file, if all are here."""
        with self._lock:
            futures = [
                self._held.get(index)
                for index in range(offset // BLOCK, -(-(offset + length) // BLOCK))
            ]
        if any(future is None or not future.done() or future.exception() for future in futures):
            return None
        whole = b"".join(future.result() for future in futures if future is not None)
        return whole[offset % BLOCK : offset % BLOCK + length]

    # --- under the lock ---------------------------------------------------------------------------

    def _claim(
        self, first: int, stop: int
    ) -> tuple[list[Future[bytes]], list[dict[int, Future[bytes]]]]:
        """The blocks of a range, and those that the caller has to fetch, read-ahead included."""
        futures, claimed = [], []
        index = first
        while index < stop:
            future = self._held.get(index)
            if future is None:
                run = self._run(index, stop)
                claimed.append(run)
                futures += [run[each] for each in run if each < stop]
                index += len(run)
                continue
            self._held.move_to_end(index)
            futures.append(future)
            index += 1
        self._evict()
        return futures, claimed

    def _run(self, start: int, wanted: int) -> dict[int, Future[bytes]]:
        """Blocks to fetch together, from one that is missing on."""
        window = 2 * self._ends.pop(start, 0)
        stop = min(max(wanted, start + window), start + AHEAD, self._count)
        run: dict[int, Future[bytes]] = {}
        index = start
        while index < stop and index not in self._held:
            run[index] = self._held[index] = Future()
            index += 1
        self._ends[index] = max(len(run), 1)
        if len(run) >= EAGER and index < self._count:
            self._marks[start + len(run) // 2] = index
        while len(self._ends) > STREAMS:
            self._ends.popitem(last=False)
        return run

    def _upcoming(self, first: int, stop: int) -> dict[int, Future[bytes]] | None:
        """The blocks to read ahead, where the middle of the last such stretch has been reached."""
        if not self._marks:
            return None
        for mark in [mark for mark in self._marks if first <= mark < stop]:
            end = self._marks.pop(mark)
            if end < self._count and end not in self._held and end in self._ends:
                return self._run(end, end + 1)
        while len(self._marks) > STREAMS:
            self._marks.pop(next(iter(self._marks)))
        return None

    def _evict(self) -> None:
        """Drop the oldest blocks; those being fetched count, and stay."""
        surplus = len(self._held) - self._most
        for index in list(self._held)[: max(0, surplus)]:
            if self._held[index].done():
                del self._held[index]

    # --- without it -------------------------------------------------------------------------------

    def _work(self, runs: list[dict[int, Future[bytes]]]) -> None:
        """Fetch what was claimed; all threads that wait for it get it, or the error."""
        for number, run in enumerate(runs):
            first, size = min(run), sum(self._size(index) for index in run)
            try:
                data = self._fetch(first * BLOCK, size)
            except BaseException as error:
                self._give_up(runs[number:], error)
                raise
            for index, future in run.items():
                start = (index - first) * BLOCK
                future.set_result(data[start : start + BLOCK])

    def _give_up(self, runs: list[dict[int, Future[bytes]]], error: BaseException) -> None:
        with self._lock:
            for run in runs:
                for index, future in run.items():
                    self._held.pop(index, None)
                    future.set_exception(error)

    def _size(self, index: int) -> int:
        return min(BLOCK, self._length - index * BLOCK)
