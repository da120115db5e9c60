"""Verdicts as lines: for people, and as JSON, one object a line.

In: verdicts. Out: lines. Refuses: nothing.
"""

from __future__ import annotations

import json
import os
from typing import Any

from qcowspec.report.document import finding, plain
from qcowspec.report.style import Style, plain_style
from qcowspec.report.text import finding_words
from qcowspec.report.words import plural, printable
from qcowspec.verdict import Verdict

WARNINGS_SHOWN = 5
"""Warnings that stand under a verdict for people; JSON has all."""


def as_json(verdict: Verdict) -> str:
    """One verdict as one line of JSON."""
    said: dict[str, Any] = {
        "path": plain(os.fsencode(verdict.path)),
        "format": verdict.format,
        "verdict": verdict.verdict,
        "errors": [finding(found) for found in verdict.errors],
        "warnings": [finding(found) for found in verdict.warnings],
    }
    return json.dumps(said)


def as_text(verdict: Verdict, style: Style = plain_style) -> str:
    """One verdict with its reasons, a line each."""
    mark = style(verdict.verdict, "good" if verdict.accepted else "bad")
    lines = [f"{printable(verdict.path)}: {mark}, {verdict.format or 'no QCOW image'}"]
    lines += [f"  {finding_words(found)}" for found in verdict.errors]
    lines += [f"  warning: {finding_words(found)}" for found in verdict.warnings[:WARNINGS_SHOWN]]
    if (more := len(verdict.warnings) - WARNINGS_SHOWN) > 0:
        lines.append(f"  … and {plural(more, 'warning')} more")
    return "\n".join(lines)
