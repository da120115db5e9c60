"""How fast images are mapped, beside qemu-img.

    python tools/bench/map.py [--runs N]

Whole processes, from start to exit; page cache warm; JSON to /dev/null. The images have all their
metadata preallocated and no data. The least of several runs counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGES = {
    "1 TiB, 64 KiB clusters": ("1T", "64k", 0.25),
    "64 GiB, 4 KiB clusters": ("64G", "4k", 0.40),
}
"""Name: size, cluster size, and the ratio that is aimed at."""


def least(command: list[str], runs: int) -> float:
    """Seconds of the fastest run."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> int:
    """Measure each image; 1 if one of them misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, cluster, aim) in IMAGES.items():
            image = str(Path(folder) / "image.qcow2")
            options = f"preallocation=metadata,cluster_size={cluster}"
            create = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, size]
            subprocess.run(create, check=True)
            ours = [sys.executable, "-m", "qcowspec", "map", "--output", "json", image]
            theirs = ["qemu-img", "map", "--output=json", image]
            same = len({subprocess.run(c, capture_output=True).stdout for c in (ours, theirs)}) == 1
            mine, qemus = least(ours, runs), least(theirs, runs)
            missed += mine / qemus > aim or not same
            print(
                f"{name}: {mine:.3f} s, qemu-img {qemus:.3f} s, ratio {mine / qemus:.2f}"
                f" (aim {aim}){'' if same else '; NOT THE SAME'}"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
