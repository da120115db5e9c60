"""Mutations of table entries: L1, L2, refcount table, refcounts, bitmap tables."""

from __future__ import annotations

from random import Random

from qcow_parsers import constants as c

from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import mutation, pick, qcow2_only, set_to_edge
from qcowspec.fuzzing.places import Place
from qcowspec.spec.decoding import FIELDS, RESERVED
from qcowspec.spec.units import BITS_PER_BYTE

L2 = FIELDS["qcow2::l2_table"]
"""The bits of the fields of an L2 entry."""

FLAGS = (0, 62, 63)
"""The bits of an entry that are flags."""


@mutation(weight=5)
def entry_value(draft: Draft, random: Random) -> None:
    """An entry of any table, to a number at the edge of something."""
    place = _entry(draft, random)
    set_to_edge(draft, random, place)


@mutation(weight=4)
def entry_reserved(draft: Draft, random: Random) -> None:
    """A reserved bit of an entry set."""
    qcow2_only(draft)
    places = [place for place in _entries(draft) if _reserved(place)]
    place = pick(random, places, "entries with reserved bits")
    bits = [bit for bit in range(64) if _reserved(place) >> bit & 1]
    draft.set(place, int(place.value or 0) | 1 << random.choice(bits))


@mutation(weight=3)
def entry_flag(draft: Draft, random: Random) -> None:
    """A flag of an entry flipped: copied, compressed, zero."""
    place = _entry(draft, random)
    draft.set(place, int(place.value or 0) ^ 1 << random.choice(FLAGS))


@mutation(weight=4)
def entry_unaligned(draft: Draft, random: Random) -> None:
    """An entry that points between two clusters."""
    place = _entry(draft, random)
    bit = random.randrange(9, max(10, draft.base.cluster_size.bit_length() - 1))
    draft.set(place, int(place.value or 0) ^ 1 << bit)


@mutation(weight=4)
def entry_past_end(draft: Draft, random: Random) -> None:
    """An entry that points past the end of the file, or at its last cluster."""
    place = _entry(draft, random)
    far = random.choice((-1, 0, 1, 1 << 20)) * draft.base.cluster_size
    draft.set(place, _flags(place) | max(0, draft.base.end + far))


@mutation(weight=4)
def entry_overlap(draft: Draft, random: Random) -> None:
    """An entry that points where another one does, or at metadata."""
    place = _entry(draft, random)
    tables = [offset for offset, _, _ in draft.places.tables().values()]
    others = [int(other.value or 0) for other in _entries(draft)]
    target = random.choice([0, *tables, *others]) & L2["offset"]
    draft.set(place, _flags(place) | target)


@mutation(weight=3)
def refcount(draft: Draft, random: Random) -> None:
    """A wrong reference count."""
    counts = [p for p in draft.places.entries if p.path.startswith("refcount_blocks")]
    place = pick(random, counts, "refcounts of whole bytes")
    most = (1 << place.length * BITS_PER_BYTE) - 1
    old = int(place.value or 0)
    draft.set(place, random.choice((0, 1, 2, old - 1, old + 1, most)) & most)


def _entries(draft: Draft) -> list[Place]:
    """The entries of 64 bits."""
    return [place for place in draft.places.entries if place.length == c.L1E_SIZE]


def _entry(draft: Draft, random: Random) -> Place:
    return pick(random, _entries(draft), "table entries")


def _flags(place: Place) -> int:
    value = place.value if isinstance(place.value, int) else 0
    return value & (L2["copied"] | L2["zero"])


def _reserved(place: Place) -> int:
    """The reserved bits of an entry of version 2 or 3."""
    table = place.path.rpartition("[")[0].rpartition(".")[2].partition("[")[0]
    return RESERVED.get(table, 0)
