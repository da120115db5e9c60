"""A validator, or a reader, that lacks a rule is caught by the kit: every rule.

All rules: ``python -m tools.kit --planted``, or ``QCOWSPEC_PLANTED=all`` for these tests. Without
it those are left out that take seconds each, because their images are large or nothing else bounds
the work.
"""

from __future__ import annotations

import os

import pytest
from qcow_parsers.catalogue import RULES

from qcowspec.fuzzing.kit.planted import ELSEWHERE, planted
from tools.kit import planted_bug

SLOW = {
    "bitmaps/count-maximum",
    *("snapshots/table-size", "snapshots/id-unique", "snapshots/librbd-count"),
    *("snapshots/librbd-past-end", "snapshots/untrusted-past-end"),
}
CHOSEN = [r for r in planted() if os.environ.get("QCOWSPEC_PLANTED") == "all" or r not in SLOW]


@pytest.mark.parametrize("rule", CHOSEN)
def test_a_missing_rule_is_caught(rule: str) -> None:
    assert planted_bug(rule) is not None


def test_rules_that_are_no_matter_of_opening_or_reading_are_few() -> None:
    assert (len(ELSEWHERE), len(planted())) == (27, len(RULES) - 27)
