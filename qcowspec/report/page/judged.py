"""What profiles and the check say of an image.

In: an opened image. Out: verdicts, findings and figures as plain data. Refuses: nothing: an image
that is not checked has the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from qcow_parsers.versions import MEASURED

from qcowspec.check import Report, check
from qcowspec.check.findings import Progress
from qcowspec.errors import QcowError
from qcowspec.image import Image
from qcowspec.reader.drivers import drive
from qcowspec.reader.looked import truncated
from qcowspec.reader.machine import ALL_ENTRIES, Machine, thorough
from qcowspec.reader.verdict import Verdict, verdict_of
from qcowspec.report.check import fault_words, summary
from qcowspec.report.document import plain
from qcowspec.report.page import room
from qcowspec.report.verdicts import basis
from qcowspec.report.words import plural
from qcowspec.spec.rules import Finding

Plain = dict[str, Any]

MOST_FINDINGS = 1_000

SAYS = {
    "qemu": (f"QEMU {MEASURED[-1]} opens this image.", f"QEMU {MEASURED[-1]} refuses this image."),
    "spec": (
        "It is as the format's document demands.",
        "It is not as the format's document demands.",
    ),
    "untrusted": (
        "It has nothing that an operator refuses of an image from a stranger.",
        "An operator refuses such an image from a stranger.",
    ),
}
"""What each profile's verdict means: of an image that it accepts, and of one that it rejects."""


class Judged:
    """Verdicts, findings and figures.

    Attributes:
        verdicts: What the profiles say.
        findings: What is broken, as many as fit.
        findings_left: How many there are more.
        check: The figures of the check; None if it was not completed.
        check_says: The check in words, or why it was not completed.
        rules: The ids of the rules that are broken.
    """

    def __init__(self, image: Image, format: str | None, progress: Progress) -> None:
        """Judge an image.

        Args:
            image: The image.
            format: The format that the user states.
            progress: Shows how far the check is.
        """
        judged = list(_judged(image, format))
        found = [verdict for _, verdict in judged]
        self.verdicts = [_verdict(each) for each in found]
        self.check: Plain | None = None
        self.check_says = ""
        report = self._checked(image, progress)
        broken = _broken(found)
        every = [*broken, *_faults(report)] if report is not None else broken
        kept = list(room.fitting(every[:MOST_FINDINGS], room.FINDINGS))
        self.findings = kept
        self.rules = {each["rule"] for each in every[: len(kept)]}
        shown = Counter(each["rule"] for each in broken)
        missing = sum(
            max(machine.judge.counts[rule] for machine, _ in judged) - shown[rule] for rule in shown
        )
        if report is not None:
            missing += sum(max(0, each.count - each.places) for each in report.findings)
        self.findings_left = len(every) - len(kept) + missing

    def _checked(self, image: Image, progress: Progress) -> Report | None:
        """Check the image, and keep the figures."""
        try:
            report = check(image, shown=MOST_FINDINGS // 4, progress=progress)
        except QcowError as error:
            self.check_says = f"Not checked, as QEMU does not open it: {room.short(error.args[0])}"
            return None
        if report.why is not None:
            self.check_says = f"The check was not completed: {report.why}."
            return report
        figures = asdict(report.figures)
        del figures["completed"]
        leaked = report.figures.leaks * image.geometry.cluster_size
        beyond = sum(each.count for each in report.findings.of("beyond-qemu"))
        self.check = figures | {"leaked_bytes": leaked, "beyond": beyond, "status": report.status}
        lines = [" ".join(line.split()).rstrip(".") for line in (*report.ahead, *summary(report))]
        self.check_says = room.short(f"{'. '.join(lines)}.", 600)
        return report


def _judged(image: Image, format: str | None) -> Iterator[tuple[Machine, Verdict]]:
    """The profiles' verdicts, each as `validate` has it, and what was read for it."""
    name = image.source.name
    yield image.machine, verdict_of(image.machine, name, "qemu")
    # The policies are asked after all that is read was read: one reading serves both.
    machine = Machine(
        thorough("untrusted"), format=format, length=image.source.length, entries=ALL_ENTRIES
    )
    drive(machine, image.source)
    for profile in ("spec", "untrusted"):
        yield machine, verdict_of(machine, name, profile)


def _verdict(verdict: Verdict) -> Plain:
    accepted, rejected = SAYS[verdict.profile]
    says = accepted if verdict.accepted else rejected
    return {
        "profile": basis(verdict.profile)["profile"],
        "says": f"{says} {truncated(verdict.looked)}".strip(),
        "verdict": verdict.verdict,
        **verdict.looked.as_json(),
        "broken": verdict.looked.broken,
        "errors": len(verdict.errors),
        "warnings": len(verdict.warnings),
    }


def _broken(verdicts: list[Verdict]) -> list[Plain]:
    """The broken rules, each place once, with the profiles that refuse the image for it."""
    found: dict[tuple[str, int | None, str | None], Plain] = {}
    for verdict in verdicts:
        for refused, broken in ((True, verdict.errors), (False, verdict.warnings)):
            for each in broken:
                key = each.rule, each.offset, each.field
                data = found.setdefault(key, _finding(each))
                if refused:
                    data["profiles"].append(verdict.profile)
    return list(found.values())


def _finding(found: Finding) -> Plain:
    value = found.value if not isinstance(found.value, bytes) else plain(found.value)
    return {
        "rule": found.rule,
        "kind": found.kind,
        "profiles": [],
        "offset": found.offset,
        "field": None if found.field is None else room.short(found.field),
        "value": None if value is None else room.short(str(value)),
        "message": room.short(found.message, 400),
    }


def _faults(report: Report) -> Iterator[Plain]:
    """What the check found, place by place; neighbours are one."""
    for group in report.findings:
        for fault in group.faults:
            yield {
                "rule": group.rule.id,
                "kind": group.effect,
                "profiles": ["check"],
                "offset": fault.offset,
                "field": fault.path,
                "value": None if fault.value is None else str(fault.value),
                "count": fault.count,
                "message": room.short(f"{group.rule.says} {fault_words(group, fault)}", 400),
            }


def left_sentence(left: int) -> str:
    """That findings are left out."""
    return f"{plural(left, 'more finding')}: qcowspec validate and qcowspec check have them."
