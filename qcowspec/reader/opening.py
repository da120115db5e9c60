"""Opening one image file: the machine, driven to its end.

In: a source. Out: a `Machine`. Refuses: a file that is no QCOW image; and, if asked, an image that
QEMU refuses, with the error of the rule that QEMU reports first.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import NamedTuple

from qcow_parsers import constants as c

from qcowspec.errors import COMPARED, LONGEST_WORD, Invalid, NotQcow, Unsupported, name_of, offered
from qcowspec.reader.drivers import Elsewhere, drive, drive_async
from qcowspec.reader.foreign import PROBED, SIGNATURES, claimant
from qcowspec.reader.machine import Machine, thorough
from qcowspec.reader.packed import packed
from qcowspec.sources.source import AsyncSource, Source
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.profiles import refused_for_data
from qcowspec.spec.rules import Finding

MAGIC = 4
"""Bytes of the magic number."""

EVERYTHING = thorough("qemu")
"""The policy that reads all that can be read."""

VDI = "VDI"
"""The one image format whose signature may stand in a QCOW image."""


def laid_open(
    source: Source, format: str | None = None, *, entries: int = 0, salvage: bool = False
) -> Machine:
    """Read all that can be read of an image.

    Args:
        source: The image file.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.
        entries: Bytes of L2 tables whose entries are judged; see `Machine`.
        salvage: Pass over features that are not known.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Unreadable: The bytes cannot be had.
    """
    machine = Machine(
        EVERYTHING, format=format, length=source.length, entries=entries, salvage=salvage
    )
    drive(machine, source)
    if machine.image.format is None:
        raise _not_qcow(
            source.name, source.length, machine, source.read_at(0, PROBED), packed(source)
        )
    return machine


async def laid_open_async(source: AsyncSource, format: str | None, elsewhere: Elsewhere) -> Machine:
    """The same on an event loop; see `laid_open` and `qcowspec.reader.drivers.drive_async`."""
    machine = Machine(EVERYTHING, format=format, length=source.length)
    await drive_async(machine, source, elsewhere)
    if machine.image.format is None:
        start = await source.read_at_async(0, PROBED)
        raise _not_qcow(source.name, source.length, machine, start, "")
    return machine


def check_opened(machine: Machine, name: str, profile: str = "qemu") -> None:
    """Refuse an image that QEMU refuses.

    Args:
        machine: What opening read.
        name: The image.
        profile: ``qemu``, or ``qemu@7.2`` for a version of it.

    Raises:
        Malformed, Invalid, Unsupported: The first rule, in QEMU's order, that the image breaks.
        Unsupported: It could be a VDI image as well, and its format is not stated.
    """
    if not machine.is_stated and VDI in machine.image.foreign:
        # Both drivers bid 100, and QEMU's list has vdi's before those of QCOW.
        raise Unsupported(
            "has VDI's signature too, and QEMU reads it as vdi unless its format is stated"
            " (format= in Python, -f in a command, or in the image that names it)",
            offset=SIGNATURES[VDI][0],
            path=name,
        )
    _refuse(machine.judge.first(profile), name)


def check_readable(machine: Machine, name: str) -> None:
    """Refuse an image that QEMU opens for its metadata, and not for its data.

    What the tables and the data themselves break is found when they are read.

    Raises:
        Malformed, Invalid, Unsupported: The first rule, in QEMU's order, that the image breaks.
    """
    _refuse(machine.judge.first_among(refused_for_data()), name)


def check_loadable(machine: Machine, index: int, name: str) -> None:
    """Refuse a snapshot that QEMU does not load, of an image that it opens.

    Args:
        machine: What opening read.
        index: Which entry of the snapshot table it is.
        name: The image.

    Raises:
        Invalid, Unsupported: The first rule, in QEMU's order, that its entry breaks.
    """
    _refuse(machine.judge.first_for_loading(index), name)


def _refuse(finding: Finding | None, name: str) -> None:
    if finding is not None:
        error = finding.error()
        error.path = name
        raise error


def _not_qcow(name: str, length: int, machine: Machine, start: bytes, hint: str) -> NotQcow:
    """The error for a file that no QCOW driver claims."""
    found = machine.image.probe
    if length == 0:
        return NotQcow("is empty, and no QCOW image", path=name)
    assert found is not None
    if found.magic == c.QCOW_MAGIC:
        return NotQcow(
            f"has QCOW's magic and version {found.version}, which no version of the format has",
            path=name,
        )
    if hint:
        return NotQcow(f"is no QCOW image: {hint}", path=name)
    driver = claimant(start, None)
    other = "" if driver is None else f", but QEMU reads it as {driver}"
    return NotQcow(
        f"is no QCOW image{other}: it begins with {start[:MAGIC].hex(' ')},"
        f" not with {c.QCOW_MAGIC.to_bytes(MAGIC, 'big').hex(' ')} ('QFI' and 0xfb)",
        path=name,
    )


class SnapshotKey(NamedTuple):
    """A snapshot by its ID alone, its name alone, or both."""

    id_str: str | None = None
    name: str | None = None


Wanted = str | SnapshotKey | None
"""A snapshot as the user names it; None for the active state."""


def snapshot_index(image: Metadata, wanted: str | SnapshotKey, name: str) -> int:
    """The index of a snapshot; a text is looked for among the IDs, then among the names, as QEMU.

    Raises:
        Invalid: The image, whose name is `name`, has no such snapshot.
    """
    if not isinstance(wanted, (str, bytes, SnapshotKey)):
        raise TypeError(f"a snapshot's ID or name is text, not {type(wanted).__name__}")
    keys = [wanted] if isinstance(wanted, SnapshotKey) else [SnapshotKey(wanted), (None, wanted)]
    for id_str, tag in keys:
        for index, found in enumerate(image.snapshots):
            if id_str is not None and found.id_str != os.fsencode(id_str):
                continue
            if tag is None or found.name == os.fsencode(tag):
                return index
    says = repr(wanted) if isinstance(wanted, str) else f"with {' and '.join(_parts(wanted))}"
    near = _near(image, wanted) if isinstance(wanted, str) else ""
    raise Invalid(f"has no snapshot {says}{near and f'.{near}'}", path=name)


def _near(image: Metadata, wanted: str) -> str:
    """Which snapshot may be meant."""
    entries = islice(image.snapshots, COMPARED)
    return offered(wanted, (name_of(each.name, LONGEST_WORD)[1:-1] for each in entries))


def _parts(key: SnapshotKey) -> list[str]:
    words = {"ID": key.id_str, "name": key.name}
    return [f"the {word} {value!r}" for word, value in words.items() if value is not None]


def passphrase(secret: str | bytes | None) -> bytes | None:
    """A passphrase as bytes.

    Lone surrogates become bytes that are no UTF-8, which `unlock` refuses without showing them.
    """
    if secret is not None and not isinstance(secret, (str, bytes)):
        raise TypeError(f"secret is text or bytes, not {type(secret).__name__}")
    return secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
