"""Mutants: images whose tables, entries, bitmaps and payloads are damaged.

In: a seed and a number. Out: a mutant on disk, beside the files that it leads to. Refused: nothing.
The same numbers give the same mutant, with the same QEMU to write the images that it is made from.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import qcowspec
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.places import Place, Places, Unfit
from qcowspec.mapping import Kind
from tests.conformance import random_images
from tests.conformance.reading.answers import compared, snapshots
from tests.conformance.reading.chains import chain
from tests.conformance.reading.copies import copied
from tests.conformance.reading.scripts import Unbuilt, flavours, written
from tools import qemus

LARGEST = 1 << 32
"""Bytes of a disk that is read; mutants with a larger one are left out."""

SOURCE = 4 << 20
"""Bytes of an image that mutants are made from, at most."""

TABLES = ("l1_table", "l2_tables", "snapshots[0].l1_table")


@dataclass(frozen=True)
class Seed:
    """An image that mutants are made from.

    Attributes:
        name: What to call it.
        folder: Where it is, with the files that it leads to.
        file: Its name there.
        format: Its format.
        top: Name and format of the image that is read; another one where this one stands behind it.
        places: Where everything stands in it.
        payloads: Offset and length of its compressed clusters' data.
    """

    name: str
    folder: Path
    file: str
    format: str
    top: tuple[str, str]
    places: Places
    payloads: tuple[tuple[int, int], ...]


def seeds(folder: Path, count: int) -> list[Seed]:
    """The images that mutants are made from: of the vectors, and written at random.

    Args:
        folder: Where to put them.
        count: How many are written at random; a quarter of them are chains.
    """
    found = []
    for name, chosen, places in random_images.seeds():
        path = _folder(folder, name) / f"image.{chosen}"
        path.write_bytes(places.data)
        found.append(_seed(name, path, chosen, (path.name, chosen)))
    kinds = [flavour for flavour in flavours() if flavour.cluster_bits <= 16]
    for number in range(count):
        random = Random(f"seed {number}")
        place = _folder(folder, str(number))
        if number % 4 == 3:
            layers = [random.choice(("v1", "v2", "v3", "extended")) for _ in range(3)]
            script = chain(place, tuple(layers), random)
        else:
            try:
                script = written(place, random.choice(kinds), random)
            except Unbuilt:
                continue
        top = script.image.name, script.flavour.format
        images = [path for path in place.iterdir() if path.suffix not in ("", ".raw")]
        path = random.choice(sorted(images))
        chosen = "qcow" if path.suffix in (".v1", ".qcow") else "qcow2"
        if path.stat().st_size <= SOURCE:
            found.append(_seed(f"{number}: {script.flavour.name}", path, chosen, top))
    return found


def _folder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _seed(name: str, path: Path, chosen: str, top: tuple[str, str]) -> Seed:
    data = path.read_bytes()
    with qcowspec.open(data, format=chosen) as image:
        runs = [run for run in image.runs() if run.kind is Kind.COMPRESSED]
    payloads = [(run.host_offset or 0, run.compressed_length) for run in runs]
    return Seed(name, path.parent, path.name, chosen, top, Places(data, chosen), tuple(payloads))


# --- what is changed ------------------------------------------------------------------------------


def _entry(random: Random, seed: Seed, draft: Draft) -> None:
    """An entry of a table: a bit, another entry's value, or an offset beside its own."""
    place = random.choice(_entries(seed))
    old = place.value if isinstance(place.value, int) else 0
    other = random.choice(_entries(seed)).value
    bits = 8 * place.length
    changes = [
        *(0, old ^ 1 << random.randrange(bits), old ^ 1 << random.randrange(bits)),
        *(old + 512, old + seed.places.cluster_size, other if isinstance(other, int) else 0),
        *(old ^ 1 << random.randrange(bits - 8, bits), old ^ 1 << random.randrange(9)),
    ]
    draft.set(place, random.choice(changes) % (1 << bits))


def _descriptor(random: Random, seed: Seed, draft: Draft) -> None:
    """A compressed cluster's entry: where its data are, or how long."""
    packed = [
        place
        for place in _entries(seed)
        if isinstance(place.value, int) and place.value >> 8 * place.length - 2 & 3 in (1, 2, 3)
    ]
    if not packed:
        return _entry(random, seed, draft)
    place = random.choice(packed)
    bits = seed.places.cluster_size.bit_length() - 1
    shift = random.choice((0, 1, 8, 9, random.randrange(63 - bits, 63)))
    shift += 8 * place.length - 64  # an extended entry has its bitmap below
    old = place.value if isinstance(place.value, int) else 0
    draft.set(place, (old + random.choice((-1, 1)) * (1 << shift)) % (1 << 8 * place.length))
    return None


def _bitmap(random: Random, seed: Seed, draft: Draft) -> None:
    """A subcluster bitmap: bits on, off, or all others."""
    extended = [place for place in _entries(seed) if place.length == 16]
    if not extended:
        return _entry(random, seed, draft)
    place = random.choice(extended)
    old = place.value if isinstance(place.value, int) else 0
    entry, bitmap = divmod(old, 1 << 64)
    alloc, zero = bitmap % (1 << 32), bitmap >> 32
    bit = 1 << random.randrange(32)
    sound = [
        (zero & ~bit, alloc | bit),
        (zero | bit, alloc & ~bit),
        (zero & ~bit, alloc & ~bit),
        (random.getrandbits(32) & ~alloc, alloc),
        (zero | bit, alloc | bit),
        (random.getrandbits(32), random.getrandbits(32)),
        (0, 0xFFFFFFFF),
    ]
    zero, alloc = random.choice(sound)
    draft.set(place, entry << 64 | zero << 32 | alloc)
    return None


def _payload(random: Random, seed: Seed, draft: Draft) -> None:
    """The data of a compressed cluster: a bit, some bytes, or another cluster's."""
    if not seed.payloads:
        return _bytes(random, seed, draft)
    at, length = random.choice(seed.payloads)
    within = random.choice((random.randrange(length), random.randrange(min(length, 40))))
    old = draft.data[at + within : at + within + 1] or b"\0"
    others, size = random.choice(seed.payloads)
    new = [
        bytes([old[0] ^ 1 << random.randrange(8)]),
        bytes([old[0] ^ 1 << random.randrange(8)]),
        random.randbytes(random.choice((1, 2, 8))),
        bytes(draft.data[others : others + min(size, length - within)]),
    ]
    draft.write(at + within, random.choice(new))
    return None


def _bytes(random: Random, seed: Seed, draft: Draft) -> None:
    """Any bytes anywhere."""
    draft.write(random.randrange(len(draft.data)), random.randbytes(random.choice((1, 1, 2, 8))))


def _cut(random: Random, seed: Seed, draft: Draft) -> None:
    """The end of the file."""
    draft.truncate(random.randrange(len(draft.data) // 2, len(draft.data)))


CHANGES: tuple[tuple[Callable[[Random, Seed, Draft], None], int], ...] = (
    *((_entry, 8), (_descriptor, 5), (_bitmap, 3)),
    *((_payload, 5), (_bytes, 2), (_cut, 1)),
)


def _entries(seed: Seed) -> list[Place]:
    found = [place for place in seed.places.entries if place.path.startswith(TABLES)]
    return found or list(seed.places.entries)


def mutated(random: Random, seed: Seed) -> bytes:
    """A mutant of one to three changes."""
    draft = Draft(seed.places)
    changes, weights = zip(*CHANGES, strict=True)
    for change in random.choices(changes, weights, k=random.choice((1, 1, 2, 3))):
        try:
            change(random, seed, draft)
        except Unfit:
            continue
    return bytes(draft.data)


# --- what is compared -----------------------------------------------------------------------------


def mutant(found: list[Seed], seed: int, number: int) -> tuple[str, str]:
    """One mutant: ``large`` if its disk is not read; else as `compared` has it."""
    with planted(found, seed, number) as (chosen, image, driver, random):
        if _size(image, driver) > LARGEST:
            return "large", chosen.name
        snapshot = random.choice([None, None, *_snapshots(image, driver)])
        what, how = compared(image, driver, snapshot)
        return what, f"{chosen.name}, snapshot {snapshot}: {how}" if what == "differs" else how


def mutant_copy(
    found: list[Seed], seed: int, number: int, readers: tuple[qemus.Qemu, ...]
) -> tuple[str, str]:
    """The copy of one mutant; see `copied`."""
    with planted(found, seed, number) as (chosen, image, driver, random):
        if _size(image, driver) > LARGEST:
            return "large", chosen.name
        what, how = copied(image, driver, random, readers)
        return what, f"{chosen.name}: {how}" if what == "differs" else how


@contextmanager
def planted(found: list[Seed], seed: int, number: int) -> Iterator[tuple[Seed, Path, str, Random]]:
    """A mutant in place of the image that it is made from: name and format of what is read."""
    random = Random(f"{seed}/{number}")
    chosen = random.choice(found)
    image, kept = chosen.folder / chosen.file, chosen.folder / "kept"
    shutil.copy(image, kept)
    image.write_bytes(mutated(random, chosen))
    try:
        name, driver = chosen.top
        yield chosen, chosen.folder / name, driver, random
    finally:
        shutil.move(kept, image)


def _size(image: Path, format: str) -> int:
    try:
        with qcowspec.lay_open(image, format=format) as opened:
            return opened.size
    except qcowspec.QcowError:
        return 0


def _snapshots(image: Path, format: str) -> list[str]:
    try:
        return [] if format == "qcow" else [each for each in snapshots(image) if each.isalnum()]
    except qcowspec.QcowError:
        return []
