"""Disks to measure with: what real disks hold, text that is hard to compress, and random bytes.

In: a size. Out: a raw file. Refuses: a machine without enough files.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

MIB = 1 << 20
ROOTS = ("/usr/lib", "/usr/bin", "/usr/share", "/usr/sbin", "/opt", "/usr/local")
TEXTS = (".py", ".txt", ".h", ".md", ".html", ".rst", ".json", ".xml", ".pl", ".pm", ".c")


def files(path: Path, size: int) -> None:
    """The machine's own programs, libraries and documents, each at a multiple of 4 KiB."""
    _gather(path, size, lambda _: True, aligned=True)


def text(path: Path, size: int) -> None:
    """The machine's text files, one after the other, once each: few bytes stand twice."""
    _gather(path, size, lambda name: name.endswith(TEXTS), aligned=False)


def incompressible(path: Path, size: int) -> None:
    """Random bytes."""
    chance = random.Random(1)  # noqa: S311 - no secret
    with path.open("wb") as out:
        for _ in range(size // MIB):
            out.write(chance.randbytes(MIB))
        out.truncate(size)


CONTENTS: dict[str, Callable[[Path, int], None]] = {
    "files": files,
    "text": text,
    "random": incompressible,
}


def _gather(path: Path, size: int, wanted: Callable[[str], bool], *, aligned: bool) -> None:
    """Write files until the disk is full; a machine that has less begins again."""
    with path.open("wb") as out:
        while out.tell() < size:
            before = out.tell()
            for name in _found(wanted):
                try:
                    data = Path(name).read_bytes()
                except OSError:
                    continue
                out.write(data)
                if aligned:
                    out.seek(-out.tell() % 4096, os.SEEK_CUR)
                if out.tell() >= size:
                    break
            if out.tell() == before:
                raise SystemExit("this machine has no files to measure with")
        out.truncate(size)


def _found(wanted: Callable[[str], bool]) -> Iterator[str]:
    for root in ROOTS:
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if wanted(name) and os.path.isfile(path) and not os.path.islink(path):
                    yield path
