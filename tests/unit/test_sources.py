"""Every byte source keeps one contract: bytes by offset, short only where the file ends."""

from __future__ import annotations

import gzip
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

import qcowspec
from qcowspec.errors import Refused, Unreadable
from qcowspec.sources import open_source
from qcowspec.sources.filesystems import FsspecFile
from qcowspec.sources.gate import Deny
from qcowspec.sources.source import NO_DATA, Borrowed, Source
from tools.make_test_data import DATA as IMAGES

DATA = bytes(random.Random(7).randbytes(10_000))


def packed(path: Path) -> Path:
    """A file, compressed."""
    there = path.with_suffix(".gz")
    there.write_bytes(gzip.compress(path.read_bytes()))
    return there


class Foreign:
    """An object that knows nothing of `Source`, and offers the least."""

    def __init__(self, data: bytes) -> None:
        self.name, self.length, self._data = "<foreign>", len(data), data

    def read_at(self, offset: int, length: int) -> bytes:
        """See `Source.read_at`."""
        return self._data[offset : offset + length]


Opener = Callable[[Path], Source]

OPENERS: dict[str, Opener] = {
    "file object": lambda path: open_source(BytesIO(path.read_bytes())),
    "file object that reads little at a time": lambda path: open_source(Slow(path.read_bytes())),
    "local file": lambda path: open_source(path),
    "bytes": lambda path: open_source(path.read_bytes()),
    "bytearray": lambda path: open_source(bytearray(path.read_bytes())),
    "file URL": lambda path: open_source(f"file://{path}"),
    "fsspec": lambda path: FsspecFile(f"file://{path}"),
    "gzip": lambda path: open_source(f"gzip::{packed(path)}"),
    "somebody else's object": lambda path: Borrowed(Foreign(path.read_bytes())),
    "source spec": lambda path: open_source({"type": "file", "file_path": str(path)}),
}


SERVERS = ("nginx", "no_ranges")
"""Fixtures of servers, which make sources too."""


@pytest.fixture(params=[*OPENERS, *SERVERS])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    if request.param in SERVERS:
        path = request.getfixturevalue("served") / "contract"
        path.write_bytes(DATA)
        server = request.getfixturevalue(request.param)
        opened = open_source(f"{getattr(server, 'url', server)}/contract")
    else:
        opened = OPENERS[request.param](path)
    yield opened
    opened.close()


def test_length_is_the_files(source: Source) -> None:
    assert source.length == len(DATA)


def test_reads_are_the_files_bytes_in_any_order(source: Source) -> None:
    pick = random.Random(3)
    for _ in range(200):
        offset, length = pick.randrange(12_000), pick.randrange(4_000)

        assert source.read_at(offset, length) == DATA[offset : offset + length]


@pytest.mark.parametrize("offset", [len(DATA), 2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_reads_past_the_end_are_empty(source: Source, offset: int) -> None:
    assert source.read_at(offset, 512) == b""


def test_huge_reads_cost_no_more_than_the_file(source: Source) -> None:
    assert source.read_at(0, 2**40) == DATA


def test_a_buffer_is_filled_as_far_as_the_file_goes(source: Source) -> None:
    buffer = bytearray(b"-" * 4000)

    assert source.read_into(8000, memoryview(buffer)) == 2000
    assert bytes(buffer) == DATA[8000:] + b"-" * 2000
    assert source.read_into(len(DATA), memoryview(buffer)) == 0


def test_every_way_to_read_gives_the_same_bytes(source: Source) -> None:
    ranges = [(0, 10), (5000, 100), (5050, 100), (9990, 100), (20_000, 5)]
    expected = [DATA[offset : offset + length] for offset, length in ranges]
    buffers = [bytearray(length) for _, length in ranges]
    source.read_pieces(
        (offset, memoryview(buffer)) for (offset, _), buffer in zip(ranges, buffers, strict=True)
    )
    with closing(source.in_order(1000, 2000)) as stretch:
        in_order = [stretch.read_at(1000, 700), stretch.read_at(1700, 1300)]

    assert list(source.read_ranges(ranges)) == expected
    assert [source.read_once(*each) for each in ranges] == expected
    assert [bytes(buffer) for buffer in buffers] == [
        found.ljust(length, b"\0") for found, (_, length) in zip(expected, ranges, strict=True)
    ]
    assert in_order == [DATA[1000:1700], DATA[1700:3000]]
    assert source.read_at(0, 5) == DATA[:5], "the file stays open"


def test_what_is_no_hole_ends_with_the_file(source: Source) -> None:
    assert list(source.data_ranges(100, 2**40)) == [(100, len(DATA))]
    assert list(source.data_ranges(len(DATA), 5)) == []
    assert source.next_data(100) == 100
    assert source.next_data(len(DATA)) == NO_DATA
    assert source.next_hole(100) >= len(DATA)


def test_a_file_that_nobody_writes_to_is_neither_changed_nor_in_use(source: Source) -> None:
    source.check_unchanged()
    source.refuse_writers()

    assert source.version == source.version
    assert source.sibling("https://[::1]:9/elsewhere") is None


def test_closing_twice_does_no_harm(source: Source) -> None:
    source.close()
    source.close()


def refusal(path: Path | str) -> str:
    with pytest.raises(Unreadable) as caught:
        open_source(path)
    return str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "none"

    assert refusal(path) == f"{path}: cannot be opened: no such file or directory"


def test_a_directory_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: is a directory, not an image"


def test_a_pipe_is_said_and_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert refusal(tmp_path / "pipe").endswith("is neither a file nor a block device")


class Slow(BytesIO):
    """A file object that gives as much as it likes."""

    def read(self, size: int | None = -1) -> bytes:
        """Some of what is asked for."""
        return super().read(min(size or 0, 777))


def test_a_file_object_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        source = open_source(file)
        source.close()

        assert source.name == str(path)
        assert not file.closed
        with pytest.raises(Unreadable, match="it is closed"):
            source.read_at(0, 1)


def test_a_file_object_of_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("text")
    with path.open() as file, pytest.raises(Unreadable, match="opened as text"):
        open_source(file).read_at(0, 1)  # type: ignore[arg-type] # that is what is refused


def test_a_file_object_that_cannot_seek_is_said() -> None:
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, "rb") as file, pytest.raises(Unreadable, match="has no length"):
        open_source(file)


def test_a_socket_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

        assert "cannot be opened" in refusal(tmp_path / "socket")


def test_a_device_without_a_length_is_said() -> None:
    assert refusal("/dev/zero").endswith("is neither a file nor a block device")


def test_a_name_that_no_file_can_have_is_said() -> None:
    assert "cannot be opened" in refusal("a\0b")


@pytest.mark.parametrize("how", ["redirected", "piped"])
def test_standard_input_is_read_by_offset(tmp_path: Path, how: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    program = (
        "import sys; from qcowspec.sources import open_source as o; s = o('-');"
        "sys.stdout.buffer.write(s.read_at(9000, 2000) + s.read_at(0, 10)); assert s.name == '-'"
    )
    command = [sys.executable, "-c", program]
    if how == "redirected":
        with path.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    else:
        done = subprocess.run(command, input=DATA, capture_output=True, check=True)

    assert done.stdout == DATA[9000:] + DATA[:10]


def test_the_shut_gate_names_the_file_and_the_reason() -> None:
    with pytest.raises(Refused) as caught:
        Deny().admit("a.qcow2", b"/etc/shadow", "backing file")

    assert str(caught.value) == (
        "a.qcow2: names the backing file '/etc/shadow', which is not opened unless you allow it"
        " (--allow same-dir, --allow DIR or --allow any)"
    )


def test_an_object_with_the_least_that_a_source_has_is_judged() -> None:
    image = Foreign((IMAGES / "v3-zstd.qcow2").read_bytes())

    assert qcowspec.validate(image).accepted
