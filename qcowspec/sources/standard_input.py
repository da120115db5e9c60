"""Standard input as an image.

In: file descriptor 0. Out: a `Source`. Refuses: a terminal, which holds no image.

A file redirected into the program is read in place; a pipe is first copied to an unnamed temporary
file, because an image's tables lie anywhere.
"""

from __future__ import annotations

import sys

from qcowspec.errors import Unreadable
from qcowspec.sources.local import LocalFile
from qcowspec.sources.source import Source


def open_standard_input() -> Source:
    """Open standard input.

    Raises:
        Unreadable: It is a terminal, closed, or the temporary disk is full.
    """
    stdin = sys.stdin
    if stdin is None or stdin.closed or stdin.isatty():
        raise Unreadable("no image comes in; name a file, or redirect one here", path="-")
    if stdin.seekable():
        return _named(LocalFile(f"/dev/fd/{stdin.fileno()}"))
    from qcowspec.sources.spool import PIECE, Spooled  # which a redirected file does not need

    return Spooled(iter(lambda: stdin.buffer.read(PIECE), b""), "-")


def _named(source: LocalFile) -> LocalFile:
    source.name = "-"
    return source
