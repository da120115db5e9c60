"""What is lost of a disk, for people and for programs.

In: losses, and the disk's size. Out: text, a line at a time; or plain data. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcowspec.guest.losses import Losses
from qcowspec.guest.missing import DATA, PAYLOAD, TABLE
from qcowspec.report.words import printable


def as_text(losses: Losses, size: int) -> Iterator[str]:
    """The ranges, one a line, and how much was recovered."""
    lost = losses.bytes
    if losses:
        yield f"{'Lost':<16}{'Length':<16}Reason\n"
    for each in losses:
        rule = "" if each.rule is None else f" [{each.rule}]"
        reason = printable(f"{each.path}: {each.reason}{rule}")
        yield f"{each.offset:<#16x}{each.length:<#16x}{reason}\n"
    if losses.more:
        yield f"and {losses.more} more ranges of {losses.more_bytes} bytes\n"
    yield f"Recovered {size - lost} of {size} bytes ({_share(size - lost, size)}).\n"


def as_data(losses: Losses, size: int) -> dict[str, Any]:
    """The same as JSON has it."""
    return {
        "size": size,
        "recovered": size - losses.bytes,
        "lost": [
            {
                "start": each.offset,
                "length": each.length,
                "filename": printable(each.path),
                "rule": each.rule,
                "reason": each.reason,
            }
            for each in losses
        ],
        "more-ranges": losses.more,
        "more-bytes": losses.more_bytes,
    }


PAST = {
    DATA: ("lie past that", "as zeros"),
    PAYLOAD: ("are compressed data that go on past that", "as if zeros followed there"),
    TABLE: ("have their table entries past that", "as if nothing were allocated"),
}
"""For each reason of a loss past the end of a file, its words, and what QEMU reads."""


def past_end(losses: Losses) -> Iterator[str]:
    """A sentence for each file that ends before the bytes that a disk has in it."""
    for first, count in losses.by_reason().values():
        lie, read = next(
            words for reason, words in PAST.items() if reason.format(first.place) == first.reason
        )
        yield (
            f"{printable(first.path)}: the file ends at byte {first.place} ({first.place:#x});"
            f" {count} bytes of the disk {lie}, the first at guest offset {first.offset}"
            f" ({first.offset:#x}), and read {read}"
        )


def _share(part: int, whole: int) -> str:
    """A share in percent, rounded down: 100% is all."""
    return f"{part * 10000 // whole / 100 if whole else 100:.2f}%"
