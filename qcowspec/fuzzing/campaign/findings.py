"""Findings of a campaign: one for each kind of fault, rule and signature.

In: what was expected, and what the reader did. Out: `Finding`s, and folders that hold them, each
with a build spec. Refuses: nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from qcowspec.fuzzing.campaign.oracle import EITHER, Expected
from qcowspec.fuzzing.campaign.outcomes import FAULTS, Outcome
from qcowspec.fuzzing.drafts import Change
from qcowspec.fuzzing.vectors import ACCEPTS
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
"""The kinds of finding, and the cause that is reported for each."""


NOTHING = "it gives no bytes"
"""The signature of wrong bytes, if the reader gives none at all."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a finding: two findings with one key are one.

    Attributes:
        kind: One of `KINDS`.
        rule: The rule that the image breaks, if any; a fault of a known place has none.
        signature: The reader's message, without what differs from image to image; of wrong bytes
            the seed, which has the features that are read wrongly.
    """

    kind: str
    rule: str | None
    signature: str

    @property
    def slug(self) -> str:
        """The name of the finding's folder."""
        digest = sha256(repr((self.kind, self.rule, self.signature)).encode()).hexdigest()[:8]
        words = re.sub(r"[^a-z0-9]+", "-", (self.rule or self.signature).lower()).strip("-")
        return f"{self.kind}-{words[:48]}-{digest}".replace("--", "-")


@dataclass(slots=True)
class Finding:
    """A fault of a reader.

    Attributes:
        key: The key.
        cause: The cause, in one line.
        seed: The name of the image that was changed.
        changes: The fewest changes that show the fault.
        number: The number of the first mutant that showed it.
        count: The number of mutants that have shown it.
        folder: The name of its folder.
    """

    key: Key
    cause: str
    seed: str
    changes: tuple[Change, ...]
    number: int
    count: int = 1
    folder: str = ""

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
    """The key of the finding that an outcome is; None if the reader is right.

    `seed` is the signature of wrong bytes.
    """
    if outcome.answer in FAULTS:
        rule = None if outcome.place else expected.rule
        return Key(outcome.answer, rule, outcome.signature)
    if expected.answer == EITHER:
        return None
    if outcome.answer != expected.answer:
        kind = "rejected" if expected.answer == ACCEPTS else "accepted"
        return Key(kind, expected.rule, outcome.signature)
    if expected.content is None or expected.content == outcome.content:
        return None
    nothing = outcome.content is None or outcome.length == 0
    return Key("wrong-bytes", None, NOTHING if nothing else seed)


def cause_of(key: Key, outcome: Outcome) -> str:
    """A finding's cause in one line."""
    return KINDS[key.kind].format(
        rule=key.rule, detail=outcome.detail or "without a word", signature=key.signature
    )


def store(
    finding: Finding, folder: Path, image: bytes, suffix: str, spec: str, reproduce: Sequence[str]
) -> None:
    """Write a finding into a folder of its own: image, build spec, description and commands.

    Args:
        finding: The finding.
        folder: Where findings are kept.
        image: The smallest image that shows it.
        suffix: The suffix of the image's name.
        spec: The image's build spec, as YAML.
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
    """Text on one line, without control characters."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def spec_of(seed: str, changes: Iterable[Change], *, own: bool) -> str:
    """A build spec, as YAML, that gives the seed with the changes, byte for byte.

    Args:
        seed: The name of a base of the test vectors, or the path of a user's image; the spec has
            the whole path.
        changes: The changes, in order.
        own: Whether the seed is such a base.
    """
    base: Any = seed if own else {"file": os.path.abspath(seed) if os.path.isfile(seed) else seed}
    spec = {"base": base, "patch": [_operation(change) for change in changes]}
    text: str = yaml.safe_dump(spec, sort_keys=False, width=100)
    return text


def _operation(change: Change) -> dict[str, Any]:
    """A change as an operation of `qcowspec.fuzzing.patches`; the field's name is a comment."""
    if not change.new:
        return {"truncate": change.offset}
    operation: dict[str, Any] = {"at": change.offset, "hex": change.new.hex()}
    return operation if change.path is None else {**operation, "is": change.path}
