"""One image, and what a reader makes of it: how a finding is shown again.

In: an image's path, an oracle, a target. Out: what was expected, what came, and whether that is a
finding. Refuses: nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qcowspec.fuzzing.campaign.findings import Key, cause_of, key_of
from qcowspec.fuzzing.campaign.oracle import Expected, Oracle
from qcowspec.fuzzing.campaign.outcomes import Outcome
from qcowspec.fuzzing.campaign.targets import Target
from qcowspec.fuzzing.judging import judge


class Shown(NamedTuple):
    """What a reader made of an image.

    Attributes:
        expected: What should have come of it.
        outcome: What came.
        key: What it is a finding of; None where it is as it should be.
    """

    expected: Expected
    outcome: Outcome
    key: Key | None

    @property
    def line(self) -> str:
        """All of it in a line."""
        expected, outcome = self.expected, self.outcome
        said = f": {outcome.detail}" if outcome.detail else ""
        should = expected.answer + (f" ({expected.rule})" if expected.rule else "")
        verdict = "as it should" if self.key is None else cause_of(self.key, outcome)
        return f"expected {should}; {outcome.answer}{said}; the reader {verdict}"


def again(image: Path, oracle: Oracle, target: Target, *, told: bool) -> Shown:
    """Run a reader on one image.

    Args:
        image: Its path.
        oracle: What should come of it.
        target: The reader.
        told: Whether the reader is told the format, and does not probe.
    """
    data = image.read_bytes()
    taken_for = judge(data).format or image.suffix.lstrip(".") or "qcow2"
    expected = oracle.expect(data, taken_for if told else None)
    outcome = target.run(image.absolute(), taken_for)
    return Shown(expected, outcome, key_of(expected, outcome, image.name))
