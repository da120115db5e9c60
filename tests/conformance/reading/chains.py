"""Chains of up to four mixed images.

In: a sequence of kinds, from the bottom, and chance. Out: the files. Refused: nothing.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

from tests.conformance.reading.scripts import SECTOR, Flavour, Script, sources

LAYERS = {
    "v1": ("qcow", (9, 12, 16)),
    "v2": ("qcow2", (9, 12, 16, 18)),
    "v3": ("qcow2", (9, 12, 16, 18)),
    "extended": ("qcow2", (14, 16, 18)),
}
"""Format of each kind of image, and the cluster_bits that it is drawn with."""

OPTIONS = {"v2": ("compat=0.10",), "v3": ("compat=1.1",), "extended": ("extended_l2=on",)}
LONGEST = 4


def sequences() -> list[tuple[str, ...]]:
    """Every sequence of up to four kinds, from the bottom, which may be raw."""
    found: list[tuple[str, ...]] = [(kind,) for kind in LAYERS]
    for length in range(2, LONGEST + 1):
        found += product((*LAYERS, "raw"), *[tuple(LAYERS)] * (length - 1))
    return found


def chain(folder: Path, kinds: tuple[str, ...], random: Random) -> Script:
    """The topmost image of a chain that was written at random."""
    sources(folder, random)
    below: tuple[str, str] | None = None
    top: Script | None = None
    for depth, kind in enumerate(kinds):
        size = SECTOR * random.randrange(1, 6000)  # shorter and longer than the one behind it
        if kind == "raw":
            path = folder / f"{depth}.raw"
            path.write_bytes(random.randbytes(size + random.choice((0, 100))))
            below = path.name, "raw"
            continue
        top = Script(folder / f"{depth}.{kind}", _flavour(kind, random), random, size)
        top.create(below)
        top.write(snapshots=depth == len(kinds) - 1)
        below = top.image.name, top.flavour.format
    assert top is not None
    return top


def _flavour(kind: str, random: Random) -> Flavour:
    driver, bits = LAYERS[kind]
    chosen = random.choice(bits)
    if kind == "v1":
        l2_bits = random.randrange(6, 14)
        return Flavour(kind, driver, chosen, 1 << l2_bits, l2_bits=l2_bits)
    entries = (1 << chosen) // (16 if kind == "extended" else 8)
    return Flavour(kind, driver, chosen, entries, (f"cluster_size={1 << chosen}", *OPTIONS[kind]))
