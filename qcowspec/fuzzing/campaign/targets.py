"""Readers under test: any command, or a Python callable in a process that is kept running.

In: an image's path. Out: an `Outcome`. Refuses: a command that cannot be started, with
`TargetError`.

A reader runs in a process group of its own, with limits on time, address space and the size of
files; its stderr goes to a file, of which the end is read.
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
from hashlib import file_digest
from pathlib import Path
from typing import IO, Any, Protocol

from qcowspec.fuzzing.campaign import commands
from qcowspec.fuzzing.campaign.naming import MOST, in_object, named
from qcowspec.fuzzing.campaign.outcomes import Outcome, last_line, of_process
from qcowspec.fuzzing.campaign.worker import MOST_CONTENT

IMAGE, OUTPUT, FORMAT, SIZE = "{}", "{out}", "{format}", "{size}"
"""Placeholders in a command: the paths of the image and of the raw file to write, the image's
format by QEMU's name, and the bytes of the disk."""

SAID = 1 << 16
"""Bytes of stderr that are read, from its end."""

READY = 60.0
"""Seconds that the import of a Python reader may take."""

WRITTEN = 1 << 30
"""Bytes of a file that a reader may write, at most."""

PYTHON = "python:"
"""Prefix of a callable: ``python:module:function``. Words after it are further arguments, as text:
``python:module:function {format}``."""


class TargetError(Exception):
    """The target cannot be run."""


class TargetMissing(TargetError):
    """The target cannot be run because it is not installed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one image: seconds, and bytes of address space."""

    seconds: float = 10.0
    memory: int = 4 << 30


class Target(Protocol):
    """A reader under test."""

    def run(self, image: Path, format: str) -> Outcome:
        """Run it on the image at a path; `format` is ``qcow`` or ``qcow2``."""
        ...

    def close(self) -> None:
        """End it, and remove its files."""
        ...


def target(
    name: str,
    limits: Limits,
    scratch: Path,
    *,
    python: str = sys.executable,
    stdout: bool = False,
    in_folder: bool = False,
    names: bool = False,
) -> Target:
    """The target of a name.

    Args:
        name: A command with ``{}`` for the image's path, or ``python:module:function``.
        limits: The limits for one image.
        scratch: A folder of its own.
        python: The interpreter that runs a callable.
        stdout: Whether a command writes the guest's bytes to stdout.
        in_folder: Whether a command runs in the image's folder, where it finds data files.
        names: Whether a command names the rules for which it rejects an image; see `naming`.

    Raises:
        TargetError: The command lacks ``{}``, or cannot be started.
    """
    if name.startswith(PYTHON):
        return Callable_(name.removeprefix(PYTHON), limits, scratch, python)
    return Command(name, limits, scratch, stdout=stdout, in_folder=in_folder, names=names)


class Command:
    """A program that is started for each image."""

    def __init__(
        self,
        command: str,
        limits: Limits,
        scratch: Path,
        *,
        stdout: bool = False,
        in_folder: bool = False,
        names: bool = False,
    ) -> None:
        self._stdout, self._in_folder, self._names = stdout, in_folder, names
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise TargetError(f"{command!r} cannot be split into words: {error}") from error
        if not any(IMAGE in word for word in words):
            raise TargetError(f"{command!r} has no {IMAGE}, which stands for the image's path")
        if (sentence := commands.wants_shell(words)) is not None:
            raise TargetError(sentence)
        self._words = commands.located(words, moves=in_folder)
        self._environment = commands.environment(words) if in_folder else None
        if not commands.exists(self._words[0]):
            raise TargetMissing(commands.reason(self._words[0]))
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
            folder = image.parent if self._in_folder else None
            process = _start(
                words,
                self._limits,
                said=stderr,
                out=out,
                folder=folder,
                environment=self._environment,
            )
            status = _wait(process, self._limits.seconds)
        if status is None:
            return Outcome("hang", f"more than {self._limits.seconds:g} s")
        said = _end(self._said)
        outcome = of_process(status, said.replace(str(image), "image"))
        if self._names:
            outcome = replace(outcome, rules=named(_start_of(self._answer), said))
        if outcome.answer == "accepts" and self._output.is_file():
            length = self._output.stat().st_size
            return replace(outcome, content=_digest(self._output), length=length)
        return outcome

    def close(self) -> None:
        """Remove the files that it wrote."""
        self._said.unlink(missing_ok=True)
        self._output.unlink(missing_ok=True)
        self._answer.unlink(missing_ok=True)


class Callable_:  # noqa: N801 - typing has Callable
    """A Python callable, in a process that is started again after it hangs or dies."""

    def __init__(self, name: str, limits: Limits, scratch: Path, python: str) -> None:
        worker = Path(__file__).with_name("worker.py")
        self._words = [python, str(worker), *shlex.split(name)]
        self._limits = limits
        self._said = scratch / "said"
        self._process: subprocess.Popen[bytes] | None = None
        self._begun()

    def _begun(self) -> subprocess.Popen[bytes]:
        """The process, started if it is not running.

        Raises:
            TargetError: The reader cannot be imported.
        """
        if self._process is not None:
            return self._process
        with self._said.open("wb") as said:
            process = _start(self._words, self._limits, said=said, talks=True)
        self._process = process
        if (hello := self._answer(process, READY)) is None or "error" in hello:
            self.close()
            if hello is None:
                raise TargetError(last_line(_end(self._said)) or "the reader says nothing")
            raise (TargetMissing if hello["missing"] else TargetError)(hello["error"])
        return process

    def run(self, image: Path, format: str) -> Outcome:
        """Call it on an image; see `Target.run`."""
        process = self._begun()
        assert process.stdin is not None
        try:
            process.stdin.write(os.fsencode(image) + b"\0" + format.encode() + b"\n")
            process.stdin.flush()
            answer = self._answer(process, self._limits.seconds)
        except BrokenPipeError:
            answer = None
        if answer is not None:
            rules = in_object(answer)
            place = answer.get("place", "")
            return Outcome(answer["answer"], answer["detail"], answer.get("content"), rules, place)
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
        """The next line that it writes; None if it writes none in time."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        line = process.stdout.readline() if ready else b""
        return dict(json.loads(line)) if line.endswith(b"\n") else None

    def _ended(self, process: subprocess.Popen[bytes]) -> Outcome:
        """The outcome of a process that gave no answer."""
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
    """Bytes of the disk to read: 0 if it is too large, or if the file is not an image."""
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
    environment: Mapping[str, str] | None = None,
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
            env=environment,
        )
    except OSError as error:
        raise TargetError(commands.reason(words[0], error)) from error
    for what, most in ((resource.RLIMIT_AS, limits.memory), (resource.RLIMIT_FSIZE, WRITTEN)):
        try:
            resource.prlimit(process.pid, what, (most, most))
        except ProcessLookupError:  # it has ended already
            break
    return process


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The status of a program; None if it did not end in time, and was killed."""
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
    """The end of a file, as text."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - SAID))
        return file.read().decode("utf-8", "replace")


def _start_of(path: Path) -> bytes:
    """The start of a file, one byte longer than is parsed; empty if there is none."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(MOST + 1)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
