"""Guest bytes, ours and QEMU's, on images that are written at random, and on mutants.

    python -m tests.conformance.reading --mutants N --seed S

What is compared: where qemu-img converts an image, ours are the same bytes; where it fails, we fail
with an error of ours. A mutant that QEMU takes too long for is left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import qcowspec
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.bases import base
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.places import Places

TIMEOUT = 20
LARGEST = 64 << 20
"""Bytes of a disk that is read; mutants with larger ones are judged by what they say only."""


@dataclass(frozen=True)
class Answer:
    """What a reader gives: bytes, or why not."""

    data: bytes | None
    error: str = ""


def theirs(image: Path, format: str, output: Path, *extra: str) -> Answer | None:
    """What qemu-img gives; None where it takes too long."""
    command = ["qemu-img", "convert", "-f", format, "-O", "raw", *extra, str(image), str(output)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return None
    if run.returncode:
        return Answer(None, run.stderr.strip())
    return Answer(output.read_bytes())


def ours(image: Path, format: str, snapshot: str | None = None) -> Answer:
    """What we give; only our own errors count as an answer."""
    try:
        with qcowspec.open(image, format=format, allow="same-dir", like_qemu=True) as opened:
            disk = opened.disk(snapshot)
            return Answer(disk.pread(0, disk.size))
    except qcowspec.QcowError as error:
        return Answer(None, str(error))


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


def main() -> int:
    """Compare on many mutants; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts = {"read": 0, "refused": 0, "slow": 0, "large": 0}
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.mutants):
            what, line = compared(Path(folder), options.seed, number)
            if what in counts:
                counts[what] += 1
            else:
                differ += 1
                print(f"{number}: {line}", flush=True)  # noqa: T201 - run by hand
    print(f"{options.mutants} mutants: {counts}; {differ} differ")  # noqa: T201 - run by hand
    return 1 if differ else 0


def compared(folder: Path, seed: int, number: int) -> tuple[str, str]:
    """One mutant: ``read``, ``refused``, ``slow`` or ``large``; or ``differs``, and how."""
    random = Random(f"{seed}/{number}")
    name, chosen, places = random.choice(seeds_once())
    image, output = folder / f"mutant.{chosen}", folder / "output.raw"
    image.write_bytes(mutated(random, places))
    try:
        with qcowspec.lay_open(image, format=chosen) as opened:
            if opened.size > LARGEST:
                return "large", name
    except qcowspec.QcowError:
        pass
    expected = theirs(image, chosen, output)
    if expected is None:
        return "slow", name
    got = ours(image, chosen)
    if got.data != expected.data:
        return (
            "differs",
            f"{name}: ours {got.error or 'bytes'}; qemu-img {expected.error or 'bytes'}",
        )
    return ("refused", got.error) if got.data is None else ("read", name)


_SEEDS: list[tuple[str, str, Places]] = []


def seeds_once() -> list[tuple[str, str, Places]]:
    """`seeds`, made once."""
    if not _SEEDS:
        _SEEDS.extend(seeds())
    return _SEEDS


if __name__ == "__main__":
    sys.exit(main())
