"""Opening one image file: the machine, driven to its end.

In: a source. Out: a `Machine`. Refuses: what is no QCOW image, and where it is asked for, what QEMU
refuses, with the error of the rule that QEMU reports first.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.drivers import drive
from qcowspec.errors import NotQcow
from qcowspec.machine import Machine, thorough
from qcowspec.metadata import Format
from qcowspec.source import Source

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
    chosen = None if format is None else Format(format)
    machine = drive(Machine(thorough("qemu"), format=chosen, length=source.length), source)
    if machine.image.format is None:
        raise NotQcow(_what_it_is(source, machine), path=source.name)
    return machine


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


def _what_it_is(source: Source, machine: Machine) -> str:
    """What to say of a file that no QCOW driver claims."""
    if source.length == 0:
        return "is empty, and no QCOW image"
    found = machine.image.probe
    assert found is not None
    if found.magic == c.QCOW_MAGIC:
        return f"has QCOW's magic and version {found.version}, which no version of the format has"
    start = source.read_at(0, PROBED)
    return (
        f"is no QCOW image: it begins with {start.hex(' ')},"
        f" not with {c.QCOW_MAGIC.to_bytes(PROBED, 'big').hex(' ')} ('QFI' and 0xfb)"
    )
