"""`qcowspec map`: where each range of the virtual disk is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.losses import write_losses
from qcowspec.cli.output import FORMATS, say, warn_of_end, write
from qcowspec.cli.reading import FAILED, PERMISSIONS, allowing, is_shared, opened, sharing
from qcowspec.cli.sizes import size
from qcowspec.errors import QcowError
from qcowspec.sources import Target

if TYPE_CHECKING:
    from qcowspec.guest import Disk
    from qcowspec.guest.losses import Losses


@click.command(
    "map",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec map disk.qcow2
  qcowspec map --output json --allow same-dir overlay.qcow2
  qcowspec map --start-offset 1G --max-length 64M disk.qcow2
  qcowspec map --snapshot before-upgrade disk.qcow2
  qcowspec map --output json --since monday disk.qcow2
  qcowspec map --output json --since monday --snapshot tuesday disk.qcow2
  qcowspec map --salvage broken.qcow2

{PERMISSIONS}
The JSON is that of qemu-img map, version 7.2; --compressed adds the key that 8.2 has. An encrypted
image needs no passphrase, unless --exact reads its bytes; one that is given has to be right.
--salvage maps what is left of a broken image, also of one that QEMU does not open: ranges that are
lost are shown as such, by the key "lost" in JSON, and stderr has the list with the reasons. No
bytes are read: a compressed cluster that does not inflate is found by convert --salvage only.

SIZE is a number of bytes, or one with k, M, G, T, P or E behind it.

Exit status: 0; 1 the image cannot be read, or with --salvage, something is lost; 2 bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.option(
    "--output",
    type=click.Choice(["human", "json"]),
    default="human",
    help="A table of what has data, or all as JSON.",
)
@click.option("-s", "--start-offset", type=size, default="0", metavar="SIZE", help="Begin there.")
@click.option("-l", "--max-length", type=size, metavar="SIZE", help="So many bytes at most.")
@click.option("--snapshot", metavar="ID|NAME", help="Map an internal snapshot.")
@click.option("--since", metavar="ID|NAME", help="Only what may differ from that snapshot.")
@click.option("--exact", is_flag=True, help="With --since, read the bytes: only what differs.")
@click.option("--salvage", is_flag=True, help="Go on where the tables are broken.")
@click.option("--compressed", is_flag=True, help="Say in JSON what is compressed.")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(list(FORMATS)), default="auto")
@sharing
def command(
    image: Target,
    output: str,
    start_offset: int,
    max_length: int | None,
    snapshot: str | None,
    since: str | None,
    exact: bool,
    salvage: bool,
    compressed: bool,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
) -> None:
    """List the ranges of the virtual disk, and where the bytes of each are."""
    from qcowspec.guest.status import block_status, with_losses, within
    from qcowspec.report.map import as_json, as_text, file_names

    if exact and since is None:
        raise click.UsageError("--exact goes with --since")
    if salvage and since is not None:
        raise click.UsageError("--salvage does not go with --since")
    losses, size = None, 0
    try:
        with opened(image, format_, allow, secret, salvage=salvage) as source:
            disk = source.disk(snapshot, keyless=not exact, salvage=salvage)
            disk.open_all()
            if not is_shared():
                disk.refuse_writers()
            for layer in disk.layers:
                warn_of_end(layer.name, layer.metadata)
            if salvage:
                losses, size = _losses(disk, start_offset, max_length), disk.size
            people = output == "human"
            status = block_status(disk, start_offset, max_length, compressed=people or compressed)
            if losses is not None:
                status = with_losses(status, losses)
            if since is not None:
                ranges = source.changes(since, snapshot, offset=start_offset, length=max_length)
                if exact:
                    from qcowspec.guest.differences import differences

                    ranges = differences(source.disk(since), disk, ranges)
                status = within(status, ranges)
            if people:
                write(as_text(status, file_names(disk.layers), zeros=since is not None))
            else:
                empty_at = start_offset if since is None else None
                write(as_json(status, empty_at=empty_at, compressed=compressed, lost=salvage))
            if not is_shared():
                disk.check_unchanged()
    except QcowError as error:
        sys.stdout.flush()
        say(error)
        sys.exit(FAILED)
    if losses:
        sys.stdout.flush()
        write_losses(losses, size, "human", err=True)
        sys.exit(FAILED)


def _losses(disk: Disk, start: int, length: int | None) -> Losses:
    """What the tables tell of a range that is lost."""
    from qcowspec.guest.losses import Losses
    from qcowspec.guest.missing import missing

    end = disk.size if length is None else min(disk.size, start + length)
    return Losses(each.within(start, end) for each in missing(disk, end) if each.end > start)
