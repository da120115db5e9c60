"""`qcowspec usage`: what every byte of an image file is."""

from __future__ import annotations

import sys

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import format_option, json_option, progress_option, share_option
from qcowspec.cli.output import warn_of_end, write
from qcowspec.cli.progress import Bar
from qcowspec.report.words import printable
from qcowspec.sources import Target

HIDDEN = 1
"""Exit status with --strict of an image that hides bytes that are not zero."""

NOT_FOLLOWED = 3
"""Exit status where some structures were not followed."""


@click.command(
    "usage",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec usage disk.qcow2
  qcowspec usage --deep disk.qcow2      read cavities; inflate clusters
  qcowspec usage --ranges upload.qcow2  where are bytes that nobody reads?
  qcowspec usage --strict upload.qcow2  fail if any of them is not zero
  qcowspec usage --json disk.qcow2      every tile, in the order of the file

Every byte of the image file is counted once. Cavities are what no reader looks at: padding, room
after compressed payloads, clusters that are set aside, leaked or free. No second file and no
passphrase are needed.

An image with structures that cannot be followed is answered as far as they go: what nobody followed
counts as not-followed, and is no cavity.

Exit status: 0; 1 with --strict, bytes of cavities are not zero; 2 the image cannot be read, or bad
usage; 3 some structures were not followed.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@json_option()
@format_option()
@progress_option()
@click.option("--deep", is_flag=True, help="Read all cavities, and inflate compressed clusters.")
@click.option("--ranges", is_flag=True, help="List the cavities that are not zero; as --deep.")
@click.option("--strict", is_flag=True, help="Exit with 1 if any cavity is not zero; as --deep.")
@share_option("Read the file even if another program has it open for writing, or changes it.")
def command(
    image: Target,
    as_json: bool,
    format_: str | None,
    deep: bool,
    ranges: bool,
    strict: bool,
    share: bool,
) -> None:
    """Account for every byte of an image file, and find bytes that no reader looks at."""
    from qcowspec.check.usage import Usage
    from qcowspec.image import lay_open
    from qcowspec.report import usage as report

    with lay_open(image, format=format_) as opened:
        if not share:
            opened.source.refuse_writers()
        name = opened.source.name
        with Bar("usage", opened.source.length) as bar:
            usage = Usage(opened, deep=deep or ranges or strict, progress=bar.at)
            if as_json:
                write(report.as_json(usage, name))
            else:
                write(report.as_text(usage, printable(name), ranges=ranges))
        if not share:
            opened.check_unchanged()
        sys.stdout.flush()
        warn_of_end(name, opened.metadata)
    if strict and usage.cavities.nonzero:
        sys.exit(HIDDEN)
    if usage.not_followed:
        sys.exit(NOT_FOLLOWED)
