"""The documents that are made from the specification are fresh."""

from __future__ import annotations

from tools.docs import stale


def test_documents_are_fresh() -> None:
    assert stale() == [], "run python tools/docs.py"
