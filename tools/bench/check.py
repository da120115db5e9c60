"""How fast images are checked, mapped and described, beside qemu-img.

    python tools/bench/check.py [--runs N] [--only NAME] [--folder DIR] [--memory]

Whole processes, from start to exit, page cache warm; the least of several runs counts. The images
are made with their metadata preallocated, which takes half a minute, and few bytes of disk. What
both say is compared; `map` is asked for JSON, `check` and `info` too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGES = {
    "1 TiB": ["-o", "preallocation=metadata", "1T"],
    "64 GiB, 4 KiB clusters": ["-o", "preallocation=metadata,cluster_size=4k", "64G"],
    "64 TiB, sparse": ["64T"],
    "1 MiB": ["1M"],
}
"""Name: what `qemu-img create` is told."""

AIMS = {
    ("1 TiB", "check"): 0.30,
    ("1 TiB", "map"): 0.25,
    ("64 GiB, 4 KiB clusters", "check"): 0.30,
    ("64 GiB, 4 KiB clusters", "map"): 0.40,
}
"""Ours over qemu-img's, at most."""

COMMANDS = ("check", "map", "info")


def least(command: list[str], runs: int) -> tuple[float, bytes]:
    """Seconds of the fastest run, and what it says."""
    taken, said = [], b""
    for _ in range(runs):
        start = time.perf_counter()
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        taken.append(time.perf_counter() - start)
    return min(taken), said


def alike(what: str, ours: bytes, theirs: bytes) -> bool:
    """Whether both say the same, but for what only we say."""
    mine, qemus = json.loads(ours), json.loads(theirs)
    if what == "map":
        return bool(mine == qemus)
    return all(mine.get(key) == value for key, value in qemus.items())


def peak(command: list[str]) -> int:
    """MiB of memory that a process has at its peak."""
    child = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", child, *command], check=True, capture_output=True, text=True
    )
    return int(done.stdout) >> 10


def main() -> None:
    """Measure, and print a line for each image and command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", action="append", help="an image, or a command")
    parser.add_argument("--folder", help="where the images are kept for the next time")
    parser.add_argument("--memory", action="store_true", help="the peak as well")
    options = parser.parse_args()
    ours = str(Path(sys.executable).with_name("qcowspec"))
    print(f"load {os.getloadavg()[0]:.1f}; seconds of the fastest of {options.runs}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        for number, (name, made) in enumerate(IMAGES.items()):
            image = str(folder / f"bench-{number}.qcow2")
            if not Path(image).exists():
                subprocess.run(
                    ["qemu-img", "create", "-q", "-f", "qcow2", *made[:-1], image, made[-1]],
                    check=True,
                )
            for what in COMMANDS:
                if options.only and name not in options.only and what not in options.only:
                    continue
                words = [what, "--output=json", image]
                try:
                    mine, said = least([ours, *words], options.runs)
                except subprocess.CalledProcessError as error:
                    print(f"{name:24} {what:6} ours exits with {error.returncode}")
                    continue
                theirs, says = least(["qemu-img", *words], options.runs)
                aim = AIMS.get((name, what))
                line = f"{name:24} {what:6} qemu-img {theirs:6.3f}  ours {mine:6.3f}"
                line += f"  {mine / theirs:5.2f}" + (f" (aim {aim:.2f})" if aim else "")
                if options.memory:
                    line += f"  {peak([ours, *words])} MiB"
                print(line + ("" if alike(what, said, says) else "  DIFFERENT"), flush=True)


if __name__ == "__main__":
    main()
