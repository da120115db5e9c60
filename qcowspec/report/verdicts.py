"""Verdicts as lines: for people, and as JSON, one object a line.

In: verdicts. Out: lines. Refuses: nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from errno import errorcode
from typing import Any

from qcowspec.errors import QcowError, Unreadable
from qcowspec.reader.looked import summary, truncated, unseen
from qcowspec.reader.verdict import Verdict
from qcowspec.report.document import finding, plain
from qcowspec.report.style import Style, plain_style
from qcowspec.report.text import finding_words
from qcowspec.report.words import plural, printable
from qcowspec.spec.profiles import full_name, measured, measured_as
from qcowspec.spec.rules import Finding

SAME_SHOWN = 4
"""Places of one rule that are printed under a verdict for people; JSON has up to 32."""

WARNINGS_SHOWN = 5
"""Warnings that are printed under a verdict for people; JSON has all."""


def as_json(verdict: Verdict) -> str:
    """One verdict as one line of JSON."""
    import json  # text does without

    said: dict[str, Any] = {
        "path": plain(os.fsencode(verdict.path)),
        "format": verdict.format,
        "verdict": verdict.verdict,
        **basis(verdict.profile),
        "errors": [finding(found) for found in verdict.errors],
        "warnings": [finding(found) for found in verdict.warnings],
        **verdict.looked.as_json(),
        "error": None,
    }
    return json.dumps(said)


def unreadable_as_json(error: QcowError, profile: str) -> str:
    """The line of a file that cannot be read, which has no verdict; its keys are those of one."""
    import json

    said: dict[str, Any] = {
        "path": plain(os.fsencode(error.path or "")),
        "format": None,
        "verdict": None,
        **basis(profile),
        "errors": [],
        "warnings": [],
        "judged": 0,
        "not_looked_at": ["anything"],
        "truncated": None,
        "error": {
            "kind": error.kind,
            "message": error.message,
            "errno": errorcode.get(error.errno) if isinstance(error, Unreadable) else None,
        },
    }
    return json.dumps(said)


def summary_of(counts: Counter[str]) -> str:
    """How many files were judged, and how."""
    total = counts.total()
    words = [f"{counts['accept']:,} accepted", f"{counts['reject']:,} rejected"]
    if counts["unreadable"]:
        words.append(f"{counts['unreadable']:,} not read")
    return f"{plural(total, 'file')}: {', '.join(words)}"


def basis(profile: str) -> dict[str, Any]:
    """Whose verdict it is, and how that version of QEMU was measured; None for other profiles."""
    if not profile.startswith("qemu"):
        return {"profile": profile, "measured": None, "basis": None}
    asked = measured(profile) is not None
    return {"profile": full_name(profile), "measured": asked, "basis": measured_as(profile)}


def as_text(verdict: Verdict, style: Style = plain_style) -> str:
    """One verdict with its reasons, a line each."""
    mark = style(verdict.verdict, "good" if verdict.accepted else "bad")
    lines = [f"{printable(verdict.path)}: {mark}, {verdict.format or 'no QCOW image'}"]
    if verdict.looked.reach:
        lines.append("  " + style(truncated(verdict.looked), "bad"))
    lines += [f"  {line}" for line in _few(verdict.errors)]
    if verdict.hint:
        lines.append(f"  {printable(verdict.hint[:1].upper() + verdict.hint[1:])}")
    lines += [f"  warning: {finding_words(found)}" for found in verdict.warnings[:WARNINGS_SHOWN]]
    if (more := len(verdict.warnings) - WARNINGS_SHOWN) > 0:
        lines.append(f"  … and {plural(more, 'warning')} more")
    judge = basis(verdict.profile)
    if verdict.format is not None:
        by = "" if judge["measured"] is None else f"By {judge['profile']}: "
        lines.append(f"  {by}{summary(verdict.looked)}. {unseen(verdict.looked)}")
    if judge["measured"] is False:
        lines.append(f"  {judge['profile']} was {judge['basis']}.")
    return "\n".join(lines)


def _few(findings: tuple[Finding, ...]) -> Iterator[str]:
    """A line each, but for those of one rule of which there are many."""
    met: Counter[str] = Counter()
    for found in findings:
        met[found.rule] += 1
        if met[found.rule] <= SAME_SHOWN:
            yield finding_words(found)
    for rule, count in met.items():
        if count > SAME_SHOWN:
            yield f"… and {count - SAME_SHOWN} more of {rule}"
