"""`qcowspec fuzz`: a campaign against a reader."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import files, folders, progress_option, seed_option
from qcowspec.cli.output import fail, unwritable, write
from qcowspec.cli.progress import Bar
from qcowspec.cli.readers import Reader, reader_options
from qcowspec.cli.reading import read_whole
from qcowspec.fuzzing.campaign.presets import Preset
from qcowspec.fuzzing.campaign.targets import FORMAT, Target, TargetError
from qcowspec.fuzzing.drafts import LARGEST
from qcowspec.fuzzing.places import Unfit
from qcowspec.report.words import plural, printable
from qcowspec.sources import Target as Seed
from qcowspec.spec.profiles import PROFILES, check_profile

if TYPE_CHECKING:
    from qcowspec.fuzzing.campaign.runs import Campaign, Progress

FOUND = 1
"""Exit status if something was found."""


@click.command(
    "fuzz",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec fuzz --target 'qemu-img info -f {format} {}' -n 10000 -o campaign
  qcowspec fuzz --target './reader {} {out}' --reads disk.qcow2 -o campaign
  qcowspec fuzz --preset dissect -n 50000 -j 4 -o campaign
  qcowspec fuzz --target python:mypackage.qcow:check --profile untrusted -o campaign
  qcowspec fuzz --preset qemu-img -n 20000 -o campaign    continues the campaign
  cd campaign/crash-…; sh reproduce.sh
  qcowspec fuzz --preset dissect --again image.qcow2

The reader is judged by a profile: it has to accept what the profile accepts, and to reject what the
profile rejects, with an exit status other than 0. A signal, a sanitizer's report, a timeout and
memory that runs out are findings whatever the image. With --reads the guest's bytes are compared
too: the command writes them, raw, to the file that {out} stands for.

A Python target is called with the image's path, in a process that is used again. ValueError,
OSError, EOFError, NotImplementedError and errors of its own package reject the image; others are
crashes.

Each finding has a folder with the smallest image that shows it, spec.yaml for `qcowspec build`,
finding.json, and reproduce.sh. The first of each kind, rule and signature is kept; others are
counted.

Exit status: 0 nothing was found; 1 something was; 2 the reader cannot be run, or bad usage.
""",
)
@click.argument("seeds", type=IMAGE, nargs=-1, metavar="[SEED]...")
@reader_options
@progress_option("--progress")
@click.option(
    "-o", "--output", metavar="DIR", shell_complete=folders, help="Directory for the findings."
)
@click.option(
    "--again",
    metavar="IMAGE",
    shell_complete=files,
    help="Run the reader on this image alone, and print the result.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Mutants to run the reader on.",
)
@click.option("--reads", is_flag=True, help="Compare the guest's bytes too.")
@seed_option
@click.option("--only", is_flag=True, help="Make mutants of the SEEDs only.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress bar and no table.")
def command(
    seeds: tuple[Seed, ...],
    output: str | None,
    again: str | None,
    count: int,
    reads: bool,
    random_seed: int,
    only: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Run a reader on mutants, and keep what it gets wrong.

    Mutants are made from small images with every feature, and from the SEEDs. The rules that each
    one breaks are known, and rules that were not broken yet come first.
    """
    runner = Reader(**options)
    reader = runner.known(reads=reads)
    try:
        check_profile(reader.profile)
    except ValueError as error:
        raise click.UsageError(f"{error}; profiles: {', '.join(PROFILES)}") from error
    if only and not seeds:
        raise click.UsageError("--only needs a SEED")
    if (output is None) == (again is None):
        raise click.UsageError("one of --output and --again is needed")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qcowspec-")))
        try:
            targets = runner.started(stack, scratch, reader.target, stdout=reader.stdout)
            if again is not None:
                sys.exit(_again(reader, targets[0], Path(again)))
            campaign = _campaign(
                reader, targets, seeds, scratch, Path(output or ""), count, random_seed, only=only
            )
            _run(campaign, count, quiet=quiet)
        except (TargetError, Unfit) as error:
            fail(error)
        except OSError as error:
            if output is not None:
                unwritable(output, error)
            fail(f"{again}: cannot be read: {error.strerror}")
    if not quiet:
        write(_summary(campaign.progress))
    sys.exit(FOUND if campaign.progress.findings else 0)


def _campaign(
    reader: Preset,
    targets: list[Target],
    seeds: tuple[Seed, ...],
    scratch: Path,
    folder: Path,
    count: int,
    random_seed: int,
    *,
    only: bool,
) -> Campaign:
    from qcowspec.fuzzing.campaign.oracle import Oracle
    from qcowspec.fuzzing.campaign.runs import Campaign, Plan
    from qcowspec.fuzzing.campaign.stock import Stock

    plan = Plan(
        reader.target, reader.profile, reader.reads, count, random_seed, len(targets), folder
    )
    stock = Stock(dict(read_whole(seed, LARGEST, "a seed") for seed in seeds), own=not only)
    oracle = Oracle(reader.profile, reads=reader.reads)
    return Campaign(plan, stock, oracle, targets, scratch)


def _again(reader: Preset, target: Target, image: Path) -> int:
    """Run the reader on one image, and return the exit status."""
    from qcowspec.fuzzing.campaign.again import again
    from qcowspec.fuzzing.campaign.oracle import Oracle

    oracle = Oracle(reader.profile, reads=reader.reads)
    line, found = again(image, oracle, target, format_given=FORMAT in reader.target)
    write([f"{printable(str(image))}: {printable(line)}\n"])
    return FOUND if found else 0


def _run(campaign: Campaign, count: int, *, quiet: bool) -> None:
    progress = campaign.progress

    def found() -> str:
        return plural(len(progress.findings), "finding")

    with Bar("mutants", count, hidden=quiet, says=found, begun=progress.done) as bar:
        for _ in campaign.run():
            bar.add(1)


def _summary(progress: Progress) -> list[str]:
    """The result of a campaign, as text."""
    answers = ", ".join(f"{count} {answer}" for answer, count in progress.answers.most_common())
    lines = [f"{plural(progress.done, 'mutant')}: {answers}\n"]
    lines.append(
        f"{len(progress.broken)} rules broken; {plural(len(progress.findings), 'finding')}\n"
    )
    ranked = sorted(progress.findings.values(), key=lambda found: (found.key.kind, -found.count))
    lines += [
        f"{found.count:7} x {found.key.kind:<11} {printable(found.cause)}  {found.folder}\n"
        for found in ranked
    ]
    return lines
