"""The right answers for each image of the kit, on record.

In: a case, and its files in a folder. Out: an `Expectation`; the record of all. Refuses: nothing.

The record, ``expected.json``, is made by ``python tools/kit.py`` from our own judge and reader. The
conformance tests compare every row with QEMU, and the kit is made from the record alone: later
faults of our reader do not change the kit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from qcowspec.errors import QcowError
from qcowspec.fuzzing.judging import QEMU, Judgement, judge
from qcowspec.fuzzing.kit.case import Case
from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS
from qcowspec.image import open as open_image
from qcowspec.reader.verdict import look_at_data_file
from qcowspec.sources.gate import gate_of
from qcowspec.spec.profiles import PROFILES, VERSIONS
from qcowspec.transfer.digests import disk_sha256

RECORD = Path(__file__).with_name("expected.json")

JUDGES = (QEMU, *VERSIONS, *(profile for profile in PROFILES if profile != QEMU))
"""The profiles of the record: each measured QEMU's is one."""

BYTES, FAILS = "bytes", "fails"

BY_PROFILE = ("verdict", "probed", "reason")
"""What an expectation has by profile."""

LARGEST_DISK = 64 << 20
"""Bytes of the largest disk that is read."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The right answers for an image.

    Attributes:
        length: Bytes of the image file.
        sha256: SHA-256 of the image file.
        files: The other files, by name: bytes and SHA-256.
        verdict: Whether each of `JUDGES` ``accepts`` or ``rejects`` it, given its format.
        probed: The same for a reader that probes, if it differs.
        reason: The rule that each profile reports, if it rejects.
        rules: All broken rules that count for one of the profiles.
        read: Whether reading gives ``bytes`` or ``fails``; None if that is not tested.
        size: Bytes of the disk, if it is read.
        guest: SHA-256 of the disk, if it is read.
        why: The rule for which reading fails.
    """

    length: int
    sha256: str
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    verdict: Mapping[str, str] = field(default_factory=dict)
    probed: Mapping[str, str] = field(default_factory=dict)
    reason: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    read: str | None = None
    size: int | None = None
    guest: str | None = None
    why: str | None = None


@cache
def on_record() -> Mapping[str, Expectation]:
    """All expectations, by the case's id."""
    rows = json.loads(RECORD.read_text(encoding="utf-8"))
    return {name: _from_row(row) for name, row in rows.items()}


def as_text(record: Mapping[str, Expectation]) -> str:
    """The text of the record's file: a case a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(_row(each))}" for name, each in record.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _row(expected: Expectation) -> dict[str, Any]:
    """A case's row: a version of QEMU stands in it only where it differs from the newest."""
    row = asdict(expected)
    for name in BY_PROFILE:
        newest = row[name].get(QEMU)
        row[name] = {
            profile: value
            for profile, value in row[name].items()
            if profile not in VERSIONS or value != newest
        }
    return {name: value for name, value in row.items() if value not in (None, {}, ())}


def _from_row(row: dict[str, Any]) -> Expectation:
    files = {name: (length, digest) for name, (length, digest) in row.get("files", {}).items()}
    full = {name: _with_versions(row[name]) for name in BY_PROFILE if name in row}
    if "reason" in full:
        rejected = full["verdict"]
        full["reason"] = {p: r for p, r in full["reason"].items() if rejected[p] == REJECTS}
    return Expectation(**row | full | {"files": files, "rules": tuple(row.get("rules", ()))})


def _with_versions(said: Mapping[str, str]) -> dict[str, str]:
    """What each of `JUDGES` says, by a row's words."""
    newest = dict.fromkeys(VERSIONS, said[QEMU]) if QEMU in said else {}
    full = {**newest, **said}
    return {profile: full[profile] for profile in JUDGES if profile in full}


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, as text."""
    return sha256(data).hexdigest()


def expect(case: Case, folder: Path) -> Expectation:
    """The right answers for a case, by our own judge and reader; its files stay in the folder."""
    data = case.image()
    (folder / case.name).write_bytes(data)
    files = {}
    for name, content in case.beside():
        (folder / name).write_bytes(content)
        files[name] = (len(content), digest(content))
    told, probed = judge(data, case.format), judge(data)
    for each in (told, probed):
        look_at_data_file(each.judge, str(folder / case.name), gate_of("same-dir"))
    verdict = told.verdicts(JUDGES)
    found = probed.verdicts(JUDGES)
    read, size, guest, why = None, None, None, None
    if case.asked and verdict[QEMU] == ACCEPTS:
        read, size, guest, why = _read(case, folder / case.name)
        if why not in (case.rule, *told.broken(JUDGES)):
            why = None
    return Expectation(
        length=len(data),
        sha256=digest(data),
        files=files,
        verdict=verdict,
        probed={} if found == verdict else found,
        reason=_reasons(told),
        rules=told.broken(JUDGES),
        read=read,
        size=size,
        guest=guest,
        why=why,
    )


def _reasons(found: Judgement) -> dict[str, str]:
    reasons = {profile: found.first(profile) for profile in JUDGES}
    return {profile: rule for profile, rule in reasons.items() if rule is not None}


def _read(case: Case, path: Path) -> tuple[str | None, int | None, str | None, str | None]:
    """Read a disk: whether that works, its size and SHA-256, and the broken rule."""
    try:
        with open_image(path, format=case.format, allow="same-dir", secret=case.secret) as image:
            if image.size > LARGEST_DISK:
                return None, None, None, None
            return BYTES, image.size, disk_sha256(image), None
    except QcowError as error:
        return FAILS, None, None, error.rule
