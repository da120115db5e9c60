"""`qcowspec check`: refcounts, references, and what lies on what."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.like import LIKE, NEWEST, like_option
from qcowspec.cli.options import (
    PERMISSIONS,
    color_option,
    format_option,
    guest_options,
    json_option,
    progress_option,
)
from qcowspec.cli.output import FAILED, pieces, say
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import key_of
from qcowspec.report.style import Style
from qcowspec.sources import Target
from qcowspec.sources.gate import Deny, Gate

DAMAGED = 2
"""Exit status of a damaged image, and of nothing else."""


@click.command(
    "check",
    cls=TakesImages,
    failed=FAILED,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec check disk.qcow2
  qcowspec check --explain disk.qcow2          who owns the clusters at fault
  qcowspec check --output json disk.qcow2      qemu-img's keys, and findings
  qcowspec check --deep --strict upload.qcow2  inflate all; fail if any found

The figures are those of `qemu-img check` of QEMU {NEWEST}. {LIKE}
What qemu-img does not look at is reported separately: overlaps
that the refcounts hide, clusters that two parts of the disk share, tables that may be lost where
clusters are leaked, broken compressed clusters (--deep), a backing chain that loops (--allow).
These findings change the exit status only with --strict, with one exception: if the image file, or
its data file (--allow), was cut short, the status is 2, or 3 if only refcounts reach past the end.
No key and no second file are needed.

{PERMISSIONS}
Exit status, as qemu-img's: 0 nothing found; 1 not opened, not completed, or bad usage; 2 errors;
3 leaks. Version 1, which qemu-img does not check, has the same.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@json_option()
@like_option
@format_option()
@guest_options
@progress_option()
@click.option("--explain", is_flag=True, help="Name the owners of each cluster at fault.")
@click.option("--deep", is_flag=True, help="Inflate every compressed cluster.")
@click.option("--strict", is_flag=True, help="Exit with 2 for what qemu-img does not look at.")
@click.option(
    "--limit", type=click.IntRange(0), default=8, help="Places listed of each rule, at most."
)
@click.option("--all", "all_", is_flag=True, help="List every place.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; the exit status is the result.")
@color_option
def command(
    image: Target,
    as_json: bool,
    like: str | None,
    format_: str | None,
    allow: Gate,
    secret: str | bytes | None,
    share: bool,
    explain: bool,
    deep: bool,
    strict: bool,
    limit: int,
    all_: bool,
    quiet: bool,
    style: Style,
) -> None:
    """Compare an image's references with its refcounts, as qemu-img check does."""
    from qcowspec.check import check, every
    from qcowspec.image import lay_open
    from qcowspec.reader.verdict import FOUND
    from qcowspec.report.check import write_json, write_text

    options: dict[str, Any] = {
        "explain": explain,
        "deep": deep,
        "chain": not isinstance(allow, Deny),
    }
    with lay_open(image, format=format_, allow=allow, secret=key_of(secret)) as opened:
        name, whose = opened.source.name, like or "qemu"
        if FOUND in opened.judge.counts:  # no data file is looked for
            opened.judge.take_back(FOUND)
        if not share:
            opened.source.refuse_writers()
        table = opened.l1_table
        tables = 0 if table is None else table.count
        with Bar("check", tables, hidden=quiet, after=0 if tables >= LONG else LATE) as bar:

            def progress(what: str, done: int, of: int) -> None:
                bar.at(SAYS[what], done, of)

            report = check(
                opened, shown=KEPT if all_ else limit, progress=progress, profile=whose, **options
            )
        again = partial(every, opened, **options) if all_ else None
        if not quiet:
            with pieces() as out:
                if as_json:
                    write_json(report, name, out, again)
                else:
                    write_text(report, out, style, every=again)
        if not share:
            opened.check_unchanged()
    if report.why is not None:
        say(f"{name}: the check was not completed: {report.why}")
    status = report.status
    if strict and status in (0, 3) and report.findings.of("beyond-qemu"):
        status = DAMAGED
    sys.exit(status)


KEPT = 1 << 12
"""Faults of a rule that --all keeps. If there are more, the image is read a second time, and they
are written as they are found."""

LONG = 1 << 12
"""Entries of the L1 table from which the bar is shown at once."""

LATE = 0.5
"""Seconds after which it is shown for a smaller disk: tables may come from a server."""

SAYS = {"tables": "check", "compressed clusters": "inflate", "owners": "explain"}
"""The bar's label, by what is read."""
