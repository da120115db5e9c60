"""BACKING: which other files does the image name?

In: the header's backing_file fields and the extensions. Out: `Metadata.backing`; the data file's
name was found among the extensions. Refuses: to read a name whose bounds break a rule.

Neither file is opened here, nor anywhere but behind `qcowspec.sources.gate`.

Source: docs/interop/qcow2, Header; block/qcow.c: qcow_open; block/qcow2.c: qcow2_do_open.
"""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow1, Qcow2

from qcowspec.reader import foreign
from qcowspec.reader.needs import Reading, Window
from qcowspec.spec.metadata import Format, Metadata, Reference
from qcowspec.spec.rules import Judge
from qcowspec.spec.structures import Part
from qcowspec.spec.units import HostOffset


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the backing file's name; an empty one is none."""
    header = image.header
    located = header is not None and "backing" not in judge.stopped
    if located and header is not None and header.backing_file_offset:
        offset, length = HostOffset(header.backing_file_offset), header.backing_file_size
        data = yield from window.read(offset, length)
        versions = Qcow1 if image.format is Format.QCOW else Qcow2
        part: Part[Any] = Part("backing_file_name", versions.BackingFileName, offset, data)
        judge(part, part.parse())
        name = data.partition(b"\0")[0]
        if name:
            image.backing = Reference(name, offset, length, image.backing_format)
    judge.header("backing")
    yield from foreign.read(image, window)
    if image.probe_part is not None:
        judge(image.probe_part, image.probe, "backing")
    return located
