"""What should come of an image, by a profile's rules.

In: an image's bytes. Out: `Expected`. Refuses: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from qcowspec.errors import QcowError, Refused
from qcowspec.fuzzing.campaign.worker import MOST_CONTENT
from qcowspec.fuzzing.judging import judge
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import Machine, strict
from qcowspec.sources.memory import Memory
from qcowspec.spec.metadata import Format
from qcowspec.spec.rules import Finding

ACCEPTS, REJECTS = "accepts", "rejects"

EITHER = "either"
"""What is expected where it was not found out: only a fault is a finding then."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What should come of an image.

    Attributes:
        answer: ``accepts``, ``rejects`` or ``either``.
        rule: The rule for which it is refused.
        content: SHA-256 of the guest's bytes, where they are compared.
    """

    answer: str
    rule: str | None = None
    content: str | None = None


class Oracle:
    """Judges mutants by a profile, and in read mode reads them.

    Attributes:
        profile: Whose verdict counts.
        reads: Whether the guest's bytes are compared.
    """

    def __init__(self, profile: str, *, reads: bool = False) -> None:
        self.profile = profile
        self.reads = reads
        self._policy = strict(profile)

    def expect(self, data: bytes, format: str | None = None) -> Expected:
        """What should come of an image, quickly: the rule is one that is broken."""
        first = self._first(data, format)
        if first is not None:
            return Expected(REJECTS, first.rule)
        return self._read(data, format) if self.reads else Expected(ACCEPTS)

    def reason(self, data: bytes, format: str | None = None) -> str | None:
        """The rule that the profile reports, as the profile orders them; None if it accepts."""
        return judge(data, format).first(self.profile)

    def _first(self, data: bytes, format: str | None) -> Finding | None:
        chosen = None if format is None else Format(format)
        machine = Machine(self._policy, format=chosen, length=len(data), brief=True)
        drive(machine, Memory(data))
        if machine.image.format is None:
            return machine.judge.first("spec") or next(iter(machine.judge.findings), None)
        return machine.judge.first(self.profile)

    def _read(self, data: bytes, format: str | None) -> Expected:
        from qcowspec.image import open as open_image

        try:
            with open_image(data, format=format) as image:
                if image.size > MOST_CONTENT:
                    return Expected(EITHER)
                return Expected(ACCEPTS, content=_digest(image))
        except Refused:  # a second file is asked for, and no reader is told where it is
            return Expected(EITHER)
        except QcowError as error:
            return Expected(REJECTS, error.rule or error.kind)


def _digest(image: object) -> str:
    """SHA-256 of all that the guest sees."""
    read = image.pread  # type: ignore[attr-defined]
    size, step, digest = image.size, 1 << 22, sha256()  # type: ignore[attr-defined]
    for offset in range(0, size, step):
        digest.update(read(offset, min(step, size - offset)))
    return digest.hexdigest()
