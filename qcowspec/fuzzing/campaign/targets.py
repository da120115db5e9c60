"""Readers under test: any command, or a Python callable in a process that lives on.

In: an image's path. Out: an `Outcome`. Refuses: a command that cannot be started, with
`TargetError`.

A reader runs in a process group of its own, with a bound on its time, its address space and the
files it writes; what it says is kept in a file, of which the end is read.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Protocol

from qcowspec.fuzzing.campaign.naming import MOST, in_object, named
from qcowspec.fuzzing.campaign.outcomes import Outcome, of_process
from qcowspec.fuzzing.campaign.worker import MOST_CONTENT

IMAGE, OUTPUT, FORMAT, SIZE = "{}", "{out}", "{format}", "{size}"
"""What stands in a command for the image's path, for that of the raw file it is to write, for the
format that the image is to be taken for, by QEMU's name, and for the bytes of the disk."""

SAID = 1 << 16
"""Bytes of a reader's words that are looked at: the last ones."""

READY = 60.0
"""Seconds that a Python reader may take to be imported."""

WRITTEN = 1 << 30
"""Bytes of a file that a reader may write."""

PYTHON = "python:"
"""What a target's name begins with that is a callable: ``python:module:function``. Words behind it
are further arguments, as text: ``python:module:function {format}``."""


class TargetError(Exception):
    """The target cannot be run at all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader may use for one image.

    Attributes:
        seconds: Time.
        memory: Bytes of address space.
    """

    seconds: float = 10.0
    memory: int = 4 << 30


class Target(Protocol):
    """A reader under test."""

    def run(self, image: Path, format: str) -> Outcome:
        """Run it on an image.

        Args:
            image: The image's path.
            format: ``qcow`` or ``qcow2``, for a command that has a place for it.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...


def target(
    name: str,
    limits: Limits,
    scratch: Path,
    *,
    python: str = sys.executable,
    stdout: bool = False,
    beside: bool = False,
    names: bool = False,
) -> Target:
    """A target by what the user calls it.

    Args:
        name: A command with ``{}`` for the image's path, or ``python:module:function``.
        limits: What it may use for one image.
        scratch: A folder of its own.
        python: The interpreter that runs a callable.
        stdout: Whether a command puts out the guest's bytes on stdout.
        beside: Whether a command is run in the image's folder, where data files are looked up.
        names: Whether a command names the rules for which it rejects an image; see `naming`.

    Raises:
        TargetError: It cannot be one.
    """
    if name.startswith(PYTHON):
        return Callable_(name.removeprefix(PYTHON), limits, scratch, python)
    return Command(name, limits, scratch, stdout=stdout, beside=beside, names=names)


class Command:
    """A program that is started for each image."""

    def __init__(
        self,
        command: str,
        limits: Limits,
        scratch: Path,
        *,
        stdout: bool = False,
        beside: bool = False,
        names: bool = False,
    ) -> None:
        self._words = shlex.split(command)
        self._stdout, self._beside, self._names = stdout, beside, names
        if beside and self._words and "/" in self._words[0]:
            self._words[0] = os.path.abspath(self._words[0])
        if not any(IMAGE in word for word in self._words):
            raise TargetError(f"{command!r} has no {IMAGE}, which stands for the image's path")
        self._limits = limits
        self._said = scratch / "said"
        self._output = scratch / "output.raw"
        self._answer = scratch / "answer"

    def run(self, image: Path, format: str) -> Outcome:
        """Run the program on an image; see `Target.run`."""
        stands = {OUTPUT: str(self._output), FORMAT: format, IMAGE: str(image)}
        if any(SIZE in word for word in self._words):
            stands = {SIZE: str(_size(image, format)), **stands}
        words = [_filled(word, stands) for word in self._words]
        self._output.unlink(missing_ok=True)
        with ExitStack() as stack:
            stderr = stack.enter_context(self._said.open("wb"))
            goes = self._output if self._stdout else self._answer if self._names else None
            out = None if goes is None else stack.enter_context(goes.open("wb"))
            folder = image.parent if self._beside else None
            process = _start(words, self._limits, said=stderr, out=out, folder=folder)
            status = _wait(process, self._limits.seconds)
        if status is None:
            return Outcome("hang", f"more than {self._limits.seconds:g} s")
        said = _end(self._said)
        outcome = of_process(status, said.replace(str(image), "image"))
        if self._names:
            outcome = replace(outcome, rules=named(_start_of(self._answer), said))
        if outcome.answer == "accepts" and self._output.is_file():
            return replace(outcome, content=_digest(self._output))
        return outcome

    def close(self) -> None:
        """Take away what it wrote."""
        self._said.unlink(missing_ok=True)
        self._output.unlink(missing_ok=True)
        self._answer.unlink(missing_ok=True)


class Callable_:  # noqa: N801 - typing has the name without the stroke
    """A Python callable, in a process that is started again where it hangs or dies."""

    def __init__(self, name: str, limits: Limits, scratch: Path, python: str) -> None:
        worker = Path(__file__).with_name("worker.py")
        self._words = [python, str(worker), *shlex.split(name)]
        self._limits = limits
        self._said = scratch / "said"
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, image: Path, format: str) -> Outcome:
        """Call it on an image; see `Target.run`."""
        process = self._process
        if process is None:
            with self._said.open("wb") as said:
                process = _start(self._words, self._limits, said=said, talks=True)
            self._process = process
            if (hello := self._answer(process, READY)) is None or "error" in hello:
                self.close()
                raise TargetError(hello["error"] if hello else _end(self._said) or "says nothing")
        assert process.stdin is not None
        try:
            process.stdin.write(os.fsencode(image) + b"\0" + format.encode() + b"\n")
            process.stdin.flush()
            answer = self._answer(process, self._limits.seconds)
        except BrokenPipeError:
            answer = None
        if answer is not None:
            rules = in_object(answer)
            return Outcome(answer["answer"], answer["detail"], answer.get("content"), rules)
        return self._ended(process)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            _kill(self._process)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _answer(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any] | None:
        """The next line it says; None where it says none in time."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        line = process.stdout.readline() if ready else b""
        return dict(json.loads(line)) if line.endswith(b"\n") else None

    def _ended(self, process: subprocess.Popen[bytes]) -> Outcome:
        """What came of a process that gave no answer."""
        try:
            status = process.wait(0.2)  # it may be dying
        except subprocess.TimeoutExpired:
            status = None
        self.close()
        if status is None:
            return Outcome("hang", f"more than {self._limits.seconds:g} s")
        outcome = of_process(status, _end(self._said))
        return outcome if outcome.answer != "accepts" else Outcome("crash", "it exited")


def _filled(word: str, stands: Mapping[str, str]) -> str:
    for name, value in stands.items():
        word = word.replace(name, value)
    return word


def _size(image: Path, format: str) -> int:
    """Bytes of the disk that are to be read: none of one too large, or of what is no image."""
    from qcowspec import lay_open
    from qcowspec.errors import QcowError

    try:
        with lay_open(image, format=format) as opened:
            size = opened.size if opened.metadata.header is not None else 0
    except QcowError:
        return 0
    return size if size <= MOST_CONTENT else 0


def _start(
    words: list[str],
    limits: Limits,
    *,
    said: IO[bytes],
    talks: bool = False,
    out: IO[bytes] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program with its limits."""
    pipe = subprocess.PIPE if talks else subprocess.DEVNULL
    try:
        process = subprocess.Popen(  # noqa: S603 - the user names the program
            words,
            stdin=pipe,
            stdout=pipe if out is None else out,
            stderr=said,
            start_new_session=True,
            cwd=folder,
        )
    except OSError as error:
        raise TargetError(f"{words[0]}: {error.strerror}") from error
    for what, most in ((resource.RLIMIT_AS, limits.memory), (resource.RLIMIT_FSIZE, WRITTEN)):
        try:
            resource.prlimit(process.pid, what, (most, most))
        except ProcessLookupError:  # it has ended already
            break
    return process


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The status of a program that ends in time; None where it has to be ended."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        status = process.wait()
    finally:
        timer.cancel()
    return None if late.is_set() else status


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _end(path: Path) -> str:
    """The last of what was said."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - SAID))
        return file.read().decode("utf-8", "replace")


def _start_of(path: Path) -> bytes:
    """The first of what a file has, where there is one; a byte more than is looked at."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(MOST + 1)


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
