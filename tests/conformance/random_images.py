"""Images that are written at random, and mutants of their tables, for whoever compares with QEMU.

`tests.conformance.reading` takes its bases from here; its scripts and mutants know what they wrote.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.places import Places
from qcowspec.fuzzing.vectors import base

LARGEST = 64 << 20
"""Bytes of a disk that is read; mutants with larger ones are judged by what they say only."""


def written(path: Path, random: Random, options: list[str], size: int, *, snapshots: bool) -> None:
    """Write to an image as a guest, by qemu-io: plain, compressed, zeros, discards, snapshots."""
    chosen = "qcow" if path.suffix == ".qcow" else "qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", chosen, *options, str(path), str(size)], check=True
    )
    for turn in range(random.randrange(1, 4)):
        lines = []
        for _ in range(random.randrange(1, 12)):
            length = 512 * random.randrange(1, 400)
            offset = 512 * random.randrange(0, max(1, (size - length) // 512))
            length = min(length, size - offset)
            pattern = random.randrange(1, 256)
            kinds = [f"write -P {pattern}", "write -z", "write -z -u", "discard"]
            lines.append(f"{random.choice(kinds)} {offset} {length}")
            if random.random() < 0.4:
                cluster = 1 << 21 if random.random() < 0.1 else 1 << 16
                at = random.randrange(0, max(1, size // cluster)) * cluster
                if at + cluster <= size:
                    lines.append(f"write -c -P {pattern} {at} {cluster}")
        words = [word for line in lines for word in ("-c", line)]
        subprocess.run(["qemu-io", "-f", chosen, *words, str(path)], capture_output=True)
        if snapshots and random.random() < 0.7:
            # refcounts of few bits leave no room for one
            taken = ["qemu-img", "snapshot", "-c", f"s{turn}", str(path)]
            subprocess.run(taken, capture_output=True)


def mutated(random: Random, seed: Places) -> bytes:
    """An image with a few entries, or bytes of its payloads, changed."""
    draft = Draft(seed)
    entries = [place for place in seed.entries if place.path.startswith(("l1_table", "l2_tables"))]
    for _ in range(random.randrange(1, 4)):
        chance = random.random()
        if entries and chance < 0.7:
            place = random.choice(entries)
            old = place.value if isinstance(place.value, int) else 0
            bit = 1 << random.randrange(8 * place.length)
            other = random.choice(entries).value
            values = [0, old ^ bit, old ^ bit, old + 512, old + seed.cluster_size, other]
            value = random.choice(values)
            draft.set(place, (value if isinstance(value, int) else 0) % (1 << 8 * place.length))
        else:
            at = random.randrange(len(draft.data))
            draft.write(at, random.randbytes(random.choice((1, 1, 2, 8))))
    return bytes(draft.data)


def seeds() -> list[tuple[str, str, Places]]:
    """The bases of the vectors that have no second file and no key: name, format, image."""
    found = []
    for name, described in vectors.bases().items():
        places = base(name)
        header = places.image.header
        apart = places.image.backing is not None or places.image.data_file is not None
        if header is None or apart or int(header.crypt_method) or len(places.data) > 1 << 20:
            continue
        found.append((name, "qcow" if described.get("version") == 1 else "qcow2", places))
    return found


_SEEDS: list[tuple[str, str, Places]] = []


def seeds_once() -> list[tuple[str, str, Places]]:
    """`seeds`, made once."""
    if not _SEEDS:
        _SEEDS.extend(seeds())
    return _SEEDS
