"""What a check found, for people and for programs.

In: a `Report`. Out: lines, or a JSON document; the figures in qemu-img's words and under its keys.
Refuses: nothing.

Source: qemu-img.c: dump_human_image_check, dump_json_image_check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcowspec.check import Report
from qcowspec.check.effects import Effect
from qcowspec.check.findings import SHOWN, Fault, Group, Owned
from qcowspec.check.ownership import words
from qcowspec.metadata import Format
from qcowspec.report.style import Style, plain_style
from qcowspec.report.words import printable

BEYOND = "beyond-qemu"
"""The key of what qemu-img does not look at."""

LABELS = {
    Effect.CORRUPTION: "ERROR",
    Effect.LEAK: "Leaked",
    Effect.ERROR: "ERROR",
    Effect.BEYOND: "BEYOND",
}

BY_OWNERS = ("check/overlap", "check/cluster-shared")
"""Rules whose value is what owns a cluster."""


def as_json(report: Report, name: str) -> dict[str, Any]:
    """The report with qemu-img's keys, and two more: ``findings`` and ``beyond-qemu``.

    Args:
        report: The report.
        name: The image as the user named it.
    """
    judged, beyond = _parts(report)
    document: dict[str, Any] = {"filename": name, "format": str(report.format)}
    document |= report.figures.as_json()
    if report.why is not None:
        document["not-completed"] = report.why
    document["findings"] = [_group(group) for group in judged]
    document[BEYOND] = [_group(group) for group in beyond]
    return document


def lines(
    report: Report, style: Style = plain_style, *, shown: int | None = SHOWN
) -> Iterator[str]:
    """The report as text: what was found, and qemu-img's summary.

    Args:
        report: The report.
        style: Paints text.
        shown: How many places of a rule were kept at most; None for all.
    """
    judged, beyond = _parts(report)
    for group in judged:
        yield from _told(group, style, shown)
    if report.why is None:
        yield from summary(report)
    if report.format is Format.QCOW:
        yield "qemu-img has no check for version 1: all of this is beyond it.\n"
    if beyond:
        yield "\nBeyond what qemu-img check looks at:\n"
    for group in beyond:
        yield from _told(group, style, shown)


def summary(report: Report) -> Iterator[str]:
    """qemu-img's own lines."""
    found = report.figures
    if not (found.corruptions or found.leaks or found.check_errors):
        yield "No errors were found on the image.\n"
    if found.corruptions:
        yield (
            f"\n{found.corruptions} errors were found on the image.\n"
            "Data may be corrupted, or further writes to the image may corrupt it.\n"
        )
    if found.leaks:
        yield (
            f"\n{found.leaks} leaked clusters were found on the image.\n"
            "This means waste of disk space, but no harm to data.\n"
        )
    if found.check_errors:
        yield f"\n{found.check_errors} internal errors have occurred during the check.\n"
    allocated = found.allocated_clusters
    if found.total_clusters and allocated:
        yield (
            f"{allocated}/{found.total_clusters} = "
            f"{allocated * 100.0 / found.total_clusters:.2f}% allocated, "
            f"{found.fragmented_clusters * 100.0 / allocated:.2f}% fragmented, "
            f"{found.compressed_clusters * 100.0 / allocated:.2f}% compressed clusters\n"
        )
    if found.image_end_offset:
        yield f"Image end offset: {found.image_end_offset}\n"


def _parts(report: Report) -> tuple[list[Group], list[Group]]:
    """What QEMU looks at as well, and what only we do."""
    beyond = [group for group in report.findings if group.effect is Effect.BEYOND]
    judged = [group for group in report.findings if group.effect is not Effect.BEYOND]
    return judged, beyond


def _group(group: Group) -> dict[str, Any]:
    return {
        "rule": group.rule.id,
        "effect": str(group.effect),
        "count": group.count,
        "says": group.rule.says,
        "faults": [_fault(group, fault) for fault in group.faults],
    }


def _fault(group: Group, fault: Fault) -> dict[str, Any]:
    """One place; keys that have nothing to say are left out."""
    kinds = words(fault.value or 0) if group.rule.id in BY_OWNERS else None
    told: dict[str, Any] = {
        "path": fault.path,
        "offset": fault.offset,
        "value": fault.value if kinds is None else None,
        "expected": fault.expected,
        "cluster": fault.cluster,
        "guest": fault.guest,
        "kinds": kinds,
        "note": fault.note or None,
        "owners": [_said({"path": one.path, "guest": one.guest}) for one in fault.owners] or None,
    }
    return _said(told)


def _said(told: dict[str, Any]) -> dict[str, Any]:
    """Those keys that have something to say."""
    return {key: value for key, value in told.items() if value is not None}


def _told(group: Group, style: Style, shown: int | None) -> Iterator[str]:
    """A group: the rule, and a line a place."""
    times = "" if group.count == 1 else f", {group.count:,} times"
    label = style(LABELS[group.effect], "meaning" if group.effect is Effect.BEYOND else "bad")
    yield f"{label} {style(group.rule.id, 'title')}{times}. The rule: {group.rule.says}\n"
    for fault in group.faults:
        yield f"  {_line(group, fault, style)}\n"
        for owner in _others(fault):
            yield f"      owner: {style(owner.path, 'name')}{_guest(owner.guest, style)}\n"
    if group.faults and len(group.faults) < group.count:
        # An entry that several tables share counts for each of them, and has one place.
        whole = shown is None or len(group.faults) < shown
        more = f"  … {group.count - len(group.faults):,} more"
        yield f"{more}, at the same places\n" if whole else f"{more} (--all tells each)\n"


def _others(fault: Fault) -> tuple[Owned, ...]:
    """The owners, unless there is none but the entry at fault itself."""
    return () if [one.path for one in fault.owners] == [fault.path] else fault.owners


def _line(group: Group, fault: Fault, style: Style) -> str:
    """One place: of what is about a cluster the cluster first, of all else the entry."""
    place = f"{fault.path} at {style(hex(fault.offset), 'offset')}"
    note = f": {printable(fault.note)}" if fault.note else ""
    cluster = "" if fault.cluster is None else f"cluster at {style(hex(fault.cluster), 'offset')}"
    value = fault.value or 0
    if group.rule.id in BY_OWNERS:
        return f"{cluster} belongs to: {', '.join(words(value))}"
    if fault.expected is not None:
        counted = f"refcount {style(str(value), 'value')}, references {fault.expected}"
        return f"{cluster}: {counted}; {place}{note}"
    said = place if fault.value is None else f"{place} is {style(hex(value), 'value')}"
    if cluster and fault.cluster != fault.value:
        said += f"; {cluster}"
    return f"{said}{_guest(fault.guest, style)}{note}"


def _guest(offset: int | None, style: Style) -> str:
    """Where the guest sees it."""
    return "" if offset is None else f"; guest offset {style(hex(offset), 'offset')}"
