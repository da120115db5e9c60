"""The reader that `fuzz` and `kit run` test: its options, and how it is started."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from qcowspec.cli.options import profiles
from qcowspec.fuzzing.campaign.presets import PRESETS, Preset
from qcowspec.fuzzing.campaign.targets import (
    OUTPUT,
    Limits,
    Target,
    TargetError,
    TargetMissing,
    target,
)
from qcowspec.spec.profiles import full_name

MIB = 1 << 20

TIMEOUT, MEMORY = 10.0, 4096
"""Seconds and MiB that a reader may take, unless the user says otherwise."""

STDOUT = "stdout"

OPTIONS = (
    click.option(
        "--target",
        metavar="CMD",
        help="The reader; {} stands for the image, {format} for its format.",
    ),
    click.option("--preset", type=click.Choice(list(PRESETS)), help="A reader that is known here."),
    click.option(
        "-p",
        "--profile",
        shell_complete=profiles,
        help=f"Profile to judge by; {full_name('qemu')} unless the preset has another.",
    ),
    click.option(
        "--reads",
        type=click.Choice([STDOUT, OUTPUT]),
        is_flag=False,
        flag_value=OUTPUT,
        help="Where the reader writes the guest's bytes, which are compared; {out}, unless you say "
        "stdout. Implied by {out} in the command.",
    ),
    click.option(
        "--skip",
        multiple=True,
        metavar="PATTERN",
        help="Leave out what matches; * as in a shell.",
    ),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1, 256),
        default=1,
        show_default=True,
        help="Readers that run at the same time.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0.01),
        default=TIMEOUT,
        show_default=True,
        help="Seconds that a reader may take for an image.",
    ),
    click.option(
        "--memory",
        type=click.IntRange(16),
        default=MEMORY,
        show_default=True,
        help="MiB that a reader may use.",
    ),
    click.option("--python", default=sys.executable, help="The interpreter of a Python target."),
)


def reader_options(command: Any) -> Any:
    """Add the options from which a `Reader` is made."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader under test, by the values of `OPTIONS`."""

    target: str | None
    preset: str | None
    profile: str | None
    reads: str | None
    skip: tuple[str, ...]
    jobs: int
    timeout: float
    memory: int
    python: str

    def known(self) -> Preset:
        """What is run, and what it is held to.

        Raises:
            UsageError: No reader is named, or its bytes are to be compared and it gives none.
        """
        if (self.target is None) == (self.preset is None):
            raise click.UsageError("one of --target and --preset is needed")
        known = Preset(self.target or "") if self.preset is None else PRESETS[self.preset]
        found = replace(
            known,
            profile=self.profile or known.profile,
            reads=known.reads or self.reads is not None or OUTPUT in known.target,
            stdout=known.stdout or self.reads == STDOUT,
        )
        if self.reads is not None and not found.compares:
            raise click.UsageError(
                "--reads needs {out} in the command, which stands for the raw file to write; or "
                "--reads stdout, if the reader writes the guest's bytes there"
            )
        return found

    def words(self, reader: Preset) -> tuple[str, ...]:
        """The options that name the reader again, and those that change its results."""
        named = ("--target", reader.target) if self.preset is None else ("--preset", self.preset)
        words = [*named, "-p", reader.profile]
        if self.reads is not None:
            words += ["--reads", self.reads]
        if self.timeout != TIMEOUT:
            words += ["--timeout", f"{self.timeout:g}"]
        if self.memory != MEMORY:
            words += ["--memory", str(self.memory)]
        if self.python != sys.executable:
            words += ["--python", self.python]
        return tuple(words)

    def started(
        self, stack: ExitStack, scratch: Path, command: str, **options: Any
    ) -> list[Target]:
        """A target for each job, to be closed by the stack; see `target` for the options.

        Raises:
            TargetError: The command cannot be run.
        """
        limits, targets = Limits(self.timeout, self.memory * MIB), []
        for number in range(self.jobs):
            place = scratch / str(number)
            place.mkdir()
            try:
                found = target(command, limits, place, python=self.python, **options)
            except TargetMissing as error:
                if self.preset is None:
                    raise
                raise TargetError(f"{error}; {PRESETS[self.preset].needs}") from error
            targets.append(found)
            stack.callback(found.close)
        return targets
