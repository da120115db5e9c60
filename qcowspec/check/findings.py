"""What a check finds, by rule.

In: places at fault, many at a time. Out: one `Group` a rule: how many, and some of them. Refuses:
to keep more than it was asked to: a hostile image has as many faults as it likes. A `Sink` takes
them all, one by one, as they are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from qcow_parsers.catalogue import Check, Effect, Rule

from qcowspec.check.figures import OK
from qcowspec.spec.profiles import notices
from qcowspec.spec.rules import BY_ID

SHOWN = 8
"""Places that are kept of each rule where nothing else is asked for."""

Progress = Callable[[str, int, int], None]
"""Takes what is gone through (``tables``, ``compressed clusters``, ``owners``), how many of them
are done, and how many there are: an estimate."""


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


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
        offset: Its host offset, in bytes; within the file.
        value: The entry, field or refcount; 0 for a refcount without a block, None for text.
        cluster: Host offset of the cluster that it is about, in bytes; None where there is none.
        expected: What the rule would have there, where it is a number.
        guest: Guest offset of the cluster that it is about, in bytes; None where it maps none.
        note: Further facts, in a few words; empty if there are none.
        owners: What has the cluster; filled in by `explain`.
        count: How many neighbours it represents: itself, and those up to `last`.
        last: The last of them; None for a single one. From each to the next the
            cluster grows by one cluster, or stays; so do the guest offset and the value.
    """

    path: str
    offset: int
    value: int | None
    cluster: int | None = None
    expected: int | None = None
    guest: int | None = None
    note: str = ""
    owners: tuple[Owned, ...] = ()
    count: int = 1
    last: Fault | None = None

    @property
    def end(self) -> Fault:
        """The last of the neighbours that it represents."""
        return self.last or self

    def joins(self, other: Fault, step: int) -> bool:
        """Whether another fault goes on where this one ends; `step` is a cluster, in bytes."""
        end = self.end
        if not step or _grown(end.cluster, step) != other.cluster or other.cluster is None:
            return False
        if (other.expected, other.note) != (end.expected, end.note) or end.owners or other.owners:
            return False
        grows = _grows(end, other)
        if grows not in (0, step) or other.guest != _grown(end.guest, step):
            return False
        return all(
            one.last is None or _grows(one, one.last) == (one.count - 1) * grows
            for one in (self, other)
        )

    def join(self, other: Fault) -> None:
        """Stand for another fault as well, which `joins`."""
        self.last, self.count = other.end, self.count + other.count


def _grown(offset: int | None, step: int) -> int | None:
    """An offset that is a cluster further; None for none."""
    return None if offset is None else offset + step


def _grows(one: Fault, other: Fault) -> int:
    """By how much the value grows from one fault to another."""
    return (other.value or 0) - (one.value or 0)


@dataclass(slots=True)
class Group:
    """All that breaks one rule.

    Attributes:
        rule: The rule.
        check: What its row says of a check.
        count: How often it is broken, as QEMU counts.
        faults: Some of the places; neighbours are one.
        complete: Whether these are all.
    """

    rule: Rule
    check: Check
    count: int = 0
    faults: list[Fault] = field(default_factory=list)
    complete: bool = True

    @property
    def effect(self) -> Effect:
        """What it counts as."""
        return self.check.effect

    @property
    def exit(self) -> int:
        """The exit status that it gives, where nothing else gives another than 0 or 3."""
        return self.check.exit or OK

    @property
    def places(self) -> int:
        """How many places its faults represent."""
        return sum(fault.count for fault in self.faults)


Sink = Callable[[Fault], None]
"""Takes the faults of one rule, one by one."""


class Findings:
    """The groups of one check, in the order in which they came up.

    Attributes:
        shown: Places that are kept of each rule at most; None for all.
        step: Bytes of a cluster: neighbours are that far from each other.
    """

    def __init__(
        self,
        shown: int | None = SHOWN,
        *,
        rule: str | None = None,
        sink: Sink | None = None,
        profile: str = "qemu",
    ) -> None:
        """Keep at most `shown` places a rule; all of them for None.

        Args:
            shown: See `Findings`.
            rule: A rule whose faults are not kept, but handed to `sink`.
            sink: Takes them.
            profile: Whose check it is; a rule that came later is beyond that QEMU.
        """
        self.shown, self.step = shown, 0
        self._profile = profile
        self._groups: dict[str, Group] = {}
        self._rule, self._sink, self._held = rule, sink, list[Fault]()

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
            row = BY_ID[rule]
            assert row.check is not None, rule
            check = row.check
            if row.qemu.since is not None and notices(row, self._profile) is None:
                check = check._replace(effect="beyond-qemu", exit=None)
            group = self._groups[rule] = Group(row, check)
        group.count += count
        if rule == self._rule:
            self._hand_on(faults)
            return
        if not group.complete:
            return
        for fault in faults:
            if group.faults and group.faults[-1].joins(fault, self.step):
                group.faults[-1].join(fault)
            elif self.shown is None or len(group.faults) < self.shown:
                group.faults.append(fault)
            else:
                group.complete = False
                break

    def _hand_on(self, faults: Iterable[Fault]) -> None:
        """Hand faults to the sink, but for the last, which may have neighbours yet."""
        assert self._sink is not None
        for fault in faults:
            if self._held and self._held[0].joins(fault, self.step):
                self._held[0].join(fault)
                continue
            self.settle()
            self._held.append(fault)

    def settle(self) -> None:
        """Hand the last fault to the sink: there are no more."""
        if self._held and self._sink is not None:
            self._sink(self._held.pop())

    def count(self, effect: Effect) -> int:
        """How often rules of one effect are broken."""
        return sum(group.count for group in self if group.effect == effect)

    def has(self, rule: str) -> bool:
        """Whether a rule is broken."""
        return rule in self._groups

    def of(self, *effects: Effect) -> list[Group]:
        """The groups of some effects."""
        return [group for group in self if group.effect in effects]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def __len__(self) -> int:
        return len(self._groups)
