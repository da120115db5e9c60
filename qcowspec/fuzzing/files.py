"""Files written whole or not at all, holes where they are zeros.

In: a path, a length, bytes and where they stand. Out: the file. Refuses: a path where something
stands that is no file, with `OSError`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

PARTIAL = ".partial"
"""What a file's name ends with while it is being written."""


def write(path: Path, length: int, chunks: Iterable[tuple[int, bytes]]) -> int:
    """Write a file, in place of the one that may be there, when all of it is written.

    Args:
        path: Where to.
        length: Its length in bytes.
        chunks: What stands in it, by offset; the rest are holes.

    Returns:
        How many bytes were written.

    Raises:
        OSError: It cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is there already, and is no file", str(path))
    partial = target.with_name(f".{target.name[:200]}.{os.getpid()}{PARTIAL}")
    written = 0
    try:
        with partial.open("xb", buffering=0) as file:
            for offset, data in chunks:
                written += len(data)
                view = memoryview(data)
                while view:
                    done = os.pwrite(file.fileno(), view, offset)
                    offset, view = offset + done, view[done:]
            file.truncate(length)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return written
