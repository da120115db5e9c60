"""A validator, or a reader, that lacks a rule is caught by the kit: every rule.

They are scored as `qcowspec kit run` scores any reader. All rules: ``python -m tools.kit
--planted``, or ``QCOWSPEC_PLANTED=all`` for these tests. Without it those are left out that take
seconds each, because their images are large or nothing else bounds the work.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from qcow_parsers.catalogue import RULES

from qcowspec.cli import qcowspec
from qcowspec.fuzzing.kit import making, scoring
from qcowspec.fuzzing.kit.case import SECRET
from qcowspec.fuzzing.kit.scoring import ALL, Criteria, Row, Score, marks
from tests.planted import DISTINCT, ELSEWHERE, Reader, Validator, caught, planted

SLOW = {
    "bitmaps/count-maximum",
    *("snapshots/table-size", "snapshots/id-unique", "snapshots/librbd-count"),
    *("snapshots/librbd-past-end", "snapshots/untrusted-past-end"),
}
CHOSEN = [r for r in planted() if os.environ.get("QCOWSPEC_PLANTED") == "all" or r not in SLOW]

ROOT = Path(__file__).parents[2]

SMALL = 1 << 18
"""Bytes of the images that all readers are run on."""

MANY = "rules/snapshots/count/65536"
"""A small image that takes as long as hundreds: one validator and one reader are run on it."""

NONE = "probe/no-such-rule"
"""A rule that is not there: a reader without it lacks nothing."""

UNSEEN = ("bitmaps/untrusted-tables", "probe/untrusted-partition-table", "bitmaps/bitmap-size")
"""Rules that show in what is named only: others refuse the same images, or none does."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit")
    making.make(folder)
    return folder


@pytest.fixture(scope="module")
def rows(kit: Path) -> Sequence[Row]:
    return scoring.cases(kit)


def small(rows: Sequence[Row], *, many: bool) -> list[Row]:
    """The cases that all readers are run on; with `many`, that of 65,536 snapshots too."""
    assert any(row["id"] == MANY for row in rows)
    return [row for row in rows if row["length"] <= SMALL and (many or row["id"] != MANY)]


@pytest.mark.parametrize("rule", CHOSEN)
def test_a_missing_rule_is_caught(rule: str, kit: Path, rows: Sequence[Row]) -> None:
    assert caught(rule, kit, rows) is not None


@pytest.mark.parametrize("profile", DISTINCT)
def test_a_validator_that_lacks_nothing_is_right(
    profile: str, kit: Path, rows: Sequence[Row]
) -> None:
    criteria = Criteria(profile, format_given=True, names=ALL)
    chosen = small(rows, many=profile == "spec")

    found = Score(criteria, list(marks(chosen, kit, criteria, [Validator(NONE, profile)])))

    assert [mark.as_json() for mark in found.findings] == []


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_reader_that_lacks_nothing_is_right(
    secret: str | None, kit: Path, rows: Sequence[Row]
) -> None:
    criteria = Criteria(reads=True, format_given=True, unlocks=secret is not None)
    chosen = small(rows, many=secret is None)

    found = Score(criteria, list(marks(chosen, kit, criteria, [Reader(NONE, secret)])))

    assert [mark.as_json() for mark in found.findings] == []


@pytest.mark.parametrize("rule", UNSEEN)
def test_kit_run_finds_a_rule_that_is_missing_in_what_is_named(
    rule: str, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    profile = "untrusted" if "untrusted" in rule else "qemu"
    target = f"python:tests.planted:name {{format}} {profile} {rule}"
    only = ("--only", f"rules/{rule}/*")
    line = ["kit", "run", *only, "-p", profile, "--json", "--target", target, str(kit)]

    verdicts = json.loads(CliRunner().invoke(qcowspec, line).stdout)
    names = json.loads(CliRunner().invoke(qcowspec, [*line, "--names", "all"]).stdout)

    assert verdicts["kinds"] == {}
    assert set(names["kinds"]) == {"misnamed"}
    assert all(rule in f["rules"] and rule not in f["named"] for f in names["findings"])


def test_rules_that_are_no_matter_of_opening_or_reading_are_few() -> None:
    assert (len(ELSEWHERE), len(planted())) == (25, len(RULES) - 25)
