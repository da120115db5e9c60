"""Writes the record of what has to come of each image of the conformance kit.

    python tools/kit.py [--check]

`--check` writes nothing, and exits with 1 where the record is stale. What the record says is our
judge's and our reader's word; `tests/conformance/test_kit.py` holds it against QEMU.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from qcowspec.fuzzing.kit.cases import everything
from qcowspec.fuzzing.kit.expectations import RECORD, as_text, expect


def record() -> str:
    """The record, as its file should have it."""
    found = {}
    for case in everything():
        with tempfile.TemporaryDirectory() as folder:
            found[case.id] = expect(case, Path(folder))
    return as_text(found)


def main() -> None:
    """Write or check the record."""
    text = record()
    if "--check" in sys.argv[1:]:
        stale = not RECORD.is_file() or RECORD.read_text(encoding="utf-8") != text
        if stale:
            print(f"stale: {RECORD.name}; run python tools/kit.py")
        sys.exit(stale)
    RECORD.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
