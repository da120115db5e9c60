"""`qcowspec info`: what an image is."""

from __future__ import annotations

import sys

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.output import FORMATS, say, warn_of_end, write
from qcowspec.cli.reading import FAILED, always_sharing
from qcowspec.errors import QcowError
from qcowspec.sources import Target


@click.command(
    "info",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec info disk.qcow2
  qcowspec info --output json disk.qcow2
  qcowspec info --backing-chain --allow same-dir overlay.qcow2

Without --backing-chain no second file is opened, and no passphrase is ever needed. With it, those
that --allow permits: same-dir for files in the image's own directory, DIR for all below a
directory, any.

Exit status: 0; 1 an image cannot be read, or QEMU would refuse it; 2 bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.option(
    "--output", type=click.Choice(["human", "json"]), default="human", help="Text, or JSON."
)
@click.option("--backing-chain", is_flag=True, help="The files behind the image as well.")
@click.option("--allow", multiple=True, metavar="same-dir|any|DIR", help="Open these second files.")
@click.option("-f", "--format", "format_", type=click.Choice(list(FORMATS)), default="auto")
@always_sharing
def command(
    image: Target, output: str, backing_chain: bool, allow: tuple[str, ...], format_: str
) -> None:
    """Say what an image is: sizes, features, snapshots, bitmaps, encryption, backing file."""
    from qcowspec.image import open as open_image
    from qcowspec.report import info, info_text

    try:
        with open_image(image, format=FORMATS[format_]) as opened:
            warn_of_end(opened.source.name, opened.metadata)
            if backing_chain:
                from qcowspec.report import info_chain
                from qcowspec.sources.gate import gate_of

                found = list(info_chain.chain(opened, gate_of(allow)))
            else:
                found = [info.described(opened, opened.source.name)]
    except QcowError as error:
        say(error)
        sys.exit(FAILED)
    if output == "human":
        write(info_text.as_text(found))
    else:
        write([info_text.as_json(found if backing_chain else found[0])])
