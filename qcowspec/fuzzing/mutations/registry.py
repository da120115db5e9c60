"""Registers mutations, and draws places and values for them.

In: functions. Out: `MUTATIONS`, by name. Refuses: two mutations of one name.

A mutation is one decorated function that is called with a draft of an image and a source of random
numbers, and changes the draft. If the image lacks what it needs, it raises `Unfit` and is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from qcow_parsers import constants as c

from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.places import Place, Unfit
from qcowspec.spec.metadata import Format
from qcowspec.spec.units import BITS_PER_BYTE

Change = Callable[[Draft, Random], str | None]
"""Changes a draft; returns a name for what it did, if not the mutation's own."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A way to change an image, with its description; it is drawn in proportion to `weight`."""

    name: str
    says: str
    change: Change
    weight: int


MUTATIONS: dict[str, Mutation] = {}
"""All mutations, by name."""


def mutation(weight: int) -> Callable[[Change], Change]:
    """Register a function as a mutation; its name and first line become the mutation's."""

    def add(change: Change) -> Change:
        name = change.__name__.rstrip("_").replace("_", "-")
        if name in MUTATIONS:
            raise ValueError(f"two mutations have the name {name}")
        says = (change.__doc__ or "").strip().partition("\n")[0]
        MUTATIONS[name] = Mutation(name, says, change, weight)
        return change

    return add


def pick(random: Random, places: Sequence[Place], what: str) -> Place:
    """One of several places.

    Raises:
        Unfit: There are none.
    """
    if not places:
        raise Unfit(f"the image has no {what}")
    return random.choice(places)


def numbers(draft: Draft, *prefixes: str) -> list[Place]:
    """The numbers of the structures and tables whose paths have one of these prefixes."""
    return [place for place in draft.places.numbers if place.path.startswith(prefixes)]


def qcow2_only(draft: Draft, *, version: int | None = None) -> None:
    """Accept only images of version 2 or 3, or of the given one.

    Raises:
        Unfit: The image is of another version.
    """
    image = draft.places.image
    if image.format is not Format.QCOW2 or version not in (None, image.version):
        raise Unfit("the image is of another version")


def set_to_edge(draft: Draft, random: Random, place: Place) -> None:
    """Set a number to a value at an edge: see `edge`."""
    draft.set(place, edge(draft, random, place))


def edge(draft: Draft, random: Random, place: Place) -> int:
    """A value at an edge of the field, of its present value, or of a limit on offsets and sizes."""
    bits, old = place.length * BITS_PER_BYTE, place.value if isinstance(place.value, int) else 0
    most = (1 << bits) - 1
    near = [0, 1, 2, old - 1, old + 1, old ^ 1 << random.randrange(bits), old * 2, old // 2]
    own = [most, most - 1, most >> 1, (most >> 1) + 1, random.randrange(most + 1)]
    drawn = random.choice([near, near, own, _offsets(random, draft), _small(random)])
    return random.choice(drawn) & most


def _offsets(random: Random, draft: Draft) -> list[int]:
    cluster, end = draft.base.cluster_size, draft.base.end
    limit = random.choice((c.BDRV_MAX_LENGTH, c.QCOW2_MAX_TABLE_END + 1, end, cluster))
    steps = (-cluster, -c.BDRV_SECTOR_SIZE, -8, -1, 0, 1, 8, c.BDRV_SECTOR_SIZE, cluster)
    return [max(0, limit + step) for step in steps]


def _small(random: Random) -> list[int]:
    return [random.randrange(32), random.randrange(256), 1 << random.randrange(64)]
