"""QEMU's programs, for tests that make images with them or hold something against them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(
    *words: object, cwd: Path | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program of QEMU's; ``check=False`` where its failure is an answer."""
    return subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=60,
        check=check,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def answer(folder: Path, *words: object) -> tuple[int, str]:
    """Exit status of a program of QEMU's, negative where it died, and all that it prints."""
    done = run(*words, cwd=folder, check=False)
    return done.returncode, done.stdout + done.stderr


def create(
    path: Path, size: object, *words: object, options: str = "", format: str = "qcow2"
) -> None:
    """Make an image with `qemu-img create`."""
    chosen = ["-o", options] if options else []
    run("qemu-img", "create", "-q", "-f", format, *chosen, *words, path, size)


def write(path: Path, *commands: str, format: str = "qcow2") -> None:
    """Change an image with the commands of `qemu-io`."""
    run("qemu-io", "-f", format, *(word for each in commands for word in ("-c", each)), path)
