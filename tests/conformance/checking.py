"""The figures of a check, ours and QEMU's, on images whose tables are broken.

    python -m tests.conformance.checking --count N --seed S
    python -m tests.conformance.checking --used N --seed S

What is compared: all that `qemu-img check --output=json` counts, and the exit status; and each of
our findings has to have a rule, and a place in the file. A mutant that
QEMU does not open says nothing about a check and is only counted; so is one that QEMU takes too
long for, or dies of.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from qcow_parsers import constants as c

import qcowspec
from qcowspec.check import Report, check
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations import mutate
from qcowspec.fuzzing.places import Places, Unfit
from qcowspec.fuzzing.vectors import base
from qcowspec.image import lay_open
from qcowspec.spec.rules import BY_ID
from qcowspec.spec.units import align_up
from tests.conformance.random_images import written
from tools import qemus

DATA = Path(__file__).parents[1] / "data"

TIMEOUT = 20
"""Seconds: longer than QEMU takes for a check of any small image that it ends."""

SAID = 500
"""Mutants after which the command line says how far it is."""

LARGEST = 4 << 20
"""Bytes of an image that mutants are made from."""

TABLES = (
    "entry-value", "entry-reserved", "entry-flag", "entry-unaligned", "entry-past-end",
    "entry-overlap", "refcount", "snapshot-field", "snapshot-graft", "bitmap-field",
)  # fmt: skip
"""Mutations that are drawn most: of tables and of what they are located by."""


@dataclass(frozen=True)
class Seed:
    """An image that mutants are made from, with its name and what opens it."""

    name: str
    places: Places
    secret: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a check says: the exit status, and the figures; None where it gives none.

    Attributes:
        said: What it prints to stderr, or what would stand there.
        lost: Of ours, the findings that name no rule, or no byte of the file.
    """

    status: int
    figures: dict[str, int] | None
    said: str = ""
    lost: tuple[str, ...] = ()


def seeds() -> Iterator[Seed]:
    """Images of every flavour: the bases of the vectors, and those that QEMU made."""
    for name, described in vectors.bases().items():
        places = base(name)
        if described.get("version") != 1 and len(places.data) <= LARGEST and "luks" not in name:
            yield Seed(name, places)
    for row in rows():
        path = DATA / row["name"]
        if path.stat().st_size <= LARGEST:
            yield Seed(row["name"], Places(path.read_bytes()), row.get("passphrase"))


def rows() -> list[dict[str, Any]]:
    """The images of version 2 and 3 in tests/data, as their table describes them."""
    table = tomllib.loads((DATA / "images.toml").read_text(encoding="utf-8"))["image"]
    return [row for row in table if row.get("format", "qcow2") == "qcow2"]


@cache
def all_seeds() -> tuple[Seed, ...]:
    """`seeds`, made once."""
    return tuple(seeds())


def mutant(seed: Seed, random: Random) -> tuple[bytes, tuple[str, ...]]:
    """An image with a few faults, most of them in tables; and what was done to it."""
    names = TABLES if random.random() < 0.8 else ()
    try:
        made = mutate(seed.places, random, names=names, most=4)
        data, done = made.data, made.mutations
    except Unfit:
        data, done = seed.places.data, ()
    if done and random.random() < 0.6:
        return data, done
    draft = Draft(Places(data, "qcow2"))
    tables = list(draft.base.tables().items())
    for _ in range(random.choice((1, 1, 2, 6)) if tables else 0):
        path, (offset, count, width) = random.choice(tables)
        at = offset + random.randrange(max(1, min(count * width, 1 << 16)))
        if 0 <= at < len(draft.data):
            draft.write(at, bytes([draft.data[at] ^ 1 << random.randrange(8)]))
            done += (f"bit of {path}",)
    return bytes(draft.data), done


def narrow(seed: Seed, random: Random) -> tuple[bytes, tuple[str, ...]]:
    """An image with other refcounts, of any width."""
    data = bytearray(seed.places.data)
    table, geometry = seed.places.image.refcount_table, seed.places.image.geometry
    if table is None or geometry is None:
        return bytes(data), ()
    offsets = [entry for entry in table.values() if 0 < entry < len(data)]
    for _ in range(random.choice((1, 2, 5)) if offsets else 0):
        used = -(-geometry.clusters(len(data)) * geometry.refcount_bits // 8)
        at = random.choice(offsets) + random.randrange(min(geometry.cluster_size, used + 2))
        if at < len(data):
            data[at] = random.choice((0, 0xFF, data[at] ^ 1 << random.randrange(8)))
    return bytes(data), ("refcounts",)


def theirs(path: Path, secret: str | None = None) -> Answer | None:
    """What QEMU says; None where it takes too long, or dies."""
    command = ["qemu-img", "check", "--output=json", "-f", "qcow2", path.name]
    if secret is not None:
        options = f"driver=qcow2,file.filename={path.name},encrypt.key-secret=key"
        command = ["qemu-img", "check", "--output=json"]
        command += ["--object", f"secret,id=key,data={secret}", "--image-opts", options]
    try:
        run = subprocess.run(
            command, cwd=path.parent, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if run.returncode < 0:
        return None
    said = run.stderr.decode("utf-8", "backslashreplace")
    figures: dict[str, Any] | None = json.loads(run.stdout) if run.stdout.strip() else None
    if figures is not None:
        del figures["filename"], figures["format"]
    return Answer(run.returncode, figures, said)


def ours(path: Path | bytes) -> Answer:
    """What we say."""
    try:
        image = lay_open(path, format="qcow2")
    except qcowspec.QcowError as error:
        return Answer(1, None, str(error))
    with image:
        try:
            report = check(image, profile=qemus.installed().profile)
        except qcowspec.QcowError as error:
            return Answer(1, None, f"Could not open: {error}")
    figures = report.figures
    told = figures.as_json() if figures.completed else None
    return Answer(figures.status, told, report.why or "", tuple(lost(report, image.source.length)))


def lost(report: Report, length: int) -> Iterator[str]:
    """Findings without a rule, a fault, or a place in the file; there should be none."""
    behind = align_up(length, c.BDRV_SECTOR_SIZE)  # so much does QEMU read
    for group in report.findings:
        if group.rule.id not in BY_ID or not group.faults:
            yield f"{group.rule.id}, {group.count} times"
        for fault in group.faults:
            if not 0 <= fault.offset < behind:
                yield f"{group.rule.id}: {fault}"


def compared(folder: Path, seed: int, number: int) -> tuple[str, str]:
    """One mutant: ``agrees``, ``unopened`` or ``slow``; or ``differs``, and how."""
    random = Random(f"{seed}/{number}")
    chosen = random.choice(all_seeds())
    data, done = (narrow if random.random() < 0.15 else mutant)(chosen, random)
    path = folder / "mutant.qcow2"
    path.write_bytes(data)
    return held(path, chosen, done)


def held(path: Path, chosen: Seed, done: tuple[str, ...]) -> tuple[str, str]:
    """Hold our answer about an image against QEMU's; see `compared`."""
    expected = theirs(path, chosen.secret)
    if expected is None:
        return "slow", chosen.name
    if "Could not open" in expected.said and expected.figures is None:
        return "unopened", chosen.name
    got = ours(path)
    if got.lost:
        return "differs", f"{chosen.name} {done}: no place for {got.lost}"
    if (got.status, got.figures) == (expected.status, expected.figures):
        return "agrees", chosen.name
    return "differs", f"{chosen.name} {done}: ours {got}; QEMU's {expected}"


FLAVOURS = (
    ["-o", "compat=0.10,cluster_size=4k"],
    ["-o", "cluster_size=512"],
    ["-o", "cluster_size=64k,refcount_bits=1"],
    ["-o", "cluster_size=4k,refcount_bits=2"],
    ["-o", "cluster_size=1k,refcount_bits=4"],
    ["-o", "cluster_size=4k,refcount_bits=8"],
    ["-o", "cluster_size=4k,refcount_bits=32"],
    ["-o", "cluster_size=8k,refcount_bits=64"],
    ["-o", "cluster_size=16k,extended_l2=on"],
    ["-o", "cluster_size=64k,compression_type=zstd,lazy_refcounts=on"],
)
"""Options of `qemu-img create`: every width of a refcount, and cluster sizes."""


def used(folder: Path, seed: int, number: int) -> Iterator[tuple[str, str]]:
    """An image that a guest wrote to, and mutants of it: each as `compared` tells it."""
    random = Random(f"used/{seed}/{number}")
    path, options = folder / "used.qcow2", random.choice(FLAVOURS)
    written(path, random, options, 512 * random.randrange(1, 20000), snapshots=True)
    if random.random() < 0.4 and "0.10" not in options[1]:
        for name in ("one", "two"):
            subprocess.run(
                ["qemu-img", "bitmap", "--add", path.name, name], cwd=folder, capture_output=True
            )
        subprocess.run(["qemu-io", "-c", "write 0 4k", path.name], cwd=folder, capture_output=True)
    seed_image = Seed(f"used {number} {options[1]}", Places(path.read_bytes()))
    yield held(path, seed_image, ())
    for _ in range(MUTANTS_EACH):
        data, done = (narrow if random.random() < 0.3 else mutant)(seed_image, random)
        path.write_bytes(data)
        yield held(path, seed_image, done)


MUTANTS_EACH = 8


def beside(folder: Path) -> None:
    """Put the files that the images name beside them."""
    for path in DATA.iterdir():
        (folder / path.name).symlink_to(path)
    for name in ("data.raw", "base.raw"):
        (folder / name).write_bytes(bytes(1 << 20))


def main() -> int:
    """Compare on many mutants; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first mutant")
    parser.add_argument("--used", type=int, default=0, help="images written by a guest, instead")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        beside(Path(folder))
        numbers = range(options.first, options.first + (options.used or options.count))
        for number in numbers:
            if options.used:
                told = list(used(Path(folder), options.seed, number))
            else:
                told = [compared(Path(folder), options.seed, number)]
            counts.update(what for what, _ in told)
            if (number + 1) % SAID == 0:
                print(f"{number + 1}: {dict(counts)}", flush=True)  # noqa: T201 - run by hand
            for what, line in told:
                if what == "differs":
                    print(f"{number}: {line[:2000]}", flush=True)  # noqa: T201 - run by hand
    opened = counts["agrees"] + counts["differs"]
    print(  # noqa: T201 - run by hand
        f"{counts.total()} images: {opened} opened, {counts['agrees']} agree, "
        f"{counts['differs']} differ; {counts['unopened']} not opened, {counts['slow']} too slow"
    )
    return 1 if counts["differs"] else 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    sys.exit(main())
