"""How fast images become raw files, beside qemu-img.

    python tools/bench/convert.py [--mib N] [--runs N] [--only NAME]

Whole processes, from start to exit; page cache warm; the output is removed before each run. Ours is
held against the better of `qemu-img convert` and `qemu-img convert -W -m 16`. The disk is a quarter
random, half text-like and a quarter zeros. The least of several runs counts.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 1 << 20
FLAVOURS = {
    "v3 plain": ("qcow2", [], False, 1.1),
    "extended L2": ("qcow2", ["-o", "extended_l2=on,cluster_size=128k"], False, 1.1),
    "v3 zlib": ("qcow2", [], True, 0.55),
    "v3 zstd": ("qcow2", ["-o", "compression_type=zstd"], True, 0.8),
    "v1 plain": ("qcow", [], False, 0.10),
    "v1 compressed": ("qcow", [], True, 0.20),
    "512-byte clusters": ("qcow2", ["-o", "cluster_size=512"], False, 1.0),
}
"""Name: format, options, compressed, and the ratio that is aimed at."""


def disk(path: Path, mib: int) -> None:
    """A raw disk of that mixture."""
    chance = random.Random(1)  # noqa: S311 - no secret
    words = [bytes(chance.choices(b"etaoinshrdlu", k=chance.randrange(2, 9))) for _ in range(4000)]
    with path.open("wb") as file:
        for index in range(mib):
            kind = index % 4
            if kind == 0:
                file.write(chance.randbytes(MIB))
            elif kind == 3:
                file.seek(MIB, os.SEEK_CUR)
            else:
                text = b" ".join(chance.choices(words, k=MIB // 4))
                file.write(text[:MIB])
        file.truncate(mib * MIB)


def least(command: list[str], output: Path, runs: int) -> float:
    """Seconds of the fastest run."""
    taken = []
    for _ in range(runs):
        output.unlink(missing_ok=True)
        os.sync()  # what the last run wrote is not to be waited for in this one
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Measure, and print a line a flavour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append")
    options = parser.parse_args()
    ours = str(Path(sys.executable).with_name("qcowspec"))
    print(f"{options.mib} MiB, load {os.getloadavg()[0]:.1f}; seconds, and ours over the better")
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder, "disk.raw"), Path(folder, "out.raw")
        disk(raw, options.mib)
        for name, (format_, extra, compressed, aim) in FLAVOURS.items():
            if options.only and name not in options.only:
                continue
            image = Path(folder, f"disk.{format_}")
            squeeze = ["-c"] if compressed else []
            make = ["qemu-img", "convert", "-O", format_, *squeeze, *extra, str(raw), str(image)]
            subprocess.run(make, check=format_ != "qcow")  # 7.2 exits with 1 after -c to v1
            image.read_bytes()
            read = ["qemu-img", "convert", "-f", format_, "-O", "raw", str(image), str(out)]
            slow = name == "v1 plain" or name == "v1 compressed"
            runs = 1 if slow else options.runs
            qemu = least(read, out, runs)
            if not slow:
                wide = ["qemu-img", "convert", "-W", "-m", "16", *read[2:]]
                qemu = min(qemu, least(wide, out, runs))
            mine = least([ours, "convert", "-q", str(image), str(out)], out, options.runs)
            equal = subprocess.run(["cmp", "-s", str(raw), str(out)], check=False).returncode == 0
            print(
                f"{name:18} qemu-img {qemu:7.2f}  ours {mine:6.2f}  {mine / qemu:5.2f}"
                f"  (aim {aim:.2f}){'' if equal else '  DIFFERENT BYTES'}",
                flush=True,
            )
            image.unlink()


if __name__ == "__main__":
    main()
