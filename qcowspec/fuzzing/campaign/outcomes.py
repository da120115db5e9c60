"""Tells from a reader's exit status and stderr what it did with an image.

In: an exit status, or a signal, and the end of stderr. Out: an `Outcome`. Refuses: nothing.
"""

from __future__ import annotations

import builtins
import importlib
import re
import signal
import sys
from dataclasses import dataclass, field
from typing import Literal

from qcowspec.fuzzing.campaign.worker import refuses

Answer = Literal["accepts", "rejects", "crash", "sanitizer", "hang", "memory"]

FAULTS = ("crash", "sanitizer", "hang", "memory")
"""The answers that are faults, whatever the image."""

WORST = (*FAULTS, "ciphertext", "wrong-bytes", "accepted", "misnamed", "rejected")
"""The kinds of finding, in the order in which they are listed: a rejection harms nobody."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reader did with an image.

    Attributes:
        answer: Whether it accepts or rejects the image; or the fault.
        detail: Its message, or the signal or error that ended it; one line.
        content: SHA-256 of the guest's bytes, if it wrote them.
        rules: The ids of the rules that it named, if it was asked to; see `naming`.
        place: The class of the error and the function that raised it, if they are known.
        length: The number of bytes that it wrote, if it wrote a file.
    """

    answer: Answer
    detail: str = ""
    content: str | None = None
    rules: tuple[str, ...] = ()
    place: str = ""
    length: int | None = None

    @property
    def signature(self) -> str:
        """The place, or the detail without what differs: numbers, names in quotes, paths."""
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "…", self.place or self.detail)
        text = re.sub(r"/\S+", "…", text)
        text = re.sub(r"\b(0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*)\b", "#", text, flags=re.IGNORECASE)
        return text[:160]


@dataclass(slots=True)
class Replies:
    """The first two different replies of a reader: what it did, and its message.

    Attributes:
        shown: By answer and signature, the answer and the message.
    """

    shown: dict[str, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count a reply in."""
        key = f"{outcome.answer} {outcome.signature}"
        if len(self.shown) < 2 and key not in self.shown:
            self.shown[key] = f"{outcome.answer}: {outcome.detail}".removesuffix(": ")

    def line(self, images: str) -> str | None:
        """A line of text, if the reader gave one reply to all images: it may not have looked."""
        if len(self.shown) != 1:
            return None
        [reply] = self.shown.values()
        return f"the reader gave one reply to all {images}: {reply}"


SANITIZERS = re.compile(r"(SUMMARY: \w+Sanitizer: .*|^.*: runtime error: .*)", re.MULTILINE)
EXHAUSTED = re.compile(
    r"MemoryError|[Cc]annot allocate memory|bad_alloc|memory exhausted|failed to allocate",
)
TRACEBACK = "Traceback (most recent call last)"
FRAME = re.compile(r'File "[^"]*?([^/"]+)", line \d+, in (\S+)')
RAISED = re.compile(r"^([A-Za-z_][\w.<>]*)(?::|$)")
PANIC = re.compile(r"^(?:thread '.*panicked at .*(?:\n.+)?|panic: .*)", re.MULTILINE)
"""The last words of a program in Rust or Go that ends by a bug of its own."""

KNOWN = ("binascii", "io", "json.decoder")
"""Modules of Python whose errors are ValueErrors or OSErrors; no other module is imported for the
name of a class that a reader printed."""


def of_process(status: int, said: str) -> Outcome:
    """The outcome of a program.

    Args:
        status: Its exit status; if below 0, the negated signal that ended it.
        said: The end of its stderr.
    """
    panic = PANIC.search(said)
    if status > 0 and panic is not None and (panic[0][0] == "t" or "\ngoroutine " in said):
        return Outcome("crash", " ".join(panic[0].split())[:400])
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
        name, line, where = raised(said)
        if not is_refusal(name):
            return Outcome("crash", line + where, place=name + where)
        return Outcome("rejects", line) if status else Outcome("accepts")
    return Outcome("rejects" if status else "accepts", last_line(said) if status else "")


def raised(said: str) -> tuple[str, str, str]:
    """The end of a Python traceback: the error's class, its line, and the function that raised it.

    The line is the first of the error's message, with the class; the function has `` in `` before
    it, or is empty.
    """
    ended = said[said.rfind(TRACEBACK) :]
    frames = FRAME.findall(ended)
    where = f" in {frames[-1][0]}:{frames[-1][1]}" if frames else ""
    for line in ended.splitlines()[1:]:
        if (found := RAISED.match(line)) is not None:
            return found[1], line.strip()[:400], where
    line = last_line(ended)
    return line.partition(":")[0], line, where


def is_refusal(name: str) -> bool:
    """Whether an error of a class rejects an image, by the name that a traceback prints.

    A name without a module is a class of Python, or else one of the script itself.
    """
    module, _, bare = name.rpartition(".")
    if not module or module in KNOWN:
        found = getattr(importlib.import_module(module) if module else builtins, bare, None)
        return refuses(found) if isinstance(found, type) else not module
    return module.partition(".")[0] not in sys.stdlib_module_names


def last_line(said: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:400] if lines else ""
