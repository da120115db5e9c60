"""Judges images in memory for all profiles at once.

In: an image. Out: a `Judgement`. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from qcow_parsers.catalogue import RULES

from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import ALL_ENTRIES, Machine, Policy, State
from qcowspec.sources.memory import Memory
from qcowspec.spec.metadata import Format
from qcowspec.spec.profiles import PROFILES, refused_by, reported_by
from qcowspec.spec.rules import Judge

QEMU = "qemu"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The findings of a judge, and the format that the image was judged as.

    `format` is None if the probe found no QCOW image.
    """

    format: str | None
    judge: Judge

    def verdict(self, profile: str) -> str:
        """The verdict of a profile: ``accepts`` or ``rejects``."""
        refused = self.format is None or self.judge.first(profile) is not None
        return REJECTS if refused else ACCEPTS

    def verdicts(self, profiles: Iterable[str] = PROFILES) -> dict[str, str]:
        """The verdict of each profile."""
        return {profile: self.verdict(profile) for profile in profiles}

    def broken(self, profiles: Iterable[str] = PROFILES) -> tuple[str, ...]:
        """The ids of the broken rules that any of the profiles refuses or reports, in order."""
        counting = {rule for profile in profiles for rule in counting_for(profile)}
        return ordered(counting & {found.rule for found in self.judge.findings})

    def first(self, profile: str = QEMU) -> str | None:
        """The id of the rule that a profile reports; None if it accepts."""
        found = self.judge.first(profile)
        return None if found is None else found.rule


def counting_for(profile: str) -> frozenset[str]:
    """The ids of the rules that a profile refuses or reports."""
    return refused_by(profile) | reported_by(profile)


def never(state: State, judge: Judge) -> bool:
    """The policy that rejects nothing, so that all that can be read is read."""
    return False


def judge(
    image: bytes, format: str | None = None, policy: Policy = never, *, brief: bool = False
) -> Judgement:
    """Judge an image; the probe decides what it is, unless the format is given.

    Args:
        image: Its bytes.
        format: ``qcow`` or ``qcow2``.
        policy: When to stop; unless it stops earlier, the entries of all tables are judged.
        brief: Whether findings have no more than their rules, and entries are not judged.
    """
    chosen = None if format is None else Format(format)
    entries = 0 if brief else ALL_ENTRIES
    machine = Machine(policy, format=chosen, length=len(image), brief=brief, entries=entries)
    drive(machine, Memory(image))
    found = machine.image.format
    return Judgement(None if found is None else str(found), machine.judge)


def ordered(rules: Collection[str]) -> tuple[str, ...]:
    """Rule ids in the order of the catalogue."""
    return tuple(rule.id for rule in RULES if rule.id in rules)
