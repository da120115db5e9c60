"""What a page shows of an image, as plain data.

In: an opened image, however broken. Out: a `Page`: the model and its catalogue. Refuses: nothing
whose header can be read; `left_out` has what was not looked at, and what did not fit.

    with qcowspec.image.lay_open("disk.qcow2") as image:
        page = page_of(image)
        page.model["verdicts"]

Keys and numbers are those of the commands' JSON, wherever a command has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from qcowspec import __version__
from qcowspec.check.findings import Progress, silent
from qcowspec.image import Image
from qcowspec.report.page import room
from qcowspec.report.page.catalogue import catalogue
from qcowspec.report.page.disk import Disk
from qcowspec.report.page.facts import facts
from qcowspec.report.page.judged import Judged, left_sentence
from qcowspec.report.page.structures import Structures
from qcowspec.report.page.tiling import Tiling
from qcowspec.report.words import plural

SCHEMA = "qcowspec.page/1"
"""Changes its number when a key changes its meaning or goes away; new keys may come."""

MOST_LEFT_OUT = 100
"""Sentences about what was left out, at most."""

Plain = dict[str, Any]


class Page(NamedTuple):
    """A page's data.

    Attributes:
        model: What is said of this image.
        catalogue: What is said in general, of what the model has.
    """

    model: Plain
    catalogue: Plain


def page_of(
    image: Image,
    *,
    name: str | None = None,
    format: str | None = None,
    deep: bool = False,
    progress: Progress = silent,
) -> Page:
    """The data of a page about an image.

    Args:
        image: The image, as `qcowspec.image.lay_open` gives it.
        name: Its name as it is shown; the one that it was opened by if it is left out.
        format: The format that the user states, if the probe was not to decide.
        deep: Read the bytes that no reader looks at, to count those that are not zero.
        progress: Shows how far it is; see `qcowspec.check.findings.Progress`.
    """
    tiling = Tiling(image, deep=deep, progress=progress)
    disk, structures = Disk(image), Structures(image)
    judged = Judged(image, format, progress)
    left_out = [*tiling.left_out, *disk.left_out, *_left_out(image, judged, structures)]
    header = image.header
    model: Plain = {
        "schema": SCHEMA,
        "made_by": f"qcowspec {__version__}",
        "file": {
            "name": room.short(name or _name(image)),
            "length": image.source.length,
            "format": str(image.format),
            "version": header.version,
        },
        "facts": [list(pair) for pair in facts(image)],
        "verdicts": judged.verdicts,
        "findings": judged.findings,
        "findings_left": judged.findings_left,
        "check": judged.check,
        "check_says": judged.check_says,
        "tiles": tiling.tiles,
        "kinds": tiling.kinds,
        "structures": structures.nodes,
        "structures_left": structures.left,
        "bytes": list(structures.bytes()),
        "disk": disk.as_json(),
        "plots": disk.plots.as_json(disk.states),
        "left_out": left_out[:MOST_LEFT_OUT],
    }
    return Page(model, catalogue(judged.rules))


def _name(image: Image) -> str:
    """The last part of the image's name, so that a page that is shared shows no folder."""
    return os.path.basename(image.source.name) or image.source.name


def _left_out(image: Image, judged: Judged, structures: Structures) -> Iterator[str]:
    """What is in no picture: never looked at, or too much for a page."""
    yield "The guest's data: what files are in it is not looked at."
    if image.backing is not None and image.backing.name:
        yield "The backing file: no second file is opened."
    if image.has_data_file:
        yield "The data file: no second file is opened."
    if judged.check is None:
        yield judged.check_says
    if structures.left:
        yield f"{plural(structures.left, 'more structure')}: qcowspec dump has them."
    if judged.findings_left:
        yield left_sentence(judged.findings_left)
