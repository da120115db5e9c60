"""How long the command line takes to start, beside a bare Python and qemu-img.

    python tools/bench/startup.py [IMAGE] [--runs N]

Prints medians of whole-process wall time in milliseconds, all taken in one run, turn by turn, so
that a busy moment of the machine falls on all alike.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "tests" / "data" / "showcase.qcow2"

TARGETS = {"qcowspec --help": 80, "qcowspec dump": 150}
"""Milliseconds that are promised."""


def commands(image: Path) -> dict[str, list[str]]:
    """What is timed, by its label."""
    qcowspec = str(Path(sys.executable).with_name("qcowspec"))
    timed = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "qcowspec --help": [qcowspec, "--help"],
        "qcowspec dump": [qcowspec, "dump", str(image)],
        "qcowspec dump --json": [qcowspec, "dump", "--json", str(image)],
        "qcowspec dump --tables": [qcowspec, "dump", "--tables", str(image)],
    }
    if shutil.which("qemu-img"):
        timed["qemu-img info"] = ["qemu-img", "info", str(image)]
    return timed


def main() -> None:
    """Time the commands and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, default=IMAGE)
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    timed = commands(options.image)
    taken: dict[str, list[float]] = {label: [] for label in timed}
    for _ in range(options.runs):
        for label, command in timed.items():
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            taken[label].append((time.perf_counter() - start) * 1000)
    print(f"{'median, ms':>10}  {'promised':>8}  command")
    for label, times in taken.items():
        promised = f"< {TARGETS[label]}" if label in TARGETS else ""
        print(f"{statistics.median(times):10.1f}  {promised:>8}  {label}")


if __name__ == "__main__":
    main()
