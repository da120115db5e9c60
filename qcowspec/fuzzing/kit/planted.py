"""Planted bugs: our own validator and reader with one rule taken out, and whether the kit sees it.

In: a rule's id. Out: the cases that tell. Refuses: nothing.

A row is taken out of the judge's table, and cases that break its rule are judged anew: no other
case can come out differently. Rules that only reading decides are taken out of the reader: where it
would fail by that rule, it gives zeros. A rule of neither kind is not the kit's: see `ELSEWHERE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from qcow_parsers.catalogue import RULES

from qcowspec import rules
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.kit.cases import Case, everything
from qcowspec.fuzzing.kit.expectations import FAILS, PROFILES, Expectation, on_record
from qcowspec.predicates import UNDECIDED

LATER = ("check", "write", None)
"""When QEMU looks at a rule that neither opening nor reading decides; None where it never does."""

ELSEWHERE = frozenset(rule.id for rule in RULES if rule.id in UNDECIDED and rule.qemu.when in LATER)
"""Rules that only a check, a rewrite or a stream decides: no verdict and no byte tells of them."""


LOCKED: Mapping[str, tuple[str, bool]] = {
    "encryption/v1-key": ("qcow", True),
    "encryption/aes-key": ("qcow2", True),
    "encryption/luks-key": ("qcow2", False),
}
"""Rules by which a reader without the passphrase fails: on images of what format, AES or LUKS."""


@dataclass(frozen=True, slots=True)
class Caught:
    """How the kit sees that a rule is missing.

    Attributes:
        rule: The rule.
        verdict: A case whose verdict, or whose reading, is another without the rule.
        reason: If there is none: one that is refused all the same, with fewer rules named.
    """

    rule: str
    verdict: str | None = None
    reason: str | None = None


def planted() -> tuple[str, ...]:
    """The rules that can be taken out of what the kit tests."""
    return tuple(rule.id for rule in RULES if rule.id not in ELSEWHERE)


@contextmanager
def without(rule: str) -> Iterator[None]:
    """Our judge without a rule."""
    module = vars(rules)
    table = module["RULES"]
    module["RULES"] = tuple(row for row in table if row.id != rule)
    rules._rules_on.cache_clear()
    try:
        yield
    finally:
        module["RULES"] = table
        rules._rules_on.cache_clear()


def caught(rule: str) -> Caught:
    """What the kit sees of our validator, or of our reader, without a rule."""
    if rule in UNDECIDED:
        # A reader that does not know it gives bytes, where it has to fail for it alone.
        for case in everything() if rule in LOCKED else ():
            if LOCKED[rule] == (case.format, case.aes) and case.secret is not None:
                return Caught(rule, case.id)
        failing = (case.id for case in _about()[rule] if on_record()[case.id].read == FAILS)
        return Caught(rule, next(failing, None))
    reason = None
    with without(rule):
        for case in _about()[rule]:
            expected = on_record()[case.id]
            found = judge(_image(case), case.format)
            if found.verdicts(PROFILES) != dict(expected.verdict):
                return Caught(rule, case.id)
            if found.broken(PROFILES) != expected.rules:
                reason = reason or case.id
    return Caught(rule, None, reason)


@cache
def _about() -> Mapping[str, tuple[Case, ...]]:
    """The cases that break each rule, the smallest images first."""
    found: dict[str, list[Case]] = {rule.id: [] for rule in RULES}
    for case in everything():
        for rule in _breaks(case, on_record()[case.id]):
            found[rule].append(case)
    return {
        rule: tuple(sorted(cases, key=lambda case: on_record()[case.id].length))
        for rule, cases in found.items()
    }


def _breaks(case: Case, expected: Expectation) -> set[str]:
    late = (expected.why, case.rule if case.fails and expected.read == FAILS else None)
    return {*expected.rules, *(rule for rule in late if rule is not None)}


KEPT: dict[str, bytes] = {}
SMALL = 1 << 20


def _image(case: Case) -> bytes:
    """A case's image; small ones are kept, because several rules ask for them."""
    data = KEPT.get(case.id)
    if data is None:
        data = case.image()
        if len(data) <= SMALL:
            KEPT[case.id] = data
    return data
