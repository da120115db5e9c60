"""Printing: text to stdout, one sentence to stderr, colours that switch off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from qcowspec.errors import reason_of
from qcowspec.report.style import Style, plain_style
from qcowspec.report.words import printable

if TYPE_CHECKING:
    from qcowspec.spec.metadata import Metadata
    from qcowspec.transfer.places import Target

STANDARD = "-"
"""Stands for standard input or output where a command takes a file."""

FAILED = 1
"""Exit status of qemu-img's commands if something cannot be read or written."""

UNREADABLE = 2
"""Exit status of the others if an image cannot be read, or is no QCOW image."""

COLOURS = {
    "title": {"bold": True},
    "layout": {"dim": True},
    "offset": {"fg": "cyan"},
    "name": {},
    "value": {"fg": "yellow"},
    "meaning": {"fg": "green"},
    "bad": {"fg": "red"},
    "good": {"fg": "green"},
}
"""The style of each role of `qcowspec.report.text`."""


def styler(choice: str) -> Style:
    """Colours as the user wants them: auto, always or never."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if choice == "never" or (choice == "auto" and not wanted):
        return plain_style
    return paint


def paint(text: str, role: str) -> str:
    """Text in its role's colour."""
    return click.style(text, **COLOURS[role]) if text else text  # type: ignore[arg-type]


def write(pieces: Iterable[str]) -> None:
    """Write text to stdout, as UTF-8 whatever the locale."""
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    for piece in pieces:
        sys.stdout.write(piece)


@contextmanager
def pieces() -> Iterator[Callable[[str], object]]:
    """A function that writes text to stdout piece by piece, `TOGETHER` of them at a time."""
    held: list[str] = []

    def take(piece: str) -> None:
        held.append(piece)
        if len(held) >= TOGETHER:
            write(held)
            held.clear()

    yield take
    write(held)


TOGETHER = 1 << 10
"""Pieces that are written together."""


def say(error: object) -> None:
    """Print one sentence on stderr."""
    click.echo(f"qcowspec: {printable(str(error))}", err=True)


def fail(error: object, status: int = UNREADABLE) -> NoReturn:
    """Print one sentence on stderr, and exit."""
    say(error)
    sys.exit(status)


def warn_of_end(name: str, image: Metadata | None) -> None:
    """Warn if an image's file ends too early; nothing is known of a raw file."""
    if image is not None and image.reach:
        from qcowspec.reader.looked import truncated

        say(f"{name}: {truncated(image)}")


def target_of(path: str) -> Target:
    """Where a result is written, by the name that the user gives; - is standard output.

    Raises:
        Unwritable: Standard output is a terminal.
    """
    if path != STANDARD:
        return path
    if sys.stdout.isatty():
        from qcowspec.transfer.places import Unwritable

        raise Unwritable("standard output is a terminal; redirect it, or name a file")
    sys.stdout.flush()
    return sys.stdout.buffer


def is_stdout(path: str) -> bool:
    """Whether a result goes to standard output, where no words may come between its bytes."""
    from qcowspec.transfer.places import place_of

    return path == STANDARD or place_of(path).descriptor == 1


def unwritable(path: str, error: OSError, status: int = UNREADABLE) -> NoReturn:
    """Print that a result cannot be written, and exit."""
    fail(f"{path}: cannot be written: {reason_of(error)}", status)
