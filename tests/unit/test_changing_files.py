"""A file that is written to, or cut off, while it is read ends as an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec
from qcowspec.errors import Changed
from qcowspec.sources.local import LocalFile
from qcowspec.transfer.convert import convert

DATA = ImageSpec(cluster_bits=12, clusters={at: Cluster(b"data" * 1024) for at in range(64)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "disk.qcow2"
    found.write_bytes(build.image(DATA))
    return found


def later(path: Path) -> None:
    """Give a file another time of change, as a write does."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


def test_a_file_that_shrinks_is_an_error_and_not_zeros(path: Path) -> None:
    file = LocalFile(str(path))
    os.truncate(path, file.length - 5000)

    with pytest.raises(Changed, match="has shrunk while it was read"):
        file.read_at(file.length - 6000, 6000)
    with pytest.raises(Changed, match="has shrunk while it was read"):
        file.read_into(file.length - 6000, memoryview(bytearray(6000)))
    with pytest.raises(Changed, match="has shrunk while it was read"):
        file.read_pieces([(file.length - 6000, memoryview(bytearray(6000)))])


def test_what_is_read_past_the_length_at_the_opening_is_no_error(path: Path) -> None:
    file = LocalFile(str(path))
    with path.open("ab") as other:
        other.write(b"more")

    assert len(file.read_at(file.length - 10, 100)) == 10


@pytest.mark.parametrize("salvage", [False, True])
def test_convert_of_a_file_that_shrinks_fails_and_leaves_nothing(
    path: Path, tmp_path: Path, salvage: bool
) -> None:
    out = tmp_path / "disk.raw"
    with qcowspec.open(path) as image:
        disk = image.disk(salvage=salvage)
        os.truncate(path, path.stat().st_size - 4096)

        with pytest.raises(Changed):
            convert(disk, str(out))

    assert sorted(tmp_path.iterdir()) == [path]


def test_convert_of_a_file_that_is_written_to_fails_unless_that_is_accepted(
    path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "disk.raw"
    with qcowspec.open(path) as image:
        later(path)

        with pytest.raises(Changed, match="has changed while it was read"):
            convert(image.disk(), str(out))
        assert not out.exists()
        convert(image.disk(), str(out), share=True)

    assert out.read_bytes()[:4] == b"data"


def test_a_file_that_is_replaced_by_another_one_is_read_to_its_end(path: Path) -> None:
    with qcowspec.open(path) as image:
        other = path.with_name("other")
        other.write_bytes(b"another file")
        other.replace(path)

        assert image.pread(0, 4) == b"data"
        image.disk().check_unchanged()


WRITER = """
import os, sys
import qcowspec.cli
from qcowspec.sources.local import LocalFile

read, path = LocalFile.read_at, sys.argv[1]

def touching(self, offset, length):
    found = os.stat(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))
    return read(self, offset, length)

LocalFile.read_at = touching
sys.argv = ["qcowspec", *sys.argv[2:]]
qcowspec.cli.main()
"""
"""A command, during which another program keeps on writing to the image."""


@pytest.mark.parametrize(
    "words", [["map"], ["check", "-q"], ["compare", "-q"], ["convert", "-q"]], ids=lambda w: w[0]
)
def test_each_command_that_reads_for_long_says_so(
    path: Path, tmp_path: Path, words: list[str]
) -> None:
    last = {"compare": [path], "convert": [tmp_path / "disk.raw"]}.get(words[0], [])

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", WRITER, path, *words, *more, path, *last]
        return subprocess.run([str(word) for word in line], capture_output=True, text=True)

    alone, accepted = run(), run("-U")

    assert alone.returncode != 0
    assert "has changed while it was read" in alone.stderr
    assert alone.stderr.count("\n") == 1
    assert (accepted.returncode, accepted.stderr) == (0, "")
