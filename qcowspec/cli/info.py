"""`qcowspec info`: what an image is."""

from __future__ import annotations

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.like import LIKE, NEWEST, USUAL, like_option
from qcowspec.cli.options import allow_option, format_option, json_option, share_option
from qcowspec.cli.output import FAILED, warn_of_end, write
from qcowspec.sources import Target
from qcowspec.sources.gate import Gate
from qcowspec.spec.profiles import OUTPUT


@click.command(
    "info",
    cls=TakesImages,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec info disk.qcow2
  qcowspec info --output json disk.qcow2
  qcowspec info --backing-chain --allow same-dir overlay.qcow2
  qcowspec info --like qemu@10.0 disk.qcow2

Text and JSON are those of qemu-img info of QEMU {USUAL}, for every image that {NEWEST} opens.
{LIKE}
No passphrase is needed. Only --backing-chain opens other files, and --like a data file where that
QEMU opens it; and only those that --allow permits: same-dir for files in the image's own directory,
DIR for all below a directory, any.

Exit status: 0; 1 an image cannot be read, or QEMU would refuse it; 2 bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@json_option()
@like_option
@click.option("--backing-chain", is_flag=True, help="Describe the image's backing files as well.")
@allow_option()
@format_option()
@share_option("Accepted as qemu-img's option: files in use are always read here.")
def command(
    image: Target,
    as_json: bool,
    like: str | None,
    backing_chain: bool,
    allow: Gate,
    format_: str | None,
    share: bool,
) -> None:
    """Describe an image: sizes, features, snapshots, bitmaps, encryption, backing file."""
    from qcowspec.image import open as open_image
    from qcowspec.report import info, info_text

    whose = like or OUTPUT
    with open_image(image, format=format_, allow=allow) as opened:
        if like is not None:
            opened.check_opened(like)
        warn_of_end(opened.source.name, opened.metadata)
        if backing_chain:
            from qcowspec.report import info_chain

            found = list(info_chain.chain(opened, opened.gate, whose))
        else:
            found = [info.described(opened, opened.source.name, whose)]
    if as_json:
        write([info_text.as_json(found if backing_chain else found[0])])
    else:
        write(info_text.as_text(found, whose))
