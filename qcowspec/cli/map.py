"""`qcowspec map`: where each range of the virtual disk is."""

from __future__ import annotations

import sys

import click

from qcowspec.cli.images import TakesImages
from qcowspec.cli.output import FORMATS, say, write
from qcowspec.cli.reading import FAILED, PERMISSIONS, allowing, opened, sharing
from qcowspec.cli.sizes import size
from qcowspec.errors import QcowError


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

{PERMISSIONS}
The JSON is that of qemu-img map, version 7.2; --compressed adds the key that 8.2 has. An encrypted
image needs no passphrase, unless --exact reads its bytes; one that is given has to be right.
SIZE is a number of bytes, or one with k, M, G, T, P or E behind it.

Exit status: 0; 1 the image cannot be read, 2 bad usage.
""",
)
@click.argument("image", metavar="IMAGE")
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
@click.option("--compressed", is_flag=True, help="Say in JSON what is compressed.")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(list(FORMATS)), default="auto")
@sharing
def command(
    image: str,
    output: str,
    start_offset: int,
    max_length: int | None,
    snapshot: str | None,
    since: str | None,
    exact: bool,
    compressed: bool,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
    force_share: bool,
) -> None:
    """List the ranges of the virtual disk, and where the bytes of each are."""
    from qcowspec.guest.status import block_status, within
    from qcowspec.report.map import as_json, as_text, file_names

    if exact and since is None:
        raise click.UsageError("--exact goes with --since")
    try:
        with opened(image, format_, allow, secret) as source:
            disk = source.disk(snapshot, keyless=not exact)
            disk.open_all()
            if not force_share:
                disk.refuse_writers()
            people = output == "human"
            status = block_status(disk, start_offset, max_length, compressed=people or compressed)
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
                write(as_json(status, empty_at=empty_at, compressed=compressed))
    except QcowError as error:
        sys.stdout.flush()
        say(error)
        sys.exit(FAILED)
