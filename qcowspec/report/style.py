"""Colours by role, so that reports need not know of terminals.

In: text and its role. Out: the text, painted or not. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Callable

Style = Callable[[str, str], str]
"""Paints text in the colour of its role: title, layout, offset, name, value, meaning, bad, good."""


def plain_style(text: str, role: str) -> str:
    """No colours."""
    return text
