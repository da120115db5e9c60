"""Opening one image file: the machine, driven to its end.

In: a source. Out: a `Machine`. Refuses: what is no QCOW image, and where it is asked for, what QEMU
refuses, with the error of the rule that QEMU reports first.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.drivers import Elsewhere, drive, drive_async
from qcowspec.errors import NotQcow
from qcowspec.machine import Machine, thorough
from qcowspec.metadata import Format
from qcowspec.source import AsyncSource, Source

PROBED = 4
"""Bytes of the magic number."""


def laid_open(source: Source, format: str | None = None) -> Machine:
    """Read all that can be read of an image.

    Args:
        source: The image file.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Unreadable: The bytes cannot be had.
    """
    machine = drive(_machine(format, source.length), source)
    if machine.image.format is None:
        raise _not_qcow(source.name, source.length, machine, source.read_at(0, PROBED))
    return machine


async def laid_open_async(source: AsyncSource, format: str | None, elsewhere: Elsewhere) -> Machine:
    """The same on an event loop; see `laid_open` and `qcowspec.drivers.drive_async`."""
    machine = await drive_async(_machine(format, source.length), source, elsewhere)
    if machine.image.format is None:
        start = await source.read_at_async(0, PROBED)
        raise _not_qcow(source.name, source.length, machine, start)
    return machine


def _machine(format: str | None, length: int) -> Machine:
    """A machine that reads all that can be read."""
    chosen = None if format is None else Format(format)
    return Machine(thorough("qemu"), format=chosen, length=length)


def check_opened(machine: Machine, name: str) -> None:
    """Refuse an image that QEMU refuses.

    Raises:
        Malformed, Invalid, Unsupported: The first rule, in QEMU's order, that the image breaks.
    """
    refused = machine.judge.first("qemu")
    if refused is not None:
        error = refused.error()
        error.path = name
        raise error


def check_readable(machine: Machine, name: str) -> None:
    """Refuse an image that QEMU opens for `qemu-img info`, and not for its data.

    Raises:
        Malformed, Invalid, Unsupported: The first such rule, in QEMU's order, that it breaks.
    """
    check_opened(machine, name)
    refused = machine.judge.first_at_data()
    if refused is not None:
        error = refused.error()
        error.path = name
        raise error


def _not_qcow(name: str, length: int, machine: Machine, start: bytes) -> NotQcow:
    """What to say of a file that no QCOW driver claims, by its length and its first bytes."""
    found = machine.image.probe
    if length == 0:
        return NotQcow("is empty, and no QCOW image", path=name)
    assert found is not None
    if found.magic == c.QCOW_MAGIC:
        return NotQcow(
            f"has QCOW's magic and version {found.version}, which no version of the format has",
            path=name,
        )
    return NotQcow(
        f"is no QCOW image: it begins with {start.hex(' ')},"
        f" not with {c.QCOW_MAGIC.to_bytes(PROBED, 'big').hex(' ')} ('QFI' and 0xfb)",
        path=name,
    )
