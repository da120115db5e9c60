"""What each byte of the image file is, as a page shows it.

In: an opened image. Out: runs or cells of kinds, and the sums by kind. Refuses: an image whose
header cannot be read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qcowspec.check.findings import Progress, silent
from qcowspec.check.followed import sentence
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Usage
from qcowspec.image import Image
from qcowspec.report.page import room
from qcowspec.report.page.catalogue import KIND_WORDS
from qcowspec.report.page.tiles import Cells, Collected
from qcowspec.report.words import plural

Sums = dict[str, dict[str, int]]
"""Bytes and tiles of each kind, and with `deep` of a cavity the bytes that are not zero."""


class Tiling:
    """What each byte of the file is.

    Attributes:
        tiles: The file, run by run or cell by cell, as JSON has it.
        kinds: The sums, by kind.
        left_out: What was not looked at, a sentence each.
    """

    def __init__(self, image: Image, *, deep: bool = False, progress: Progress = silent) -> None:
        """Account for every byte; with `deep`, read the cavities.

        Raises:
            Invalid: The image has no header that can be read.
            Unreadable: The source failed.
        """
        found = Collected(image.source.length, len(KIND_WORDS))
        self.kinds, self.left_out = tally(image, found, deep=deep, progress=progress)
        if not deep:
            self.left_out.append("Bytes that no reader looks at, which report --deep reads.")
        runs = found.runs(room.TILES)
        self.tiles: dict[str, Any] = runs.as_json("kinds")
        if not runs.exact:
            self.left_out.append(
                f"The picture of the file has cells of {plural(runs.unit, 'byte')}, each in the"
                " colour of most of its bytes; the sums are exact."
            )


def tally(
    image: Image, into: Collected | Cells, *, deep: bool, progress: Progress
) -> tuple[Sums, list[str]]:
    """Hand over the tiles of the file.

    Returns:
        The sums by kind, equal to those of `usage`; and what was not followed, a sentence or none.
    """
    usage = Usage(image, deep=deep, progress=progress)
    for batch in usage.arrays():
        into.add(batch.starts, batch.lengths, batch.kinds.astype(np.int64))
    sums = {kind.word: _sums(usage, kind) for kind in Kind if kind in usage.totals}
    why = usage.not_followed
    return sums, [room.short(sentence(why), 400)] if why else []


def _sums(usage: Usage, kind: Kind) -> dict[str, int]:
    total = usage.totals[kind]
    found = {"bytes": total.length, "tiles": total.tiles}
    return found | {"nonzero": total.nonzero} if usage.deep and kind.is_cavity else found
