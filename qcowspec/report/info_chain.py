"""An image and the files behind it, one after the other, each described by itself.

In: an opened image, and a gate. Out: what `qcowspec.report.info` says of each. Refuses: what the
gate refuses, loops, chains without end, and files that QEMU would not open.

Source: qemu-img.c: collect_image_info_list. Unlike that, a loop is found whatever the names are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from qcow_parsers import constants as c

from qcowspec.errors import BY_KIND, NotQcow, QcowError, Unreadable, Unsupported
from qcowspec.gate import Gate
from qcowspec.image import Image
from qcowspec.image import open as open_image
from qcowspec.metadata import Format, Reference
from qcowspec.report.info import Plain, described, described_raw, text
from qcowspec.report.names import beside
from qcowspec.rules import BY_ID
from qcowspec.sources import open_source

RAW = "raw"


def chain(image: Image, gate: Gate) -> Iterator[Plain]:
    """The image, its backing file, that file's, and so on.

    Raises:
        Refused: The gate does not open a file.
        Invalid: The chain comes back to itself, or a file breaks a rule.
        Unsupported: It is too long, or of a format that is not known.
        Unreadable: A file cannot be opened.
    """
    name = image.source.name
    met = [name]
    yield described(image, name)
    here = image
    try:
        while (reference := here.backing) is not None and reference.name:
            if len(met) >= c.POLICY_MAX_CHAIN:
                raise Unsupported(
                    f"names one more backing file than the {c.POLICY_MAX_CHAIN} that are followed",
                    path=here.source.name,
                )
            path = gate.admit(here.source.name, reference.name, "backing file")
            if any(_is_same(path, other) for other in met):
                raise _broken("loop", here, reference)
            met.append(path)
            name = beside(name, reference.name) or path
            behind = _opened(path, here, reference)
            if here is not image:
                here.close()
            if behind is None:
                yield _raw(path, name)
                return
            here = behind
            yield described(here, name)
    finally:
        if here is not image:
            here.close()


def _opened(path: str, image: Image, reference: Reference) -> Image | None:
    """The backing file, in the format that the image says, or else by the probe; None of raw."""
    named = text(reference.format or b"")
    if named == RAW:
        return None
    if named and named not in tuple(Format):
        row = BY_ID["backing/format-known"]
        message = row.message.format(value=repr(named))
        raise BY_KIND[row.kind](message, rule=row.id, stage=row.stage, path=image.source.name)
    try:
        return open_image(path, format=named or None)
    except NotQcow:
        if named:
            raise
        return None
    except Unreadable as error:
        raise _broken("file-opens", image, reference) from error


def _raw(path: str, name: str) -> Plain:
    source = open_source(path)
    try:
        return described_raw(source, name)
    finally:
        source.close()


def _is_same(path: str, other: str) -> bool:
    """Whether two paths are one file."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _broken(what: str, image: Image, reference: Reference) -> QcowError:
    """The error of a rule about the backing file."""
    row = BY_ID[f"backing/{'v1-' if image.format is Format.QCOW else ''}{what}"]
    return BY_KIND[row.kind](
        row.message.format(value=repr(text(reference.name))),
        rule=row.id,
        stage=row.stage,
        offset=reference.offset,
        field=f"header.{row.field}",
        value=reference.name,
        path=image.source.name,
    )
