"""What qcowspec makes of an image in memory, for all profiles at once.

In: the bytes of an image. Out: a `Judgement`. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from qcow_parsers.catalogue import RULES

from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import ALL_ENTRIES, Machine, State
from qcowspec.sources.memory import Memory
from qcowspec.spec.metadata import Format
from qcowspec.spec.profiles import PROFILES, refused_by, reported_by
from qcowspec.spec.rules import Judge

QEMU = "qemu"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in an image.

    Attributes:
        format: The format that it was taken for; None if it is no QCOW image.
        judge: The findings.
    """

    format: str | None
    judge: Judge

    def verdict(self, profile: str) -> str:
        """What a profile makes of it: ``accepts`` or ``rejects``."""
        refused = self.format is None or self.judge.first(profile) is not None
        return REJECTS if refused else ACCEPTS

    def verdicts(self, profiles: Iterable[str] = PROFILES) -> dict[str, str]:
        """What each profile makes of it."""
        return {profile: self.verdict(profile) for profile in profiles}

    def broken(self, profiles: Iterable[str] = PROFILES) -> tuple[str, ...]:
        """The ids of the broken rules that any of the profiles refuses or reports, in order."""
        counting = {rule for profile in profiles for rule in counting_for(profile)}
        return ordered(counting & {found.rule for found in self.judge.findings})

    def first(self, profile: str = QEMU) -> str | None:
        """The id of the rule that a profile reports."""
        found = self.judge.first(profile)
        return None if found is None else found.rule


def counting_for(profile: str) -> frozenset[str]:
    """The ids of the rules that a profile refuses or reports."""
    return refused_by(profile) | reported_by(profile)


def judge(image: bytes, format: str | None = None) -> Judgement:
    """Judge an image, reading all that can be read of it.

    Args:
        image: Its bytes.
        format: What to take it for; None if the probe decides.
    """
    chosen = None if format is None else Format(format)
    machine = Machine(never, format=chosen, length=len(image), entries=ALL_ENTRIES)
    drive(machine, Memory(image))
    found = machine.image.format
    return Judgement(None if found is None else str(found), machine.judge)


def never(state: State, judge: Judge) -> bool:
    """Refuse nothing: all that can be read is read."""
    return False


def ordered(rules: Collection[str]) -> tuple[str, ...]:
    """Ids of rules in the order of the catalogue."""
    return tuple(rule.id for rule in RULES if rule.id in rules)
