"""How many random aligned 4 KiB reads a second Python readers do, side by side.

    python tools/bench/reads.py IMAGE [--count N]

The page cache is warm. Readers that are not installed are left out: dissect.hypervisor and
libqcow-python are needed for the comparison. The best of three rounds counts.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import time
from collections.abc import Callable, Iterator

import qcowspec

BLOCK = 4096

Read = Callable[[int], bytes]


def ours(path: str) -> Read:
    """This package's reads."""
    image = qcowspec.open(path)
    return lambda offset: image.pread(offset, BLOCK)


def dissect(path: str) -> Read:
    """Those of dissect.hypervisor."""
    module = importlib.import_module("dissect.hypervisor.disk.qcow2")
    stream = module.QCow2(open(path, "rb")).open()  # noqa: SIM115 - open until the program ends

    def read(offset: int) -> bytes:
        stream.seek(offset)
        data: bytes = stream.read(BLOCK)
        return data

    return read


def libqcow(path: str) -> Read:
    """Those of libqcow's binding."""
    image = importlib.import_module("pyqcow").open(path)
    return lambda offset: image.read_buffer_at_offset(BLOCK, offset)


def readers(path: str) -> Iterator[tuple[str, Read]]:
    """The readers that are installed, each with the image open."""
    for name, opened in (("qcowspec", ours), ("dissect", dissect), ("libqcow", libqcow)):
        try:
            yield name, opened(path)
        except Exception as error:
            print(f"{name:10} left out: {type(error).__name__}: {error}")


def main() -> None:
    """Measure, and print a line a reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    with qcowspec.open(options.image) as image:
        blocks = image.size // BLOCK
    chance = random.Random(1)  # noqa: S311 - no secret
    offsets = [BLOCK * chance.randrange(blocks) for _ in range(options.count)]
    print(f"load {os.getloadavg()[0]:.1f}; random reads of {BLOCK} bytes")
    first: float | None = None
    for name, read in readers(options.image):
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            for offset in offsets:
                read(offset)
            best = min(best, time.perf_counter() - start)
        rate = options.count / best
        first = first or rate
        print(f"{name:10} {rate:9,.0f} a second  {first / rate:5.1f}")


if __name__ == "__main__":
    main()
