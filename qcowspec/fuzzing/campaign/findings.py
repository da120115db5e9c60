"""What a campaign found: one entry for each kind of fault, rule and signature.

In: what was expected, and what came. Out: `Finding`s, and folders that hold them. Refuses: nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from qcowspec.fuzzing.campaign.oracle import ACCEPTS, EITHER, Expected
from qcowspec.fuzzing.campaign.outcomes import FAULTS, Outcome
from qcowspec.fuzzing.drafts import Change
from qcowspec.transfer.files import write_bytes

KINDS = {
    "accepted": "accepts what breaks {rule}",
    "rejected": "rejects what is sound: {detail}",
    "wrong-bytes": "reads other bytes than are there: {signature}",
    "crash": "crashes: {detail}",
    "sanitizer": "is caught by a sanitizer: {detail}",
    "hang": "gives no answer: {detail}",
    "memory": "takes too much memory: {detail}",
}
"""The kinds of finding, and the cause of each in a few words."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two findings one.

    Attributes:
        kind: One of `KINDS`.
        rule: The rule that the image breaks, if any.
        signature: What the reader said, without what differs from image to image; of wrong bytes
            the seed, which has the features that are read wrongly.
    """

    kind: str
    rule: str | None
    signature: str

    @property
    def slug(self) -> str:
        """A folder's name."""
        digest = sha256(repr((self.kind, self.rule, self.signature)).encode()).hexdigest()[:8]
        words = re.sub(r"[^a-z0-9]+", "-", (self.rule or self.signature).lower()).strip("-")
        return f"{self.kind}-{words[:48]}-{digest}".replace("--", "-")


@dataclass(slots=True)
class Finding:
    """A fault of a reader, as small as it was made.

    Attributes:
        key: What it is.
        cause: One line.
        seed: The image that it is made from.
        changes: What was changed in it, the fewest that show it.
        number: The mutant that showed it first.
        count: How many have.
    """

    key: Key
    cause: str
    seed: str
    changes: tuple[Change, ...]
    number: int
    count: int = 1
    folder: str = field(default="")

    def as_json(self) -> dict[str, Any]:
        """The finding with the keys of ``finding.json``."""
        return {
            "kind": self.key.kind,
            "rule": self.key.rule,
            "signature": self.key.signature,
            "cause": self.cause,
            "seed": self.seed,
            "changes": [change.as_json() for change in self.changes],
            "mutant": self.number,
            "count": self.count,
        }


def key_of(expected: Expected, outcome: Outcome, seed: str = "") -> Key | None:
    """What an outcome shows; None where it is as it should be.

    Args:
        expected: What should have come.
        outcome: What came.
        seed: What the image is made from: wrong bytes say nothing else of themselves.
    """
    if outcome.answer in FAULTS:
        return Key(outcome.answer, expected.rule, outcome.signature)
    if expected.answer == EITHER:
        return None
    if outcome.answer != expected.answer:
        kind = "rejected" if expected.answer == ACCEPTS else "accepted"
        return Key(kind, expected.rule, outcome.signature)
    if expected.content and outcome.content and expected.content != outcome.content:
        return Key("wrong-bytes", None, seed)
    return None


def cause_of(key: Key, outcome: Outcome) -> str:
    """A finding's cause in one line."""
    return KINDS[key.kind].format(
        rule=key.rule, detail=outcome.detail or "without a word", signature=key.signature
    )


def store(
    finding: Finding, folder: Path, image: bytes, suffix: str, spec: str, reproduce: Sequence[str]
) -> None:
    """Write a finding: the image, its build spec, and what it is.

    Args:
        finding: What was found.
        folder: Where findings are kept.
        image: The smallest image that shows it.
        suffix: What the image's name ends with.
        spec: Its build spec, as YAML.
        reproduce: The commands that show it again.
    """
    place = folder / finding.key.slug
    place.mkdir(parents=True, exist_ok=True)
    finding.folder = place.name
    script = "\n".join(["#!/bin/sh", f"# {printable(finding.cause)}", *reproduce, ""])
    text = json.dumps(finding.as_json() | {"reproduce": list(reproduce)}, indent=2) + "\n"
    write_bytes(str(place / f"image{suffix}"), image)
    write_bytes(str(place / "spec.yaml"), spec.encode())
    write_bytes(str(place / "reproduce.sh"), script.encode())
    write_bytes(str(place / "finding.json"), text.encode())


def printable(text: str) -> str:
    """A reader's words on one line, and nothing that a terminal or a shell takes for an order."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def spec_of(seed: str, changes: Iterable[Change], *, own: bool) -> str:
    """A build spec, as YAML, that gives the seed with the changes, byte for byte.

    Args:
        seed: The name of a base of the test vectors, or the path of a user's image.
        changes: What is changed, in order.
        own: Whether the seed is such a base.
    """
    base: Any = seed if own else {"file": seed}
    spec = {"base": base, "patch": [_operation(change) for change in changes]}
    text: str = yaml.safe_dump(spec, sort_keys=False, width=100)
    return text


def _operation(change: Change) -> dict[str, Any]:
    """A change as an operation of `qcowspec.fuzzing.patches`; a field's name is a remark."""
    if not change.new:
        return {"truncate": change.offset}
    operation: dict[str, Any] = {"at": change.offset, "hex": change.new.hex()}
    return operation if change.path is None else {**operation, "is": change.path}
