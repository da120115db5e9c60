"""PROBE: which format is this?

In: the first bytes of the file. Out: the format QEMU's own probe would name. Refuses: a file that
no QCOW driver claims.

Source: block/qcow.c: qcow_probe; block/qcow2.c: qcow2_probe.
"""

from __future__ import annotations

from qcow_parsers import Qcow
from qcow_parsers import constants as c

from qcowspec.reader.needs import Reading, Window
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.rules import Judge
from qcowspec.spec.structures import Part
from qcowspec.spec.units import HostOffset

LENGTH = 8
"""Bytes that decide: magic and version."""


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Find the format, unless it is stated; False if no QCOW driver claims the file."""
    image.beginning = yield from window.read(0, LENGTH)
    part = Part("header", Qcow.Probe, HostOffset(0), image.beginning.ljust(LENGTH, b"\0"))
    image.probe, image.probe_part = part.parse(), part
    if image.format is None:
        image.format = named_by(image.probe.magic, image.probe.version)
    judge(part, image.probe)
    return image.format is not None


def named_by(magic: int, version: int) -> Format | None:
    """The driver that claims a file with this magic and version.

    The driver of qcow2 claims every version from 2 up, and then refuses those above 3. No driver
    claims version 0: QEMU takes the file for raw.
    """
    if magic != c.QCOW_MAGIC or version == 0:
        return None
    return Format.QCOW if version == c.QCOW_VERSION else Format.QCOW2
