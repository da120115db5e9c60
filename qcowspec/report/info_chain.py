"""An image and its backing files, one after the other, each described by itself.

In: an opened image, and a gate. Out: the description of each by `qcowspec.report.info`. Refuses:
what the gate refuses, loops, chains without end, and files that QEMU would not open.

Source: qemu-img.c: collect_image_info_list. Unlike that, a loop is found whatever the names are.
"""

from __future__ import annotations

from collections.abc import Iterator

from qcowspec.chain.backing import open_backing
from qcowspec.image import Image
from qcowspec.report.info import Plain, described, described_raw
from qcowspec.report.names import full_name
from qcowspec.sources.gate import Gate
from qcowspec.sources.source import Source
from qcowspec.spec.profiles import OUTPUT


def chain(image: Image, gate: Gate, like: str = OUTPUT) -> Iterator[Plain]:
    """The image, its backing file, that file's, and so on.

    Args:
        image: The image.
        gate: Decides which files are opened.
        like: See `qcowspec.report.info.described`.

    Raises:
        Refused: The gate does not open a file.
        Invalid: The chain comes back to itself, or a file breaks a rule.
        Unsupported: It is too long, or a file cannot be opened, or is of a format that is not known
            or not read here.
        Unreadable: A file can be opened, and not read.
    """
    name = image.source.name
    given, met = image.source.place, [name]
    yield described(image, name, like)
    here = image
    try:
        while (found := open_backing(here.metadata, here.source, given, met, gate)) is not None:
            assert here.backing is not None
            given = found.given
            met.append(found.source.name)
            name = full_name(name, here.backing.name) or found.source.name
            if here is not image:
                here.close()
                here = image
            if found.machine is None:
                yield _raw(found.source, name, like)
                return
            here = Image(found.source, found.machine)
            here.gate = gate
            yield described(here, name, like, given=given)
    finally:
        if here is not image:
            here.close()


def _raw(source: Source, name: str, like: str) -> Plain:
    try:
        return described_raw(source, name, like)
    finally:
        source.close()
