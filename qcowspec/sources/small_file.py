"""A small file, read whole, such as that of a passphrase.

In: a path, of a file or of a pipe of the shell. Out: its bytes. Refuses: files that are too
long or cannot be read, with `Unreadable`.
"""

from __future__ import annotations

from typing import BinaryIO

from qcowspec.errors import Unreadable, reason_of


def read_small_file(path: str, limit: int) -> bytes:
    """Read a file whole.

    Args:
        path: The file; a named pipe is waited for.
        limit: Bytes that it may have at most.

    Raises:
        Unreadable: It cannot be opened or read, or it is longer.
    """
    try:
        with open(path, "rb") as file:
            return read_small(file, path, limit)
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(f"cannot be read: {reason_of(error)}", path=path) from error
    except ValueError as error:
        raise Unreadable("cannot be read: no file has such a name", path=path) from error


def read_small(stream: BinaryIO, name: str, limit: int) -> bytes:
    """Read a stream to its end; see `read_small_file`."""
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"has more than the {limit} bytes that are read of it", path=name)
    return data
