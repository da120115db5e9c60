"""The progress bar: seen on a terminal, a real one, and nowhere else; and gone at the end."""

from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from qcowspec.cli.check import LONG
from qcowspec.cli.progress import ERASE, Bar
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.vectors import base

CLUSTER = 512

BAR = "check  [----"
"""How the bar of a check begins."""


def image(path: Path, tables: int) -> Path:
    """An image with so many empty L2 tables, in a hole of the file."""
    draft = Draft(base("v3-512"))
    first = len(draft.data) + -len(draft.data) % CLUSTER
    l2 = first + tables * 8 + -tables * 8 % CLUSTER
    entries = struct.pack(f">{tables}Q", *range(l2, l2 + tables * CLUSTER, CLUSTER))
    for field, value in (
        ("size", tables * CLUSTER // 8 * CLUSTER),
        ("l1_size", tables),
        ("l1_table_offset", first),
    ):
        draft.set(draft.find(f"header.{field}"), value)
    draft.write(first, entries)
    path.write_bytes(draft.data)
    os.truncate(path, l2 + tables * CLUSTER)
    return path


@pytest.fixture(name="long", scope="module")
def _long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose check is worth a bar."""
    return image(tmp_path_factory.mktemp("bar") / "long.qcow2", LONG)


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: our end of it, and the command's."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def shown_on(end: int) -> str:
    """All that a terminal was sent, once nobody has its other end any more."""
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(end, 65536)
        except OSError:  # so does Linux say that it was closed
            piece = b""
        if not piece:
            return b"".join(pieces).decode()
        pieces.append(piece)


def run(
    *arguments: object, stdout_too: bool = False, set_: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run the command with stderr, and stdout if it is to be so, on a terminal.

    Returns:
        The exit status, what the terminal was sent, and what went to a stdout that is none.
    """
    command = [sys.executable, "-m", "qcowspec", *map(str, arguments)]
    environment = os.environ | {"TERM": "xterm"} | dict(set_ or {})
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=theirs if stdout_too else subprocess.PIPE,
            stderr=theirs,
            env=environment,
        )
        os.close(theirs)
        sent = shown_on(ours)
        said, _ = process.communicate(timeout=60)
    return process.returncode, sent, (said or b"").decode()


# --- on a terminal --------------------------------------------------------------------------------


def test_a_terminal_is_shown_a_bar_which_is_gone_at_the_end(long: Path) -> None:
    _, sent, said = run("check", long)

    assert sent.startswith(ERASE + BAR)
    assert sent.endswith(ERASE)
    assert "\n" not in sent
    assert f"\nImage end offset: {long.stat().st_size}\n" in said
    assert "\x1b" not in said


def test_json_that_goes_elsewhere_is_json_alone(long: Path) -> None:
    _, sent, said = run("check", "--output", "json", long)

    assert sent.startswith(ERASE + BAR)
    assert said.startswith("{")
    assert said.endswith("}\n")


@pytest.mark.parametrize("quiet", [["-q"], []])
def test_a_terminal_that_is_dumb_or_a_quiet_check_shows_none(long: Path, quiet: list[str]) -> None:
    _, sent, _ = run("check", *quiet, long, set_={} if quiet else {"TERM": "dumb"})

    assert sent == ""


def test_a_finished_conversion_leaves_its_bar_standing(tmp_path: Path) -> None:
    path = tmp_path / "small.qcow2"
    path.write_bytes(base("v3").data)

    status, sent, _ = run("convert", path, tmp_path / "out.raw")

    assert status == 0
    assert sent.endswith(" MiB/s\r\n")
    assert "out.raw  [########" in sent


def test_a_comparison_shows_a_bar_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "small.qcow2"
    path.write_bytes(base("v3").data)

    asked, not_asked = run("compare", "-p", path, path), run("compare", path, path)

    assert asked[1].startswith(f"{ERASE}compare  [")
    assert asked[1].endswith(ERASE)
    assert not_asked == (0, "", asked[2])


@pytest.mark.parametrize("set_", [{}, {"NO_COLOR": "1"}], ids=["colours", "NO_COLOR"])
def test_no_color_takes_the_colours_away(long: Path, set_: dict[str, str]) -> None:
    _, sent, _ = run("check", long, stdout_too=True, set_=set_)

    assert ("\x1b[31mERROR\x1b[0m" in sent) == (not set_)
    assert ("\x1b[" in sent.replace(ERASE, "")) == (not set_)


def heard() -> None:
    """Interruptions are heard again: a shell has what it runs in the background ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interruption_takes_the_bar_away_and_is_status_130(tmp_path: Path) -> None:
    path = image(tmp_path / "endless.qcow2", 1 << 20)  # reads half a GiB of zeros
    command = [sys.executable, "-m", "qcowspec", "check", str(path)]
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm"},
            preexec_fn=heard,
        )
        os.close(theirs)
        sent = ""
        while sent.count(ERASE) < 2:  # it has begun, and goes on
            sent += os.read(ours, 65536).decode()
        process.send_signal(signal.SIGINT)
        sent += shown_on(ours)
        said, _ = process.communicate(timeout=60)

    assert sent.startswith(ERASE + BAR)
    assert (process.returncode, said) == (130, b"")
    assert sent.endswith(f"{ERASE}\r\n")
    assert "Traceback" not in sent


# --- elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "convert", "compare"])
def test_a_stderr_that_is_no_terminal_is_sent_nothing(
    command: str, long: Path, tmp_path: Path
) -> None:
    arguments: dict[str, list[object]] = {
        "check": [long],
        "convert": [DATA / "v3-zlib.qcow2", tmp_path / "out.raw"],
        "compare": ["-p", long, long],
    }

    done = subprocess.run(
        [sys.executable, "-m", "qcowspec", command, *map(str, arguments[command])],
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.stderr == b""


DATA = Path(__file__).parents[1] / "data"


# --- the line itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [0, 1, 8, 20, 40, 41, 80, 200])
@pytest.mark.parametrize("label", ["check", "a-rather-long-name-of-a-file.qcow2" * 3])
def test_a_bar_fits_its_terminal(columns: int, label: str) -> None:
    bar = Bar(label, 100, says=lambda: "1,234 MiB/s")
    bar.at(label, 50, 100)

    assert len(bar.line(columns)) <= max(0, columns - len("^C"))


@pytest.mark.parametrize(("done", "length"), [(0, 0), (5, 0), (7, 5), (5, 5)])
def test_what_is_done_is_never_more_than_all(done: int, length: int) -> None:
    bar = Bar("check", length)
    bar.at("check", done, length)

    assert bar.line(80).endswith("]  100%")


def test_a_name_cannot_move_the_cursor() -> None:
    assert "\x1b" not in Bar("\x1b[2J", 1).line(80)


def test_what_was_done_before_says_nothing_of_how_long_the_rest_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("qcowspec.cli.progress.time.monotonic", lambda: now[0])
    with Bar("mutants", 1000, hidden=True, begun=900) as bar:
        now[0] += 10
        assert bar.line(80).endswith("]   90%")  # nothing was done yet that it could go by
        bar.add(10)

        assert bar.line(80).endswith("]   91%  1:30")
