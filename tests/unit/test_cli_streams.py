"""Standard streams that are full, or closed: one sentence where there is somebody to hear it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.fuzzing.vectors import base

FULL = {"check": 1, "compare": 2, "dump": 2, "info": 2, "map": 2, "validate": 2}
"""Each command's exit status where its output cannot be written; of a check 2 is a verdict."""

REFUSED = "qcowspec: the output cannot be written: "


@pytest.fixture(name="image", scope="module")
def _image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "sound.qcow2"
    path.write_bytes(base("v3").data)
    return path


def run(command: str, image: Path, streams: str) -> tuple[int, str]:
    """Exit status, and what went to stderr, of a command whose streams a shell has changed."""
    words = [sys.executable, "-m", "qcowspec", command, *[image] * (1 + (command == "compare"))]
    # Python is to gather its output, as it does unless it is told otherwise.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["sh", "-c", f'"$@" {streams}', "sh", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
        timeout=60,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", FULL)
def test_output_that_nobody_takes_is_one_sentence(command: str, image: Path) -> None:
    full = run(command, image, "> /dev/full")
    closed = run(command, image, ">&-")

    assert full == (FULL[command], f"{REFUSED}No space left on device\n")
    assert closed == (FULL[command], f"{REFUSED}Bad file descriptor\n")


@pytest.mark.parametrize("command", FULL)
def test_errors_that_nobody_takes_change_nothing(command: str, image: Path) -> None:
    assert run(command, image, "2>&-") == (0, "")
    assert run(command, image, "<&-") == (0, "")


@pytest.mark.parametrize("command", FULL)
def test_without_any_stream_the_status_is_left(command: str, image: Path) -> None:
    assert run(command, image, "> /dev/full 2> /dev/full") == (FULL[command], "")
    assert run(command, image, "<&- >&- 2>&-") == (FULL[command], "")
