"""Expects what a reader should do with an image, by the rules of a profile.

In: an image's bytes. Out: `Expected`. Refuses: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from qcowspec.errors import QcowError, Refused
from qcowspec.fuzzing.campaign.worker import MOST_CONTENT
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS
from qcowspec.image import open as open_image
from qcowspec.reader.machine import strict
from qcowspec.transfer.digests import disk_sha256

EITHER = "either"
"""Expected where the right answer is not known: only a fault is a finding then."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer that a reader should give.

    Attributes:
        answer: ``accepts``, ``rejects`` or ``either``.
        rule: The rule for which the image is rejected.
        content: SHA-256 of the guest's bytes, if they are compared.
    """

    answer: str
    rule: str | None = None
    content: str | None = None


class Oracle:
    """Judges mutants by a profile, and with `reads` reads their guest bytes too.

    They are compared, unless `compares` is false: then it only counts whether they can be read.
    """

    def __init__(self, profile: str, *, reads: bool = False, compares: bool = True) -> None:
        self.profile = profile
        self.reads, self.compares = reads, compares
        self._policy = strict(profile)

    def expect(self, data: bytes, format: str | None = None) -> Expected:
        """The right answer; if several rules are broken, `rule` is one of them."""
        found = judge(data, format, self._policy, brief=True)
        first = found.judge.first(self.profile)
        if found.format is None:
            first = found.judge.first("spec") or next(iter(found.judge.findings), None)
        if first is not None:
            return Expected(REJECTS, first.rule)
        return self._read(data, format) if self.reads else Expected(ACCEPTS)

    def _read(self, data: bytes, format: str | None) -> Expected:
        try:
            with open_image(data, format=format) as image:
                if image.size > MOST_CONTENT:
                    return Expected(EITHER)
                content = disk_sha256(image)
                return Expected(ACCEPTS, content=content if self.compares else None)
        except Refused:  # it names a second file, which is not there
            return Expected(EITHER)
        except QcowError as error:
            return Expected(REJECTS, error.rule or error.kind)
