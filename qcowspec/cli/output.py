"""What all commands print with: text to stdout, one sentence to stderr, colours that switch off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from qcowspec.errors import QcowError, reason_of
from qcowspec.report.style import Style, plain_style
from qcowspec.report.words import printable

if TYPE_CHECKING:
    from qcowspec.spec.metadata import Metadata
    from qcowspec.transfer.places import Target

STANDARD = "-"
"""Stands for standard input or output where a command takes a file."""

UNREADABLE = 2
"""Exit status where the image cannot be read, or is no QCOW image."""

FORMATS = {"auto": None, "qcow": "qcow", "qcow2": "qcow2"}
"""The choices of ``--format``, and what they stand for; None where the probe decides."""

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
"""How each role of `qcowspec.report.text` is painted."""


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
    """Write text to stdout, as UTF-8 whatever the locale, a good many pieces at a time."""
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    for piece in pieces:
        sys.stdout.write(piece)


@contextmanager
def pieces() -> Iterator[Callable[[str], object]]:
    """Write text to stdout that comes piece by piece, a good many of them at a time."""
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


def say(error: QcowError) -> None:
    """Say what is wrong in one sentence."""
    click.echo(f"qcowspec: {printable(str(error))}", err=True)


def warn_of_end(name: str, image: Metadata | None) -> None:
    """Say first if an image's file ends too early; of a raw file nothing is known."""
    if image is not None and image.reach:
        from qcowspec.reader.looked import truncated

        click.echo(f"qcowspec: {printable(name)}: {truncated(image)}", err=True)


def fail(error: QcowError) -> NoReturn:
    """Say what is wrong in one sentence, and exit."""
    say(error)
    sys.exit(UNREADABLE)


def target_of(path: str) -> Target:
    """Where results go that a user wants under a name: - is standard output.

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


def unwritable(path: str, error: OSError, status: int) -> NoReturn:
    """Say in one sentence that a result cannot be written, and exit."""
    says = f"qcowspec: {path}: cannot be written: {reason_of(error)}"
    click.echo(printable(says), err=True)
    sys.exit(status)
