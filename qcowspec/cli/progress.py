"""Progress: a bar on a terminal, or lines of JSON on stderr.

In: how much is done, and of how much. Out: a bar, redrawn now and then, and erased when the command
ends, even by an error; or a line of JSON a second, and one at the end, with --progress json.
Refuses: to draw a bar if stderr is no terminal, or a dumb one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType

import click

from qcowspec.report.words import printable

EVERY = 0.1
"""Seconds between two drawings, at least."""

WIDEST, NARROWEST = 40, 8
"""Columns of the bar itself."""

SPARE = 3
"""Columns at the end of the line that stay empty: a terminal shows ``^C`` there, and must not begin
a new line for it."""

ERASE = "\r\x1b[K"
"""Goes to the beginning of the line, and clears it. The cursor is never hidden: a command that is
killed could not show it again."""

MIB = 1 << 20


PROGRESS_JSON = "qcowspec.progress_json"
"""Key of click's `meta`: whether progress is printed as JSON."""

LINES_EVERY = 1.0
"""Seconds between two lines of JSON."""


def _as_json() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(PROGRESS_JSON))


def shown() -> bool:
    """Whether a bar can be seen, and erased."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Bar:
    """A progress bar, drawn only within a ``with`` statement."""

    def __init__(
        self,
        label: str,
        length: int,
        *,
        hidden: bool = False,
        after: float = 0,
        keep: bool = False,
        says: Callable[[], str] | None = None,
        is_bytes: bool = False,
        begun: int = 0,
    ) -> None:
        """Draw nothing yet.

        Args:
            label: What is being done.
            length: How much there is to do.
            hidden: Whether the bar is never drawn.
            after: Seconds before it is first drawn: many commands end sooner.
            keep: Whether the bar stays on the screen if the command succeeds.
            says: Text to show after the bar.
            is_bytes: Whether bytes are counted, so that their rate is shown after the bar.
            begun: How much an earlier run has done.
        """
        self._label, self._length, self._keep = label, length, keep
        self._says = self._rate if is_bytes else says
        self._as_json, self._unit = _as_json(), "bytes" if is_bytes else label
        self._hidden, self._after = not self._as_json and (hidden or not shown()), after
        self._drawn, self._next, self._start = False, 0.0, 0.0
        self._done = self._begun = begun

    def add(self, count: int) -> None:
        """Advance by `count`."""
        self.at(self._label, self._done + count, self._length)

    @property
    def adds(self) -> Callable[[int], None] | None:
        """`add`, or None if the bar is never drawn: then nobody need call it."""
        return None if self._hidden else self.add

    def at(self, label: str, done: int, length: int) -> None:
        """Set how much is done, and of how much; another label starts another clock."""
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
        if self._as_json:
            self._print()
        if not self._drawn:
            return
        if self._keep and kind is None:
            self._draw()
            sys.stderr.write("\n")
        else:
            sys.stderr.write(ERASE)
        sys.stderr.flush()

    def line(self, columns: int) -> str:
        """The bar as text that fits a terminal with this many columns."""
        part = min(1.0, self._done / self._length) if self._length > 0 else 1.0
        words = [f"{int(part * 100):3}%", self._left()]
        if self._says is not None:
            words.append(self._says())
        tail = "  ".join(filter(None, words))
        room = columns - SPARE - len(tail) - len("  []  ")
        label = printable(self._label)[: max(0, room - NARROWEST)]
        width = max(NARROWEST, min(WIDEST, room - len(label)))
        full = int(part * width)
        return f"{label}  [{'#' * full}{'-' * (width - full)}]  {tail}"[: max(0, columns - SPARE)]

    def _left(self) -> str:
        """The time left at the present rate; empty while there is none to go by."""
        passed = time.monotonic() - self._start
        done, left = self._done - self._begun, self._length - self._done
        if done <= 0 or left <= 0 or passed < 1:
            return ""
        left = int(passed * left / done)
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _rate(self) -> str:
        passed = max(time.monotonic() - self._start, 0.001)
        return f"{(self._done - self._begun) / MIB / passed:,.0f} MiB/s"

    def _print(self) -> None:
        """Print a line of JSON."""
        import json  # a bar does without

        values = {
            "label": printable(self._label),
            "done": self._done,
            "total": self._length,
            "unit": self._unit,
            "seconds": round(time.monotonic() - self._start, 3),
        }
        sys.stderr.write(json.dumps(values) + "\n")
        sys.stderr.flush()

    def _draw(self) -> None:
        if self._as_json:
            self._next = time.monotonic() + LINES_EVERY
            self._print()
            return
        self._next = time.monotonic() + EVERY
        if self._hidden:
            return
        import shutil  # which loads every compression that Python has

        self._drawn = True
        sys.stderr.write(ERASE + self.line(shutil.get_terminal_size().columns))
        sys.stderr.flush()
