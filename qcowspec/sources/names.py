"""What a user's name for an image means: a path, a URL, a source spec, standard input.

In: a name. Out: what `open_source` takes, typed, so that it is decided once. Refuses:
a source spec that is not a JSON object.

A name that exists as a file is that file, whatever it looks like: a shell that expands ``*`` in an
upload folder hands over names that strangers chose. Only a name for which the system finds
no file can be anything else.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qcowspec.errors import SPEC, shown

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class FileName:
    """A path, whatever it looks like; its text is kept as given.

    Attributes:
        text: The path.
        format: The format that the user states with it: ``qcow``, ``qcow2`` or ``raw``.
        is_typed: Whether a person typed it: then a pipe is read too, to its end.
    """

    text: str
    format: str | None = None
    is_typed: bool = field(default=False, compare=False)

    def __fspath__(self) -> str:
        return self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Url:
    """A URL or a chain of URLs. It may hold secrets, and shows none."""

    text: str

    def __str__(self) -> str:
        return shown(self.text)

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"


def named(name: str) -> str | FileName | Url | Mapping[str, Any]:
    """What a name means.

    Returns:
        ``-`` itself, for standard input; a `FileName`; a `Url`; or a source spec, parsed.

    Raises:
        Invalid: It is no name of a file, begins with ``json:`` and is no JSON object.
    """
    if name == STANDARD_INPUT:
        return name
    if not (name.startswith(SPEC) or "::" in name or "://" in name) or exists(name):
        return FileName(name, is_typed=True)
    if name.startswith(SPEC):
        from qcowspec.sources.specs import parsed

        return parsed(name)
    return Url(name)


def exists(name: str) -> bool:
    """Whether a name is that of a file, directory, link or anything else that is there.

    Where the system cannot tell (as in a directory that may not be searched), it counts as one:
    such a name must not become a request to a server.
    """
    try:
        os.lstat(name)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no path has such text
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG  # which no file can have
    return True


def is_pipe(path: str) -> bool:
    """Whether a path leads to a named pipe, or one that the shell made."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):  # which opening it reports
        return False
