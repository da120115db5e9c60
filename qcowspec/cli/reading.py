"""What the commands that read guest bytes have in common: who may be opened, with which key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qcowspec.cli.output import FORMATS

if TYPE_CHECKING:
    from qcowspec.image import Image
    from qcowspec.raw import RawImage
    from qcowspec.sources import Target

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


def sharing(command: Command) -> Command:
    """Add ``-U``, without which a file that another program writes to is not read."""
    share = click.option(
        "-U",
        "--force-share",
        is_flag=True,
        expose_value=False,
        callback=_note_sharing,
        help="Read files even if another program has them open for writing, or changes them.",
    )
    return share(command)


def always_sharing(command: Command) -> Command:
    """Add a ``-U`` that changes nothing."""
    share = click.option(
        "-U",
        "--force-share",
        is_flag=True,
        expose_value=False,
        help="Accepted as qemu-img's option: files in use are always read here.",
    )
    return share(command)


def _note_sharing(context: click.Context, _: click.Parameter, chosen: bool) -> None:
    context.meta[SHARED] = chosen


def is_shared() -> bool:
    """Whether the user accepts that files are written to while the command reads them."""
    return bool(click.get_current_context().meta.get(SHARED))


SHARED = f"{__name__}.force_share"


def opened(
    image: Target,
    format_: str,
    allow: tuple[str, ...],
    secret: str | None,
    *,
    like_qemu: bool = False,
    salvage: bool = False,
) -> Image | RawImage:
    """An image, opened as the options, or its source spec, say; in a salvage, however broken.

    Raises:
        QcowError: It cannot be opened, or the passphrase cannot be had.
    """
    from qcowspec.image import lay_open
    from qcowspec.image import open as open_image
    from qcowspec.sources import stated_format

    if RAW in (format_, stated_format(image)):
        from qcowspec.raw import RawImage

        return RawImage(image)
    key, chosen = key_of(secret), FORMATS[format_]
    if salvage:
        return lay_open(
            image, format=chosen, allow=allow, secret=key, like_qemu=like_qemu, salvage=True
        )
    return open_image(image, format=chosen, allow=allow, secret=key, like_qemu=like_qemu)


def laid_open(target: Target, format_: str, allow: tuple[str, ...], secret: str | None) -> Image:
    """An image, however broken, with a gate and a key for whoever looks further.

    Raises:
        QcowError: It is no QCOW image or cannot be read, or the passphrase cannot be had.
    """
    from qcowspec.image import lay_open
    from qcowspec.sources.gate import gate_of

    key = key_of(secret)
    image = lay_open(target, format=FORMATS[format_])
    image.gate, image.secret = gate_of(allow), key
    return image


def key_of(where: str | None) -> bytes | None:
    """The passphrase that an option tells where to find."""
    if where is None:
        return None
    from qcowspec.crypto.secret import read_secret

    try:
        return read_secret(where)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
