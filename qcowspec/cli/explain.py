"""`qcowspec explain`: what a byte is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import (
    PERMISSIONS,
    color_option,
    format_option,
    guest_options,
    json_option,
    size,
)
from qcowspec.cli.output import write
from qcowspec.cli.reading import key_of
from qcowspec.image import Image, lay_open
from qcowspec.report.style import Style
from qcowspec.sources import Target
from qcowspec.sources.gate import Gate
from qcowspec.spec.sizes import SIZE

NOTHING = 1
"""Exit status past the end of the file, or of the disk."""


@click.command(
    "explain",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec explain disk.qcow2 0x50010
  qcowspec explain disk.qcow2 header.cluster_bits
  qcowspec explain disk.qcow2 'l2_tables[3][17]'
  qcowspec explain --guest 1G disk.qcow2
  qcowspec explain --guest 0 --snapshot monday --allow same-dir overlay.qcow2

OFFSET is a number of bytes in the image file (4096, 0x1000, 4k), or a path as `qcowspec dump` shows
it; `qcowspec dump --at OFFSET` is the same. For a byte of the image file nothing but the image is
read. A rule is reported as it holds there, as broken, or as not looked at: `qcowspec check` and
`qcowspec validate` look at more.

{PERMISSIONS}
Exit status: 0; 1 the offset is past the end of the file or of the disk; 2 bad usage, or the image
cannot be read.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.argument("offset", required=False, metavar="[OFFSET]")
@click.option("--guest", type=size, metavar="SIZE", help="Explain a byte of the virtual disk.")
@click.option("--snapshot", metavar="ID|NAME", help="With --guest, of an internal snapshot.")
@guest_options
@format_option()
@json_option()
@color_option
def command(
    image: Target,
    offset: str | None,
    guest: int | None,
    snapshot: str | None,
    allow: Gate,
    secret: str | None,
    share: bool,
    format_: str | None,
    as_json: bool,
    style: Style,
) -> None:
    """Explain one byte: what has it, what it means, who references it, where the guest sees it."""
    from qcowspec.report.explain_guest import explain_guest
    from qcowspec.report.explain_text import guest_lines

    if (offset is None) == (guest is None):
        raise click.UsageError("give an OFFSET, or --guest with one")
    if snapshot is not None and guest is None:
        raise click.UsageError("--snapshot goes with --guest")
    with lay_open(image, format=format_, allow=allow, secret=key_of(secret)) as opened:
        if not share:
            opened.source.refuse_writers()
        if guest is not None:
            said = explain_guest(opened, guest, snapshot)
            lines, nothing = guest_lines(said, style), guest >= said["size"]
        else:
            said, lines, nothing = byte_at(opened, offset or "", style)
        if not share:
            opened.check_unchanged()
    show(said, lines, as_json=as_json)
    sys.exit(NOTHING if nothing else 0)


def byte_at(image: Image, word: str, style: Style) -> tuple[dict[str, Any], Iterator[str], bool]:
    """A byte of the image file.

    Args:
        image: The image.
        word: Its offset, or a path.
        style: How lines look.

    Returns:
        What it is, as a document and as lines, and whether nothing is there.
    """
    from qcowspec.report.explain import explain
    from qcowspec.report.explain_text import host_lines

    said = explain(image, _offset(image, word))
    return said, host_lines(said, style), said["byte"] is None


def show(said: dict[str, Any], lines: Iterator[str], *, as_json: bool) -> None:
    """Print a document as JSON, or its lines."""
    if as_json:
        write([json.dumps(said, indent=2) + "\n"])
    else:
        write(f"{line}\n" for line in lines)


def _offset(image: Image, word: str) -> int:
    """The host offset that a number or a path names."""
    from qcowspec.report.explain_structures import offset_of
    from qcowspec.report.paths import UnknownPath

    if SIZE.fullmatch(word):
        return size(word)
    try:
        return offset_of(image, word)
    except UnknownPath as error:
        raise click.UsageError(str(error)) from error
