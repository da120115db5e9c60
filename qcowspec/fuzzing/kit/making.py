"""Writes the kit: a folder for each image, and a manifest for readers in any language.

In: the cases, and the record of the right answers. Out: files, and ``manifest.json``, which
docs/kit.schema.json describes. Refuses: a case whose bytes differ from the record, as `Unfit`.

Equal versions of this package write equal bytes, on every run and every machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qcowspec.fuzzing.judging import QEMU, counting_for
from qcowspec.fuzzing.kit.case import Case
from qcowspec.fuzzing.kit.cases import everything
from qcowspec.fuzzing.kit.expectations import FAILS, Expectation, digest, on_record
from qcowspec.fuzzing.places import Unfit
from qcowspec.spec.profiles import VERSIONS, measured
from qcowspec.transfer.files import write_bytes

MANIFEST = "manifest.json"
SCHEMA = "qcowspec.kit/1"
"""The number changes when a key changes its meaning or is removed; new keys may be added."""


def make(
    folder: Path,
    done: Callable[[], None] = lambda: None,
    wanted: Callable[[str], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """Write the kit into a folder, which is made if needed; the manifest's cases.

    `done` is called after each image; only cases whose ids are wanted are written.

    Raises:
        Unfit: The bytes of a case differ from the record.
        OSError: Something cannot be written.
    """
    record, rows = on_record(), []
    folder.mkdir(parents=True, exist_ok=True)
    for case in everything():
        if not wanted(case.id):
            continue
        expected = record.get(case.id)
        if expected is None:
            raise Unfit(f"{case.id} is not on record; run python tools/kit.py")
        rows.append(_written(case, expected, folder))
        done()
    manifest = {"schema": SCHEMA, "measured": versions(), "cases": rows}
    text = (json.dumps(manifest, indent=1, sort_keys=False) + "\n").encode()
    write_bytes(str(folder / MANIFEST), text)
    return rows


def versions() -> dict[str, str | None]:
    """The measured version of QEMU that each of its profiles stands for."""
    return {profile: measured(profile) for profile in (QEMU, *VERSIONS)}


def _written(case: Case, expected: Expectation, folder: Path) -> dict[str, Any]:
    """Write a case's files; its row of the manifest."""
    place = folder / case.id
    place.mkdir(parents=True, exist_ok=True)
    image = case.image()
    _check(case.id, case.name, image, (expected.length, expected.sha256))
    write_bytes(str(place / case.name), image)
    for name, data in case.beside():
        _check(case.id, name, data, expected.files.get(name, (0, "")))
        write_bytes(str(place / name), data)
    return row(case, expected)


def _check(case: str, name: str, data: bytes, known: tuple[int, str]) -> None:
    if (len(data), digest(data)) != known:
        raise Unfit(f"{case}/{name} has other bytes than the record says; run python tools/kit.py")


def row(case: Case, expected: Expectation) -> dict[str, Any]:
    """The manifest's row of a case."""
    spec: dict[str, Any] = dict(case.spec)
    made: dict[str, Any] = {
        "id": case.id,
        "says": case.says,
        "feature": case.feature,
        "rule": case.rule,
        "image": f"{case.id}/{case.name}",
        "format": case.format,
        "length": expected.length,
        "sha256": expected.sha256,
        "files": [
            {"path": f"{case.id}/{name}", "length": length, "sha256": known}
            for name, (length, known) in expected.files.items()
        ],
        "secret": case.secret,
        "verdict": dict(expected.verdict),
        "probed": dict(expected.probed or expected.verdict),
        "reason": dict(expected.reason),
        "broken": list(expected.rules),
        "rules": {
            profile: [rule for rule in expected.rules if rule in counting_for(profile)]
            for profile in expected.verdict
        },
        "read": expected.read,
        "why": expected.why or (case.rule if case.fails and expected.read == FAILS else None),
        "guest": None,
        "differs": case.differs,
        "spec": spec,
    }
    if expected.guest is not None:
        made["guest"] = {"size": expected.size, "sha256": expected.guest}
    return made


def count() -> int:
    """The number of cases; no image is built."""
    return sum(1 for _ in everything())
