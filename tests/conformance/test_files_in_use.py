"""A local file that another program has open for writing is not read, unless that is accepted."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from qcowspec.cli import qcowspec as cli
from qcowspec.errors import Unreadable
from qcowspec.sources.local import WRITES, LocalFile

pytestmark = pytest.mark.usefixtures("qemu_img")

IN_USE = "is open for writing in another program"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An overlay, what is behind it, and an image with a data file."""
    monkeypatch.chdir(tmp_path)
    for words in (
        ["base.qcow2", "1M"],
        ["-b", "base.qcow2", "-F", "qcow2", "top.qcow2"],
        ["-o", f"data_file={tmp_path}/disk.data", "split.qcow2", "1M"],
    ):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], check=True)
    return tmp_path


@contextmanager
def writer(name: str, *options: str) -> Iterator[None]:
    """A program of QEMU's that has a file open for writing."""
    command = ["qemu-io", *options, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"length\n")
        process.stdin.flush()
        while b"MiB" not in process.stdout.readline():
            pass
        yield
        process.stdin.write(b"quit\n")
        process.stdin.flush()
        process.communicate()


COMMANDS = {
    "map": (["map"], ["map"]),
    "check": (["check"], ["check"]),
    "convert": (["convert", "-q", "{}", "out"], ["convert", "-O", "raw", "{}", "out"]),
    "compare": (["compare", "{}", "{}"], ["compare", "{}", "{}"]),
}


def both(command: str, name: str, *, share: bool) -> tuple[int, int, str]:
    """Our exit status and QEMU's, and what we say."""
    ours, theirs = ([word.format(name) for word in words] for words in COMMANDS[command])
    shared = ["-U"] * share
    if name not in (*ours, *theirs):
        ours, theirs = [*ours, name], [*theirs, name]
    result = CliRunner().invoke(cli, [ours[0], "--allow", "same-dir", *shared, *ours[1:]])
    expected = subprocess.run(
        ["qemu-img", theirs[0], *shared, *theirs[1:]], capture_output=True
    ).returncode
    return result.exit_code, expected, result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["top.qcow2", "split.qcow2"])
def test_an_image_that_is_written_to(files: Path, command: str, name: str) -> None:
    with writer(name):
        status, expected, said = both(command, name, share=False)
        assert (status, IN_USE in said, "--force-share" in said) == (expected, True, True)
        assert status == (2 if command == "compare" else 1)

        assert both(command, name, share=True)[:2] == (0, 0)
    assert both(command, name, share=False) == (0, 0, "")


@pytest.mark.parametrize("command", ["map", "convert", "compare"])
def test_a_backing_file_that_is_written_to(files: Path, command: str) -> None:
    with writer("base.qcow2"):
        status, expected, said = both(command, "top.qcow2", share=False)

        assert (status, f"base.qcow2: {IN_USE}" in said) == (expected, True)


@pytest.mark.parametrize("command", ["map", "convert", "compare"])
def test_a_data_file_that_is_written_to(files: Path, command: str) -> None:
    with writer("disk.data", "-f", "raw"):
        status, expected, said = both(command, "split.qcow2", share=False)

        assert (status, f"disk.data: {IN_USE}" in said) == (2 if command == "compare" else 1, True)
        # QEMU lets others write to a file without tables, but for convert.
        assert expected == (1 if command == "convert" else 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_backing_file_of_a_disk_in_use_is_read(files: Path, command: str) -> None:
    with writer("top.qcow2"):
        assert both(command, "base.qcow2", share=False) == (0, 0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_is_no_writer(files: Path, command: str) -> None:
    with writer("top.qcow2", "-r"):
        assert both(command, "top.qcow2", share=False) == (0, 0, "")


def test_info_looks_at_files_in_use(files: Path) -> None:
    with writer("top.qcow2"):
        assert CliRunner().invoke(cli, ["info", "-U", "top.qcow2"]).exit_code == 0


def test_a_lock_that_names_its_process_is_said_to_be_its(files: Path) -> None:
    code = f"""
import fcntl, sys
file = open("base.qcow2", "r+b")
fcntl.lockf(file, fcntl.LOCK_SH, 1, {WRITES})
print("locked", flush=True)
sys.stdin.read()
"""
    command = ["python3", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        source = LocalFile("base.qcow2")
        with pytest.raises(Unreadable, match=f"in process {process.pid},"):
            source.refuse_writers()
        source.close()
        process.communicate()


def test_nothing_is_locked_by_asking(files: Path) -> None:
    source = LocalFile("base.qcow2")
    source.refuse_writers()
    with open("base.qcow2", "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    source.close()


def test_where_locks_are_not_known_nothing_is_said(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*words: object) -> bytes:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", unknown)
    source = LocalFile("base.qcow2")
    source.refuse_writers()
    source.close()
