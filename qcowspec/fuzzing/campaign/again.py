"""Runs a reader on one image, to show a finding again.

In: an image's path, an oracle, a target. Out: a line that says what was expected, and what the
reader did. Refuses: nothing.
"""

from __future__ import annotations

from pathlib import Path

from qcowspec.fuzzing.campaign.findings import NOTHING, key_of
from qcowspec.fuzzing.campaign.oracle import Oracle
from qcowspec.fuzzing.campaign.targets import Target
from qcowspec.fuzzing.judging import judge


def again(image: Path, oracle: Oracle, target: Target, *, format_given: bool) -> tuple[str, bool]:
    """Run a reader on one image: a line of text, and whether it is a finding.

    Args:
        image: Its path.
        oracle: Expects the right answer.
        target: The reader.
        format_given: Whether the reader is given the format; if not, it probes.
    """
    data = image.read_bytes()
    judged_as = judge(data).format or image.suffix.lstrip(".") or "qcow2"
    expected = oracle.expect(data, judged_as if format_given else None)
    outcome = target.run(image.absolute(), judged_as)
    key = key_of(expected, outcome, image.name)
    detail = f": {outcome.detail}" if outcome.detail else ""
    should = expected.answer + (f" ({expected.rule})" if expected.rule else "")
    verdict = "as it should" if key is None else f"a finding: {key.kind}"
    if key is not None and key.signature == NOTHING:
        verdict += f", {NOTHING}"
    line = f"expected {should}; got {outcome.answer}{detail}; {verdict}"
    return line, key is not None
