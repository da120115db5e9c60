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
from qcowspec.fuzzing.campaign.outcomes import WORST
from qcowspec.fuzzing.campaign.presets import Preset
from qcowspec.fuzzing.campaign.targets import FORMAT, Target, TargetError
from qcowspec.fuzzing.drafts import LARGEST
from qcowspec.fuzzing.places import Unfit
from qcowspec.report.words import plural, printable
from qcowspec.sources import Target as Seed
from qcowspec.spec.profiles import PROFILES, check_profile

if TYPE_CHECKING:
    from qcowspec.fuzzing.campaign.oracle import Oracle
    from qcowspec.fuzzing.campaign.runs import Campaign, Plan, Progress

FOUND = 1
"""Exit status if something was found."""


@click.command(
    "fuzz",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec fuzz --target 'qemu-img info -f {format} {}' -n 10000 -o campaign
  qcowspec fuzz --target './reader {} {out}' -o campaign disk.qcow2
  qcowspec fuzz --target './reader {}' --reads stdout --skip 'v3*' -o campaign
  qcowspec fuzz --preset dissect -n 50000 -j 4 -o campaign
  qcowspec fuzz --target python:mypackage.qcow:check -p untrusted -o campaign
  qcowspec fuzz --preset qemu-img -n 20000 -o campaign  continues the campaign
  sh campaign/crash-…/reproduce.sh
  qcowspec fuzz --preset dissect --again image.qcow2

The reader is judged by a profile: it has to accept what the profile accepts, and to reject what the
profile rejects, with an exit status other than 0. A signal, a sanitizer's report, a timeout and
memory that runs out are findings whatever the image. With {out} in the command, or --reads stdout,
the guest's bytes are compared too: the reader writes them, raw, to that file or to stdout.

A Python target, python:module:function or python:FILE.py:function, is called with the image's path,
in a process that is used again. It, and a Python program, reject an image by ValueError, OSError,
EOFError, NotImplementedError and by any class that is not Python's own; other errors are crashes.

--skip leaves out rules that mutants break or aim at ('bitmaps/*'), and images that they are made
from ('v3*'); other mutants are drawn instead.

Each finding has a folder with the smallest image that shows it, spec.yaml for `qcowspec build`,
finding.json, and reproduce.sh, which runs from any folder. The first of each kind, rule and
signature is kept; others are counted.

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
@seed_option
@click.option("--only", is_flag=True, help="Make mutants of the SEEDs only.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress bar and no table.")
def command(
    seeds: tuple[Seed, ...],
    output: str | None,
    again: str | None,
    count: int,
    random_seed: int,
    only: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Run a reader on mutants, and keep what it gets wrong.

    Mutants are made from small images with every feature, and from the SEEDs. The rules that each
    one breaks are known, and rules that were not broken yet come first.
    """
    from qcowspec.fuzzing.campaign.runs import SKIPPED, Plan

    runner = Reader(**options)
    reader = runner.known()
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
            plan = Plan(
                reader.target,
                reader.profile,
                reader.reads,
                count,
                random_seed,
                len(targets),
                Path(output or ""),
                runner.words(reader),
                runner.skip,
            )
            campaign = _campaign(plan, reader, targets, seeds, scratch, only=only)
            _run(campaign, count, quiet=quiet)
        except (TargetError, Unfit) as error:
            fail(error)
        except OSError as error:
            if output is not None:
                unwritable(output, error)
            fail(f"{again}: cannot be read: {error.strerror}")
    if campaign.progress.answers.keys() == {SKIPPED}:
        fail("--skip leaves no mutant to run")
    if not quiet:
        write(_summary(campaign.progress))
    sys.exit(FOUND if campaign.progress.findings else 0)


def _campaign(
    plan: Plan,
    reader: Preset,
    targets: list[Target],
    seeds: tuple[Seed, ...],
    scratch: Path,
    *,
    only: bool,
) -> Campaign:
    from qcowspec.fuzzing.campaign.runs import Campaign
    from qcowspec.fuzzing.campaign.stock import Stock

    stock = Stock(dict(read_whole(seed, LARGEST, "a seed") for seed in seeds), own=not only)
    return Campaign(plan, stock, _oracle(reader), targets, scratch)


def _oracle(reader: Preset) -> Oracle:
    from qcowspec.fuzzing.campaign.oracle import Oracle

    return Oracle(reader.profile, reads=reader.reads, compares=reader.compares)


def _again(reader: Preset, target: Target, image: Path) -> int:
    """Run the reader on one image, and return the exit status."""
    from qcowspec.fuzzing.campaign.again import again

    line, found = again(image, _oracle(reader), target, format_given=FORMAT in reader.target)
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
    """The result of a campaign, as text: the findings that matter most first."""
    from qcow_parsers.catalogue import RULES

    answers = ", ".join(f"{count} {answer}" for answer, count in progress.answers.most_common())
    lines = [f"{plural(progress.done, 'mutant')}: {answers}\n"]
    lines.append(
        f"{plural(len(progress.broken), 'rule')} broken; "
        f"{plural(len(progress.findings), 'finding')}\n"
    )
    reply = progress.replies.line(plural(progress.done, "mutant"))
    if progress.findings and progress.done > 1 and reply is not None:
        lines.append(f"{printable(reply)}\n")
    ranked = sorted(
        progress.findings.values(), key=lambda found: (WORST.index(found.key.kind), -found.count)
    )
    says = {rule.id: rule.says for rule in RULES}
    for found in ranked:
        lines.append(f"{found.count:7} x {found.key.kind:<11} {printable(found.cause)}\n")
        if found.key.rule is not None:
            lines.append(f"{'':10}[{found.key.rule}] {says.get(found.key.rule, '')}\n")
        lines.append(f"{'':10}{found.folder}\n")
    return lines
