"""Whoever interrupts a command need not wait for a server that is silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.remote.faults import proxy
from tests.remote.servers import Nginx

LONG = 10
"""Seconds that nobody waits; one attempt at a silent server takes twice as long, all of them ten
times."""

DATA = 512 << 10
"""Bytes of a request that is for more than a table."""

COMMANDS = {
    "convert": ["convert", "-q", "URL", "out.raw"],
    "new image": ["convert", "-q", "-O", "qcow2", "URL", "out.raw"],
    "resume": ["convert", "-q", "--resume", "URL", "out.raw"],
    "compare": ["compare", "URL", "disk.raw"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_silent_server_is_not_waited_for(
    nginx: Nginx, served: Path, tmp_path: Path, command: str
) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(os.urandom(8 << 20) + b"\1" * (8 << 20))
    image = served / "silent.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image)], check=True)
    stalled: list[str] = []

    def plan(asked: str) -> str | None:
        first, _, last = asked.removeprefix("bytes=").partition("-")
        if int(last) - int(first) < DATA:
            return None
        stalled.append(asked)
        return "stall"

    with proxy(nginx.url, plan) as between:
        words = [
            f"{between.url}/{image.name}" if word == "URL" else word for word in COMMANDS[command]
        ]
        running = subprocess.Popen(
            [sys.executable, "-m", "qcowspec", *words],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        while not stalled and running.poll() is None:
            time.sleep(0.05)
        assert running.poll() is None
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=LONG)

    assert running.returncode == 128 + signal.SIGINT
    assert b"Traceback" not in said
    kept = {"out.raw.partial", "out.raw.partial.journal"} if command == "resume" else set()
    assert {path.name for path in tmp_path.iterdir()} == {"disk.raw"} | kept
