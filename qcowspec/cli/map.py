"""`qcowspec map`: where each range of the virtual disk is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from qcowspec.cli.dirty import Marks
from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.like import LIKE, NEWEST, USUAL, like_option
from qcowspec.cli.losses import write_losses
from qcowspec.cli.options import PERMISSIONS, format_option, guest_options, json_option, size
from qcowspec.cli.output import FAILED, write
from qcowspec.cli.reading import open_files, opened
from qcowspec.sources import Target
from qcowspec.spec.profiles import OUTPUT, has

if TYPE_CHECKING:
    from qcowspec.guest import Disk
    from qcowspec.guest.losses import Losses
    from qcowspec.sources.gate import Gate


@click.command(
    "map",
    cls=TakesImages,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec map disk.qcow2
  qcowspec map --output json --allow same-dir overlay.qcow2
  qcowspec map --start-offset 1G --max-length 64M disk.qcow2
  qcowspec map --snapshot before-upgrade disk.qcow2
  qcowspec map --output json --since monday disk.qcow2
  qcowspec map --output json --since monday --snapshot tuesday disk.qcow2
  qcowspec map --bitmap daily disk.qcow2
  qcowspec map --bitmap daily --allocation --allow same-dir overlay.qcow2
  qcowspec map --salvage broken.qcow2

{PERMISSIONS}
Text and JSON are those of qemu-img map of QEMU {USUAL}, for every image that {NEWEST} opens.
--compressed adds the key that 8.2 has. {LIKE}
An encrypted
image needs no passphrase, unless --exact reads its bytes; one that is given has to be right.
--salvage maps what is left of a broken image, also of one that QEMU does not open: ranges that are
lost are shown as such, by the key "lost" in JSON, and stderr has the list with the reasons. No
guest data are read: only convert --salvage finds a compressed cluster that does not inflate.

--bitmap gives the ranges that a persistent bitmap marks as dirty, or in JSON all ranges by "start",
"length" and "dirty"; --allocation adds what map says of each. A bitmap in use was not saved when
the disk was last closed: its ranges are given with a warning, in JSON with "in-use": true.

SIZE is a number of bytes, or a number followed by k, M, G, T, P or E.

Exit status: 0; 1 the image cannot be read, or with --salvage, something is lost; 2 bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@like_option
@json_option("A table of the ranges that have data, or all ranges as JSON.")
@click.option(
    "-s", "--start-offset", type=size, default="0", metavar="SIZE", help="Begin at this offset."
)
@click.option("-l", "--max-length", type=size, metavar="SIZE", help="Map this many bytes at most.")
@click.option("--snapshot", metavar="ID|NAME", help="Map an internal snapshot.")
@click.option("--since", metavar="ID|NAME", help="List what may differ from this snapshot.")
@click.option("--exact", is_flag=True, help="With --since, read the bytes, and list what differs.")
@click.option("--salvage", is_flag=True, help="Go on where the tables are broken.")
@click.option("--bitmap", metavar="NAME", help="List what this persistent bitmap marks as dirty.")
@click.option("--allocation", is_flag=True, help="With --bitmap, add where the bytes are.")
@click.option("--compressed", is_flag=True, help="Mark compressed ranges in the JSON.")
@guest_options
@format_option()
def command(
    image: Target,
    like: str | None,
    as_json: bool,
    start_offset: int,
    max_length: int | None,
    snapshot: str | None,
    since: str | None,
    exact: bool,
    salvage: bool,
    bitmap: str | None,
    allocation: bool,
    compressed: bool,
    allow: Gate,
    secret: str | bytes | None,
    share: bool,
    format_: str | None,
) -> None:
    """List the ranges of the virtual disk, and where the bytes of each are."""
    from qcowspec.guest.status import block_status, with_losses, within
    from qcowspec.report import map as report

    if exact and since is None:
        raise click.UsageError("--exact goes with --since")
    if salvage and since is not None:
        raise click.UsageError("--salvage does not go with --since")
    if allocation and bitmap is None:
        raise click.UsageError("--allocation goes with --bitmap")
    if bitmap is not None and (salvage or since is not None or snapshot is not None):
        other = "--salvage" if salvage else "--snapshot" if since is None else "--since"
        raise click.UsageError(f"--bitmap does not go with {other}: it is about the active disk")
    with opened(image, format_, allow, secret, like=like, salvage=salvage) as source:
        if bitmap is not None:
            marks = Marks(source, bitmap, start_offset, max_length)
            if not allocation:
                marks.write(as_json=as_json, share=share)
                return
        disk = source.disk(snapshot, keyless=not exact, salvage=salvage)
        open_files(disk, share=share)
        losses = _losses(disk, start_offset, max_length) if salvage else None
        present = not as_json or has(like or OUTPUT, "map-present")
        compressed = compressed or not as_json or has(like or OUTPUT, "map-compressed")
        status = block_status(
            disk, start_offset, max_length, present=present, compressed=compressed
        )
        if losses is not None:
            status = with_losses(status, losses)
        if since is not None:
            ranges = source.changes(since, snapshot, offset=start_offset, length=max_length)
            if exact:
                from qcowspec.guest.differences import differences

                ranges = differences(source.disk(since), disk, ranges)
            status = within(status, ranges)
        if bitmap is not None:
            status = marks.join(status, as_json=as_json)
        if as_json:
            empty_at = start_offset if since is None and bitmap is None else None
            write(
                report.as_json(
                    status,
                    empty_at=empty_at,
                    present=present,
                    compressed=compressed,
                    lost=salvage,
                    dirty=bitmap is not None,
                )
            )
        else:
            zeros = since is not None or bitmap is not None
            write(report.as_text(status, report.file_names(disk.layers), zeros=zeros))
        if not share:
            disk.check_unchanged()
    if losses:
        sys.stdout.flush()
        write_losses(losses, disk.size, as_json=False, err=True)
        sys.exit(FAILED)


def _losses(disk: Disk, start: int, length: int | None) -> Losses:
    """The parts of a range that are lost, as far as the tables show."""
    from qcowspec.guest.losses import Losses
    from qcowspec.guest.missing import missing

    end = disk.size if length is None else min(disk.size, start + length)
    return Losses(missing(disk, end)).within(start, end)
