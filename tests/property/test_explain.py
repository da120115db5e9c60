"""`explain` says of any byte of any image what dump, check and usage say of it.

By default of some bytes of each image in tests/data, and of some mutants. ``EXPLAIN_MUTANTS=2000``
compares every byte at which something begins or ends, and every 499th, and as many mutants.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

from qcowspec.errors import QcowError
from qcowspec.fuzzing.mutations import mutate
from qcowspec.fuzzing.places import Places
from qcowspec.image import lay_open
from qcowspec.report.explain import explain
from qcowspec.report.explain_text import host_lines
from tests.every import every
from tests.property.explaining import Others
from tests.property.real_images import DATA, IMAGES

LONG = int(os.environ.get("EXPLAIN_MUTANTS", "0"))
"""Mutants of the long form; 0 for the short one."""

CHOSEN = [path for path in IMAGES if LONG or path.stat().st_size < 4 << 20]

BASES = [path for path in IMAGES if path.stat().st_size < 64 << 10]

MUTANTS = LONG or 60

EDGES = 12
"""Offsets of an image that are compared, in the short form, and of a mutant."""

STRIDE = 499
"""Bytes from one compared offset to the next, in the long form; a prime."""


def chosen(others: Others, random: Random, *, most: int | None = EDGES) -> list[int]:
    """Offsets at which something begins or ends, and their neighbours."""
    edges = sorted(others.edges())
    return edges if most is None else random.sample(edges, min(most, len(edges)))


@every("path", CHOSEN, ids=lambda path: path.name)
def test_of_real_images(path: Path) -> None:
    with lay_open(path) as image:
        others = Others(image)
        offsets = set(chosen(others, Random(path.name), most=None if LONG else EDGES))
        offsets.update(range(0, image.source.length, STRIDE) if LONG else ())
        found = {hex(offset): others.disagreement(offset) for offset in sorted(offsets)}

    assert {offset: what for offset, what in found.items() if what} == {}


def mutants() -> Iterator[tuple[str, int, bytes]]:
    seeds = [(path.name, Places(path.read_bytes())) for path in BASES]
    for number in range(MUTANTS):
        name, seed = seeds[number % len(seeds)]
        yield name, number, mutate(seed, Random(number), most=3).data


def test_of_mutants() -> None:
    """A mutant that is not laid open has nothing to explain; most are."""
    compared, found = 0, {}
    for name, number, data in mutants():
        random = Random(number)
        try:
            image = lay_open(data)
        except QcowError:
            continue
        with image:
            others = Others(image)
            for offset in chosen(others, random):
                compared += 1
                if what := others.disagreement(offset):
                    found[name, number, hex(offset)] = what
            for offset in (len(data), random.randrange(1 << 63)):
                assert list(host_lines(explain(image, offset)))

    assert found == {}
    assert compared > MUTANTS * EDGES // 2


def test_a_disagreement_is_seen() -> None:
    """The comparison itself can fail: another image's words are not this one's."""
    with lay_open(DATA / "v3-512.qcow2") as one, lay_open(DATA / "v2-512.qcow2") as other:
        others = Others(other)
        others.image = one
        edges = sorted(offset for offset in others.edges() if offset < one.source.length)
        parts = {others._dump, others._check, others._usage}
        seen = {part for part in parts for at in edges if part(explain(one, at), at)}

    assert seen == parts
