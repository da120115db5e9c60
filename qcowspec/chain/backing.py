"""The backing file of an image: found, admitted by the gate, and opened in the right format.

In: an image's metadata, its file, and the files above it. Out: `BackingFile`. Refuses: loops,
chains without end, what the gate refuses, and files that QEMU would not open or not take for raw.

Source: block.c: bdrv_open_backing_file, bdrv_make_absolute_filename.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from qcow_parsers import constants as c

from qcowspec.chain.references import broken, check_raw, reason, stated_format
from qcowspec.errors import NotQcow, Unreadable
from qcowspec.reader.machine import Machine
from qcowspec.reader.opening import check_opened, laid_open
from qcowspec.sources import open_sibling
from qcowspec.sources.gate import RAW, Gate
from qcowspec.sources.moved import admitted
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Metadata


class BackingFile(NamedTuple):
    """A backing file, open; the caller closes it.

    Attributes:
        source: The file.
        given: Its name before links were followed: names in it are looked up from there.
        machine: What was read of it; None of a raw file.
    """

    source: Source
    given: str
    machine: Machine | None


def open_backing(
    metadata: Metadata,
    above: Source,
    given: str,
    met: Sequence[str],
    gate: Gate,
    *,
    salvage: bool = False,
) -> BackingFile | None:
    """Open the backing file of an image; None if it has none.

    Args:
        metadata: What is known of the image.
        above: The image's file.
        given: Its name before links were followed.
        met: The names of all files of the chain so far, the image's included.
        gate: Decides whether the file may be opened.
        salvage: Whether an image that breaks rules is opened too.

    Raises:
        Refused: The gate does not open it.
        Invalid: The chain comes back to itself, or the file breaks a rule.
        Unsupported: The chain is too long, or the file cannot be opened, or its format is unknown
            or not read here.
        Unreadable: It can be opened, and not read.
    """
    reference = metadata.backing
    if reference is None or not reference.name:
        return None
    if len(met) >= c.POLICY_MAX_CHAIN:
        raise broken("chain-depth", metadata, reference, above.name)
    stated = stated_format(metadata, reference, above.name)
    try:
        path, named = admitted(gate, above.place, given, reference.name, "backing file")
        if any(_is_same(path, other) for other in met):
            raise broken("loop", metadata, reference, above.name)
        source = open_sibling(above, path)
    except Unreadable as error:
        raise broken("file-opens", metadata, reference, above.name, why=reason(error)) from error
    try:
        return BackingFile(
            source,
            named,
            None if stated == RAW else _laid_open(source, stated, metadata, above.name, salvage),
        )
    except BaseException:
        source.close()
        raise


def _laid_open(
    source: Source, format: str | None, above: Metadata, path: str, salvage: bool
) -> Machine | None:
    """Read a file in the format that the image states, or else by the probe; None if it is raw."""
    try:
        machine = laid_open(source, format, salvage=salvage)
    except NotQcow:
        if format is not None:
            raise
        assert above.backing is not None
        check_raw(source, above, above.backing, path)
        return None
    if not salvage:
        check_opened(machine, source.name)
    return machine


def _is_same(path: str, other: str) -> bool:
    """Whether two paths, or URLs, are one file."""
    if path == other:
        return True
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
