"""Persistent bitmaps written at random, and their ranges as QEMU reads them, against ours.

python -m tests.conformance.bitmaps --scripts 200 --seed 1
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import qcowspec
from tests.command import run as ours
from tests.qemu import create, run

SIZES = (1 << 20, 5_000_704, 64 << 20, 3 << 30, (1 << 40) + 512, 64 << 40)
"""Bytes of a disk."""

LARGEST = {"512": 64 << 20, "4k": (1 << 40) + 512, "64k": 64 << 40, "2M": 64 << 40}
"""The largest of them for each cluster size: QEMU makes no L1 table above 32 MiB."""

CONTEXT = "qemu:dirty-bitmap:"
"""What NBD calls the ranges of a bitmap begins with this."""

Range = tuple[int, int, bool]
"""Start, length, whether it is dirty."""


def made(path: Path, random: Random) -> None:
    """Make an image with bitmaps, by qemu-img and qemu-io; then change entries of their tables."""
    cluster = random.choice(list(LARGEST))
    size = min(random.choice(SIZES), LARGEST[cluster])
    options = f"cluster_size={cluster}"
    if cluster in ("64k", "2M") and random.random() < 0.3:
        options += ",extended_l2=on"
    create(path, size, options=options)
    names = list[str]()
    for turn in range(random.randrange(1, 4)):
        least = max(9, (size // (1 << 26)).bit_length())
        for _ in range(random.randrange(3)):
            names.append(f"b{len(names)}")
            step = 1 << random.randrange(least, max(least, 20) + 1)
            run("qemu-img", "bitmap", "--add", "-g", step, path, names[-1])
        lines = list[str]()
        for _ in range(random.randrange(1, 16)):
            length = 512 * random.randrange(1, 400)
            offset = random.choice((0, 512 * random.randrange(size // 512), size - length))
            offset, length = max(0, offset), min(length, size - max(0, offset))
            kind = random.choice(("write -q", "write -q", "write -q -z -u", "discard -q"))
            lines.append(f"{kind} {offset} {length}")
        words = (word for line in lines for word in ("-c", line))
        run("qemu-io", "-t", "unsafe", "-f", "qcow2", *words, path)
        if names and random.random() < 0.3:
            action = random.choice(("--disable", "--enable", "--clear"))
            run("qemu-img", "bitmap", action, path, random.choice(names))
        if len(names) > 1 and random.random() < 0.3:
            run("qemu-img", "bitmap", "--merge", names[0], path, names[1], check=False)
        if random.random() < 0.3:
            run("qemu-img", "resize", "-q", "-f", "qcow2", path, f"+{512 * random.randrange(9999)}")
            size = json.loads(run("qemu-img", "info", "--output=json", path).stdout)["virtual-size"]
        if random.random() < 0.2:
            run("qemu-img", "snapshot", "-c", f"s{turn}", path)
    if random.random() < 0.5:
        _change_entries(path, random)


def _change_entries(path: Path, random: Random) -> None:
    """Write what QEMU reads and never writes: entries of ones, and several for one cluster."""
    with qcowspec.open(path) as image:
        tables = [(each.bitmap_table_offset, each.bitmap_table_size) for each in image.bitmaps]
    with path.open("r+b") as file:
        for offset, count in tables:
            file.seek(offset)
            known = [file.read(8) for _ in range(min(count, 64))]
            for _ in range(random.randrange(4)):
                file.seek(offset + 8 * random.randrange(count))
                file.write(random.choice((bytes(8), bytes(7) + b"\1", random.choice(known))))


def by_qemu(path: Path, name: str) -> list[Range]:
    """A bitmap's ranges, as qemu-nbd serves them."""
    done = run(
        "nbdinfo", "--json", f"--map={CONTEXT}{name}",
        "--", "[", "qemu-nbd", "-r", "-f", "qcow2", "-B", name, path, "]",
    )  # fmt: skip
    found = list[Range]()
    for each in json.loads(done.stdout):
        dirty = bool(each["type"])
        if found and found[-1][2] is dirty:
            start, length, _ = found.pop()
            found.append((start, length + each["length"], dirty))
        else:
            found.append((each["offset"], each["length"], dirty))
    return found


def by_us(path: Path, name: str) -> list[Range]:
    """The same by `qcowspec map`."""
    done = ours("map", "--bitmap", name, "--json", path)
    assert done.returncode == 0, done.stderr
    return [(each["start"], each["length"], each["dirty"]) for each in json.loads(done.stdout)]


def compared(path: Path) -> Iterator[str]:
    """What differs, for each bitmap of an image; and a word for each that is equal."""
    listed = json.loads(ours("bitmap", "--json", path).stdout)
    for row in listed:
        qemu, mine = by_qemu(path, row["name"]), by_us(path, row["name"])
        total = sum(length for _, length, dirty in qemu if dirty)
        if qemu != mine or row["dirty-bytes"] != total:
            other = [pair for pair in zip(qemu, mine, strict=False) if pair[0] != pair[1]][:1]
            yield f"{row}: QEMU has {len(qemu)} ranges, {total} bytes; ours {len(mine)}: {other}"
        else:
            yield ""


def main() -> int:
    """Compare many; returns the exit status."""
    parser = argparse.ArgumentParser(description="Compare dirty bitmaps with QEMU's.")
    parser.add_argument("--scripts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    equal = wrong = 0
    for number in range(options.seed, options.seed + options.scripts):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "disk.qcow2"
            made(path, Random(number))
            for says in compared(path):
                equal, wrong = equal + (not says), wrong + bool(says)
                if says:
                    sys.stdout.write(f"seed {number}: {says}\n")
    sys.stdout.write(f"{options.scripts} scripts: {equal} bitmaps equal, {wrong} differ\n")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
