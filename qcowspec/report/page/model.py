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

import numpy as np

from qcowspec import __version__
from qcowspec.check.findings import Progress, silent
from qcowspec.check.followed import sentence
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Usage
from qcowspec.errors import QcowError
from qcowspec.image import Image
from qcowspec.report.page import room
from qcowspec.report.page.catalogue import KIND_WORDS, NOT_LOOKED_AT, catalogue
from qcowspec.report.page.disk import Disk
from qcowspec.report.page.facts import facts
from qcowspec.report.page.judged import Judged, left_sentence
from qcowspec.report.page.structures import Structures
from qcowspec.report.page.tiles import Collected
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


class Tiling:
    """What each byte of the file is.

    Attributes:
        tiles: The file, run by run or cell by cell, as JSON has it.
        kinds: The sums, by kind.
        left_out: What was not looked at, a sentence each.
    """

    def __init__(self, image: Image, *, deep: bool = False, progress: Progress = silent) -> None:
        """Account for every byte; with `deep`, read the cavities."""
        length = image.source.length
        self.left_out: list[str] = []
        self.kinds: Plain = {}
        found = Collected(length, len(KIND_WORDS))
        try:
            usage = Usage(image, deep=deep, progress=progress)
            for batch in usage.arrays():
                found.add(batch.starts, batch.lengths, batch.kinds.astype(np.int64))
        except QcowError as error:
            found = Collected(length, len(KIND_WORDS))
            found.add(*(np.array([each], np.int64) for each in (0, length, len(KIND_WORDS) - 1)))
            self.kinds = {NOT_LOOKED_AT: {"bytes": length, "tiles": 1}}
            self.left_out.append(f"What each byte of the file is: {room.short(error.args[0])}.")
        else:
            for kind in Kind:
                if kind in usage.totals:
                    self.kinds[kind.word] = _sums(usage, kind)
            if usage.not_followed:
                self.left_out.append(room.short(sentence(usage.not_followed), 400))
        if not deep:
            self.left_out.append("Bytes that no reader looks at, which report --deep reads.")
        runs = found.runs(room.TILES)
        self.tiles = runs.as_json("kinds")
        if not runs.exact:
            self.left_out.append(
                f"The picture of the file has cells of {plural(runs.unit, 'byte')}, each in the"
                " colour of most of its bytes; the sums are exact."
            )


def _sums(usage: Usage, kind: Kind) -> Plain:
    total = usage.totals[kind]
    found = {"bytes": total.length, "tiles": total.tiles}
    return found | {"nonzero": total.nonzero} if usage.deep and kind.is_cavity else found
