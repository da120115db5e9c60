"""Mutations that do not know what the bytes mean: flips, cuts, moved clusters and pieces.

Those in `BLIND` do not even know where the metadata are: they work on any bytes.
"""

from __future__ import annotations

from random import Random

from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import edge, mutation, pick
from qcowspec.fuzzing.places import Place, Unfit
from qcowspec.spec.units import BITS_PER_BYTE

GROWTH = 65536
"""Bytes that are appended at most."""

PIECE = 4096
"""Bytes of a piece that is copied, inserted or removed, at most."""

MOVED = 1 << 20
"""Bytes after an inserted or removed piece that are moved, at most."""

HEADER = 128
"""Bytes at the start of the file that are hit as often as all others together."""

BLIND = ("overwrite-anywhere", "fill-piece", "copy-piece", "insert-piece", "remove-piece")
"""The mutations that do not open the image."""


COUNTS, MANY, SELDOM = ("nb_snapshots", "nb_bitmaps"), 64, 0.005
"""Counts of records; the largest that is drawn often, because each record is read and judged; and
how often a larger one is drawn."""


@mutation(weight=4)
def number(draft: Draft, random: Random) -> None:
    """A number that the seed has anywhere, to one at the edge of something."""
    place = pick(random, draft.base.numbers, "numbers")
    value = edge(draft, random, place)
    if value > MANY and place.path.endswith(COUNTS) and random.random() > SELDOM:
        value %= MANY
    draft.set(place, value)


@mutation(weight=8)
def flip_bit(draft: Draft, random: Random) -> None:
    """A bit of a structure or a table entry flipped."""
    place, at = _byte(draft, random)
    draft.write(at, bytes([draft.data[at] ^ 1 << random.randrange(BITS_PER_BYTE)]), place.path)


@mutation(weight=6)
def overwrite_bytes(draft: Draft, random: Random) -> None:
    """Some bytes of a structure overwritten with others."""
    place, at = _byte(draft, random)
    draft.write(at, random.randbytes(random.choice((1, 2, 4, 8))), place.path)


@mutation(weight=5)
def truncate(draft: Draft, random: Random) -> None:
    """The end cut off: at, in or after a structure or table, or anywhere."""
    places = [*draft.places.fields, *draft.places.entries]
    near = [place.offset + step for place in places for step in (0, place.length, 1)]
    spots = [spot for spot in near if 0 < spot < len(draft.data)]
    anywhere = random.randrange(len(draft.data)) if draft.data else 0
    draft.truncate(random.choice([*random.sample(spots, min(3, len(spots))), anywhere]))


@mutation(weight=1)
def grow(draft: Draft, random: Random) -> None:
    """Bytes appended: zeros, or not."""
    length = random.choice((1, 511, 512, draft.base.cluster_size, GROWTH)) % (GROWTH + 1)
    pattern = bytes(16) if random.random() < 0.5 else random.randbytes(16)
    draft.write(len(draft.data), (pattern * (length // 16 + 1))[:length])


@mutation(weight=4)
def swap_clusters(draft: Draft, random: Random) -> None:
    """Two clusters exchanged."""
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


@mutation(weight=2)
def overwrite_anywhere(draft: Draft, random: Random) -> None:
    """One to eight bytes overwritten, anywhere."""
    start = _anywhere(draft, random)
    piece = random.randbytes(random.choice((1, 2, 4, 8)))
    draft.write(start, piece[: len(draft.data) - start])


@mutation(weight=1)
def fill_piece(draft: Draft, random: Random) -> None:
    """A piece overwritten with one byte."""
    start, end = _piece(draft, random)
    draft.write(start, random.choice((b"\0", b"\x01", b"\x7f", b"\xff")) * (end - start))


@mutation(weight=1)
def copy_piece(draft: Draft, random: Random) -> None:
    """A piece overwritten with another one."""
    (start, end), target = _piece(draft, random), _anywhere(draft, random)
    draft.write(target, bytes(draft.data[start:end])[: len(draft.data) - target])


@mutation(weight=1)
def insert_piece(draft: Draft, random: Random) -> None:
    """A piece repeated, so that everything after it moves."""
    start, end = _piece(draft, random, moved=MOVED)
    draft.write(end, bytes(draft.data[start:]))


@mutation(weight=1)
def remove_piece(draft: Draft, random: Random) -> None:
    """A piece removed, so that everything after it moves."""
    start, end = _piece(draft, random, moved=MOVED)
    draft.write(start, bytes(draft.data[end:]))
    draft.truncate(len(draft.data) - (end - start))


def _anywhere(draft: Draft, random: Random) -> int:
    """An offset: near the start of the file, or anywhere."""
    length = len(draft.data)
    if not length:
        raise Unfit("the image has no bytes")
    return random.randrange(random.choice((min(HEADER, length), length)))


def _piece(draft: Draft, random: Random, moved: int | None = None) -> tuple[int, int]:
    """Where a piece starts and ends, at most `moved` bytes before the end of the file."""
    start = _anywhere(draft, random)
    if moved is not None and len(draft.data) - start > moved:
        raise Unfit(f"more than {moved} bytes would be moved")
    return start, min(start + random.randint(1, PIECE), len(draft.data))


def _byte(draft: Draft, random: Random) -> tuple[Place, int]:
    """A byte of metadata within the file, and its field."""
    places = [*draft.places.fields, *draft.places.entries]
    there = [place for place in places if place.offset + place.length <= len(draft.data)]
    place = pick(random, there, "metadata")
    return place, place.offset + random.randrange(place.length)


def _clusters(draft: Draft, random: Random) -> tuple[int, int]:
    """Where two clusters start, other than the first of the file."""
    size = draft.base.cluster_size
    count = len(draft.data) // size
    if count < 3:
        raise Unfit("the image has fewer than three whole clusters")
    first, second = random.sample(range(1, count), 2)
    return first * size, second * size


def _cluster(draft: Draft, offset: int) -> bytes:
    return bytes(draft.data[offset : offset + draft.base.cluster_size])
