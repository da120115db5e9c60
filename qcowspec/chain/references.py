"""What an image states about its backing file: in which format to open it; and the errors.

In: an image's metadata, and the file that it names. Out: a format; errors to raise. Refuses:
formats that are unknown, or not read here.

Source: block.c: bdrv_open_backing_file, find_image_format, bdrv_make_absolute_filename.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.errors import QcowError, Unreadable, Unsupported, name_of
from qcowspec.reader import foreign
from qcowspec.sources.gate import JSON, PLAIN, RAW, stated_driver
from qcowspec.spec.metadata import Format, Metadata, Reference
from qcowspec.spec.rules import BY_ID, error_of
from qcowspec.spec.sentences import sentence

if TYPE_CHECKING:
    from qcow_parsers.catalogue import Rule

    from qcowspec.sources.source import Source


def stated_format(metadata: Metadata, reference: Reference, path: str) -> str | None:
    """The format in which a backing file is to be opened; None where the probe decides.

    Args:
        metadata: The image that names it.
        reference: The name and the format, as the image has them.
        path: The image, for the errors.

    Raises:
        Unsupported: The format is not known (backing/format-known), or not read here.
    """
    name = (reference.format or b"").decode("utf-8", "backslashreplace")
    driver = stated_driver(reference.name)
    if not name:
        return RAW if driver == PLAIN else driver
    if name in foreign.DRIVERS:
        raise _unread(metadata, reference, path, f"whose format is given as {name}")
    if name not in (*Format, RAW, PLAIN):
        raise _format_unknown(metadata, name, path)
    if reference.name.startswith(JSON) and (name == PLAIN) != (driver == PLAIN):
        # The description has one node less than the driver wants, or one more.
        raise broken("file-opens", metadata, reference, path)
    return RAW if name == PLAIN else name


def check_raw(source: Source, metadata: Metadata, reference: Reference, path: str) -> None:
    """Refuse a backing file that would be read as raw here and as something else by QEMU.

    Args:
        source: The file; its format is not stated, and it is not QCOW.
        metadata: The image that names it.
        reference: The name and the format, as the image has them.
        path: The image, for the errors.

    Raises:
        Unsupported: Another driver of QEMU's claims it.
    """
    is_json = reference.name.startswith(JSON)
    start = source.read_at(0, foreign.PROBED)
    driver = foreign.claimant(start, None if is_json else os.fsdecode(reference.name))
    if driver is not None:
        raise _unread(metadata, reference, path, f"which QEMU reads as {driver}")


def _unread(metadata: Metadata, reference: Reference, path: str, why: str) -> Unsupported:
    """The error of a backing file in a format that is not read here, and what to do."""
    remedy = "convert it to raw or qcow2"
    if metadata.format is not Format.QCOW:
        remedy += ", or if it is raw, have the image say so (qemu-img rebase -u -F raw -b NAME)"
    return Unsupported(
        f"names the backing file {name_of(reference.name)}, {why}, a format that is not read here: "
        + remedy,
        offset=reference.offset,
        field="header.backing_file_offset",
        value=reference.name,
        path=path,
    )


def _format_unknown(metadata: Metadata, name: str, path: str) -> QcowError:
    row = BY_ID["backing/format-known"]
    place, offset = _extension(metadata, c.QCOW2_EXT_MAGIC_BACKING_FORMAT)
    return error_of(
        row.id,
        metadata.backing_format,
        offset=offset,
        field=f"{place}.{row.field}",
        path=path,
        message=sentence(row, repr(name)),
    )


def broken(
    what: str, metadata: Metadata, reference: Reference, path: str, *, why: str = ""
) -> QcowError:
    """The error of a rule about the backing file.

    Args:
        what: The rule's name without stage and version.
        metadata: The image that names the file.
        reference: The name and the format, as the image has them.
        path: The image.
        why: More about it, to be added to the rule's own sentence.
    """
    prefix = "v1-" if metadata.format is Format.QCOW else ""
    row = BY_ID[f"backing/{prefix}{what}"]
    return _error(row, reference, path, f"header.{row.field}", reference.offset, why)


def data_file_error(
    metadata: Metadata, reference: Reference, path: str, error: Unreadable
) -> QcowError:
    """The error of an external data file that cannot be opened."""
    row = BY_ID["backing/data-file-opens"]
    place, offset = _extension(metadata, c.QCOW2_EXT_MAGIC_DATA_FILE)
    return _error(row, reference, path, f"{place}.{row.field}", offset, reason(error))


def _error(
    row: Rule, reference: Reference, path: str, field: str, offset: int | None, why: str
) -> QcowError:
    message = sentence(row, name_of(reference.name))
    if why:
        message = f"{message.removesuffix('.')}: {why}"
    return error_of(row.id, reference.name, offset=offset, field=field, path=path, message=message)


def reason(error: Unreadable) -> str:
    """Why a file cannot be opened, as the end of a sentence that says so."""
    return error.message.partition("cannot be opened: ")[2] or error.message


def _extension(metadata: Metadata, magic: int) -> tuple[str, int | None]:
    """Name and offset of an extension's data: of several with one magic, QEMU uses the last."""
    for index in reversed(range(len(metadata.extensions))):
        part = metadata.extensions.part(index)
        if int(part.parse().magic) == magic:
            return f"{part.name}.data", part.offset + c.QCOW2_EXT_HEADER_SIZE
    return "header_extensions", None
