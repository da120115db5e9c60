"""Finds a command's program and its files, so that it can run in another folder.

In: the words of a command, as the user types them in the current folder. Out: words and an
environment that mean the same elsewhere, or the reason why a program cannot be started. Refuses:
nothing.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

SHELL = ("|", "||", "&&", ";", ">", ">>", "<", "2>", "2>&1", "&")
"""Words that only a shell understands."""

SEARCHED = "PYTHONPATH"


def located(words: Sequence[str], *, moves: bool) -> list[str]:
    """The words, with the program's path if it lies in the current folder.

    Args:
        words: The command.
        moves: Whether it will run in another folder: then files of the current one that it names,
            such as a script, have their whole paths. A word without a `/` or a `.` is not taken
            for a file, because most such words are not.
    """
    first, *rest = [os.path.expanduser(w) if w.startswith("~/") else w for w in words]
    if "/" in first or (shutil.which(first) is None and Path(first).is_file()):
        first = os.path.abspath(first)
    return [first, *(_whole(word) if moves else word for word in rest)]


def _whole(word: str) -> str:
    named = "/" in word or "." in word.strip(".")
    return os.path.abspath(word) if named and os.path.exists(word) else word


def environment(words: Sequence[str]) -> dict[str, str]:
    """The environment in which Python finds the same modules from another folder."""
    found = dict(os.environ)
    paths = [os.path.abspath(path) for path in found.get(SEARCHED, "").split(":") if path]
    if "-m" in words:  # which looks in the current folder first
        paths.insert(0, os.getcwd())
    if paths:
        found[SEARCHED] = ":".join(paths)
    return found


def wants_shell(words: Sequence[str]) -> str | None:
    """A sentence if the words are meant for a shell."""
    odd = next((word for word in words if word in SHELL), None)
    if odd is not None:
        return f"{odd} is for a shell, and the command runs without one; put it into a script"
    if "=" in words[0] and "/" not in words[0].partition("=")[0]:
        return f"{words[0]} is for a shell; put `env` before it"
    return None


def reason(program: str, error: OSError | None = None) -> str:
    """Why a program cannot be started, and what to do."""
    path = Path(program)
    if error is not None and error.errno == errno.ENOEXEC:
        return f"{program}: it is no program, and has no #! line; name its interpreter before it"
    if error is not None and path.is_file() and error.errno == errno.ENOENT:
        return f"{program}: the interpreter in its #! line is missing"
    if path.is_dir():
        return f"{program}: it is a directory"
    if path.is_file():
        return f"{program}: it is not executable; chmod +x, or name its interpreter before it"
    if error is not None and error.errno != errno.ENOENT:
        return f"{program}: {error.strerror}"
    return f"{program}: there is no such program"


def exists(program: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a program can be started, as far as can be seen."""
    return shutil.which(program, path=environ.get("PATH")) is not None
