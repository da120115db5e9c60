"""Opening the image that a command is called with."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from qcowspec.cli.options import RAW
from qcowspec.cli.output import warn_of_end
from qcowspec.errors import Unsupported
from qcowspec.sources import Target, open_source, stated_format

if TYPE_CHECKING:
    from qcowspec.guest import Disk
    from qcowspec.image import Image
    from qcowspec.raw import RawImage
    from qcowspec.sources.gate import Gate


def opened(
    image: Target,
    format_: str | None,
    allow: Gate,
    secret: str | bytes | None,
    *,
    like_qemu: bool = False,
    like: str | None = None,
    salvage: bool = False,
) -> Image | RawImage:
    """Open an image as the options, or its source spec, say; in a salvage, however broken.

    An image that the QEMU of `like` refuses is refused, but not in a salvage.

    Raises:
        QcowError: It cannot be opened, or the passphrase cannot be read.
    """
    from qcowspec.image import lay_open
    from qcowspec.image import open as open_image

    if RAW in (format_, stated_format(image)):
        from qcowspec.raw import RawImage

        return RawImage(image)
    key = key_of(secret)
    if salvage:
        return lay_open(
            image, format=format_, allow=allow, secret=key, like_qemu=like_qemu, salvage=True
        )
    found = open_image(image, format=format_, allow=allow, secret=key, like_qemu=like_qemu)
    if like is not None:
        found.check_opened(like)
    return found


def key_of(where: str | bytes | None) -> bytes | None:
    """Read the passphrase from the place that --secret names; bytes are one already."""
    if where is None or isinstance(where, bytes):
        return where
    from qcowspec.crypto.secret import read_secret

    try:
        return read_secret(where)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def open_files(disk: Disk, *, share: bool) -> None:
    """Open all files of a disk, refuse those in use, and warn of those that end too early."""
    disk.open_all()
    if not share:
        disk.refuse_writers()
    for layer in disk.layers:
        warn_of_end(layer.name, layer.metadata)


def read_whole(target: Target, most: int, kind: str) -> tuple[str, bytes]:
    """Read a small file.

    Args:
        target: The file.
        most: Bytes that it may have.
        kind: What it is, for the error: ``a seed``.

    Returns:
        Its name, without secrets, and its bytes.

    Raises:
        Unsupported: It has more.
        QcowError: It cannot be read.
    """
    with closing(open_source(target)) as source:
        if source.length > most:
            says = f"has {source.length} bytes; {kind} has at most {most}"
            raise Unsupported(says, path=source.name)
        return source.name, source.read_at(0, source.length)
