"""Runs a reader on the kit, and scores it.

In: the manifest of a kit, and readers. Out: a `Score`. Refuses: an invalid manifest, as `Unfit`.

A reader that opens answers by its exit status; one that reads also gives the disk's bytes; one that
names rules also says which rules an image breaks. The manifest has the right answers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from queue import SimpleQueue
from typing import Any

from qcow_parsers.catalogue import RULES

from qcowspec.errors import reason_of
from qcowspec.fuzzing.campaign.outcomes import FAULTS, Outcome, Replies
from qcowspec.fuzzing.campaign.targets import FORMAT, Target
from qcowspec.fuzzing.kit.expectations import BYTES
from qcowspec.fuzzing.kit.making import MANIFEST, SCHEMA
from qcowspec.fuzzing.places import Unfit
from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS
from qcowspec.report.verdicts import basis
from qcowspec.report.words import plural
from qcowspec.spec.profiles import VERSIONS, full_name, notices, refused_by

KEY = "{secret}"
"""Placeholder in a command for the passphrase of encrypted images."""

RIGHT = "right"
PRIVATE = (*FAULTS, "ciphertext")
"""Marks that may affect the security of the reader's users: to be reported privately first."""

ANY, ALL = "any", "all"
"""The rules that a reader has to name: one for which the profile rejects the image, or all that are
broken and count for the profile. It may name other broken rules too."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a reader is scored by.

    Attributes:
        profile: The profile whose verdicts are right.
        reads: Whether the reader gives the disk's bytes.
        format_given: Whether it is given the format; if not, it probes.
        unlocks: Whether it is given the passphrase.
        names: `ANY` or `ALL` of the broken rules that it has to name; None for none.
    """

    profile: str = "qemu"
    reads: bool = False
    format_given: bool = False
    unlocks: bool = False
    names: str | None = None

    @staticmethod
    def of(target: str, profile: str, *, reads: bool, names: str | None = None) -> Criteria:
        """The criteria for a target, by the placeholders in its command.

        Raises:
            Unfit: It has to name rules, and is not given the format, for which the kit lists them.
        """
        if names is not None and FORMAT not in target:
            raise Unfit(f"a reader that names rules has to be told the format: {FORMAT}")
        return Criteria(profile, reads, FORMAT in target, KEY in target, names)

    def answer(self, row: Row) -> str | None:
        """The right answer to a case: accept or reject; None if the case is not tested.

        Raises:
            Unfit: The kit has no verdicts of this profile.
        """
        verdicts = row["verdict" if self.format_given else "probed"]
        if self.profile not in verdicts:
            raise Unfit(f"the kit has no verdicts of {self.profile}; it has {', '.join(verdicts)}")
        if verdicts[self.profile] == REJECTS or not self.reads:
            return str(verdicts[self.profile])
        if row["read"] is None:
            return None
        locked = row["secret"] is not None and not self.unlocks
        return ACCEPTS if row["read"] == BYTES and not locked else REJECTS

    def mark(self, row: Row, outcome: Outcome) -> str | None:
        """The mark for an outcome: `RIGHT`, or what is wrong; None if the case is not tested."""
        wanted = self.answer(row)
        if wanted is None:
            return None
        if outcome.answer in FAULTS:
            return outcome.answer
        if outcome.answer == REJECTS and wanted == ACCEPTS:
            return "rejected"
        if outcome.answer == ACCEPTS and wanted == REJECTS:
            opens = row["verdict" if self.format_given else "probed"][self.profile] == ACCEPTS
            return "ciphertext" if opens and row["read"] == BYTES else "accepted"
        if self.reads and wanted == ACCEPTS and outcome.content != row["guest"]["sha256"]:
            return "wrong-bytes"
        return "misnamed" if self.misses(row, outcome) else RIGHT

    def misses(self, row: Row, outcome: Outcome) -> bool:
        """Whether a reader names a rule that is not broken, or leaves out one that it has to name.

        Raises:
            Unfit: The kit is an old one, which has no rules by profile.
        """
        if self.names is None:
            return False
        if self.profile not in (rules := row.get("rules") or {}):
            raise Unfit(f"{row['id']} has no rules of {self.profile}: make the kit anew")
        must, named = set(rules[self.profile]), set(outcome.rules)
        if outcome.answer == REJECTS and row["verdict"][self.profile] == ACCEPTS:
            must = {row["why"]} - {None}  # it opens, and cannot be read
            if not must:
                return False
        if named - must - set(row["broken"]):
            return True
        if self.names == ALL:
            return not must <= named
        return outcome.answer == REJECTS and named.isdisjoint(must)


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of a reader for one case.

    Attributes:
        row: The case, as in the manifest.
        kind: `RIGHT`, or what is wrong; None if the case is not tested.
        detail: The reader's message.
        profile: The profile whose verdict is right.
        named: The rules that the reader named.
    """

    row: Row
    kind: str | None
    detail: str = ""
    profile: str = "qemu"
    named: tuple[str, ...] = ()

    @property
    def private(self) -> bool:
        """Whether to report it privately first: a fault, or an upload that gets past a gate."""
        return self.kind in PRIVATE or (self.kind == "accepted" and self.profile == "untrusted")

    def as_json(self) -> dict[str, Any]:
        """The mark as a finding in the score."""
        row = self.row
        found = {"kind": self.kind, "case": row["id"], "rule": row["rule"]}
        found |= {"feature": row["feature"], "says": row["says"], "detail": self.detail}
        if self.kind == "misnamed":
            found |= {"named": list(self.named), "rules": row["rules"][self.profile]}
        if self.private:
            found["note"] = "report privately first"
        return found


@dataclass
class Score:
    """The marks of a reader, one for each case, in the kit's order; and what it replied."""

    criteria: Criteria
    marks: list[Mark] = field(default_factory=list)
    replies: Replies = field(default_factory=Replies)

    @property
    def asked(self) -> int:
        """The number of cases that were tested."""
        return sum(mark.kind is not None for mark in self.marks)

    @property
    def right(self) -> int:
        """The number of right answers."""
        return sum(mark.kind == RIGHT for mark in self.marks)

    @property
    def findings(self) -> list[Mark]:
        """The marks that are not right."""
        return [mark for mark in self.marks if mark.kind not in (None, RIGHT)]

    def by(self, key: str) -> dict[str, Counter[str]]:
        """The number of each mark, by ``feature`` or ``rule``, in the kit's order."""
        counted: dict[str, Counter[str]] = {}
        for mark in self.marks:
            if mark.kind is not None and mark.row[key] is not None:
                counted.setdefault(mark.row[key], Counter())[mark.kind] += 1
        return counted

    def as_json(self) -> dict[str, Any]:
        """The score, for programs."""
        criteria = self.criteria
        return {
            "schema": "qcowspec.kit-score/1",
            **basis(criteria.profile),
            "reads": criteria.reads,
            "names": criteria.names,
            "cases": len(self.marks),
            "asked": self.asked,
            "right": self.right,
            "kinds": dict(Counter(mark.kind for mark in self.findings)),
            "features": {name: dict(count) for name, count in self.by("feature").items()},
            "rules": {name: dict(count) for name, count in self.by("rule").items()},
            "findings": [mark.as_json() for mark in self.findings],
        }


def given(row: Row, outcome: Outcome) -> str:
    """What a reader gives instead of the guest's bytes."""
    if outcome.content is None:
        return "it gives no bytes"
    size = row["guest"].get("size")
    if outcome.length is None or not isinstance(size, int) or outcome.length == size:
        return "it gives other bytes"
    return f"it gives {plural(outcome.length, 'byte')}; the disk has {size}"


def chosen(case: str, only: Sequence[str], skip: Sequence[str]) -> bool:
    """Whether a case is run: by shell patterns of ids; if `only` is empty, it has all."""
    if any(fnmatchcase(case, each) for each in skip):
        return False
    return not only or any(fnmatchcase(case, each) for each in only)


def cases(folder: Path, only: Sequence[str] = (), skip: Sequence[str] = ()) -> list[Row]:
    """The cases of a kit's manifest.

    Args:
        folder: The folder of the kit.
        only: Shell patterns of ids; if empty, all.
        skip: Shell patterns of ids that are left out.

    Raises:
        Unfit: There is no kit, or it has another schema.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unfit(f"{path} cannot be read: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:
        raise Unfit(f"{path} is no kit's manifest: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise Unfit(f"{path} is no manifest of {SCHEMA}")
    rows = manifest.get("cases")
    if not isinstance(rows, list):
        raise Unfit(f"{path} has no list of cases")
    for index, row in enumerate(rows):
        if not _is_case(row):
            raise Unfit(f"{path}: cases[{index}] is no case as docs/kit.schema.json has them")
    return [row for row in rows if chosen(row["id"], only, skip)]


def judged_by(profile: str, rows: Sequence[Row]) -> list[Row]:
    """The cases with the right answers of any version of QEMU.

    A version that was measured has those of its series. For any other, and in a kit that is older
    than the measurement, the broken rules that count for it decide. A disk that cannot be read for
    a rule that the version lacks is not asked for. Other profiles change nothing.
    """
    if not profile.startswith("qemu@"):
        return list(rows)
    try:
        same = next((each for each in VERSIONS if full_name(each) == full_name(profile)), profile)
        counting = refused_by(profile)
    except ValueError:
        return list(rows)
    lacks = {rule.id for rule in RULES if notices(rule, profile) is None}
    judged = (_judged_by(profile, same, counting, row) for row in rows)
    return [{**row, "read": None} if row.get("why") in lacks else row for row in judged]


def _judged_by(profile: str, same: str, counting: frozenset[str], row: Row) -> Row:
    verdict, probed, rules = row["verdict"], row["probed"], row.get("rules")
    if profile in verdict or not isinstance(rules, dict):
        return row
    if same in verdict:
        keys = ("verdict", "probed", "rules")
        return {**row, **{key: {**row[key], profile: row[key][same]} for key in keys}}
    named = [rule for rule in row["broken"] if rule in counting]
    answer = {profile: REJECTS if named else ACCEPTS}
    # The rules are those of an image whose format is given.
    found = {**probed, **answer} if probed == verdict else probed
    return {
        **row,
        "verdict": {**verdict, **answer},
        "probed": found,
        "rules": {**rules, profile: named},
    }


def _is_case(row: Any) -> bool:
    """Whether a row has all the keys that are used here, of the types in the schema."""
    if not isinstance(row, dict):
        return False
    texts = ("id", "says", "feature", "image", "format")
    if not all(isinstance(row.get(key), str) for key in texts):
        return False
    if not all(
        key in row and isinstance(row[key], str | None) for key in ("rule", "secret", "read")
    ):
        return False
    for verdicts in (row.get("verdict"), row.get("probed")):
        if not isinstance(verdicts, dict):
            return False
        if not all(each in (ACCEPTS, REJECTS) for each in verdicts.values()):
            return False
    image, guest = PurePosixPath(row["image"]), row.get("guest")
    if image.is_absolute() or ".." in image.parts or "\0" in row["image"]:
        return False
    read = isinstance(guest, dict) and isinstance(guest.get("sha256"), str)
    return read or row["read"] != BYTES


def marks(
    rows: Sequence[Row],
    folder: Path,
    criteria: Criteria,
    targets: Sequence[Target],
    replies: Replies | None = None,
) -> Iterator[Mark]:
    """The marks of a reader, given once for each job, in the order of the cases.

    Its replies are added to `replies`.
    """
    replies = Replies() if replies is None else replies
    free: SimpleQueue[Target] = SimpleQueue()
    for each in targets:
        free.put(each)

    def one(row: Row) -> Mark:
        if criteria.answer(row) is None:
            return Mark(row, None)
        reader = free.get()
        try:
            outcome = reader.run((folder / row["image"]).absolute(), row["format"])
        finally:
            free.put(reader)
        kind = criteria.mark(row, outcome)
        detail = given(row, outcome) if kind == "wrong-bytes" else outcome.detail
        replies.add(outcome)
        return Mark(row, kind, detail, criteria.profile, outcome.rules)

    if len(targets) == 1:
        yield from map(one, rows)
        return
    with ThreadPoolExecutor(len(targets)) as pool:
        yield from pool.map(one, rows)
