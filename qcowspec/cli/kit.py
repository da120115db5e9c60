"""`qcowspec kit`: the conformance kit, and the scores of readers."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.images import Command
from qcowspec.cli.options import folders, json_option
from qcowspec.cli.output import fail, unwritable, write
from qcowspec.cli.progress import Bar
from qcowspec.cli.readers import Reader, reader_options
from qcowspec.fuzzing.campaign.presets import Preset
from qcowspec.fuzzing.campaign.targets import TargetError
from qcowspec.fuzzing.places import Unfit
from qcowspec.report.words import plural, printable

if TYPE_CHECKING:
    from qcowspec.fuzzing.kit.scoring import Score

FOUND = 1
"""Exit status if a reader is wrong about something."""


@click.group("kit")
def command() -> None:
    """Write the conformance kit, or score a reader with it.

    The kit is some hundreds of small images, each with its expected results: the verdict of each
    profile, the rule, and the SHA-256 of the guest's bytes.
    """


@command.command(
    "make",
    cls=Command,
    epilog="""\b
Examples:
  qcowspec kit make kit
  jq '.cases[] | select(.rule == "header/cluster-bits").image' \\
      kit/manifest.json

Exit status: 0; 2 the folder cannot be written, or bad usage.
""",
)
@click.argument("folder", metavar="DIR", shell_complete=folders)
def make(folder: str) -> None:
    """Write the kit to a directory: one directory for each image, and manifest.json.

    The bytes are the same on every run and every machine.
    """
    from qcowspec.fuzzing.kit import making

    rows: list[dict[str, Any]] = []
    try:
        with Bar("images", making.count()) as bar:
            rows = making.make(Path(folder), lambda: bar.add(1))
    except Unfit as error:
        fail(error)
    except OSError as error:
        unwritable(folder, error)
    write([f"{printable(folder)}: {plural(len(rows), 'image')}, {making.MANIFEST}\n"])


@command.command(
    "run",
    cls=Command,
    epilog="""\b
Examples:
  qcowspec kit run --target 'qemu-img info -f {format} {}'
  qcowspec kit run --target './reader {} {out}' kit
  qcowspec kit run --target 'python reader.py {} {out}' --skip '*/v1-*' kit
  qcowspec kit run --reads stdout --target './mine {}' --only 'reading/*' kit
  qcowspec kit run --preset dissect --json -j 2 kit > score.json
  qcowspec kit run --names all kit \\
      --target 'qcowspec validate --json -f {format} {}'
  qcowspec kit run --profile qemu@7.2 --target './reader {}' kit

{} stands for the image's path, {format} for its format, {out} for the raw file that a reader has to
write, {secret} for the passphrase of encrypted images. Without {format} the reader is judged by
what it finds when it probes; without {secret} it must not give the bytes of encrypted images. A
command is run in the image's directory, without a shell; files of the current one that it names,
such as reader.py, are found. A Python target, python:module:function or python:FILE.py:function, is
called with the path and the words that follow it; it raises, or returns the SHA-256 of the disk, or
a dict with verdict (accept or reject), content and rules. With --names a command writes the IDs
of rules to stderr, in square brackets, or to stdout a JSON object that has them in the list rules,
or as the rule of each of its errors.

Exit status: 0 all is right; 1 something is not; 2 the reader cannot be run, or bad usage.
""",
)
@click.argument("folder", required=False, metavar="[DIR]", shell_complete=folders)
@reader_options
@click.option(
    "--names",
    type=click.Choice(["any", "all"]),
    help="The reader names one rule for which it rejects an image, or all of them.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Run the cases whose IDs match; * as in a shell.",
)
@json_option()
@click.option("-q", "--quiet", is_flag=True, help="Print the table, but not each finding.")
def run(
    folder: str | None,
    names: str | None,
    only: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Score a reader: accepted what it must, rejected what it must, the right bytes.

    DIR is what `kit make` wrote; without it the kit is made for this run.
    """
    from qcowspec.fuzzing.kit.table import lines

    runner = Reader(**options)
    reader = runner.known()
    with ExitStack() as stack:
        try:
            found = _scored(stack, runner, reader, names, folder, only)
        except (TargetError, Unfit) as error:
            fail(error)
        except OSError as error:
            fail(f"the kit cannot be written or read: {error.strerror}")
    if as_json:
        import json

        command = {"target": reader.target}
        write([json.dumps(command | found.as_json(), indent=1) + "\n"])
    else:
        shown = lines(found, findings=not quiet)
        write(printable(line.rstrip("\n")) + "\n" for line in shown)
    sys.exit(FOUND if found.findings else 0)


def _scored(
    stack: ExitStack,
    runner: Reader,
    reader: Preset,
    names: str | None,
    folder: str | None,
    only: tuple[str, ...],
) -> Score:
    from qcowspec.fuzzing.kit import making, scoring
    from qcowspec.fuzzing.kit.case import SECRET

    scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qcowspec-")))
    criteria = scoring.Criteria.of(reader.target, reader.profile, reads=reader.reads, names=names)
    command = reader.target.replace(scoring.KEY, SECRET)
    targets = runner.started(
        stack, scratch, command, stdout=reader.stdout, in_folder=True, names=names is not None
    )
    kit = Path(folder) if folder is not None else scratch / "kit"
    if folder is None:
        wanted = partial(scoring.chosen, only=only, skip=runner.skip)
        making.make(kit, wanted=wanted)
    rows = scoring.judged_by(criteria.profile, scoring.cases(kit, only, runner.skip))
    if not rows:
        left = f"--only {' '.join(only)}" if only else "--skip"
        raise Unfit(f"{left} leaves no case of the kit; its IDs are in {making.MANIFEST}")
    score = scoring.Score(criteria)
    with Bar("images", len(rows)) as bar:
        for mark in scoring.marks(rows, kit, criteria, targets, score.replies):
            score.marks.append(mark)
            bar.add(1)
    return score
