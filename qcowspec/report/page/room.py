"""How much of a page each part may take, and text that fits.

In: values. Out: the same as JSON that is safe inside a page, and its length. Refuses: nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from qcowspec.report.words import printable

TILES, DISK, STRUCTURES, BYTES, FINDINGS = 100_000, 100_000, 80_000, 48 << 10, 40_000
"""Characters that each part of a model may take; of `BYTES` bytes, before they become base64."""

WORDS = 200
"""Characters of a text from an image that are shown, at most."""


def embedded(value: object) -> str:
    """JSON that nothing can break out of, in a page's script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(ESCAPED)


ESCAPED = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
"""Characters that HTML or an old JavaScript would take for more than text."""


def weight(value: object) -> int:
    """Bytes that a value takes in a page."""
    return len(embedded(value).encode("utf-8", "replace"))


def short(text: str, most: int = WORDS) -> str:
    """Printable text that is not too long; an ellipsis marks what was cut."""
    shown = printable(text[: most + 1])
    return shown if len(text) <= most and len(shown) <= most else f"{shown[: most - 1]}…"


def fitting(items: Iterable[object], room: int) -> Iterator[object]:
    """The first items, as many as fit."""
    for item in items:
        room -= weight(item) + 1
        if room < 0:
            return
        yield item
