"""`qcowspec fuzz`: a campaign against a reader."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.output import UNREADABLE, fail, unwritable, write
from qcowspec.cli.progress import Bar
from qcowspec.errors import QcowError
from qcowspec.fuzzing.campaign.presets import PRESETS, Preset
from qcowspec.fuzzing.campaign.targets import FORMAT, Limits, Target, TargetError, target
from qcowspec.fuzzing.places import Unfit
from qcowspec.report.words import plural, printable
from qcowspec.sources import Target as Seed
from qcowspec.sources import open_source
from qcowspec.spec.profiles import PROFILES, check_profile

if TYPE_CHECKING:
    from qcowspec.fuzzing.campaign.runs import Campaign, Progress

FOUND = 1
"""Exit status where something was found."""

MIB = 1 << 20


@click.command(
    "fuzz",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec fuzz --target 'qemu-img info -f {format} {}' -n 10000 -o campaign
  qcowspec fuzz --target './reader {} {out}' --reads disk.qcow2 -o campaign
  qcowspec fuzz --preset dissect -n 50000 -j 4 -o campaign
  qcowspec fuzz --target python:mypackage.qcow:check --profile untrusted -o campaign
  qcowspec fuzz --preset qemu-img -n 20000 -o campaign    goes on where it was left
  cd campaign/crash-…; sh reproduce.sh
  qcowspec fuzz --preset dissect --again image.qcow2

The reader is held to a profile: what the profile accepts it has to accept, what the profile rejects
it has to reject, with an exit status other than 0. A signal, a sanitizer's report, an answer that
does not come in time and memory that runs out are findings whatever the image. With --reads the
guest's bytes are compared too: the command writes them, raw, to the file that {out} stands for.

A Python target is called with the image's path, in a process that lives on. ValueError, OSError,
EOFError, NotImplementedError and errors of its own package reject the image; others are crashes.

Each finding has a folder with the smallest image that shows it, spec.yaml for `qcowspec build`,
finding.json, and reproduce.sh. The first of each kind, rule and signature is kept; others count.

Exit status: 0 nothing was found; 1 something was; 2 the reader cannot be run, or bad usage.
""",
)
@click.argument("seeds", type=IMAGE, nargs=-1, metavar="[SEED]...")
@click.option(
    "--target",
    "name",
    metavar="CMD",
    help="The reader; {} stands for the image, {format} for its format.",
)
@click.option("--preset", type=click.Choice(list(PRESETS)), help="A reader that is known here.")
@click.option("-o", "--output", metavar="DIR", help="Where findings are kept.")
@click.option(
    "--again", metavar="IMAGE", help="Run the reader on this image alone, and say what came of it."
)
@click.option("-n", "--count", type=click.IntRange(1), default=1000, show_default=True)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("-p", "--profile", help="Whose verdict counts; qemu unless the preset has another.")
@click.option("--reads", is_flag=True, help="Compare the guest's bytes too.")
@click.option("--timeout", type=click.FloatRange(0.01), default=10.0, show_default=True)
@click.option(
    "--memory", type=click.IntRange(16), default=4096, show_default=True, help="MiB, per reader."
)
@click.option("--seed", "random_seed", type=int, default=0, show_default=True, help="Of chance.")
@click.option("--python", default=sys.executable, help="The interpreter of a Python target.")
@click.option("--only", is_flag=True, help="Make mutants of the SEEDs only.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no table.")
def command(
    seeds: tuple[Seed, ...],
    name: str | None,
    preset: str | None,
    output: str | None,
    again: str | None,
    count: int,
    jobs: int,
    profile: str | None,
    reads: bool,
    timeout: float,
    memory: int,
    random_seed: int,
    python: str,
    only: bool,
    quiet: bool,
) -> None:
    """Run a reader on mutants, and keep what it gets wrong.

    Mutants are made from small images with every feature, and from the SEEDs. Which rule each one
    breaks is known, and rules that were not broken yet come first.
    """
    reader = _reader(name, preset, profile, reads=reads)
    if only and not seeds:
        raise click.UsageError("--only needs a SEED")
    if (output is None) == (again is None):
        raise click.UsageError("one of --output and --again is needed")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qcowspec-")))
        try:
            limits = Limits(timeout, memory * MIB)
            targets = [_target(reader, limits, scratch / str(n), python) for n in range(jobs)]
            for each in targets:
                stack.callback(each.close)
            if again is not None:
                sys.exit(_again(reader, targets[0], Path(again)))
            campaign = _campaign(
                reader, targets, seeds, scratch, Path(output or ""), count, random_seed, only=only
            )
            _run(campaign, count, quiet=quiet)
        except QcowError as error:
            fail(error)
        except (TargetError, Unfit) as error:
            click.echo(f"qcowspec: {printable(str(error))}", err=True)
            sys.exit(UNREADABLE)
        except OSError as error:
            if output is not None:
                unwritable(output, error, UNREADABLE)
            says = f"qcowspec: {again}: cannot be read: {error.strerror}"
            click.echo(printable(says), err=True)
            sys.exit(UNREADABLE)
    if not quiet:
        write(_summary(campaign.progress))
    sys.exit(FOUND if campaign.progress.findings else 0)


def _reader(name: str | None, preset: str | None, profile: str | None, *, reads: bool) -> Preset:
    """The reader, and what it is held to."""
    if (name is None) == (preset is None):
        raise click.UsageError("one of --target and --preset is needed")
    known = PRESETS[preset] if preset is not None else Preset(name or "", reads=reads)
    chosen = profile or known.profile
    try:
        check_profile(chosen)
    except ValueError as error:
        raise click.UsageError(f"{error}; profiles: {', '.join(PROFILES)}") from error
    return Preset(known.target, chosen, known.reads or reads, known.says, known.stdout)


def _target(reader: Preset, limits: Limits, scratch: Path, python: str) -> Target:
    scratch.mkdir()
    return target(reader.target, limits, scratch, python=python, stdout=reader.stdout)


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
    stock = Stock(dict(_bytes(seed) for seed in seeds), own=not only)
    oracle = Oracle(reader.profile, reads=reader.reads)
    return Campaign(plan, stock, oracle, targets, scratch)


def _again(reader: Preset, target: Target, image: Path) -> int:
    """Run the reader on one image; the exit status."""
    from qcowspec.fuzzing.campaign.again import again
    from qcowspec.fuzzing.campaign.oracle import Oracle

    oracle = Oracle(reader.profile, reads=reader.reads)
    shown = again(image, oracle, target, told=FORMAT in reader.target)
    write([f"{printable(str(image))}: {printable(shown.line)}\n"])
    return 0 if shown.key is None else FOUND


def _bytes(image: Seed) -> tuple[str, bytes]:
    """An image's name, without secrets; and the image, read whole."""
    from qcowspec.errors import Unsupported
    from qcowspec.fuzzing.drafts import LARGEST

    source = open_source(image)
    try:
        if source.length > LARGEST:
            raise Unsupported(
                f"has {source.length} bytes; a seed has at most {LARGEST}", path=source.name
            )
        return source.name, source.read_at(0, source.length)
    finally:
        source.close()


def _run(campaign: Campaign, count: int, *, quiet: bool) -> None:
    progress = campaign.progress

    def found() -> str:
        return plural(len(progress.findings), "finding")

    with Bar("mutants", count, hidden=quiet, says=found, begun=progress.done) as bar:
        for _ in campaign.run():
            bar.add(1)


def _summary(progress: Progress) -> list[str]:
    """What came of it, as text."""
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
