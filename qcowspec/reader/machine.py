"""The state machine that opens an image.

In: bytes, as they are asked for. Out: `Metadata` and the findings. Refuses: what its policy
refuses.

Everything about transitions stands in `NEXT`; nothing outside this module changes a state. The
machine is sans-I/O: `Machine.need` says which bytes it wants, `Machine.feed` hands them over. It
never opens, reads or awaits, so one machine serves files, sockets and tests that feed byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from qcowspec.reader import backing, bitmaps, clusters, extensions, header, probe, tables
from qcowspec.reader.needs import Need, Reading, Window
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.rules import Finding, Judge


class State(StrEnum):
    """Where the machine is."""

    PROBE = "PROBE"
    HEADER = "HEADER"
    EXTENSIONS = "EXTENSIONS"
    L1 = "L1"
    REFCOUNTS = "REFCOUNTS"
    SNAPSHOTS = "SNAPSHOTS"
    BITMAPS = "BITMAPS"
    CLUSTERS = "CLUSTERS"
    BACKING = "BACKING"
    READY = "READY"
    REJECTED = "REJECTED"


class Event(StrEnum):
    """How a stage ended."""

    V1 = "v1"  # done, and the image is QCOW version 1
    V2 = "v2/v3"  # done, and the image is QCOW version 2 or 3
    NOT_QCOW = "not-qcow"  # no QCOW driver claims the file
    LOST = "lost"  # what follows cannot be located
    REFUSED = "refused"  # the policy refuses the image


NEXT: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.PROBE: {
            Event.V1: State.HEADER,
            Event.V2: State.HEADER,
            Event.NOT_QCOW: State.REJECTED,
            Event.REFUSED: State.REJECTED,
        },
        State.HEADER: {
            Event.V1: State.L1,
            Event.V2: State.EXTENSIONS,
            Event.LOST: State.REJECTED,
            Event.REFUSED: State.REJECTED,
        },
        State.EXTENSIONS: {Event.V2: State.L1, Event.REFUSED: State.REJECTED},
        State.L1: {
            Event.V1: State.CLUSTERS,
            Event.V2: State.REFCOUNTS,
            Event.REFUSED: State.REJECTED,
        },
        State.REFCOUNTS: {Event.V2: State.SNAPSHOTS, Event.REFUSED: State.REJECTED},
        State.SNAPSHOTS: {Event.V2: State.BITMAPS, Event.REFUSED: State.REJECTED},
        State.BITMAPS: {Event.V2: State.CLUSTERS, Event.REFUSED: State.REJECTED},
        State.CLUSTERS: {
            Event.V1: State.BACKING,
            Event.V2: State.BACKING,
            Event.REFUSED: State.REJECTED,
        },
        State.BACKING: {
            Event.V1: State.READY,
            Event.V2: State.READY,
            Event.REFUSED: State.REJECTED,
        },
    }
)
"""Every transition. A state without a row is final."""

ALL_ENTRIES = clusters.WORK
"""For `Machine`: judge the entries of all L2 tables."""

Stage = Callable[[Metadata, Window, Judge], Reading[bool]]

STAGES: Mapping[State, Stage] = MappingProxyType(
    {
        State.PROBE: probe.read,
        State.HEADER: header.read,
        State.EXTENSIONS: extensions.read,
        State.L1: tables.read_l1,
        State.REFCOUNTS: tables.read_refcounts,
        State.SNAPSHOTS: tables.read_snapshots,
        State.BITMAPS: bitmaps.read,
        State.CLUSTERS: clusters.read,
        State.BACKING: backing.read,
    }
)
"""What runs in each state; it returns False if what follows cannot be located."""

Policy = Callable[[State, Judge], bool]
"""Asked after each stage: is the image refused here?"""


def strict(profile: str) -> Policy:
    """Refuse as soon as a rule of the profile is broken."""
    return lambda state, judge: judge.first(profile) is not None


def thorough(profile: str) -> Policy:
    """Read all that can be read, so that every finding is known, and refuse at the end."""
    return lambda state, judge: state is State.BACKING and judge.first(profile) is not None


class Machine:
    """Opens one image.

    Attributes:
        state: Where it is; READY or REJECTED when it is done.
        need: The bytes it wants now; None when it is done.
        image: What it has read.
        judge: What it has found.
        is_stated: Whether the format was stated; if not, the probe decides.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        format: str | None = None,
        length: int | None = None,
        brief: bool = False,
        entries: int = 0,
        salvage: bool = False,
    ) -> None:
        """Begin.

        Args:
            policy: Whether the image is refused, asked after each stage.
            format: ``qcow`` or ``qcow2``, where the probe is not to decide.
            length: Bytes of the image file; None of a stream.
            brief: Whether findings hold no more than their rule.
            entries: Bytes of L2 tables that are read at most, to judge the entries of all tables;
                0 to judge none, `ALL_ENTRIES` for as many as an image has.
            salvage: Pass over features that are not known.

        Raises:
            ValueError: There is no such format.
        """
        self.state = State.PROBE
        self.is_stated = format is not None
        if format not in (None, *Format):
            raise ValueError(f"format is {format!r}; it is one of {', '.join(Format)}")
        chosen = None if format is None else Format(format)
        self.image = Metadata(format=chosen, length=length, entries=entries, salvage=salvage)
        self.judge = Judge(self.image, brief=brief)
        self._policy = policy
        self._work = self._run()
        self.need: Need | None = next(self._work)

    @property
    def findings(self) -> list[Finding]:
        """The broken rules, in the order in which the stages met them."""
        return self.judge.findings

    def feed(self, data: bytes) -> None:
        """Hand over the bytes of `need`; fewer only where the file ends.

        Raises:
            ValueError: Nothing was asked for, or more came than was.
        """
        if self.need is None or len(data) > self.need.length:
            raise ValueError(f"the machine asked for {self.need}, and was fed {len(data)} bytes")
        try:
            self.need = self._work.send(data)
        except StopIteration:
            self.need = None

    def _run(self) -> Reading[None]:
        window = Window()
        while self.state in STAGES:
            sound = yield from STAGES[self.state](self.image, window, self.judge)
            event = self._event(sound)
            self.state = NEXT[self.state][event]

    def _event(self, sound: bool) -> Event:
        if self.image.format is None:
            return Event.NOT_QCOW
        if not sound and Event.LOST in NEXT[self.state]:
            return Event.LOST
        if self._policy(self.state, self.judge):
            return Event.REFUSED
        return Event.V1 if self.image.format is Format.QCOW else Event.V2
