"""`qcowspec check`: refcounts, references, and what lies on what."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.output import FORMATS, pieces, say, styler
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import FAILED, PERMISSIONS, allowing, is_shared, sharing
from qcowspec.errors import QcowError
from qcowspec.report.words import printable
from qcowspec.sources import Target

if TYPE_CHECKING:
    from qcowspec.image import Image

DAMAGED = 2


class ChecksImage(TakesImages):
    """A command whose status 2 says that an image is damaged, and nothing else."""

    failed = FAILED


@click.command(
    "check",
    cls=ChecksImage,
    epilog=f"""\b
Examples:
  qcowspec check disk.qcow2
  qcowspec check --explain disk.qcow2            who owns the clusters at fault
  qcowspec check --output json disk.qcow2        qemu-img's keys, and the findings
  qcowspec check --deep --strict upload.qcow2    inflate all; nothing is forgiven

The figures are those of `qemu-img check`. What it does not look at is reported apart: overlaps
that the refcounts hide, clusters that two parts of the disk share, tables that may be lost where
clusters are leaked, broken compressed clusters (--deep), a backing chain that loops (--allow). That
counts only with --strict, but for a file that was cut short, or its data file (--allow): the status
is 2 then, or 3 where only refcounts reach past the end. No key is needed, and no second file.

{PERMISSIONS}
Exit status, as qemu-img's: 0 nothing found; 1 not opened, not completed, or bad usage; 2 errors;
3 leaks. Version 1, which qemu-img does not check, has the same.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.option("--output", type=click.Choice(["human", "json"]), default="human")
@click.option("-f", "--format", "format_", type=click.Choice(list(FORMATS)), default="auto")
@allowing
@sharing
@click.option("--explain", is_flag=True, help="Name the owners of each cluster at fault.")
@click.option("--deep", is_flag=True, help="Inflate every compressed cluster.")
@click.option("--strict", is_flag=True, help="Exit with 2 for what qemu-img does not look at.")
@click.option("--limit", type=click.IntRange(0), default=8, help="Places told of each rule.")
@click.option("--all", "all_", is_flag=True, help="Tell every place.")
@click.option("-r", "--repair", metavar="leaks|all", hidden=True)
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing but the exit status.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours."
)
def command(
    image: Target,
    output: str,
    format_: str,
    allow: tuple[str, ...],
    secret: str | None,
    explain: bool,
    deep: bool,
    strict: bool,
    limit: int,
    all_: bool,
    repair: str | None,
    quiet: bool,
    color: str,
) -> None:
    """Hold an image's references against its refcounts, as qemu-img check does."""
    from qcowspec.check import check, every
    from qcowspec.cli.reading import laid_open
    from qcowspec.report.check import write_json, write_text

    if repair is not None:
        raise click.UsageError(
            "check never writes to an image. To repair one: qemu-img check -r leaks|all, on a copy"
        )
    options: dict[str, Any] = {"explain": explain, "deep": deep, "chain": bool(allow)}
    try:
        with laid_open(image, format_, allow, secret) as opened:
            name = opened.source.name
            if not is_shared():
                opened.source.refuse_writers()
            with _bar(opened, quiet=quiet) as bar:

                def progress(what: str, done: int, of: int) -> None:
                    bar.at(SAYS[what], done, of)

                report = check(opened, shown=KEPT if all_ else limit, progress=progress, **options)
            again = partial(every, opened, **options) if all_ else None
            if not quiet:
                with pieces() as out:
                    if output == "json":
                        write_json(report, name, out, again)
                    else:
                        write_text(report, out, styler(color), every=again)
            if not is_shared():
                opened.check_unchanged()
    except QcowError as error:
        say(error)
        sys.exit(FAILED)
    if report.why is not None:
        click.echo(
            f"qcowspec: {printable(name)}: the check was not completed: {printable(report.why)}",
            err=True,
        )
    status = report.status
    if strict and status in (0, 3) and report.findings.of("beyond-qemu"):
        status = DAMAGED
    sys.exit(status)


KEPT = 1 << 12
"""Faults of a rule that --all keeps; where there are more, they are written as they are found, in a
second way through the image."""


def _bar(image: Image, *, quiet: bool) -> Bar:
    """The bar; of a small disk's check not before it takes longer than it should."""
    table = image.l1_table
    tables = 0 if table is None else table.count
    return Bar("check", tables, hidden=quiet, after=0 if tables >= LONG else LATE)


LONG = 1 << 12
"""Entries of the L1 table from which on a bar is worth showing at once."""

LATE = 0.5
"""Seconds after which it is anyway: tables come from a server, or clusters are inflated."""

SAYS = {"tables": "check", "compressed clusters": "inflate", "owners": "explain"}
"""What the bar says is done, by what is gone through."""
