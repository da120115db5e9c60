"""In a folder of names that strangers chose, no command opens or asks for anything but these names.

In: about 200 names: spec-like, URL-like, option-like, no UTF-8, links, pipes, sockets; every
command in such a folder, within one process; a server that counts who comes, and strace.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.remote import hostile

ROOT = Path(__file__).parents[2]
LIMIT = 120
"""Seconds for all calls: none waits for a pipe."""


@dataclass
class Ran:
    """What came of all calls.

    Attributes:
        names: The names in the folder.
        walked: The paths that a walk finds there.
        said: Calls that ended with a traceback.
        status: Exit status of the whole.
        visitors: Connections to the server.
        trace: What strace saw; None where there is none.
        out: Where results were written.
    """

    names: list[str]
    walked: set[bytes]
    said: str
    status: int
    visitors: list[str]
    trace: list[tuple[str, list[bytes]]] | None
    out: Path


@pytest.fixture(scope="module")
def visitors() -> Iterator[tuple[str, list[str]]]:
    """A server that notes who connects, and hangs up; and its address."""
    came: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    came.append(connection.recv(200).decode("latin-1"))

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def ran(visitors: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Every command, in the folder."""
    server, came = visitors
    folder, other = tmp_path_factory.mktemp("uploads"), tmp_path_factory.mktemp("other")
    bait = other / "bait"
    bait.write_bytes(b"bait".ljust(4096, b"\0"))
    hostile.populate(folder, server, str(bait))
    command = [sys.executable, "-m", "tests.remote.hostile", str(other / "out")]
    trace = other / "trace"
    if shutil.which("strace"):
        calls = "open,openat,openat2,connect,rename,renameat,renameat2"
        command = [
            "strace",
            "-f",
            "-qq",
            "-xx",
            "-s",
            "8192",
            "-o",
            str(trace),
            "-e",
            calls,
            *command,
        ]
    paths = [ROOT, ROOT / "generated", ROOT / "formats"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
    )
    names = hostile.named(folder)
    said = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
    seen = list(_seen(trace)) if trace.exists() else None
    walked = set(map(os.fsencode, _walk(folder)))
    return Ran(names, walked, said, done.returncode, came, seen, other)


CALL = re.compile(r"\d+ +(\w+)\((.*)")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def _seen(trace: Path) -> Iterator[tuple[str, list[bytes]]]:
    """The calls between the marks, and the names in each."""
    between = False
    for line in trace.read_text().splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in TEXT.findall(call[2])]
        if os.fsencode(hostile.BEGIN) in texts:
            between = True
        elif os.fsencode(hostile.END) in texts:
            return
        elif between:
            yield call[1], texts


def test_there_are_enough_names(ran: Ran) -> None:
    assert len(ran.names) >= 200


def test_no_command_ends_with_a_traceback_or_waits(ran: Ran) -> None:
    assert (ran.said, ran.status) == ("", 0)


def test_no_request_arrives(ran: Ran) -> None:
    assert ran.visitors == []


def test_nothing_is_opened_but_the_names(ran: Ran) -> None:
    if ran.trace is None:
        pytest.skip("strace is missing: what is opened cannot be seen")
    own = tuple(os.fsencode(f"{place}/") for place in (ROOT, sys.prefix, sys.base_prefix))
    names = {os.fsencode(name) for name in ran.names}
    opened: set[bytes] = set()
    for call, texts in ran.trace:
        assert call != "connect", texts
        for text in texts:
            if not text.startswith((*own, os.fsencode(ran.out / "out"))):
                opened.add(text)

    assert sorted(opened - names - ran.walked - SYSTEM) == []
    assert names & opened  # the trace is one of these calls


SYSTEM = {b"/dev/null", b"/dev/urandom", b"/sys/devices/system/cpu/online"}
"""What Python opens for itself."""


def _walk(folder: Path) -> Iterator[str]:
    """The paths by which a walk opens what it finds: directories, and files."""
    for place, folders, names in os.walk(folder):
        here = os.path.relpath(place, folder)
        yield here if here == "." else f"./{here}"
        yield from (os.path.normpath(os.path.join(here, name)) for name in (*folders, *names))
