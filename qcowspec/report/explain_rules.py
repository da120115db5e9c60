"""Which rules speak of a structure or an entry, and whether they hold there.

In: what has a byte. Out: `Said`s. Refuses: to guess: a rule that nobody has applied is reported as
not looked at.

Entries are judged here one by one, by the judge that opening uses. What it found of structures is
looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from qcow_parsers.catalogue import RULES, Rule

from qcowspec.image import Image
from qcowspec.report.explain_structures import Inside, Span
from qcowspec.report.nodes import Row
from qcowspec.spec.entries import KINDS, Frame
from qcowspec.spec.rules import KEPT_PER_RULE, Finding, Judge

HOLDS, BROKEN, UNSEEN = "holds", "broken", "not looked at"


class Said(NamedTuple):
    """One rule about a byte.

    Attributes:
        rule: The rule.
        state: Whether it holds there: `HOLDS`, `BROKEN` or `UNSEEN`.
        message: What is wrong, where it is broken.
    """

    rule: Rule
    state: str
    message: str = ""


def rules_on(image: Image, inside: Inside) -> list[Said]:
    """The rules about the fields, or the entries, that have the byte."""
    if inside.table is not None:
        return list(_on_entries(image, inside.table, inside.rows))
    found = []
    for depth, level in enumerate(inside.levels):
        if level.layout is None:
            continue
        below = inside.levels[depth + 1 :]
        field = ".".join(node.name for node in below)
        spans = (level.offset, level.offset + level.length)
        layouts = {level.layout, "qcow::probe"} if level.name == "header" else {level.layout}
        for rule in _about(image, layouts):
            if rule.field and field and not f"{field}.".startswith(f"{rule.field}."):
                continue
            found.append(_looked_up(image, rule, *spans))
    return found


def _about(image: Image, layouts: set[str]) -> Iterator[Rule]:
    for rule in RULES:
        if rule.on in layouts and (
            rule.on == "qcow::probe"
            or (image.format in rule.formats and image.header.version in rule.versions)
        ):
            yield rule


def _looked_up(image: Image, rule: Rule, start: int, end: int) -> Said:
    """What opening found of a rule in a stretch of the file."""
    judge = image.judge
    for finding in judge.findings:
        if finding.rule == rule.id and finding.offset is not None and start <= finding.offset < end:
            return Said(rule, BROKEN, finding.message)
    unseen = rule.id not in judge.judged() or judge.counts[rule.id] > KEPT_PER_RULE
    return Said(rule, UNSEEN if unseen else HOLDS)


ENTRIES = {
    "qcow1::l1_table": "qcow1::l1_entry",
    "qcow1::l2_table": "qcow1::l2_entry",
    "qcow2::l1_table": "qcow2::l1_entry",
    "qcow2::l2_table": "qcow2::l2_entry",
    "qcow2::refcount_table": "qcow2::refcount_table_entry",
    "qcow2::refcount_block": "qcow2::refcount_entry",
    "qcow2::bitmap_table": "qcow2::bitmap_table_entry",
}
"""The layout of a table's entries."""


def _on_entries(image: Image, table: Span, rows: tuple[Row, ...]) -> Iterator[Said]:
    layout = ENTRIES[table.layout]
    size = image.header.size
    if table.path.startswith("snapshots["):
        saved = image.snapshots[int(table.path.partition("[")[2].partition("]")[0])].disk_size
        size = size if saved is None else saved
    frame = Frame(image.geometry, image.has_data_file, image.source.length, size)
    broken = {
        finding.rule: finding for row in rows for finding in _judged(image, layout, row, frame)
    }
    for rule in _about(image, {layout}):
        if rule.judged == "opening":
            yield _looked_up(image, rule, rows[0].offset, rows[0].offset + 1)
        elif rule.judged != "entries":
            yield Said(rule, UNSEEN)
        elif rule.id in broken:
            yield Said(rule, BROKEN, broken[rule.id].message)
        else:
            yield Said(rule, HOLDS)


def _judged(image: Image, layout: str, row: Row, frame: Frame) -> list[Finding]:
    """The rules that one entry breaks; as when an image is opened, zeros break none."""
    if not row.value or layout not in KINDS:
        return []
    extended = row.bits > FIRST
    word, bitmap = (row.value >> FIRST, row.value & MASK) if extended else (row.value, 0)
    if layout.endswith("l2_entry"):
        view = KINDS[layout](word, frame, row.fields["guest_offset"], bitmap)
    else:
        view = KINDS[layout](word, frame)
    judge = Judge(image.metadata)
    judge.entries(layout, view, lambda at: (row.offset, f"[{row.index}]"))
    return judge.findings


FIRST = 64
"""Bits of the first word of an entry; an extended L2 entry has a second."""

MASK = (1 << FIRST) - 1
