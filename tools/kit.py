"""Writes the record of what has to come of each image of the conformance kit.

    python tools/kit.py [--check | --planted]

`--check` writes nothing, and exits with 1 where the record is stale. `--planted` takes each rule in
turn out of our own validator or reader, runs that on the kit as `qcowspec kit run` does it, and
says which case tells, by which mark.

What the record says is our judge's and our reader's word; `tests/conformance/test_kit.py` holds it
against QEMU.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from qcowspec.fuzzing.kit import making, scoring
from qcowspec.fuzzing.kit.cases import everything
from qcowspec.fuzzing.kit.expectations import RECORD, as_text, expect

ROOT = Path(__file__).resolve().parents[1]


def record() -> str:
    """The record, as its file should have it."""
    found = {}
    for case in everything():
        with tempfile.TemporaryDirectory() as folder:
            found[case.id] = expect(case, Path(folder))
    return as_text(found)


def planted_bugs() -> int:
    """Say for each rule how it is caught; how many are not."""
    sys.path.insert(0, str(ROOT))  # run as a script, Python looks only into tools/
    from tests.planted import ELSEWHERE, caught, planted

    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        kit = Path(folder)
        making.make(kit)
        rows = scoring.cases(kit)
        for rule in planted():
            found = caught(rule, kit, rows)
            counted[found.kind if found else "missed"] += 1
            seen = (
                f"{found.kind:11} {found.case}  ({found.criteria.profile})" if found else "MISSED"
            )
            print(f"{rule:40} {seen}", flush=True)
    total = sum(counted.values())
    print(f"{total} rules: {dict(counted)}; {len(ELSEWHERE)} are no matter of opening or reading")
    return counted["missed"]


def main() -> None:
    """Write or check the record, or plant bugs."""
    if "--planted" in sys.argv[1:]:
        sys.exit(planted_bugs() > 0)
    text = record()
    if "--check" in sys.argv[1:]:
        stale = not RECORD.is_file() or RECORD.read_text(encoding="utf-8") != text
        if stale:
            print(f"stale: {RECORD.name}; run python tools/kit.py")
        sys.exit(stale)
    RECORD.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
