"""What was judged of an image, what is broken, and what was not looked at.

In: a machine that has read an image to its end. Out: `Looked`, and sentences. Refuses: nothing.

`dump` and `validate` end with it, so that nothing unread passes for sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec.reader.machine import Machine
from qcowspec.spec.metadata import Format, Metadata


class Looked(NamedTuple):
    """How much of an image was looked at.

    Attributes:
        judged: How many rules were applied to something.
        broken: How many of them are broken.
        unseen: What was not looked at, in a few words each.
        length: Bytes of the image file.
        reach: Host offset of the end of the last structure or cluster that lies past the end of the
            file, as far as was looked at; 0 if there is none.
    """

    judged: int
    broken: int
    unseen: tuple[str, ...]
    length: int
    reach: int

    def as_json(self) -> dict[str, Any]:
        """The same as values of JSON."""
        cut = {"length": self.length, "reach": self.reach} if self.reach else None
        return {"judged": self.judged, "not_looked_at": list(self.unseen), "truncated": cut}


def looked(machine: Machine, rules: frozenset[str]) -> Looked:
    """What a machine has looked at.

    Args:
        machine: A machine at its end.
        rules: The ids of the rules that matter to the user.
    """
    image, judged = machine.image, machine.judge.judged() & rules
    unseen = list(_unseen(image, machine.judge.stopped))
    if HIDDEN_BYTES in rules and image.geometry is not None:
        unseen.append(HIDDEN)
    return Looked(
        judged=len(judged),
        broken=len(judged & machine.judge.counts.keys()),
        unseen=tuple(unseen),
        length=image.length or 0,
        reach=image.reach,
    )


def summary(found: Looked) -> str:
    """How many rules were judged, and how many of them are broken."""
    broken = f"{found.broken:,} broken" if found.broken else "none broken"
    return f"{found.judged:,} rules judged, {broken}"


def unseen(found: Looked) -> str:
    """What was not looked at, as a sentence."""
    return f"Not looked at: {', '.join(found.unseen)}."


def truncated(found: Looked | Metadata) -> str:
    """The sentence about a file that ends too early; empty where nothing is known to be missing."""
    length, reach = found.length, found.reach
    if not reach or length is None:
        return ""
    return (
        f"the file ends at {length:#x} ({length:,} bytes); structures and data up to {reach:#x} lie"
        " beyond it and read as zeros"
    )


def _unseen(image: Metadata, stopped: set[str]) -> Iterator[str]:
    if image.geometry is None:
        yield "all that follows the header"
        return
    for stage, what in STOPPED.items():
        if stage in stopped:
            yield what
    if not image.entries:
        yield "table entries"
    elif image.entries_left:
        yield "some of the L2 tables"
    if image.format is Format.QCOW2:
        yield "refcounts against references (qcowspec check)"
    else:
        yield "what overlaps (qcowspec check)"
    yield "guest data"
    if image.backing is not None and image.backing.name:
        yield "the backing file"
    if image.data_file is not None or bool(getattr(image.header, "has_data_file", False)):
        yield "the data file"
    if (
        image.header is not None
        and int(image.header.crypt_method) != c.QcowCryptMethod.QCOW_CRYPT_NONE
    ):
        yield "whether a passphrase fits"


HIDDEN_BYTES = "check/untrusted-hidden-bytes"
"""The rule about bytes that no reader looks at, for which the whole file is read."""

HIDDEN = "hidden bytes (qcowspec validate --hidden)"
"""What is not looked at of a profile with that rule."""

STOPPED = {
    "extensions": "the header extensions after the broken one",
    "l1": "the L1 table",
    "refcounts": "the refcount table",
    "snapshots": "the snapshots after the broken one",
    "bitmaps": "the bitmaps after the broken one",
}
"""What is not read if a rule that stops is broken in a stage."""
