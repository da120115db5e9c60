"""Mutants of the images in tests/data: near misses of valid images, each from a number.

In: an image and a number. Out: a `Mutant`: which bytes change, and how long the file is then.
Refused: nothing; the same number gives the same mutant, on every machine.

A mutation is a function that proposes changes to one image. Most know the format: a mutant that
fails at the magic says little about the rules behind it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qcow_parsers import constants as c

from qcowspec.image import Image, lay_open
from qcowspec.spec.metadata import Format
from qcowspec.spec.structures import Field, Part
from qcowspec.spec.structures import lay_open as lay_open_part


@dataclass
class Mutant:
    """Changes to an image.

    Attributes:
        base: The image's name.
        format: The driver that it is opened with.
        number: Which mutant it is.
        changes: Bytes that are written, by offset, one after the other.
        length: Length of the file; None where the changes decide it.
        mutations: Names of the mutations that made it.
    """

    base: str
    format: str
    number: int
    changes: list[tuple[int, bytes]] = field(default_factory=list)
    length: int | None = None
    mutations: list[str] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes; what lies where no file can be is left out."""
        if data and 0 <= offset < FARTHEST:
            self.changes.append((offset, data))

    def number_at(self, offset: int, width: int, value: int) -> None:
        """Change an integer."""
        self.write(offset, (value % (1 << 8 * width)).to_bytes(width, "big"))

    def apply(self, data: bytes) -> bytes:
        """The mutant itself."""
        made = bytearray(data)
        for offset, change in self.changes:
            if len(made) < offset:
                made.extend(bytes(offset - len(made)))
            made[offset : offset + len(change)] = change
        if self.length is not None:
            made = made[: self.length].ljust(self.length, b"\0")
        return bytes(made)


FARTHEST = 1 << 33
"""No change is made beyond this offset: the file is sparse, and yet the machine's disk is not."""


class Base:
    """An image that mutants are made of.

    Attributes:
        path: The file.
        data: Its bytes.
        image: The same, opened.
        fields: Every field of its metadata that is not made of others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        with lay_open(self.data) as image:
            self.image: Image = image
        self.fields = [leaf for part in self._parts() for leaf in _leaves(lay_open_part(part))]

    def _parts(self) -> Iterable[Part[Any]]:
        known = self.image.metadata
        yield from filter(None, [known.header_part, known.luks_part])
        for structures in (known.extensions, known.snapshots, known.bitmaps):
            yield from structures.parts

    @property
    def is_v1(self) -> bool:
        """Whether it is an image of version 1."""
        return self.image.format is Format.QCOW

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return self.image.geometry.cluster_size

    def new_cluster(self, index: int = 0) -> int:
        """Offset of a cluster behind the end of the file."""
        return (-(-len(self.data) // self.cluster_size) + index) * self.cluster_size

    def at(self, name: str) -> tuple[int, int]:
        """Offset and width of a field of the header."""
        found = next(leaf for leaf in self.fields if leaf.name == name)
        return int(found.offset), found.length


def _leaves(whole: Field) -> list[Field]:
    return [leaf for leaf in whole.walk() if not leaf.fields and leaf.length]


Mutation = Callable[[random.Random, Base, Mutant], None]

MUTATIONS: dict[str, tuple[Mutation, int]] = {}
"""Every mutation, and how often it is taken compared with others."""


def mutation(weight: int) -> Callable[[Mutation], Mutation]:
    """Register a mutation."""

    def register(function: Mutation) -> Mutation:
        MUTATIONS[function.__name__] = function, weight
        return function

    return register


def choose(names: Iterable[str] | None) -> None:
    """Take these mutations only; all of them where there are no names."""
    for name in set(MUTATIONS) - set(names or MUTATIONS):
        del MUTATIONS[name]


def mutant(base: Base, seed: int, number: int) -> Mutant:
    """The mutant of an image that has a number."""
    rng = random.Random(f"{seed}/{number}/{base.path.name}")
    made = Mutant(base.path.name, str(base.image.format), number)
    names, weights = list(MUTATIONS), [weight for _, weight in MUTATIONS.values()]
    for name in rng.choices(names, weights, k=rng.choices((1, 2, 3), (12, 5, 3))[0]):
        MUTATIONS[name][0](rng, base, made)
        made.mutations.append(name)
    if rng.random() < OTHER_DRIVER:
        made.format = str(rng.choice(list(Format)))
    return made


OTHER_DRIVER = 0.004
"""How many mutants are opened as another format than they have."""


def interesting(rng: random.Random, width: int, now: int = 0, step: int = 512) -> int:
    """A value at which a rule may begin or cease to hold.

    Args:
        rng: Where chance comes from.
        width: Bytes of the field.
        now: What stands there.
        step: What offsets are multiples of.
    """
    most = (1 << 8 * width) - 1
    bit = 1 << rng.randrange(8 * width)
    near = rng.choice((0, 1, 2, 7, 8, step))
    value = rng.choice(
        (
            rng.choice((0, 1, 2, 3, most, most - 1, most >> 1, (most >> 1) + 1)),
            bit + rng.choice((-1, 0, 1)),
            now ^ bit,
            now + rng.choice((-1, 1)) * near,
            step * rng.choice((0, 1, 2, 3, 5, 1 << 10, 1 << 20)),
            rng.choice(EDGES) + rng.choice((-1, 0, 1)) * near,
            rng.randrange(1 << rng.randrange(1, 8 * width + 1)),
        )
    )
    return min(max(value, 0), most)


EDGES = (
    c.BDRV_MAX_LENGTH,
    c.QCOW2_MAX_TABLE_END,
    c.INV_OFFSET,
    c.QCOW_MAX_L1_SIZE,
    c.QCOW_MAX_L1_SIZE // c.L1E_SIZE,
    c.QCOW_MAX_REFTABLE_SIZE,
    c.QCOW_MAX_SNAPSHOTS,
    c.QCOW_MAX_SNAPSHOT_EXTRA_DATA,
    c.QCOW2_MAX_BITMAPS,
    c.QCOW2_MAX_BITMAP_DIRECTORY_SIZE,
    c.BME_MAX_NAME_SIZE,
    c.BME_MAX_TABLE_SIZE,
    c.BME_MAX_PHYS_SIZE,
    c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE,
    c.QCRYPTO_BLOCK_LUKS_STRIPES,
    c.QCOW_MAX_BACKING_FILE_SIZE,
    c.QCOW2_V3_MIN_HEADER_LENGTH,
    c.QCOW2_HEADER_SIZE,
)
"""Numbers that rules speak of."""
