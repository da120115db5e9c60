"""Tells from a reader's exit status and stderr what it did with an image.

In: an exit status, or a signal, and the end of stderr. Out: an `Outcome`. Refuses: nothing.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Literal

Answer = Literal["accepts", "rejects", "crash", "sanitizer", "hang", "memory"]

FAULTS = ("crash", "sanitizer", "hang", "memory")
"""The answers that are faults, whatever the image."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reader did with an image.

    Attributes:
        answer: Whether it accepts or rejects the image; or the fault.
        detail: Its message, or the signal or error that ended it; one line.
        content: SHA-256 of the guest's bytes, if it wrote them.
        rules: The ids of the rules that it named, if it was asked to; see `naming`.
    """

    answer: Answer
    detail: str = ""
    content: str | None = None
    rules: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """The detail without what differs from image to image: numbers, names in quotes, paths."""
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "…", self.detail)
        text = re.sub(r"/\S+", "…", text)
        text = re.sub(r"\b(0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*)\b", "#", text, flags=re.IGNORECASE)
        return text[:160]


SANITIZERS = re.compile(r"(SUMMARY: \w+Sanitizer: .*|.*: runtime error: .*)")
EXHAUSTED = re.compile(
    r"MemoryError|[Cc]annot allocate memory|bad_alloc|memory exhausted|failed to allocate",
)
TRACEBACK = "Traceback (most recent call last)"
FRAME = re.compile(r'File "[^"]*?([^/"]+)", line \d+, in (\S+)')


def of_process(status: int, said: str) -> Outcome:
    """The outcome of a program.

    Args:
        status: Its exit status; if below 0, the negated signal that ended it.
        said: The end of its stderr.
    """
    if (report := SANITIZERS.search(said)) is not None:
        return Outcome("sanitizer", report[1].strip())
    if EXHAUSTED.search(said):
        return Outcome("memory", last_line(said))
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
        if -status == signal.SIGKILL:
            return Outcome("memory", "killed")
        if -status == signal.SIGXFSZ:  # it wrote as much as it may: it accepts the image
            return Outcome("accepts")
        return Outcome("crash", f"{name} {last_line(said)}".strip())
    if TRACEBACK in said:
        return Outcome("crash", exception(said))
    return Outcome("rejects" if status else "accepts", last_line(said) if status else "")


def exception(said: str) -> str:
    """A Python traceback in a line: the type of the error, and the function that raised it."""
    frames = FRAME.findall(said)
    where = f" in {frames[-1][0]}:{frames[-1][1]}" if frames else ""
    return last_line(said).partition(":")[0] + where


def last_line(said: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:400] if lines else ""
