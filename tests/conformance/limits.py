"""Images with one number at a limit: every field of every structure, and entries of the tables.

In: the images of tests/data. Out: `Mutant`s, the same on every machine. Refused: nothing.

A field is taken from each image in turn that has it, so that each value meets another image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, zip_longest
from pathlib import Path

from qcowspec.fuzzing.places import Place, Places
from tests.conformance.mutants import EDGES, Mutant

NAMES = re.compile(r"\[[0-9]+\]")
"""Which of many structures or entries it is: left out of a field's name."""


def limits(place: Place, cluster_size: int) -> Iterator[int]:
    """Values at which a rule may begin or cease to hold, the field's own excepted.

    Args:
        place: The field, a number of whole bytes.
        cluster_size: In bytes; offsets are its multiples.
    """
    assert isinstance(place.value, int)
    bits = 8 * place.length
    powers = [1 << bit for bit in range(bits)]
    most = (1 << bits) - 1
    near = {edge + step for edge in (*powers, most) for step in (-1, 0, 1)}
    for edge in (*EDGES, place.value, cluster_size):
        near |= {edge + step for step in (-cluster_size, -8, -1, 0, 1, 8, cluster_size)}
    flipped = {place.value ^ power for power in powers}
    yield from sorted(v for v in (near | flipped) - {place.value} if 0 <= v <= most)


@cache
def images(paths: Sequence[Path]) -> tuple[Mutant, ...]:
    """Every image with one number at a limit, those of different fields in turn.

    Args:
        paths: The images that they are made of.
    """
    holders: dict[tuple[int | None, str], list[tuple[Path, Place, int]]] = {}
    for path in paths:
        places = Places(path.read_bytes())
        for place in places.numbers:
            name = NAMES.sub("[]", place.path)
            holder = (path, place, places.cluster_size)
            holders.setdefault((places.version, name), []).append(holder)
    in_turn = zip_longest(*map(_of_field, holders.values()))
    made = (each for each in chain.from_iterable(in_turn) if each is not None)
    return tuple(made)


def _of_field(held: list[tuple[Path, Place, int]]) -> Iterator[Mutant]:
    path, place, cluster_size = held[0]
    for number, value in enumerate(limits(place, cluster_size)):
        path, place, _ = held[number % len(held)]
        image_format = "qcow" if path.suffix == ".qcow" else "qcow2"
        changed = Mutant(path.name, image_format, number, mutations=[f"{place.path}={value:#x}"])
        changed.number_at(place.offset, place.length, value)
        yield changed
