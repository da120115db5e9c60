"""`qcowspec snapshot`: the internal snapshots, as qemu-img lists them."""

from __future__ import annotations

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.like import LIKE, NEWEST, USUAL, like_option
from qcowspec.cli.options import format_option, json_option, share_option
from qcowspec.cli.output import FAILED, warn_of_end, write
from qcowspec.sources import Target
from qcowspec.spec.profiles import OUTPUT


@click.command(
    "snapshot",
    cls=TakesImages,
    failed=FAILED,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec snapshot disk.qcow2
  qcowspec snapshot --json disk.qcow2
  qcowspec snapshot -l --like qemu@11.1 disk.qcow2

The list is that of qemu-img snapshot -l of QEMU {USUAL}, for every image that {NEWEST} opens.
{LIKE}
JSON has the keys of info's snapshots. To read one: convert --snapshot, map --snapshot.

Exit status: 0; 1 the image cannot be read, QEMU would refuse it, or bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@json_option()
@like_option
@format_option()
@share_option("Accepted as qemu-img's option: files in use are always read here.")
def command(
    image: Target, as_json: bool, like: str | None, format_: str | None, share: bool
) -> None:
    """List the internal snapshots of an image."""
    from qcowspec.image import open as open_image
    from qcowspec.report import info, info_text

    whose = like or OUTPUT
    with open_image(image, format=format_) as opened:
        if like is not None:
            opened.check_opened(like)
        warn_of_end(opened.source.name, opened.metadata)
        found = info.snapshots(opened)
    if as_json:
        write([info_text.as_json(found)])
    elif found:
        write(
            ["Snapshot list:\n", *(f"{line}\n" for line in info_text.snapshot_lines(found, whose))]
        )
