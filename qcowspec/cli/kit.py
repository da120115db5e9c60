"""`qcowspec kit`: the conformance kit, and the scores of readers."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.output import UNREADABLE, unwritable, write
from qcowspec.cli.progress import Bar
from qcowspec.errors import QcowError
from qcowspec.fuzzing.campaign.presets import PRESETS, Preset
from qcowspec.fuzzing.campaign.targets import Limits, TargetError, target
from qcowspec.fuzzing.places import Unfit
from qcowspec.report.words import plural, printable

if TYPE_CHECKING:
    from qcowspec.fuzzing.kit.scoring import Score

FOUND = 1
"""Exit status where a reader is wrong about something."""

MIB = 1 << 20


@click.group("kit")
def command() -> None:
    """Write the conformance kit, or score a reader with it.

    The kit is some hundreds of small images, each with what has to come of it: the verdict of each
    profile, the rule, and the SHA-256 of the guest's bytes.
    """


@command.command(
    "make",
    epilog="""\b
Examples:
  qcowspec kit make kit
  jq '.cases[] | select(.rule == "header/cluster-bits") | .image' kit/manifest.json

Exit status: 0; 2 the folder cannot be written, or bad usage.
""",
)
@click.argument("folder", metavar="DIR")
def make(folder: str) -> None:
    """Write the kit into a folder: a folder an image, and manifest.json.

    The bytes are the same on every run and every machine.
    """
    from qcowspec.fuzzing.kit import making

    rows: list[dict[str, Any]] = []
    try:
        with Bar("images", making.count()) as bar:
            rows = making.make(Path(folder), lambda: bar.add(1))
    except (QcowError, Unfit) as error:
        _stop(str(error))
    except OSError as error:
        unwritable(folder, error, UNREADABLE)
    write([f"{printable(folder)}: {plural(len(rows), 'image')}, {making.MANIFEST}\n"])


@command.command(
    "run",
    epilog="""\b
Examples:
  qcowspec kit run --target 'qemu-img info -f {format} {}'
  qcowspec kit run --reads '{out}' --target './reader {} {out}' kit
  qcowspec kit run --reads stdout --target './reader {}' --only 'reading/*' kit
  qcowspec kit run --preset dissect --json -j 2 kit > score.json
  qcowspec kit run --names all --target 'qcowspec validate --json -f {format} {}' kit

{} stands for the image's path, {format} for its format, {out} for the raw file that a reader is to
write, {secret} for the passphrase of encrypted images. Without {format} the reader is held to what
it finds when it probes; without {secret} it must not give the bytes of encrypted images. A command
is run in the image's folder, and is no shell's. A Python target, python:module:function, is called
with the path and the words behind it; it raises, or returns the SHA-256 of the disk, or a dict with
verdict (accept or reject), content and rules. With --names a command writes the ids of rules to
stderr, in square brackets, or to stdout a JSON object that has them in the list rules, or as the
rule of each of its errors.

Exit status: 0 all is right; 1 something is not; 2 the reader cannot be run, or bad usage.
""",
)
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("--target", "name", metavar="CMD", help="The reader.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="A reader that is known here.")
@click.option(
    "--reads",
    type=click.Choice(["stdout", "{out}"]),
    help="Where the reader puts the guest's bytes; without it, it only opens.",
)
@click.option(
    "--names",
    type=click.Choice(["any", "all"]),
    help="The reader names a rule for which it rejects an image, or all of them.",
)
@click.option("-p", "--profile", help="Whose verdict counts; qemu unless the preset has another.")
@click.option(
    "--only", multiple=True, metavar="PATTERN", help="Cases whose ids fit, as in a shell."
)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--timeout", type=click.FloatRange(0.01), default=10.0, show_default=True)
@click.option(
    "--memory", type=click.IntRange(16), default=4096, show_default=True, help="MiB, per reader."
)
@click.option("--python", default=sys.executable, help="The interpreter of a Python target.")
@click.option("--json", "as_json", is_flag=True, help="The whole score, as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="The table only, no line for each finding.")
def run(
    folder: str | None,
    name: str | None,
    preset: str | None,
    reads: str | None,
    names: str | None,
    profile: str | None,
    only: tuple[str, ...],
    jobs: int,
    timeout: float,
    memory: int,
    python: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score a reader: accepted what it must, rejected what it must, the right bytes.

    DIR is what `kit make` wrote; without it the kit is made for this run.
    """
    from qcowspec.fuzzing.kit.table import lines

    reader = _reader(name, preset, profile, reads)
    limits = Limits(timeout, memory * MIB)
    with ExitStack() as stack:
        try:
            found = _scored(stack, reader, names, limits, folder, only, jobs, python)
        except (QcowError, TargetError, Unfit) as error:
            _stop(str(error))
        except OSError as error:
            _stop(f"the kit cannot be written or read: {error.strerror}")
    if as_json:
        command = {"target": reader.target}
        write([json.dumps(command | found.as_json(), indent=1) + "\n"])
    else:
        write(map(printable_line, lines(found, findings=not quiet)))
    sys.exit(FOUND if found.findings else 0)


def printable_line(line: str) -> str:
    """A line that cannot move a terminal's cursor."""
    return printable(line.rstrip("\n")) + "\n"


def _reader(name: str | None, preset: str | None, profile: str | None, reads: str | None) -> Preset:
    """The reader, and what it is held to."""
    if (name is None) == (preset is None):
        raise click.UsageError("one of --target and --preset is needed")
    known = PRESETS[preset] if preset is not None else Preset(name or "")
    if reads == "{out}" and "{out}" not in known.target and not known.target.startswith("python:"):
        raise click.UsageError("--reads '{out}' wants {out} in the command")
    return Preset(
        known.target,
        profile or known.profile,
        known.reads or reads is not None,
        known.says,
        known.stdout or reads == "stdout",
    )


def _scored(
    stack: ExitStack,
    reader: Preset,
    names: str | None,
    limits: Limits,
    folder: str | None,
    only: tuple[str, ...],
    jobs: int,
    python: str,
) -> Score:
    from qcowspec.fuzzing.kit import making, scoring
    from qcowspec.fuzzing.kit.case import SECRET

    scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qcowspec-")))
    held = scoring.Held.of(reader.target, reader.profile, reads=reader.reads, names=names)
    command = reader.target.replace(scoring.KEY, SECRET)
    targets = []
    for number in range(jobs):
        place = scratch / str(number)
        place.mkdir()
        made = target(
            command,
            limits,
            place,
            python=python,
            stdout=reader.stdout,
            beside=True,
            names=names is not None,
        )
        stack.callback(made.close)
        targets.append(made)
    kit = Path(folder) if folder is not None else scratch / "kit"
    if folder is None:
        making.make(kit)
    rows = scoring.cases(kit, only)
    if not rows:
        raise Unfit(f"{kit} has no such case")
    score = scoring.Score(held)
    with Bar("images", len(rows)) as bar:
        for mark in scoring.marks(rows, kit, held, targets):
            score.marks.append(mark)
            bar.add(1)
    return score


def _stop(says: str) -> None:
    click.echo(f"qcowspec: {printable(says)}", err=True)
    sys.exit(UNREADABLE)
