"""What a check found, for people and for programs.

In: a `Report`. Out: lines, or a JSON document; the figures in qemu-img's words and under its keys.
Refuses: nothing.

Source: qemu-img.c: dump_human_image_check, dump_json_image_check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Final

from qcowspec.check import Report
from qcowspec.check.findings import Fault, Group, Owned
from qcowspec.check.losses import Looked
from qcowspec.check.ownership import words
from qcowspec.report.style import Style, plain_style
from qcowspec.report.words import printable
from qcowspec.spec.metadata import Format

BEYOND: Final = "beyond-qemu"
"""The key of what qemu-img does not look at."""

LABELS = {
    "corruption": "ERROR",
    "leak": "Leaked",
    "check-error": "ERROR",
    BEYOND: "BEYOND",
}

Every = Callable[[str, Callable[[Fault], None]], object]
"""Goes through the image once more, and hands over every fault of a rule, one by one."""

Write = Callable[[str], object]
"""Takes a piece of text."""


def write_json(report: Report, name: str, write: Write, every: Every | None = None) -> None:
    """Write the report with qemu-img's keys, and more: ``findings`` and ``beyond-qemu`` are ours.

    Args:
        report: The report.
        name: The image as the user named it.
        write: Takes the text.
        every: For the faults that the report did not keep; None if those that it kept are enough.
    """
    head: dict[str, Any] = {"filename": name, "format": str(report.format)}
    head |= report.figures.as_json()
    if report.ahead:
        head["notes"] = list(report.ahead)
    if report.why is not None:
        head["not-completed"] = report.why
    if report.looked is not None:
        head["looked-at"] = _looked_at(report.looked)
    if (missing := report.missing) is not None:
        head["data-file"] = {"length": missing.data_length, "missing-bytes": missing.count}
        if missing.first is not None:
            head["data-file"]["first-missing"] = missing.first
    write(_dumped(head).removesuffix("\n}"))
    for key, groups in zip(("findings", BEYOND), _parts(report), strict=True):
        write(f',\n    "{key}": [')
        for number, group in enumerate(groups):
            write(",\n" if number else "\n")
            _group_json(group, write, every)
        write("\n    ]" if groups else "]")
    write("\n}\n")


def _dumped(value: object, depth: int = 0) -> str:
    """A value as JSON, so many levels deep in a document."""
    text = json.dumps(value, indent=4, ensure_ascii=False)
    return text.replace("\n", "\n" + "    " * depth)


def _group_json(group: Group, write: Write, every: Every | None) -> None:
    """A group, fault by fault."""
    head = {
        "rule": group.rule.id,
        "effect": group.effect,
        "count": group.count,
        "says": group.rule.says,
    }
    write(" " * 8 + _dumped(head, 2).removesuffix("\n        }") + ',\n            "faults": [')
    before = "\n"

    def take(fault: Fault) -> None:
        nonlocal before
        write(before + " " * 16 + _dumped(_fault(group, fault), 4))
        before = ",\n"

    _each(group, every, take)
    write("]\n        }" if before == "\n" else "\n            ]\n        }")


def _each(group: Group, every: Every | None, take: Callable[[Fault], None]) -> None:
    """Hand over the faults of a group: those that were kept, or all where that is wanted."""
    if every is not None and not group.complete:
        every(group.rule.id, take)
        return
    for fault in group.faults:
        take(fault)


def write_text(
    report: Report, write: Write, style: Style = plain_style, *, every: Every | None = None
) -> None:
    """Write the report as text: what was found, and qemu-img's summary.

    Args:
        report: The report.
        write: Takes the text.
        style: Paints it.
        every: For the faults that the report did not keep; None if those that it kept are enough.
    """
    judged, beyond = _parts(report)
    for sentence in report.ahead:
        write(f"{printable(sentence)}\n")
    for group in judged:
        _group_text(group, write, style, every)
    if report.why is None:
        for line in summary(report):
            write(line)
    if report.format is Format.QCOW:
        write("qemu-img has no check for version 1: all of this is beyond it.\n")
    if beyond:
        write("\nBeyond what qemu-img check looks at:\n")
    for group in beyond:
        _group_text(group, write, style, every)
    missing = report.missing
    if missing is not None and missing.first is not None:
        write(
            f"\nThe data file ends at {missing.data_length:#x}. {missing.count:,} bytes of the "
            f"disk, the first at guest offset {missing.first:#x}, lie past its end and read as "
            "zeros.\n"
        )


def summary(report: Report) -> Iterator[str]:
    """qemu-img's own lines, but about leaks, which it does not compare with the tables."""
    found = report.figures
    if not (found.corruptions or found.leaks or found.check_errors):
        beyond = report.findings.of(BEYOND)
        if beyond:
            yield FINDS_NOTHING
        elif report.ahead:
            yield "qemu-img check finds no errors on the image; it does not miss the file's end.\n"
        else:
            yield "No errors were found on the image.\n"
    if found.corruptions:
        yield (
            f"\n{found.corruptions} errors were found on the image.\n"
            "Data may be corrupted, or further writes to the image may corrupt it.\n"
        )
    if found.leaks:
        yield f"\n{found.leaks} leaked clusters were found on the image.\n"
    if report.looked is not None:
        yield from of_leaks(report.looked)
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


FINDS_NOTHING = (
    "qemu-img check finds no errors on the image; see below for what it does not look at.\n"
)
"""Of an image that has faults all the same."""

KEEP = (
    "Do not repair the image: `qemu-img check -r` would free them. See below for what is missing.\n"
)


def of_leaks(looked: Looked) -> Iterator[str]:
    """What the leaks may mean, and what was looked at to say so."""
    many = f"{looked.held:,} leaked clusters"
    past, loose = looked.leaked_clusters_past_end, looked.leaked_clusters_unreferenced
    if past:
        yield (
            f"{past:,} clusters past the end of the file have refcounts, and nothing references "
            "them: the file may have been cut short.\n"
        )
    if looked.loss == "likely":
        yield f"Guest data may be lost: tables are empty or gone; {many} may be the only copy.\n"
        yield KEEP
    elif looked.loss == "possible":
        yield f"Guest data may be lost: parts of L2 tables are zero that may have mapped {many}.\n"
        yield KEEP
    elif looked.held:
        yield (
            f"No empty table was found that may have mapped {many}. A writer that was killed\n"
            "leaves such clusters; so do single table entries that were lost, which show nowhere.\n"
        )
    elif loose:
        yield "The leaked clusters hold nothing but zeros.\n"
    zero = f"{looked.l1_entries_zero:,} of {looked.l1_entries:,} entries are zero"
    yield (
        f"Looked at: {looked.l1_tables:,} L1 tables ({zero}), {looked.l2_tables:,} L2 tables, "
        f"{looked.leaked_clusters_read:,} of {loose:,} clusters that nothing references.\n"
    )


def _looked_at(looked: Looked) -> dict[str, int]:
    counts = (one.name for one in fields(looked) if one.name != "found")
    return {name.replace("_", "-"): getattr(looked, name) for name in counts}


def _parts(report: Report) -> tuple[list[Group], list[Group]]:
    """What QEMU looks at as well, and what only we do."""
    beyond = [group for group in report.findings if group.effect == BEYOND]
    judged = [group for group in report.findings if group.effect != BEYOND]
    return judged, beyond


def _fault(group: Group, fault: Fault) -> dict[str, Any]:
    """One place; keys without a value are left out."""
    kinds = words(fault.value or 0) if group.check.value == "owners" else None
    last = fault.last
    return _without_none(
        path=fault.path,
        offset=fault.offset,
        value=fault.value if kinds is None else None,
        expected=fault.expected,
        cluster=fault.cluster,
        guest=fault.guest,
        kinds=kinds,
        note=fault.note or None,
        count=fault.count if last else None,
        length=fault.count * _step(fault) or None,
        last=last
        and _without_none(
            path=last.path,
            offset=last.offset,
            value=last.value if kinds is None else None,
            cluster=last.cluster,
            guest=last.guest,
        ),
        owners=[_without_none(path=one.path, guest=one.guest) for one in fault.owners] or None,
    )


def _step(fault: Fault) -> int:
    """Bytes from one of the clusters that a fault is about to the next; 0 for a single one."""
    if fault.last is None or fault.cluster is None or fault.last.cluster is None:
        return 0
    return (fault.last.cluster - fault.cluster) // (fault.count - 1)


def _without_none(**values: Any) -> dict[str, Any]:
    """The keys that have a value."""
    return {key: value for key, value in values.items() if value is not None}


def _group_text(group: Group, write: Write, style: Style, every: Every | None) -> None:
    """A group: the rule, and a line a place."""
    times = "" if group.count == 1 else f", {group.count:,} times"
    label = style(LABELS[group.effect], "meaning" if group.effect == BEYOND else "bad")
    write(f"{label} {style(group.rule.id, 'title')}{times}. The rule: {group.rule.says}\n")
    shown = 0

    def take(fault: Fault) -> None:
        nonlocal shown
        shown += fault.count
        write(f"  {fault_words(group, fault, style)}\n")
        for owner in _others(fault):
            write(f"      owner: {style(owner.path, 'name')}{_guest(owner.guest, style)}\n")

    _each(group, every, take)
    if 0 < shown < group.count:
        # An entry that several tables share counts for each of them, and has one place.
        whole = group.complete or every is not None
        more = f"  … {group.count - shown:,} more"
        write(f"{more}, at the same places\n" if whole else f"{more} (--all tells each)\n")


def _others(fault: Fault) -> tuple[Owned, ...]:
    """The owners, unless there is none but the entry at fault itself."""
    return () if [one.path for one in fault.owners] == [fault.path] else fault.owners


def fault_words(group: Group, fault: Fault, style: Style = plain_style) -> str:
    """One place, or several neighbours: what is about a cluster begins with that."""
    place, end = _place(fault, style), fault.end
    note = f": {printable(fault.note)}" if fault.note else ""
    cluster = _clusters(fault, style)
    if group.check.value == "owners":
        return (
            f"{cluster} belong{'' if fault.last else 's'} to: {', '.join(words(fault.value or 0))}"
        )
    if fault.expected is not None:
        counted = f"refcount {style(str(fault.value or 0), 'value')}, references {fault.expected}"
        return f"{cluster}: {counted}; {place}{note}"
    text = place
    if fault.value is not None:
        text += f" {'are' if fault.last else 'is'} {style(hex(fault.value), 'value')}"
        if end.value is not None and end.value != fault.value:
            text += f" to {style(hex(end.value), 'value')}"
    if cluster and fault.cluster != fault.value:
        text += f"; {cluster}"
    return f"{text}{_guest(fault.guest, style, end.guest)}{note}"


def _place(fault: Fault, style: Style) -> str:
    """Path and offset; of neighbours those of the first and the last, and how many they are."""
    first = f"{fault.path} at {style(hex(fault.offset), 'offset')}"
    last = fault.last
    if last is None or (last.path, last.offset) == (fault.path, fault.offset):
        return first
    many = "" if _step(fault) else f" ({fault.count:,})"
    return f"{first} to {last.path} at {style(hex(last.offset), 'offset')}{many}"


def _clusters(fault: Fault, style: Style) -> str:
    """The clusters that a fault is about; empty where there are none."""
    if fault.cluster is None:
        return ""
    first = style(hex(fault.cluster), "offset")
    if not (step := _step(fault)):
        return f"cluster at {first}"
    end = style(hex(fault.cluster + fault.count * step - 1), "offset")
    return f"{fault.count:,} clusters at {first} to {end}"


def _guest(offset: int | None, style: Style, last: int | None = None) -> str:
    """Where the guest sees it: from one offset, to that of the last of some neighbours."""
    if offset is None:
        return ""
    end = "" if last in (None, offset) else f" to {style(hex(last or 0), 'offset')}"
    return f"; guest offset {style(hex(offset), 'offset')}{end}"
