"""A named pipe, or a process substitution of the shell, as an image.

In: a path that a person typed. Out: a `Source` over a temporary copy, as of standard input.
Refuses: a pipe that no program has open for writing.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from itertools import chain

from qcowspec.errors import Unreadable, reason_of
from qcowspec.sources.spool import PIECE, Spooled

PATIENCE = 1.0
"""Seconds in which a program has to open the pipe for writing: nobody waits for a planted one."""

PAUSE = 0.02
"""Seconds between two looks."""


def open_pipe(path: str) -> Spooled:
    """Read a pipe to its end.

    Raises:
        Unreadable: No program writes to it, it cannot be read, or the temporary disk is full.
    """
    pieces = _pieces(path)
    begins = next(pieces)  # before a temporary file is made
    return Spooled(chain([begins], pieces), path)


def _pieces(path: str) -> Iterator[bytes]:
    try:
        # Without O_NONBLOCK, opening a pipe without a writer would wait for ever.
        pipe = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {reason_of(error)}", path=path) from error
    try:
        piece = _first(pipe, path)
        while piece:
            yield piece
            piece = os.read(pipe, PIECE)
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(f"cannot be read: {reason_of(error)}", path=path) from error
    finally:
        os.close(pipe)


def _first(pipe: int, path: str) -> bytes:
    """The first bytes of a pipe, as soon as a program has it open; its writer may take its time."""
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        raise Unreadable("is no pipe any more", path=path)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            piece = os.read(pipe, PIECE)
        except BlockingIOError:  # a writer is there
            os.set_blocking(pipe, True)
            piece = os.read(pipe, PIECE)
        if piece:
            os.set_blocking(pipe, True)
            return piece
        time.sleep(PAUSE)
    raise Unreadable("is a pipe that no program writes to", path=path)
