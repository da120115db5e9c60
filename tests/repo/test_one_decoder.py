"""The bits of table entries are known to one module, and to the views that it is read through."""

from __future__ import annotations

from tools.figures import decoding


def test_only_the_decoder_takes_an_entry_apart() -> None:
    assert decoding() == []
