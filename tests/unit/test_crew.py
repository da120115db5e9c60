"""Threads that share work: the first error ends it, and nobody is waited for without end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qcowspec.transfer.crew import Crew
from qcowspec.transfer.output import SparseFile, Unwritable


def test_every_job_is_done_once() -> None:
    done: list[int] = []

    Crew(iter(range(1000)), done.append, 4).run()

    assert sorted(done) == list(range(1000))


def test_the_first_error_is_raised_although_another_job_never_ends() -> None:
    never, begun = threading.Event(), threading.Event()

    def work(job: int) -> None:
        if job == 0:
            begun.set()
            never.wait()
        begun.wait()
        raise OSError(f"job {job}")

    with pytest.raises(OSError, match="job 1"):
        Crew(iter(range(100)), work, 2).run()
    never.set()


def test_the_error_of_what_lists_the_jobs_is_raised() -> None:
    def listed() -> Iterator[int]:
        yield 1
        raise ValueError("no more of them")

    with pytest.raises(ValueError, match="no more"):
        Crew(listed(), lambda job: None, 3).run()


def test_what_comes_late_is_not_written(tmp_path: Path) -> None:
    file = SparseFile(str(tmp_path / "out"), 1 << 20)
    file.write(0, memoryview(b"x" * 4096))
    file.discard()

    with pytest.raises(Unwritable, match="was given up"):
        file.write(4096, memoryview(b"y" * 4096))

    assert list(tmp_path.iterdir()) == []


def test_a_file_is_given_up_when_who_writes_to_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SparseFile(str(tmp_path / "out"), 1 << 20)
    inside, goes_on = threading.Event(), threading.Event()
    order: list[str] = []

    def slow(offset: int, data: memoryview) -> None:
        inside.set()
        goes_on.wait(10)
        order.append("written")

    monkeypatch.setattr(file, "_put", slow)

    def closing() -> None:
        file.discard()
        order.append("given up")

    writer = threading.Thread(target=file.write, args=(0, memoryview(bytes(8))))
    writer.start()
    inside.wait(10)
    closer = threading.Thread(target=closing)
    closer.start()
    closer.join(0.1)

    assert closer.is_alive()
    goes_on.set()
    writer.join()
    closer.join()
    assert order == ["written", "given up"]
