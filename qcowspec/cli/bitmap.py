"""`qcowspec bitmap`: the persistent bitmaps of an image, as a list."""

from __future__ import annotations

import sys

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import format_option, json_option, share_option
from qcowspec.cli.output import FAILED, say, warn_of_end, write
from qcowspec.sources import Target


@click.command(
    "bitmap",
    cls=TakesImages,
    failed=FAILED,
    unread=FAILED,
    epilog="""\b
Examples:
  qcowspec bitmap disk.qcow2
  qcowspec bitmap --json disk.qcow2
  qcowspec bitmap disk.qcow2 daily
  qcowspec map --bitmap daily disk.qcow2

For each: the bytes of the disk that one bit stands for, how many bytes are dirty, the flags (auto:
it records writes; in-use: it was not saved when the disk was last closed, and is not to be trusted)
and the name. JSON has info's keys, and dirty-bytes; or error, if these cannot be counted. The
ranges of one: map --bitmap.

Exit status: 0; 1 the image or a bitmap cannot be read, QEMU would refuse it, or bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.argument("name", required=False, metavar="[NAME]")
@json_option()
@format_option()
@share_option("Accepted as qemu-img's option: files in use are always read here.")
def command(
    image: Target, name: str | None, as_json: bool, format_: str | None, share: bool
) -> None:
    """List the persistent dirty bitmaps of an image, or look at one."""
    from qcowspec.image import open as open_image
    from qcowspec.mapping.dirty import STALE, bitmap_of, is_stale
    from qcowspec.report import bitmaps as report
    from qcowspec.report.info_text import as_json as in_json

    with open_image(image, format=format_) as opened:
        source = opened.source.name
        warn_of_end(source, opened.metadata)
        if name is None:
            chosen = list(opened.bitmaps)
            if is_stale(opened.metadata):
                say(f"{source}: {STALE}")
        else:
            chosen = [bitmap_of(opened.metadata, name, source)]
        found = report.listed(opened, chosen)
    if as_json:
        write([in_json(found)])
    elif found:
        write(report.list_as_text(found))
    wrong = [row for row in found if "error" in row]
    sys.stdout.flush()
    for row in wrong:
        say(f"{source}: the bitmap {row['name']!r}: {row['error']}")
    if wrong:
        sys.exit(FAILED)
