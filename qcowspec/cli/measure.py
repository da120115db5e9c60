"""`qcowspec measure`: how large a new image of a disk would be."""

from __future__ import annotations

import json

import click

from qcowspec.cli.habits import snapshot_of
from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import PERMISSIONS, format_option, guest_options, json_option, size
from qcowspec.cli.output import FAILED, write
from qcowspec.cli.reading import open_files, opened
from qcowspec.reader.opening import SnapshotKey
from qcowspec.sources import Target
from qcowspec.sources.gate import Gate

FORMATS = ("raw", "qcow2")


@click.command(
    "measure",
    cls=TakesImages,
    failed=FAILED,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec measure -O qcow2 disk.qcow2
  qcowspec measure -O qcow2 -o cluster_size=2M --allow same-dir overlay.qcow2
  qcowspec measure -O qcow2 --size 100G

{PERMISSIONS}
The sizes are those of `qemu-img measure`: required for the data that the disk has, and fully
allocated when every cluster has been written. Only tables are read; to see what takes the room of
a file that is there: qcowspec usage.

-c estimates, which qemu-img does not: clusters that are compressed now count by their payloads, and
others whole, as nobody looked into them.

Options of -o: compat, cluster_size, refcount_bits, extended_l2, preallocation, backing_file.

Exit status: 0; 1 the image cannot be read, or bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE", required=False)
@json_option()
@click.option(
    "-O",
    "--target-format",
    "target",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    help="Format of the new image.",
)
@click.option("-o", "options", metavar="NAME=VALUE,…", default="", help="Options of a new qcow2.")
@click.option("-c", "--compress", is_flag=True, help="Estimate the size of compressed clusters.")
@click.option("-s", "--size", "length", type=size, metavar="SIZE", help="Measure an empty disk.")
@click.option(
    "-l", "--snapshot", metavar="ID|NAME", callback=snapshot_of, help="A snapshot's disk."
)
@guest_options
@format_option(raw=True)
def command(
    image: Target | None,
    as_json: bool,
    target: str,
    options: str,
    compress: bool,
    length: int | None,
    snapshot: str | SnapshotKey | None,
    allow: Gate,
    secret: str | bytes | None,
    share: bool,
    format_: str | None,
) -> None:
    """Calculate how large a new image of a disk would be, as qemu-img measure does."""
    from qcowspec.transfer.measure import empty_sizes, image_sizes
    from qcowspec.transfer.new_image import new_image

    if (image is None) == (length is None):
        raise click.UsageError("name an image, or a --size without one")
    if compress and (image is None or target == FORMATS[0]):
        raise click.UsageError("-c needs an image, and -O qcow2")
    try:
        wanted = None if target == FORMATS[0] else new_image(options)
        if image is None:
            found = empty_sizes(length or 0, wanted)
        else:
            with opened(image, format_, allow, secret, like_qemu=True) as source:
                disk = source.disk(snapshot, keyless=True)
                open_files(disk, share=share)
                found = image_sizes(source, disk, wanted, compress=compress)
    except ValueError as error:
        raise click.UsageError(f"-o: {error}") from error
    values = {
        "bitmaps": found.bitmaps,
        "required": found.required,
        "fully-allocated": found.fully_allocated,
        "compressed": found.compressed,
    }
    if as_json:
        known = {key: value for key, value in values.items() if value is not None}
        write([json.dumps(known, indent=4) + "\n"])
        return
    write(
        [f"required size: {found.required}\n", f"fully allocated size: {found.fully_allocated}\n"]
    )
    if found.bitmaps is not None:
        write([f"bitmaps size: {found.bitmaps}\n"])
    if found.compressed is not None:
        write([f"compressed size, estimated: {found.compressed}\n"])
