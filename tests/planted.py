"""Planted bugs: our own validator and reader with one rule taken out, and whether the kit sees it.

In: a kit, and a rule's id. Out: the first case that tells. Refuses: nothing.

These are readers as any other: `scoring` runs them on the kit and marks what they do, as ``qcowspec
kit run`` does it. A row is taken out of the judge's table, and the cases that break its rule are
judged anew: no other case can come out differently. Rules that only reading decides are taken out
of the reader: where it would fail by that rule, it gives something. A rule of neither kind is not
the kit's: see `ELSEWHERE`. The wheel has none of this.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qcow_parsers.catalogue import RULES, Rule

from qcowspec.errors import QcowError
from qcowspec.fuzzing.campaign.outcomes import Outcome
from qcowspec.fuzzing.campaign.targets import Target
from qcowspec.fuzzing.kit import readers, scoring
from qcowspec.fuzzing.kit.case import SECRET
from qcowspec.fuzzing.kit.expectations import JUDGES
from qcowspec.fuzzing.kit.scoring import ALL, RIGHT, Criteria, Row
from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS
from qcowspec.spec import rules
from qcowspec.spec.profiles import refused_by

LATER = ("check", "write", None)
"""When QEMU looks at a rule that neither opening nor reading decides; None where it never does."""

READ = frozenset(rule.id for rule in RULES if rule.judged not in ("opening", "entries"))
"""Rules that no validator decides."""

ELSEWHERE = frozenset(rule.id for rule in RULES if rule.id in READ and rule.qemu.when in LATER)
"""Rules that only a check, a rewrite or a stream decides: no verdict and no byte tells of them."""


SIGNS = {"l2/compressed-offset": "l2/compressed-data"}  # the bits above go into the offset
"""By which rule our reader fails, where it is not the one that is out."""

SECONDS = 30.0
"""Of processor time, for a validator without a rule: without one that bounds, it may never end."""


@dataclass(frozen=True, slots=True)
class Caught:
    """How the kit sees that a rule is missing.

    Attributes:
        rule: The rule.
        case: The case that tells.
        kind: The mark that it gets.
        criteria: What the reader was held to.
    """

    rule: str
    case: str
    kind: str
    criteria: Criteria


class Hang(Exception):
    """There was no answer in time."""


def planted() -> tuple[str, ...]:
    """The rules that can be taken out of what the kit tests."""
    return tuple(rule.id for rule in RULES if rule.id not in ELSEWHERE)


@contextmanager
def without(rule: str) -> Iterator[None]:
    """Our judge without a rule; inside itself it changes nothing."""
    module = vars(rules)
    table = module["RULES"]
    left = tuple(row for row in table if row.id != rule)
    if len(left) == len(table):  # it is out already, or there is no such rule
        yield
        return
    _judge_by(left)
    try:
        yield
    finally:
        _judge_by(table)


def _judge_by(table: tuple[Rule, ...]) -> None:
    """Have our judge know these rules only."""
    vars(rules)["RULES"] = table
    rules._rules_on.cache_clear()
    rules._rules_on_entries.cache_clear()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """A bound on processor time, in the main thread.

    Raises:
        Hang: It is over.
    """

    def late(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def name(path: str, format: str, profile: str, rule: str) -> dict[str, Any]:
    """Our validator without a rule, as a Python target; see `readers.name`."""
    with without(rule):
        return readers.name(path, format, profile)


@dataclass(frozen=True)
class Validator:
    """Our validator without a rule, as a target in this process."""

    rule: str
    profile: str

    def run(self, image: Path, format: str) -> Outcome:
        """Judge an image."""
        try:
            with within(SECONDS):
                found = name(str(image), format, self.profile, self.rule)
        except Hang:
            return Outcome("hang", f"more than {SECONDS:g} s")
        answer: Any = REJECTS if found["verdict"] == "reject" else ACCEPTS
        return Outcome(answer, rules=tuple(found["rules"]))

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Reader:
    """Our reader without a rule, as a target in this process."""

    rule: str
    secret: str | None = None

    def run(self, image: Path, format: str) -> Outcome:
        """Read an image; where that fails by the rule, give bytes all the same."""
        try:
            return Outcome("accepts", content=readers.read(str(image), format, self.secret))
        except QcowError as error:
            found = SIGNS.get(self.rule, self.rule) == error.rule
            return Outcome("accepts" if found else "rejects", str(error))

    def close(self) -> None:
        """Nothing is open."""


DISTINCT = tuple({refused_by(each): each for each in reversed(JUDGES)}.values())[::-1]
"""The profiles of the kit, without each version of QEMU that has the rules of a newer one."""


def caught(rule: str, kit: Path, rows: Sequence[Row]) -> Caught | None:
    """How a kit sees that our validator, or our reader, lacks a rule; None if it does not.

    Args:
        rule: The rule.
        kit: The kit's folder.
        rows: Its cases, as `scoring.cases` reads them.
    """
    about = sorted((row for row in rows if _is_about(row, rule)), key=lambda row: row["length"])
    with without(rule) if rule not in READ else nullcontext():
        for criteria, target in _runs(rule):
            for mark in scoring.marks(about, kit, criteria, [target]):
                if mark.kind not in (None, RIGHT):
                    return Caught(rule, mark.row["id"], str(mark.kind), criteria)
    return None


def _runs(rule: str) -> Iterator[tuple[Criteria, Target]]:
    """How a reader without a rule is run: by its verdicts alone first, then by what it names.

    The profiles that refuse an image for the rule come first: it seldom shows in the others.
    """
    if rule in READ:
        yield Criteria(reads=True, format_given=True), Reader(rule)
        yield Criteria(reads=True, format_given=True, unlocks=True), Reader(rule, SECRET)
        return
    profiles = sorted(DISTINCT, key=lambda profile: rule not in refused_by(profile))
    for names in (None, ALL):
        for profile in profiles:
            yield Criteria(profile, format_given=True, names=names), Validator(rule, profile)


def _is_about(row: Row, rule: str) -> bool:
    """Whether a case can come out differently without a rule."""
    if rule in READ:
        return row["why"] == rule or row["secret"] is not None
    return rule in row["broken"]
