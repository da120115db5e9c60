"""An interrupted conversion goes on from what was written, and never from what was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import qcowspec
from qcowspec.cli import qcowspec as cli
from qcowspec.transfer.convert import convert
from qcowspec.transfer.jobs import REMOTE_JOB
from qcowspec.transfer.output import Unwritable
from qcowspec.transfer.resume import RECORD, ResumableFile
from tests.remote.faults import proxy
from tests.remote.servers import Nginx

SIZE = 20 * REMOTE_JOB
"""Bytes of the disk: twenty jobs."""

ZEROS = 4 << 20
LATE = 16 * REMOTE_JOB
"""Where the file's end begins, at which opening looks for other formats' footers."""


@pytest.fixture(scope="module")
def image(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of data, zeros and compressed clusters, which a server serves too."""
    raw = tmp_path_factory.mktemp("resume") / "disk.raw"
    data = bytearray(random.Random(2).randbytes(SIZE))
    data[5 << 20 : (5 << 20) + ZEROS] = bytes(ZEROS)
    raw.write_bytes(data)
    path = served / "large.qcow2"
    subprocess.run(
        ["qemu-img", "convert", "-O", "qcow2", "-o", "cluster_size=64k", raw, path], check=True
    )
    raw.rename(path.with_suffix(".raw"))
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["convert", *map(str, words)])


def test_what_was_fetched_is_not_fetched_again(nginx: Nginx, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.raw"
    with proxy(nginx.url) as between:
        url = f"{between.url}/large.qcow2"
        broken_from = 10 * REMOTE_JOB

        def gone(asked: str) -> str | None:
            return "other etag" if broken_from <= _start(asked) < LATE else None

        between.plan = gone
        first = run("--resume", "-m", "2", url, out)
        assert first.exit_code == 1
        assert "has changed on the server" in first.stderr
        assert sorted(os.listdir(tmp_path)) == ["out.raw.partial", "out.raw.partial.journal"]
        written = sum(length for _, length, _, _ in records(out))

        between.plan = lambda asked: None
        between.asked.clear()
        assert run("--resume", "-m", "2", url, out).exit_code == 0

        large = [_length(asked) for asked in between.asked if _length(asked) >= 512 << 10]
    assert written >= 6 * REMOTE_JOB
    assert sum(large) == SIZE - ZEROS - written
    assert out.read_bytes() == image.with_suffix(".raw").read_bytes()
    assert os.listdir(tmp_path) == ["out.raw"]


def records(out: Path) -> Iterator[tuple[int, ...]]:
    """What the journal of an interrupted conversion tells of."""
    body = Path(f"{out}.partial.journal").read_bytes().partition(b"\n")[2]
    return RECORD.iter_unpack(body[: len(body) // RECORD.size * RECORD.size])


def _start(asked: str) -> int:
    return int(asked[6:].partition("-")[0])


def _length(asked: str) -> int:
    return int(asked.rpartition("-")[2]) - _start(asked) + 1


def interrupted(image: Path, out: Path, pieces: int) -> None:
    """A conversion that stops after some pieces."""
    with qcowspec.open(image) as opened:
        disk = opened.disk()
        seen = 0

        def progress(count: int) -> None:
            nonlocal seen
            seen += bool(count)
            if seen > pieces:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            convert(disk, str(out), threads=1, progress=progress, resume={})


def finished(image: Path, out: Path) -> bytes:
    with qcowspec.open(image) as opened:
        convert(opened.disk(), str(out), resume={})
    return out.read_bytes()


@pytest.mark.parametrize("damage", ["none", "bytes", "journal", "cut journal", "noise", "short"])
def test_what_stands_there_counts_only_if_it_is_right(
    image: Path, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out.raw"
    interrupted(image, out, 8)
    partial, journal = tmp_path / "out.raw.partial", tmp_path / "out.raw.partial.journal"
    assert journal.stat().st_size > 3 * RECORD.size
    if damage == "bytes":
        with partial.open("r+b") as file:
            file.seek(100_000)
            file.write(b"damaged")
            file.seek(6 << 20)  # where the disk has zeros, which are not written
            file.write(b"damaged")
            file.seek(SIZE - 100)
            file.write(b"damaged")
    elif damage == "journal":
        data = bytearray(journal.read_bytes())
        data[-5] ^= 1
        journal.write_bytes(data)
    elif damage == "cut journal":
        os.truncate(journal, journal.stat().st_size - 7)
    elif damage == "noise":
        journal.write_bytes(random.Random(1).randbytes(5000))
    elif damage == "short":
        os.truncate(partial, 1 << 20)

    assert finished(image, out) == image.with_suffix(".raw").read_bytes()
    assert os.listdir(tmp_path) == ["out.raw"]


def test_another_image_begins_anew(image: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "out.raw", tmp_path / "copy.qcow2"
    copy.write_bytes(image.read_bytes())
    interrupted(copy, out, 8)
    subprocess.run(
        ["qemu-io", "-c", "write -q -P 7 0 1M", str(copy)], check=True, stdout=subprocess.DEVNULL
    )
    expected = bytes([7]) * (1 << 20) + image.with_suffix(".raw").read_bytes()[1 << 20 :]

    assert finished(copy, out) == expected


def test_other_options_begin_anew(image: Path, tmp_path: Path) -> None:
    about = {"size": 3 << 20}
    with ResumableFile(str(tmp_path / "o"), 3 << 20, about) as file:
        file.write(0, memoryview(bytes([1]) * (1 << 20)))
    with ResumableFile(str(tmp_path / "o"), 3 << 20, about) as file:
        assert file.has(0, 1 << 20)
        assert not file.has(0, (1 << 20) + 1)
    with ResumableFile(str(tmp_path / "o"), 3 << 20, {**about, "snapshot": "1"}) as file:
        assert not file.has(0, 1)
        file.finish()
    assert (tmp_path / "o").read_bytes() == bytes(3 << 20)


def test_a_killed_process_is_gone_on_with(image: Path, nginx: Nginx, tmp_path: Path) -> None:
    out = tmp_path / "out.raw"

    def stalled(asked: str) -> str | None:
        return "stall" if 10 * REMOTE_JOB <= _start(asked) < LATE else None

    with proxy(nginx.url, stalled) as between:
        url = f"{between.url}/large.qcow2"
        program = (
            "import qcowspec.transfer.resume as r; r.EVERY_BYTES = 1;"
            "from qcowspec.cli import main; main()"
        )
        command = [sys.executable, "-c", program, "convert", "--resume", "-q", url, str(out)]
        running = subprocess.Popen(command)
        journal = tmp_path / "out.raw.partial.journal"
        end = time.monotonic() + 60
        while not journal.exists() or journal.stat().st_size < 400:
            assert time.monotonic() < end
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
        running.wait()
        between.plan = lambda asked: None
        between.asked.clear()

        assert run("--resume", url, out).exit_code == 0
        assert len([asked for asked in between.asked if _length(asked) >= 1 << 20]) < 18
    assert out.read_bytes() == image.with_suffix(".raw").read_bytes()


def test_two_at_one_file_are_refused(tmp_path: Path) -> None:
    with (
        ResumableFile(str(tmp_path / "o"), 4096, {}),
        pytest.raises(Unwritable, match="another process is writing it"),
    ):
        ResumableFile(str(tmp_path / "o"), 4096, {})


def test_what_was_not_made_here_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    for name in ("o.partial", "o.partial.journal"):
        os.link(tmp_path / "precious", tmp_path / name)
        with pytest.raises(Unwritable, match="is in the way"):
            ResumableFile(str(tmp_path / "o"), 4096, {})
        for made in tmp_path.glob("o.*"):
            made.unlink()
    (tmp_path / "o.partial").symlink_to(tmp_path / "precious")
    with pytest.raises(Unwritable):
        ResumableFile(str(tmp_path / "o"), 4096, {})
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_without_it_nothing_stays(image: Path, tmp_path: Path) -> None:
    with proxy("http://127.0.0.1:9") as between:
        assert run(f"{between.url}/none", tmp_path / "o").exit_code == 1

    def progress(count: int) -> None:
        raise KeyboardInterrupt

    with qcowspec.open(image) as opened:
        disk = opened.disk()
        with pytest.raises(KeyboardInterrupt):
            convert(disk, str(tmp_path / "o"), progress=progress)
    assert list(tmp_path.iterdir()) == []
