"""Writes the record of what has to come of each image of the conformance kit.

    python tools/kit.py [--check | --planted]

`--check` writes nothing, and exits with 1 where the record is stale. `--planted` takes each rule in
turn out of our own validator or reader, and says which case of the kit tells.

What the record says is our judge's and our reader's word; `tests/conformance/test_kit.py` holds it
against QEMU.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from qcowspec.fuzzing.kit.cases import everything
from qcowspec.fuzzing.kit.expectations import RECORD, as_text, expect
from qcowspec.fuzzing.kit.planted import ELSEWHERE, caught, planted


def record() -> str:
    """The record, as its file should have it."""
    found = {}
    for case in everything():
        with tempfile.TemporaryDirectory() as folder:
            found[case.id] = expect(case, Path(folder))
    return as_text(found)


SECONDS = 30.0
"""What a validator without a rule may take: without a rule that bounds, it may never end."""


class Hang(Exception):
    """There was no verdict in time."""


def planted_bug(rule: str) -> tuple[str, str] | None:
    """How the kit sees that a rule is missing, and by which case; None if it does not see it."""

    def late(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        found = caught(rule)
    except Hang:
        return "hang", rule
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if found.verdict is not None:
        return "verdict", found.verdict
    return None if found.reason is None else ("reason", found.reason)


def planted_bugs() -> int:
    """Say for each rule how it is caught; how many are not."""
    counted: Counter[str] = Counter()
    for rule in planted():
        found = planted_bug(rule)
        counted[found[0] if found else "missed"] += 1
        print(f"{rule:40} {' by '.join(found) if found else 'MISSED'}")
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
