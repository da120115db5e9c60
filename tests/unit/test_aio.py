"""An image on an event loop is the image, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

import qcowspec
from qcowspec.aio import THREADS
from qcowspec.fuzzing import vectors
from qcowspec.mapping import Kind
from qcowspec.sources.gate import Allow
from tools.make_test_data import DATA, IMAGES

PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
NAMES = [image.name for image in IMAGES]
LARGEST = 16 << 20
PLAIN = ["v1-plain.qcow", "v2-64k.qcow2", "v3-zstd.qcow2", "v3-extended-l2.qcow2"]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("qcowspec-aio")]


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """Every test here gives back its files, and its threads end."""
    gc.collect()
    before = descriptors()
    yield
    for thread in threads():
        thread.join(20)
    gc.collect()

    assert threads() == []
    assert descriptors() == before


async def descriptors_are(expected: int) -> None:
    """Who is cancelled while an image closes does not wait for it; a thread closes it."""
    for _ in range(2000):
        if descriptors() == expected:
            return
        await asyncio.sleep(0.005)
    assert descriptors() == expected


class Elsewhere:
    """An image in a place that answers when it likes: an `AsyncSource`."""

    def __init__(self, path: Path, answers: Callable[[], Awaitable[object]]) -> None:
        self.name = str(path)
        self._data = path.read_bytes()
        self.length = len(self._data)
        self._answers = answers
        self.loops: set[int] = set()

    async def read_at_async(self, offset: int, length: int) -> bytes:
        """Read bytes, when the place answers."""
        self.loops.add(threading.get_ident())
        await self._answers()
        return self._data[offset : offset + length]


async def at_once() -> None:
    await asyncio.sleep(0)


def states(image: qcowspec.Image | qcowspec.AsyncImage) -> list[str | None]:
    return [None, *(found.id_str.decode() for found in image.snapshots)]


@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_what_it_is_without_a_loop(name: str) -> None:
    async def compare() -> None:
        path = DATA / name
        with qcowspec.open(path, allow="same-dir", secret=PASSPHRASE) as expected:
            async with qcowspec.aopen(path, allow="same-dir", secret=PASSPHRASE) as image:
                assert (image.size, image.format) == (expected.size, expected.format)
                for state in states(expected):
                    runs = list(expected.runs(snapshot=state))
                    assert [run async for run in image.runs(snapshot=state)] == runs
                    size = min(LARGEST, expected.disk(state).size)
                    whole = expected.pread(0, size, snapshot=state)
                    assert await image.pread(0, size, snapshot=state) == whole
                    data = [
                        (run.offset, min(run.length, 1 << 20))
                        for run in runs
                        if run.kind in (Kind.DATA, Kind.COMPRESSED)
                    ]
                    assert await image.read_extents(data, snapshot=state) == (
                        expected.read_extents(data, snapshot=state)
                    )

    asyncio.run(compare())


@pytest.mark.parametrize("name", NAMES)
def test_a_source_on_the_loop_gives_the_same_bytes(name: str) -> None:
    async def compare() -> None:
        path = DATA / name
        with qcowspec.open(path, allow="same-dir", secret=PASSPHRASE) as expected:
            source = Elsewhere(path, at_once)
            async with qcowspec.aopen(source, allow="same-dir", secret=PASSPHRASE) as image:
                size = min(1 << 20, expected.size)
                assert await image.pread(1, size) == expected.pread(1, size)
            assert source.loops == {threading.get_ident()}

    asyncio.run(compare())


def test_hundreds_of_images_are_open_at_once() -> None:
    count = 300

    async def main() -> None:
        all_open = asyncio.Barrier(count)

        async def one(number: int) -> None:
            path = DATA / PLAIN[number % len(PLAIN)]
            offset = 512 * number
            async with qcowspec.aopen(path) as image, image.reader() as file:
                await file.seek(offset)
                got = await file.read(5000)
                await all_open.wait()
                assert len(threads()) <= THREADS
                with qcowspec.open(path) as expected:
                    assert got == expected.pread(offset, 5000)

        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(one(number))

    asyncio.run(main())


def test_hundreds_of_images_are_being_opened_without_a_thread_each() -> None:
    count = 300

    async def main() -> None:
        all_ask = asyncio.Barrier(count)  # nobody gets a byte before all have asked for one

        async def one(number: int) -> int:
            source = Elsewhere(DATA / PLAIN[number % len(PLAIN)], all_ask.wait)
            source._answers = first_then(source._answers)
            async with qcowspec.aopen(source) as image:
                return image.size

        sizes = await asyncio.gather(*(one(number) for number in range(count)))

        assert len(sizes) == count
        assert min(sizes) > 0

    asyncio.run(main())


def first_then(answers: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Wait so for the first time; then answer at once."""
    waiting = [answers]

    async def answer() -> None:
        assert not waiting or threads() == []
        await (waiting.pop() if waiting else at_once)()

    return answer


@pytest.mark.parametrize("target", ["path", "source"])
def test_whenever_it_is_cancelled_nothing_stays_open(target: str) -> None:
    path = DATA / "v3-backing.qcow2"

    async def work() -> bytes:
        chosen = path if target == "path" else Elsewhere(path, at_once)
        async with qcowspec.aopen(chosen, allow="same-dir") as image:
            return await image.pread(0, image.size)

    async def main() -> tuple[int, int]:
        before, cancelled, whole = descriptors(), 0, 0
        for turns in range(0, 120, 1 if target == "source" else 5):
            task = asyncio.create_task(work())
            for _ in range(turns):
                await asyncio.sleep(0.0002 if target == "path" else 0)
            task.cancel()
            try:
                await task
                whole += 1
            except asyncio.CancelledError:
                cancelled += 1
            await descriptors_are(before)
        return cancelled, whole

    cancelled, _ = asyncio.run(main())

    assert cancelled > 0


def test_a_loop_that_ends_leaves_nothing_open() -> None:
    async def main() -> None:
        opening = [asyncio.ensure_future(_forever(DATA / name)) for name in PLAIN]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in opening)

    async def _forever(path: Path) -> None:
        async with qcowspec.aopen(path) as image:
            while True:
                await image.pread(0, image.size)

    asyncio.run(main())


def test_an_image_is_closed_after_what_is_read_from_it() -> None:
    async def main() -> None:
        image = await qcowspec.aopen(DATA / "v2-64k.qcow2")
        reads = [asyncio.ensure_future(image.pread(0, image.size)) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await image.aclose()
        await image.aclose()
        answers = await asyncio.gather(*reads, return_exceptions=True)

        with qcowspec.open(DATA / "v2-64k.qcow2") as expected:
            whole = expected.pread(0, expected.size)
        for answer in answers:
            assert answer == whole or str(answer).endswith("is closed")
        with pytest.raises(qcowspec.Unreadable, match="is closed"):
            await image.pread(0, 1)

    asyncio.run(main())


def test_closing_ends_reads_that_wait_for_a_source_on_the_loop() -> None:
    async def main() -> None:
        held = asyncio.Event()
        held.set()
        image = await qcowspec.aopen(Elsewhere(DATA / "v2-64k.qcow2", held.wait))
        held.clear()
        read = asyncio.ensure_future(image.pread(0, image.size))
        while not threads():
            await asyncio.sleep(0)
        await image.aclose()

        with pytest.raises(qcowspec.Unreadable, match="closed"):
            await read

    asyncio.run(main())


def outcome(error: BaseException) -> tuple[object, ...]:
    assert isinstance(error, qcowspec.QcowError)
    return type(error), str(error)


def test_vectors_are_refused_with_the_same_error() -> None:
    async def answer(data: bytes) -> object:
        try:
            async with qcowspec.aopen(data) as image:
                return image.size, len(image.findings)
        except qcowspec.QcowError as error:
            return outcome(error)

    def expected(data: bytes) -> object:
        try:
            with qcowspec.open(data) as image:
                return image.size, len(image.findings)
        except qcowspec.QcowError as error:
            return outcome(error)

    async def main() -> None:
        images = [bytes(vectors.image(vector)) for vector in vectors.everything()[::4]]
        images += [b"", b"QFI\xfb", b"no image", bytes(5000)]
        for start in range(0, len(images), 100):
            chosen = images[start : start + 100]
            answers = await asyncio.gather(*(answer(data) for data in chosen))

            assert answers == [expected(data) for data in chosen]

    asyncio.run(main())


class Witness(Allow):
    """A gate that notes in which thread it is asked."""

    def __init__(self) -> None:
        super().__init__(["same-dir"])
        self.seen: set[int] = set()

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """Note, and admit."""
        self.seen.add(threading.get_ident())
        return super().admit(image, name, purpose)


def test_files_are_opened_through_the_gate_and_not_in_the_loops_thread() -> None:
    async def main() -> None:
        gate = Witness()
        async with qcowspec.aopen(DATA / "v3-backing.qcow2", allow=gate) as image:
            assert gate.seen == set()
            await image.pread(0, image.size)
        assert gate.seen
        assert threading.get_ident() not in gate.seen
        async with qcowspec.aopen(DATA / "v3-backing.qcow2") as image:
            with pytest.raises(qcowspec.Refused, match="backing file"):
                await image.pread(0, image.size)

    asyncio.run(main())


def test_a_wrong_passphrase_is_said_each_time_it_is_asked() -> None:
    async def main() -> None:
        async with qcowspec.aopen(DATA / "v3-luks.qcow2", secret="wrong") as image:  # noqa: S106
            for _ in range(2):
                answers = await asyncio.gather(
                    image.pread(0, 1), image.pread(0, 1), return_exceptions=True
                )
                for answer in answers:
                    assert "[encryption/luks-unlock]" in str(answer)

    asyncio.run(main())


def test_tasks_that_ask_at_once_open_the_disk_once() -> None:
    path = DATA / "v3-data-file.qcow2"
    with qcowspec.open(path, allow="same-dir") as expected:
        before = descriptors()
        expected.pread(0, 10)
        opened = descriptors() - before

    async def main() -> None:
        async with qcowspec.aopen(path, allow="same-dir") as image:
            before = descriptors()
            await asyncio.gather(*(image.pread(0, 10) for _ in range(20)))
            assert descriptors() == before + opened

    asyncio.run(main())


def test_a_reader_is_a_file() -> None:
    async def main() -> None:
        with qcowspec.open(DATA / "v2-64k.qcow2") as image:
            whole = image.pread(0, image.size)
        async with (
            qcowspec.aopen(DATA / "v2-64k.qcow2") as image_,
            image_.reader() as file,
        ):
            assert await file.read(10) == whole[:10]
            assert file.tell() == 10
            buffer = bytearray(100)
            assert await file.readinto(buffer) == 100
            assert bytes(buffer) == whole[10:110]
            assert await file.seek(-7, os.SEEK_END) == len(whole) - 7
            assert await file.read() == whole[-7:]
            assert await file.read() == b""
            assert await file.seek(5) + await file.seek(5, os.SEEK_CUR) == 15
            with pytest.raises(ValueError, match="no offset"):
                await file.seek(-1)
        with pytest.raises(ValueError, match="closed file"):
            await file.read()

    asyncio.run(main())


def test_a_range_of_many_pieces_is_one_range() -> None:
    async def main() -> None:
        async with qcowspec.aopen(DATA / "v3-1tib.qcow2") as image:
            with qcowspec.open(DATA / "v3-1tib.qcow2") as expected:
                length = 9 << 20
                whole = expected.pread(3, length)
            assert await image.pread(3, length) == whole
            buffer = bytearray(length)
            assert await image.readinto(3, buffer) == length
            assert buffer == whole
            end = bytearray(2000)
            assert await image.readinto(image.size - 1000, end) == 1000

    asyncio.run(main())
