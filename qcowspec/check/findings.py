"""What a check finds, like put to like.

In: places at fault, many at a time. Out: one `Group` a rule: how many, and some of them. Refuses:
to keep more than it was asked to: a hostile image has as many faults as it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from qcow_parsers.catalogue import Rule

from qcowspec.check.effects import EFFECTS, Effect
from qcowspec.rules import BY_ID

SHOWN = 8
"""Places that are kept of each rule where nothing else is asked for."""

Progress = Callable[[str, int, int], None]
"""Is told what is gone through (``tables``, ``compressed clusters``, ``owners``), how many of them
were, and how many there are: an estimate."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A structure, or an entry, that has a cluster.

    Attributes:
        path: Its path, as a dump shows it, such as ``l1_table`` or ``l2_tables[3][17]``.
        guest: Guest offset of what it maps there, in bytes; None where it maps nothing.
    """

    path: str
    guest: int | None = None


@dataclass(slots=True)
class Fault:
    """One place at fault.

    Attributes:
        path: The structure and index, as a dump shows them, such as ``l2_tables[3][17]``.
        offset: Where that stands in the image file, in bytes: a byte that the file has.
        value: What stands there; 0 for a refcount that stands nowhere, None for what is no number.
        cluster: Host offset of the cluster that it is about, in bytes; None where there is none.
        expected: What the rule would have there, where it is a number.
        guest: Guest offset of the cluster that it is about, in bytes; None where it maps none.
        note: What else there is to say, in a few words; empty if nothing.
        owners: What has the cluster; filled in by `explain`.
    """

    path: str
    offset: int
    value: int | None
    cluster: int | None = None
    expected: int | None = None
    guest: int | None = None
    note: str = ""
    owners: tuple[Owned, ...] = ()


@dataclass(slots=True)
class Group:
    """All that breaks one rule.

    Attributes:
        rule: The rule.
        effect: What it counts as.
        count: How often it is broken, as QEMU counts.
        faults: Some of the places.
    """

    rule: Rule
    effect: Effect
    count: int = 0
    faults: list[Fault] = field(default_factory=list)


class Findings:
    """The groups of one check, in the order in which they came up."""

    def __init__(self, shown: int | None = SHOWN) -> None:
        """Keep at most `shown` places a rule; all of them for None."""
        self.shown = shown
        self._groups: dict[str, Group] = {}

    def add(self, rule: str, count: int, faults: Iterable[Fault]) -> None:
        """Add what breaks a rule.

        Args:
            rule: The rule's id.
            count: How often it is broken; nothing happens for 0.
            faults: The places; looked at only as far as some are still to be kept.
        """
        if not count:
            return
        group = self._groups.get(rule)
        if group is None:
            group = self._groups[rule] = Group(BY_ID[rule], EFFECTS[rule])
        group.count += count
        if self.shown is None:
            group.faults.extend(faults)
        elif (room := self.shown - len(group.faults)) > 0:
            group.faults.extend(islice(faults, room))

    def count(self, effect: Effect) -> int:
        """How often rules of one effect are broken."""
        return sum(group.count for group in self if group.effect is effect)

    def of(self, *effects: Effect) -> list[Group]:
        """The groups of some effects."""
        return [group for group in self if group.effect in effects]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def __len__(self) -> int:
        return len(self._groups)
