"""How fast qcowspec is beside the better of QEMU's versions, and beside what the machine can do.

    python -m tools.bench [--mib N] [--pairs N] [--only TEXT] [--folder DIR]

Whole processes, from start to exit, the page cache warm, a sync before each run. Every QEMU that is
there is tried, with and without `-W -m 16`; the fastest is run in turn with ours, and the ratio is
the median of the pairs. What both write or print is compared. The limit is what bare threads or the
bare library take (`tools/bench/limits.py`). It prints one table in Markdown, for docs/speed.md.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tools import qemus
from tools.bench.contents import CONTENTS
from tools.bench.limits import copy, inflate
from tools.bench.pairs import Pair, pairs, run

OURS = str(Path(sys.executable).with_name("qcowspec"))
WIDE = ["-W", "-m", "16"]
TRIES = 2
"""Runs of each QEMU from which the fastest is chosen."""


class Flavour(NamedTuple):
    """An image to read: its content, its format, and what is aimed at."""

    content: str
    format: str
    words: Sequence[str]
    aim: float | None
    scale: int = 1


FLAVOURS = {
    "v3 plain, files": Flavour("files", "qcow2", [], 0.8),
    "v3 plain, files, four times the size": Flavour("files", "qcow2", [], 0.8, 4),
    "v3 plain, random": Flavour("random", "qcow2", [], 0.8),
    "extended L2, files": Flavour(
        "files", "qcow2", ["-o", "extended_l2=on,cluster_size=128k"], 0.8
    ),
    "v3 zlib, files": Flavour("files", "qcow2", ["-c"], 0.5),
    "v3 zlib, text": Flavour("text", "qcow2", ["-c"], 0.65),
    "v3 zstd, files": Flavour("files", "qcow2", ["-c", "-o", "compression_type=zstd"], 0.65),
    "v1 plain, files": Flavour("files", "qcow", [], 0.12),
    "v1 compressed, files": Flavour("files", "qcow", ["-c"], 0.2),
}

NEW = {
    "convert -O qcow2, files": (["-O", "qcow2"], 0.9),
    "convert -O qcow2 -c, files": (["-O", "qcow2", "-c"], 0.5),
    "convert -O qcow2 -c, zstd, files": (
        ["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
        0.7,
    ),
}

TABLES = {
    "1 TiB": ["-o", "preallocation=metadata", "1T"],
    "64 GiB, 4 KiB clusters": ["-o", "preallocation=metadata,cluster_size=4k", "64G"],
}
AIMS = {"check": 0.15, "map": 0.15, "info": None}

STARTS = {
    "--help": (["--help"], 50),
    "info": (["info"], 70),
    "validate": (["validate"], 70),
    "dump": (["dump"], 70),
}
"""Commands on a small image, and the milliseconds that are aimed at."""


class Bench:
    """The measurements; each row is printed when it is made."""

    def __init__(self, folder: Path, mib: int, count: int) -> None:
        self.folder, self.mib, self.count = folder, mib, count
        self.out, self.other = folder / "out", folder / "other"
        self.programs = [each.program() for each in qemus.at_hand()]

    def raw(self, content: str, scale: int = 1) -> Path:
        """The raw disk of some content."""
        path = self.folder / f"{content}-{self.mib * scale}.raw"
        if not path.exists():
            CONTENTS[content](path, self.mib * scale << 20)
        return path

    def clean(self) -> None:
        """Remove what the last run has written."""
        self.out.unlink(missing_ok=True)

    def best(self, words: Sequence[str], *, wide: bool = False) -> list[str]:
        """The fastest command of QEMU's for these words."""
        found = []
        for program in self.programs:
            for more in ([], WIDE) if wide else ([],):
                command = [program, words[0], *more, *words[1:]]
                try:
                    seconds = min(run(command, self.clean).seconds for _ in range(TRIES))
                except subprocess.CalledProcessError:  # as 5.2 has no zstd
                    continue
                found.append((seconds, command))
        return min(found)[1]

    def reading(self, flavour: Flavour) -> Pair:
        """Convert to raw."""
        raw = self.raw(flavour.content, flavour.scale)
        image = self.folder / f"disk.{flavour.format}"
        make = ["qemu-img", "convert", *flavour.words, "-O", flavour.format, str(raw), str(image)]
        subprocess.run(make, check=flavour.format != "qcow")  # 7.2 exits with 1 after -c to v1
        image.read_bytes()
        words = ["convert", "-f", flavour.format, "-O", "raw", str(image), str(self.out)]
        theirs = self.best(words, wide=flavour.format != "qcow")
        count = 1 if flavour.format == "qcow" else self.count
        limit = "inflate" if "-c" in flavour.words else "copy"
        found = pairs([OURS, "convert", "-q", str(image), str(self.out)], theirs, count, self.clean)
        same = filecmp.cmp(raw, self.out, shallow=False)
        bare = inflate(str(image)) if limit == "inflate" else copy(str(raw), str(self.out))
        image.unlink()
        return found._replace(note=f"{limit} {bare:.2f}" + ("" if same else ", DIFFERENT BYTES"))

    def writing(self, words: Sequence[str]) -> Pair:
        """Convert to qcow2."""
        raw = self.raw("files")
        image = self.folder / "disk.qcow2"
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image)], check=True)
        theirs = self.best(["convert", *words, str(image), str(self.out)], wide=True)
        ours = [OURS, "convert", "-q", *words, str(image), str(self.out)]
        found = pairs(ours, theirs, self.count, self.clean)
        size = self.out.stat().st_size
        same = subprocess.run(["qemu-img", "compare", "-q", image, self.out], check=False)
        self.clean()
        subprocess.run(theirs, check=True)
        note = f"{size / self.out.stat().st_size:.2f} of QEMU's size"
        image.unlink()
        return found._replace(note=note + ("" if same.returncode == 0 else ", DIFFERENT DISK"))

    def tables(self, made: Sequence[str], what: str) -> Pair:
        """check, map or info of an image of tables alone."""
        image = self.folder / "tables.qcow2"
        create = ["qemu-img", "create", "-q", "-f", "qcow2", *made[:-1], str(image), made[-1]]
        subprocess.run(create, check=True)
        words = [what, "--output=json", str(image)]
        found = pairs([OURS, *words], self.best(words), self.count, self.clean)
        mine, other = (
            json.loads(subprocess.run([program, *words], check=True, capture_output=True).stdout)
            for program in (OURS, "qemu-img")
        )
        same = mine == other if what == "map" else other.items() <= mine.items()
        return found._replace(note="" if same else "DIFFERENT")

    def rows(self) -> Iterator[tuple[str, float | None, Callable[[], Pair]]]:
        """What is measured: its name, the ratio that is aimed at, and how."""
        for name, flavour in FLAVOURS.items():
            yield name, flavour.aim, partial(self.reading, flavour)
        for name, (words, aim) in NEW.items():
            yield name, aim, partial(self.writing, words)
        for size, made in TABLES.items():
            for what, goal in AIMS.items():
                yield f"{what}, {size}", goal, partial(self.tables, made, what)


def starts(image: Path, count: int) -> Iterator[str]:
    """Milliseconds of small commands, beside a bare Python."""
    bare = [sys.executable, "-c", "pass"]
    for name, (words, aim) in STARTS.items():
        command = [OURS, *words, *([] if name == "--help" else [str(image)])]
        found = pairs(command, bare, count * 3, lambda: None)
        ours, theirs = (round(each.seconds * 1000) for each in (found.ours, found.theirs))
        yield f"| {name} | {ours} ms | {theirs} ms | {aim} ms |"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name has this text")
    parser.add_argument("--folder", help="where disks are kept for the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        bench = Bench(folder, options.mib, options.pairs)
        print(f"{options.mib} MiB, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
        print("| what | QEMU, s (busy) | ours, s (busy) | ratio (range) | aim | limit, s |")
        print("| --- | --: | --: | --: | --: | --: |", flush=True)
        for name, aim, measure in bench.rows():
            if options.only not in name:
                continue
            found = measure()
            theirs, ours = found.theirs, found.ours
            print(
                f"| {name} | {theirs.seconds:.2f} ({theirs.busy:.2f}) |"
                f" {ours.seconds:.2f} ({ours.busy:.2f}) |"
                f" {found.ratio:.2f} ({found.low:.2f} to {found.high:.2f}) |"
                f" {'' if aim is None else aim} | {found.note} |",
                flush=True,
            )
        if not options.only or "start" in options.only:
            print(
                "\n| command, small image | ours | bare Python | aim |\n| --- | --: | --: | --: |"
            )
            root = Path(__file__).parents[2]
            for line in starts(root / "tests/data/showcase.qcow2", options.pairs):
                print(line, flush=True)


if __name__ == "__main__":
    main()
