"""The receipt of `convert`: asked for by --receipt, written when OUT is.

In: the option, and what was converted. Out: a file. Refuses: a place where it cannot be written,
before anything is.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.new_image import QCOW2
from qcowspec.cli.options import files
from qcowspec.cli.output import FAILED, STANDARD, fail
from qcowspec.cli.progress import Bar
from qcowspec.errors import QcowError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qcowspec.guest.losses import Losses
    from qcowspec.image import Image
    from qcowspec.raw import RawImage
    from qcowspec.report.receipt import Read
    from qcowspec.transfer.new_image import NewImage

receipt_option = click.option(
    "--receipt",
    metavar="FILE",
    shell_complete=files,
    help="Write what was read, written and left behind as JSON; qcowspec verify checks it.",
)


def check_receipt(receipt: str, output: str, names: Iterable[str], length: int) -> None:
    """Refuse a receipt that cannot be written, or is of something that cannot be read back.

    Args:
        receipt: The file.
        output: What is converted to.
        names: The files that are read.
        length: Bytes of the disk that are read.
    """
    from qcowspec.report.receipt import check_length
    from qcowspec.transfer.output import file_place
    from qcowspec.transfer.places import Unwritable, is_same, place_of

    try:
        if output == STANDARD or not place_of(output).is_file:
            raise click.UsageError("--receipt needs OUT to be a file, which is read again")
        if receipt == STANDARD:
            raise click.UsageError("--receipt needs a file; OUT's name and .json, for example")
        if is_same(receipt, output) or any(is_same(receipt, name) for name in names):
            raise click.UsageError(f"{receipt} is a file that is converted")
        place = file_place(receipt)
        if not os.path.isdir(folder := os.path.dirname(place.path) or "."):
            raise Unwritable(f"{folder} is no directory")
    except Unwritable as error:
        fail(f"{receipt}: the receipt cannot be written: {reason_of(error)}", FAILED)
    check_length(length, output)


def options_of(
    about: dict[str, Any], image: NewImage | None, *, compress: bool, canonical: bool
) -> dict[str, Any]:
    """What the user asked for, as a receipt has it.

    Args:
        about: What of the disk was read.
        image: What the new image is like; None for a raw file.
        compress: Of -c.
        canonical: Of --canonical.
    """
    made: dict[str, Any] = {"format": "raw"}
    if image is not None:
        made = {
            "format": QCOW2,
            "canonical": canonical,
            "compress": compress,
            "version": image.version,
            "cluster_size": image.geometry.cluster_size,
            "refcount_bits": image.geometry.refcount_bits,
            "extended_l2": image.extended_l2,
            "compression_type": image.compression_type,
        }
    snapshot = about.get("snapshot")
    if snapshot is not None and not isinstance(snapshot, str):
        snapshot = snapshot._asdict()
    return {**about, "snapshot": snapshot, **made}


def write_receipt(receipt: str, output: str, **work: Any) -> None:
    """Read OUT again, and write its receipt; without one, OUT stays.

    Args:
        receipt: The file to write.
        output: What was written.
        **work: See `_made`.
    """
    from qcowspec.transfer.files import write_bytes

    try:
        write_bytes(receipt, _made(output, **work))
    except QcowError as error:
        fail(f"{error}; {output} is kept, without a receipt", FAILED)
    except OSError as error:
        says = f"the receipt cannot be written: {reason_of(error)}; {output} is whole, and is kept"
        fail(f"{receipt}: {says}", FAILED)


def _made(
    output: str,
    *,
    read: Read,
    options: dict[str, Any],
    losses: Losses,
    quiet: bool,
) -> bytes:
    """Read OUT again, and make its receipt.

    Args:
        output: What was written.
        read: What was converted.
        options: See `options_of`.
        losses: What could not be read.
        quiet: Whether no progress is shown.
    """
    from qcowspec.image import open as open_image
    from qcowspec.raw import RawImage
    from qcowspec.report.receipt import receipt as receipt_of
    from qcowspec.sources.names import FileName

    out = FileName(output)
    result = open_image(out, format=QCOW2) if options["format"] == QCOW2 else RawImage(out)
    with result, Bar("receipt", _work(read, result), hidden=quiet, is_bytes=True) as bar:
        made = receipt_of(read, result, output, options=options, losses=losses, progress=bar.add)
    return json.dumps(made, indent=2).encode() + b"\n"


def _work(read: Read, result: Image | RawImage) -> int:
    """Bytes that a receipt takes to read, about."""
    return 2 * read.length + 2 * result.source.length
