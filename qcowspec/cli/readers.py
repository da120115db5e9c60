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
from qcowspec.fuzzing.campaign.targets import Limits, Target, target
from qcowspec.spec.profiles import full_name

MIB = 1 << 20

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
        default=10.0,
        show_default=True,
        help="Seconds that a reader may take for an image.",
    ),
    click.option(
        "--memory",
        type=click.IntRange(16),
        default=4096,
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
    jobs: int
    timeout: float
    memory: int
    python: str

    def known(self, *, reads: bool, stdout: bool = False) -> Preset:
        """What is run, and what it is held to.

        Args:
            reads: Whether the guest's bytes are compared, even if the preset does not ask for it.
            stdout: Whether they come on stdout, even if the preset does not say so.
        """
        if (self.target is None) == (self.preset is None):
            raise click.UsageError("one of --target and --preset is needed")
        known = Preset(self.target or "") if self.preset is None else PRESETS[self.preset]
        return replace(
            known,
            profile=self.profile or known.profile,
            reads=known.reads or reads,
            stdout=known.stdout or stdout,
        )

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
            targets.append(target(command, limits, place, python=self.python, **options))
            stack.callback(targets[-1].close)
        return targets
