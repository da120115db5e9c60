"""What the commands that read guest bytes have in common: who may be opened, with which key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qcowspec.cli.output import FORMATS

if TYPE_CHECKING:
    from qcowspec.image import Image
    from qcowspec.raw import RawImage

Command = TypeVar("Command", bound=Callable[..., Any])

RAW = "raw"
CHOICES = [*FORMATS, RAW]
"""The formats that have guest bytes; a raw file is all guest bytes."""

FAILED = 1
"""Exit status where something cannot be read or written, as qemu-img's."""

PERMISSIONS = """\
No second file is opened, whatever the image names, unless you allow it: --allow same-dir for files
in the image's own directory, --allow DIR for all below a directory, --allow any. A name is followed
through links and .. first; what counts is where the file really is.
"""


def allowing(command: Command) -> Command:
    """Add ``--allow`` and ``--secret``."""
    allow = click.option(
        "--allow", multiple=True, metavar="same-dir|any|DIR", help="Open these second files."
    )
    secret = click.option(
        "--secret", metavar="file:PATH|env:NAME|-", help="The passphrase of an encrypted image."
    )
    return allow(secret(command))


def opened(
    path: str, format_: str, allow: tuple[str, ...], secret: str | None, *, like_qemu: bool = False
) -> Image | RawImage:
    """An image, opened as the options, or its source spec, say.

    Raises:
        QcowError: It cannot be opened, or the passphrase cannot be had.
    """
    from qcowspec.image import open as open_image
    from qcowspec.sources import stated_format

    if RAW in (format_, stated_format(path)):
        from qcowspec.raw import RawImage

        return RawImage(path)
    key = None if secret is None else _key(secret)
    return open_image(path, format=FORMATS[format_], allow=allow, secret=key, like_qemu=like_qemu)


def _key(where: str) -> bytes:
    """The passphrase that an option tells where to find."""
    from qcowspec.crypto.secrets import read_secret

    try:
        return read_secret(where)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
