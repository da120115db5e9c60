"""How far a command is: a line of stderr, on a terminal and nowhere else.

In: what is done, and of how much. Out: a bar, drawn anew now and then, and taken away at the end,
whichever end that is. Refuses: to write anything where stderr is no terminal, or a dumb one.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType

from qcowspec.report.words import printable

EVERY = 0.1
"""Seconds from one drawing to the next, at least."""

WIDEST, NARROWEST = 40, 8
"""Columns of the bar itself."""

SPARE = 3
"""Columns at the end of the line that stay empty: a terminal shows ``^C`` there, and must not begin
a new line for it."""

ERASE = "\r\x1b[K"
"""Goes to the beginning of the line, and empties it. The cursor is never hidden: a command that is
killed could not show it again."""


def shown() -> bool:
    """Whether a bar can be seen, and be taken away again."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Bar:
    """A progress bar; to be used in a ``with`` statement.

    Nothing is drawn but between its beginning and its end.
    """

    def __init__(
        self,
        label: str,
        length: int,
        *,
        hidden: bool = False,
        after: float = 0,
        keep: bool = False,
        says: Callable[[], str] | None = None,
        begun: int = 0,
    ) -> None:
        """Draw nothing yet.

        Args:
            label: What is done.
            length: How much there is of it.
            hidden: Whether nobody wants to see it.
            after: Seconds before which it is not drawn: many a command is done by then.
            keep: Whether the bar is left standing where the command ends well.
            says: What stands behind the bar.
            begun: How much was done before, at another time.
        """
        self._label, self._length, self._keep, self._says = label, length, keep, says
        self._hidden, self._after = hidden or not shown(), after
        self._drawn, self._next, self._start = False, 0.0, 0.0
        self._done = self._begun = begun

    def add(self, count: int) -> None:
        """So much more is done."""
        self.at(self._label, self._done + count, self._length)

    def at(self, label: str, done: int, length: int) -> None:
        """So much is done, of so much, of what may be something else than before."""
        if label != self._label:
            self._start, self._begun = time.monotonic(), 0
        self._label, self._done, self._length = label, done, length
        if time.monotonic() >= self._next:
            self._draw()

    def __enter__(self) -> Bar:
        self._start = time.monotonic()
        self._next = self._start + self._after
        if not self._after:
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._drawn:
            return
        if self._keep and kind is None:
            self._draw()
            sys.stderr.write("\n")
        else:
            sys.stderr.write(ERASE)
        sys.stderr.flush()

    def line(self, columns: int) -> str:
        """The bar as text, no wider than a terminal of so many columns has room for."""
        part = min(1.0, self._done / self._length) if self._length > 0 else 1.0
        behind = [f"{int(part * 100):3}%", self._left()]
        if self._says is not None:
            behind.append(self._says())
        tail = "  ".join(word for word in behind if word)
        room = columns - SPARE - len(tail) - len("  []  ")
        label = printable(self._label)[: max(0, room - NARROWEST)]
        width = max(NARROWEST, min(WIDEST, room - len(label)))
        full = int(part * width)
        return f"{label}  [{'#' * full}{'-' * (width - full)}]  {tail}"[: max(0, columns - SPARE)]

    def _left(self) -> str:
        """How long the rest takes, if it goes on as it did; empty where that is a guess."""
        passed = time.monotonic() - self._start
        done, left = self._done - self._begun, self._length - self._done
        if done <= 0 or left <= 0 or passed < 1:
            return ""
        left = int(passed * left / done)
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _draw(self) -> None:
        self._next = time.monotonic() + EVERY
        if self._hidden:
            return
        self._drawn = True
        sys.stderr.write(ERASE + self.line(shutil.get_terminal_size().columns))
        sys.stderr.flush()
