"""Who owns each cluster of the image file, against the refcounts.

In: an image, however broken. Out: a `Report`: qemu-img's figures, and what is wrong where. Refuses:
nothing but what cannot be opened at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcowspec.check.figures import Figures
from qcowspec.rules import BY_ID

if TYPE_CHECKING:
    from qcowspec.check.findings import Findings
    from qcowspec.metadata import Metadata
    from qcowspec.rules import Finding, Judge
    from qcowspec.source import Source

__all__ = ["Figures", "Report", "check", "refusal"]

GIVES_UP = frozenset(
    {
        "snapshots/count",
        "snapshots/offset",
        "snapshots/table-read",
        "snapshots/extra-data-size",
        "snapshots/table-size",
    }
)
"""Rules that opening for a check leaves out, and whose breach ends the check without a figure
(block/qcow2-snapshot.c: qcow2_check_read_snapshot_table)."""


@dataclass(slots=True)
class Report:
    """The outcome of a check.

    Attributes:
        figures: qemu-img's figures.
        findings: What is wrong, like put to like.
        why: Why the check was not completed; None if it was.
    """

    figures: Figures
    findings: Findings
    why: str | None = None


def refusal(judge: Judge, profile: str = "qemu") -> Finding | None:
    """Why an image is not checked: the first broken rule for which QEMU does not open it.

    Opened for a check, an image may lack a refcount table, or break other rules that `qemu-img
    info` insists on.

    Args:
        judge: What opening found.
        profile: ``qemu``, or ``qemu@7.2`` for a version of it.
    """
    for finding in judge.in_order(profile):
        rule = BY_ID[finding.rule]
        if rule.qemu.when is None or rule.id in GIVES_UP:
            return finding
    return None


def check(
    metadata: Metadata,
    source: Source,
    *,
    shown: int | None = 8,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check an image of version 2 or 3.

    Args:
        metadata: What opening read; no rule is broken for which QEMU does not open it.
        source: The image file.
        shown: Places that are kept of each rule; None for all.
        progress: Is told how many L2 tables were gone through, now and then.
    """
    from qcowspec.check.findings import Findings
    from qcowspec.check.qcow2 import Qcow2Check
    from qcowspec.check.regions import Aborted

    findings = Findings(shown)
    try:
        run = Qcow2Check(metadata, source, findings, progress)
    except Aborted as reason:
        return Report(Figures(completed=False, check_errors=1), findings, str(reason))
    run.run()
    return Report(run.figures, findings)
