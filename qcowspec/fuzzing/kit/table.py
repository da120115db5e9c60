"""A score as text: a table by feature, the number of rules held, a line for each finding.

In: a `Score`. Out: lines. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from qcowspec.fuzzing.campaign.outcomes import FAULTS, WORST
from qcowspec.fuzzing.kit.scoring import RIGHT, Score
from qcowspec.report.verdicts import basis
from qcowspec.report.words import plural

COLUMNS = ("asked", "right", "accepted", "rejected", "wrong bytes", "misnamed", "faults")


def lines(score: Score, *, findings: bool = True) -> Iterator[str]:
    """The lines of a score; those of single findings, the worst first, only with `findings`."""
    rows = [(name, _counts(count)) for name, count in score.by("feature").items()]
    total = [sum(counts[n] for _, counts in rows) for n in range(len(COLUMNS))]
    width = max(len(name) for name, _ in [("feature", 0), *rows])
    yield f"{'feature':{width}}  " + "  ".join(COLUMNS) + "\n"
    for name, counts in [*rows, ("all", total)]:
        cells = zip(counts, COLUMNS, strict=True)
        yield f"{name:{width}}  " + "  ".join(f"{n or '·':>{len(c)}}" for n, c in cells) + "\n"
    rules = score.by("rule")
    whole = sum(set(count) == {RIGHT} for count in rules.values())
    yield f"rules: {whole} of {len(rules)} held in every case\n"
    judge = basis(score.criteria.profile)
    if judge["measured"] is False:
        yield f"{judge['profile']} was {judge['basis']}\n"
    reply = score.replies.line(plural(score.asked, "image"))
    if score.findings and score.asked > 1 and reply is not None:
        yield f"{reply}\n"
    if not findings:
        return
    for mark in sorted(score.findings, key=lambda mark: WORST.index(str(mark.kind))):
        private = "  (report privately first)" if mark.private else ""
        yield f"{mark.kind:<11} {mark.row['id']}{private}\n"
        yield f"{'':11} {mark.row['says']}\n"
        if mark.detail:
            yield f"{'':11} the reader: {mark.detail}\n"


def _counts(count: dict[str, int]) -> list[int]:
    faults = sum(count.get(kind, 0) for kind in FAULTS)
    bad = count.get("wrong-bytes", 0) + count.get("ciphertext", 0)
    asked = sum(count.values())
    return [
        asked,
        count.get(RIGHT, 0),
        count.get("accepted", 0),
        count.get("rejected", 0),
        bad,
        count.get("misnamed", 0),
        faults,
    ]
