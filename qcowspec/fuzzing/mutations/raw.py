"""Mutations that know where metadata are, and not what they mean: flips, cuts, moved clusters."""

from __future__ import annotations

from random import Random

from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import mutation, pick
from qcowspec.fuzzing.places import Place, Unfit
from qcowspec.spec.units import BITS_PER_BYTE

GROWTH = 65536
"""Bytes that are appended at most."""


@mutation(weight=8)
def flip_bit(draft: Draft, random: Random) -> None:
    """A bit of a structure or a table entry flipped."""
    place, at = _byte(draft, random)
    draft.write(at, bytes([draft.data[at] ^ 1 << random.randrange(BITS_PER_BYTE)]), place.path)


@mutation(weight=6)
def overwrite_bytes(draft: Draft, random: Random) -> None:
    """Some bytes of a structure overwritten with any others."""
    place, at = _byte(draft, random)
    draft.write(at, random.randbytes(random.choice((1, 2, 4, 8))), place.path)


@mutation(weight=5)
def truncate(draft: Draft, random: Random) -> None:
    """The end cut off: at, in or behind a structure or table, or anywhere."""
    places = [*draft.places.fields, *draft.places.entries]
    near = [place.offset + step for place in places for step in (0, place.length, 1)]
    spots = [spot for spot in near if 0 < spot < len(draft.data)]
    anywhere = random.randrange(len(draft.data)) if draft.data else 0
    draft.truncate(random.choice([*random.sample(spots, min(3, len(spots))), anywhere]))


@mutation(weight=1)
def grow(draft: Draft, random: Random) -> None:
    """Bytes appended: zeros, or not."""
    length = random.choice((1, 511, 512, draft.base.cluster_size, GROWTH)) % (GROWTH + 1)
    piece = bytes(length) if random.random() < 0.5 else random.randbytes(length)
    draft.write(len(draft.data), piece)


@mutation(weight=4)
def swap_clusters(draft: Draft, random: Random) -> None:
    """Two clusters in each other's place."""
    first, second = _clusters(draft, random)
    one, other = _cluster(draft, first), _cluster(draft, second)
    length = min(len(one), len(other))
    draft.write(first, other[:length])
    draft.write(second, one[:length])


@mutation(weight=2)
def copy_cluster(draft: Draft, random: Random) -> None:
    """A cluster overwritten with another one."""
    first, second = _clusters(draft, random)
    draft.write(first, _cluster(draft, second)[: len(draft.data) - first])


@mutation(weight=2)
def clear_cluster(draft: Draft, random: Random) -> None:
    """A cluster overwritten with zeros, or with ones."""
    first, _ = _clusters(draft, random)
    draft.write(first, random.choice((b"\0", b"\xff")) * len(_cluster(draft, first)))


def _byte(draft: Draft, random: Random) -> tuple[Place, int]:
    """A byte of metadata that the file has, and the field that it is in."""
    places = [*draft.places.fields, *draft.places.entries]
    there = [place for place in places if place.offset + place.length <= len(draft.data)]
    place = pick(random, there, "metadata")
    return place, place.offset + random.randrange(place.length)


def _clusters(draft: Draft, random: Random) -> tuple[int, int]:
    """Where two clusters start; the first one of the file is none of them."""
    size = draft.base.cluster_size
    count = len(draft.data) // size
    if count < 3:
        raise Unfit("the image has fewer than three whole clusters")
    first, second = random.sample(range(1, count), 2)
    return first * size, second * size


def _cluster(draft: Draft, offset: int) -> bytes:
    return bytes(draft.data[offset : offset + draft.base.cluster_size])
