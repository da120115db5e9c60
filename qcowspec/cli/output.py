"""What all commands print with: text to stdout, one sentence to stderr, colours that switch off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from qcowspec.errors import QcowError
from qcowspec.report.style import Style, plain_style
from qcowspec.report.words import printable

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


def fail(error: QcowError) -> NoReturn:
    """Say what is wrong in one sentence, and exit."""
    say(error)
    sys.exit(UNREADABLE)
