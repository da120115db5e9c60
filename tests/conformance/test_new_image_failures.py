"""`convert -O qcow2` that is killed, or whose source or disk fails: never half an image."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import qcowspec
from qcowspec.errors import Changed
from qcowspec.transfer.new_image import NewImage
from qcowspec.transfer.qcow2 import write_qcow2
from tests import qemu
from tests.command import run

SIZE = 24 << 20
WAYS = [[], ["-c"], ["-o", "cluster_size=512"]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of a disk with data everywhere."""
    folder = tmp_path_factory.mktemp("source")
    raw, image = folder / "disk.raw", folder / "disk.qcow2"
    raw.write_bytes(os.urandom(SIZE // 2) + b"some text, again and again. " * (SIZE // 56))
    qemu.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    return image


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
@pytest.mark.parametrize("had", [False, True], ids=["new", "replaced"])
def test_a_process_that_is_killed_leaves_no_half_image(
    source: Path, tmp_path: Path, way: list[str], had: bool
) -> None:
    """At moments from before the first byte to after the last one."""
    out, ends = tmp_path / "out.qcow2", set[bool]()
    words = [sys.executable, "-m", "qcowspec", "convert", "-q", "-O", "qcow2", *way]
    begun = time.monotonic()
    subprocess.run([*words, source, tmp_path / "whole.qcow2"], check=True)
    took = time.monotonic() - begun
    whole = (tmp_path / "whole.qcow2").read_bytes()
    for turn in range(6):
        out.unlink(missing_ok=True)
        if had:
            out.write_bytes(b"old")
        running = subprocess.Popen([*words, str(source), str(out)])
        if turn % 2:  # as soon as something is being written
            while running.poll() is None and not list(tmp_path.glob("out.*.partial")):
                time.sleep(0.001)
            time.sleep(turn * 0.01)
        else:
            time.sleep(took * turn / 5)
        running.send_signal(signal.SIGKILL)
        running.wait()
        found = out.read_bytes() if out.exists() else None
        assert found in (b"old" if had else None, whole)
        ends.add(found == whole)
        for partial in tmp_path.glob("out.*.partial"):
            partial.unlink()
    assert False in ends


@pytest.fixture
def full() -> Iterator[None]:
    """No file can have more than some bytes, which no image of this disk has room in."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 4, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("way", WAYS, ids=" ".join)
@pytest.mark.parametrize("threads", [1, 4])
def test_a_full_disk_is_an_error_and_leaves_nothing(
    source: Path, tmp_path: Path, way: list[str], threads: int
) -> None:
    out = tmp_path / "out.qcow2"
    done = run("convert", "-O", "qcow2", *way, "-m", threads, source, out)

    assert done.returncode == 1
    assert done.stderr == f"qcowspec: {out}: cannot be written: file too large\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["written to", "cut off"])
def test_a_source_that_changes_is_an_error_and_leaves_nothing(
    source: Path, tmp_path: Path, how: str
) -> None:
    image, out = tmp_path / "disk.qcow2", tmp_path / "out.qcow2"
    image.write_bytes(source.read_bytes())
    with qcowspec.open(image) as opened:
        disk, seen = opened.disk(), list[int]()

        def progress(count: int) -> None:
            """Change the source when a part of it is copied."""
            if not seen and how == "written to":
                with image.open("r+b") as file:
                    file.seek(SIZE)
                    file.write(b"more")
                found = image.stat()  # the clock of the file system may be too coarse to tell
                os.utime(image, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))
            seen.append(count)

        if how == "cut off":
            os.truncate(image, image.stat().st_size - (1 << 20))
        with pytest.raises(Changed):
            write_qcow2(disk, str(out), NewImage(), progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == ["disk.qcow2"]
