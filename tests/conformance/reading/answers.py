"""What QEMU reads of an image, what we read, and whether it is the same.

In: an image. Out: an `Answer` each: a raw file, or why there is none. Refused: an answer of ours
that is no `QcowError`, which is a fault by itself; one that takes for ever ends in `Hangs`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import qcowspec
from qcowspec.spec.profiles import key_of, notices
from qcowspec.spec.rules import BY_ID
from qcowspec.transfer.convert import convert
from tools import qemus

TIMEOUT = 30
"""Seconds after which QEMU is taken to have no answer, and we to hang."""

PIECE = 8 << 20

WITHOUT_ZSTD = ("unknown compression type: 1", "Invalid parameter 'zstd'")
"""What a QEMU that was built without zstd prints of an image that needs it: Debian's 5.2 is one."""


@dataclass(frozen=True)
class Answer:
    """What a reader gives.

    Attributes:
        raw: The disk, as a raw file; None where it cannot be read.
        error: Why not.
        rule: The rule that we say is broken.
        offset: Where we say that it is, in bytes.
    """

    raw: Path | None
    error: str = ""
    rule: str | None = None
    offset: int | None = None


class Hangs(Exception):
    """No answer came in time."""


@contextmanager
def in_time() -> Iterator[None]:
    """Raise `Hangs` where something takes too long; only in the main thread."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hangs

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(TIMEOUT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def theirs(image: Path, format: str, output: Path, snapshot: str | None = None) -> Answer | None:
    """What qemu-img converts; None where it gives no answer in time."""
    chosen = [] if snapshot is None else ["-l", snapshot]
    command = ["qemu-img", "convert", "-f", format, "-O", "raw", *chosen, image.name, str(output)]
    try:
        # The name of a data file counts from where QEMU was started.
        run = subprocess.run(
            command,
            cwd=image.parent,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            errors="backslashreplace",
        )
    except subprocess.TimeoutExpired:
        return None
    return Answer(None, run.stderr.strip()) if run.returncode else Answer(output)


def reverted(image: Path, snapshot: str, output: Path) -> Answer | None:
    """What qemu-img converts of a copy that went back to a snapshot, and so to the snapshot's size.

    None where it cannot go back.
    """
    copy = image.with_name(f"{image.name}.reverted")
    shutil.copy(image, copy)
    try:
        command = ["qemu-img", "snapshot", "-a", snapshot, copy.name]
        gone_back = subprocess.run(command, cwd=image.parent, capture_output=True)
        # Refcounts of few bits leave no room for one more owner of every cluster.
        return None if gone_back.returncode else theirs(copy, "qcow2", output)
    finally:
        copy.unlink()


def ours(
    image: Path, format: str, output: Path, snapshot: str | None = None, *, like_qemu: bool = True
) -> Answer:
    """What we convert; only our own errors count as an answer."""
    try:
        with (
            in_time(),
            qcowspec.open(image, format=format, allow="same-dir", like_qemu=like_qemu) as opened,
        ):
            convert(opened.disk(snapshot), str(output))
    except qcowspec.QcowError as error:
        return Answer(None, str(error), error.rule, error.offset)
    return Answer(output)


def differ(one: Answer, other: Answer) -> str:
    """In what two answers differ; empty where they do not."""
    if one.raw is None or other.raw is None:
        return "" if one.raw is other.raw else "one can be read, the other cannot"
    sizes = one.raw.stat().st_size, other.raw.stat().st_size
    if sizes[0] != sizes[1]:
        return f"sizes {sizes[0]} and {sizes[1]}"
    with one.raw.open("rb") as left, other.raw.open("rb") as right:
        for start, end in _data(left.fileno(), right.fileno(), sizes[0]):
            for at in range(start, end, PIECE):
                length = min(PIECE, end - at)
                here, there = (os.pread(f.fileno(), length, at) for f in (left, right))
                if here != there:
                    first = next(i for i in range(length) if here[i] != there[i])
                    return f"byte {at + first:#x} is {here[first]:#x} and {there[first]:#x}"
    return ""


def _data(left: int, right: int, size: int) -> Iterator[tuple[int, int]]:
    """Where one of two sparse files has data."""
    at = 0
    while at < size:
        starts = [_seek(file, at, os.SEEK_DATA, size) for file in (left, right)]
        start = min(starts)
        if start >= size:
            return
        ends = [
            _seek(f, start, os.SEEK_HOLE, size)
            for f, s in zip((left, right), starts, strict=True)
            if s == start
        ]
        at = max(ends)
        yield start, at


def _seek(file: int, at: int, whence: int, size: int) -> int:
    try:
        return os.lseek(file, at, whence)
    except OSError:  # no data up to the end
        return size


def compared(
    image: Path, format: str, snapshot: str | None = None, *, own_size: bool = False
) -> tuple[str, str]:
    """One disk: an outcome of `judged`, or ``unanswered``; and how.

    Args:
        image: The image.
        format: Its format.
        snapshot: The id of a snapshot; None for the active state.
        own_size: Read the snapshot at its own size: QEMU is asked about a copy that went back.
    """
    left, right = image.with_name("theirs.raw"), image.with_name("ours.raw")
    try:
        if own_size and snapshot is not None:
            expected = reverted(image, snapshot, left)
        else:
            expected = theirs(image, format, left, snapshot)
        if expected is None:
            return "unanswered", ""
        got = ours(image, format, right, snapshot, like_qemu=not own_size)
        found = judged(expected, got)
        if found[0] == "differs":
            found = by_version(image, format, expected, got) or found
    except Hangs:
        return "differs", "we hang"
    else:
        return found
    finally:
        left.unlink(missing_ok=True)
        right.unlink(missing_ok=True)


def judged(expected: Answer, got: Answer) -> tuple[str, str]:
    """What became of one disk, by QEMU's answer and ours.

    Returns:
        ``read``: the bytes are equal; ``refused``: neither reads it; ``unbuilt``: this QEMU was
        built without zstd; or ``differs``. And the rule, or what differs.
    """
    if any(words in expected.error for words in WITHOUT_ZSTD):
        return "unbuilt", ""
    what = differ(expected, got)
    if not what and got.raw is None and (got.rule is None or got.offset is None):
        what = "a refusal without rule or offset"
    if what:
        return "differs", f"{what}: QEMU {expected.error or 'bytes'}; ours {got.error or 'bytes'}"
    return ("refused", got.rule or "") if got.raw is None else ("read", "")


def by_version(image: Path, format: str, expected: Answer, got: Answer) -> tuple[str, str] | None:
    """What became of a disk that only one of both reads, where the profile of this QEMU says why.

    Our reader opens what the newest QEMU opens.

    Returns:
        ``refused``, and the rule for which this version refuses the image; or ``newer``, and the
        rule for which only newer versions do; None where the profile does not say why.
    """
    profile = qemus.installed().profile
    if expected.raw is not None and got.rule is not None:
        rule = BY_ID[got.rule]
        is_newer = notices(rule, "qemu") is not None and notices(rule, profile) is None
        return ("newer", rule.id) if is_newer else None
    if expected.raw is None and got.raw is not None:
        errors = qcowspec.validate(image, profile=profile, format=format, allow="same-dir").errors
        key = key_of(BY_ID[errors[0].rule], profile) if errors else ""
        return ("refused", errors[0].rule) if key and key in expected.error else None
    return None


def snapshots(image: Path) -> list[str]:
    """The ids of an image's snapshots."""
    with qcowspec.open(image) as opened:
        return [found.id_str.decode() for found in opened.snapshots]


def every_state(image: Path, format: str) -> Iterator[tuple[str, str]]:
    """Compare the active state, and each snapshot at both sizes."""
    yield compared(image, format)
    if format == "qcow":
        return
    for snapshot in snapshots(image):
        for own_size in (False, True):
            what, how = compared(image, format, snapshot, own_size=own_size)
            yield what, how and f"snapshot {snapshot}{' at its own size' * own_size}: {how}"
