"""The bits of table entries are known to one module, and to the views that it is read through."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "qcowspec"

BITS = re.compile(r"\bc\.((?:QCOW1?_OFLAG|L1E|L2E|REFT|BME_TABLE_ENTRY)_\w+|LIBRBD_OFFSET_MASK)\b")
"""The constants that take an entry apart; sizes of entries are no bits."""

DECODERS = {"spec/decoding.py", "spec/entries.py"}


def test_only_the_decoder_takes_an_entry_apart() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() not in DECODERS
        for name in BITS.findall(path.read_text())
        if "_SIZE" not in name
    }

    assert not found
