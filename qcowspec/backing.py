"""BACKING: which other files does the image name?

In: the header's backing_file fields and the extensions. Out: `Metadata.backing`; the data file's
name was found among the extensions. Refuses: to read a name whose bounds break a rule.

Neither file is opened here, nor anywhere but behind `qcowspec.gate`.

Source: docs/interop/qcow2, Header; block/qcow.c: qcow_open; block/qcow2.c: qcow2_do_open.
"""

from __future__ import annotations

from qcowspec.metadata import Metadata, Reference
from qcowspec.needs import Reading, Window
from qcowspec.rules import Judge
from qcowspec.units import HostOffset


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the backing file's name; an empty one is none."""
    header = image.header
    if not judge.header("backing") or header is None:
        return False
    if header.backing_file_offset == 0:
        return True
    offset, length = HostOffset(header.backing_file_offset), header.backing_file_size
    data = yield from window.read(offset, length)
    name = data.partition(b"\0")[0]
    if name:
        image.backing = Reference(name, offset, length, image.backing_format)
    return True
