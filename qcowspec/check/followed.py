"""How far the structures of an image can be followed, for `usage`, which answers for every image.

In: an opened image. Out: a `Followed`: its layout, and what of it was not followed and why.
Refuses: nothing whose header can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.findings import Findings
from qcowspec.check.layout import Layout
from qcowspec.check.regions import Aborted
from qcowspec.image import Image
from qcowspec.reader.looked import STOPPED
from qcowspec.spec.entries import Frame, Qcow1L1Entries
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.rules import BY_ID

NAMED = 8
"""Structures that are named one by one."""

WORDS = STOPPED | {
    "header": "the header extensions",
    "backing": "the backing file's name",
    "encryption": "the LUKS header",
}
"""What is not followed if a rule that stops is broken in a stage."""


@dataclass(slots=True)
class Followed:
    """What was followed of an image.

    Attributes:
        layout: Its structures; None of version 1, and where there is no more than the header.
        why: What was not followed and why, a few words each; empty where all was.
        stages: The stages of opening with something that was not followed.
        header_only: Whether nothing after the header was.
    """

    layout: Layout | None = None
    why: list[str] = field(default_factory=list)
    stages: frozenset[str] = frozenset()
    header_only: bool = False

    @property
    def header_cluster(self) -> bool:
        """Whether all that stands in the header's cluster was read."""
        return not self.stages & {"header", "extensions", "backing"}


def follow(image: Image) -> Followed:
    """Follow an image as far as can be."""
    metadata = image.metadata
    found = Followed(stages=frozenset(image.judge.stopped))
    if metadata.geometry is None:
        found.why, found.header_only = [f"all that follows the header{_reason(image)}"], True
        return found
    for stage, what in WORDS.items():
        if stage in found.stages:
            if stage == "header" and metadata.format is Format.QCOW:
                what = "the L1 table"
            found.why.append(what + _reason(image, stage))
    lost = dict[str, None]()
    if metadata.format is Format.QCOW:
        lost.update(dict.fromkeys(_past_end_v1(metadata, image.source.length)))
    else:
        try:
            layout = Layout(
                metadata, image.source, Findings(0), lambda reason: lost.update({str(reason): None})
            )
        except Aborted as reason:
            found.why, found.header_only = [f"all that follows the header ({reason})"], True
            return found
        found.layout = layout
        for _ in layout.bitmaps:  # tables that are not kept are judged on the way
            pass
        lost.update(dict.fromkeys(_unwalked(layout)))
        lost.update(dict.fromkeys(_past_end(layout)))
    found.why.extend(lost)
    return found


def sentence(why: list[str]) -> str:
    """What was not followed, as a sentence."""
    shown = why[:NAMED]
    if len(why) > NAMED:
        shown.append(f"{len(why) - NAMED:,} more")
    return f"Not followed: {'; '.join(shown)}."


def _reason(image: Image, stage: str | None = None) -> str:
    """The first broken rule for which what follows is not known."""
    for finding in image.judge.findings:
        if BY_ID[finding.rule].stops and finding.stage == (stage or finding.stage):
            return f" ({finding.message.rstrip('.')})"
    return ""


def _unwalked(layout: Layout) -> Iterator[str]:
    """Structures that QEMU's check passes over."""
    metadata = layout.metadata
    walked = {table.prefix for table in layout.names.tables}
    lost = sum(
        bool(entries) and f"snapshots[{index}]." not in walked
        for index, entries in enumerate(metadata.snapshots.numbers["l1_size"])
    )
    if lost:
        yield f"{lost:,} of the snapshots' L1 tables (where they lie breaks a rule)"
    luks = metadata.crypto_extension
    if luks is not None and luks.length > c.QCOW2_MAX_TABLE_END:
        yield f"the LUKS header (its length is {luks.length:#x})"


def _past_end(layout: Layout) -> Iterator[str]:
    """Tables that lie past the end of the file, or end there: what they locate is not known."""
    length, size = layout.source.length, layout.geometry.cluster_size
    cut = [r.path for r in layout.regions[1:] if r.length > 0 and r.offset + r.length > length]
    if cut:
        yield f"{_listed(cut)} (past the end of the file)"
    for name, offsets in (
        ("L2 tables", layout.tables.offsets),
        ("refcount blocks", layout.stored.located),
    ):
        past = offsets.astype(np.int64) + size > length
        if count := int((past & (offsets != 0)).sum()):
            yield f"{count:,} of the {name} (past the end of the file)"


def _past_end_v1(metadata: Metadata, length: int) -> Iterator[str]:
    """The same of version 1."""
    table, geometry = metadata.l1_table, metadata.geometry
    if table is None or geometry is None:
        return
    if table.offset + table.length > length:
        yield "l1_table (past the end of the file)"
    words = np.frombuffer(table.data, ">u8", len(table.data) // table.ENTRY_SIZE)
    offsets = Qcow1L1Entries(words.astype(np.uint64), Frame(geometry)).offset
    end = np.uint64(max(0, length - geometry.l2_table_size))
    if count := int(((offsets != 0) & (offsets > end)).sum()):
        yield f"{count:,} of the L2 tables (past the end of the file)"


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
