"""How fast images are judged, beside oslo.utils' inspector and a loop of `qemu-img info`.

    python tools/bench/validate.py [--files N] [--jobs N]

All figures come from one run. oslo.utils is measured where it is installed
(``pip install 'oslo.utils[image-inspection]'``).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from qcowspec.reader.verdict import validate

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "tests" / "data" / "v3-empty.qcow2"
SECONDS = 2.0
"""How long each in-process figure is taken for."""


def per_second(work: Callable[[], object]) -> float:
    """How often some work is done in a second."""
    work()
    done, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < SECONDS:
        work()
        done += 1
    return done / taken


def oslo(path: Path) -> Callable[[], object] | None:
    """What OpenStack's services do with an upload; None where it is not installed."""
    try:
        inspector: Any = import_module("oslo_utils.imageutils.format_inspector")
    except ImportError:
        return None

    def work() -> object:
        return inspector.detect_file_format(str(path)).safety_check()

    return work


def in_process() -> None:
    """Images a second, in one process."""
    data = IMAGE.read_bytes()
    print("in process, one small image, a second:")
    ours = per_second(lambda: validate(data, profile="untrusted"))
    print(f"{ours:10.0f}  qcowspec, bytes in memory, untrusted")
    opened = per_second(lambda: validate(IMAGE, profile="untrusted"))
    print(f"{opened:10.0f}  qcowspec, opened and closed, untrusted")
    theirs = oslo(IMAGE)
    if theirs is None:
        print("           oslo.utils is not installed")
        return
    rate = per_second(theirs)
    print(f"{rate:10.0f}  oslo.utils: we do {opened / rate:.1f} times as many (promised: 10)")


def over_files(count: int, jobs: int) -> None:
    """Whole commands over many files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number:05}.qcow2") for number in range(count)]
        for path in paths:
            shutil.copyfile(IMAGE, path)
        qcowspec = Path(sys.executable).with_name("qcowspec")
        start = time.perf_counter()
        command = [str(qcowspec), "validate", "--quiet", "--jobs", str(jobs), "-r", folder]
        subprocess.run(command, check=True)
        ours = time.perf_counter() - start
        sample = paths[: max(count // 10, 1)]
        start = time.perf_counter()
        for path in sample:
            subprocess.run(["qemu-img", "info", str(path)], stdout=subprocess.DEVNULL, check=True)
        theirs = (time.perf_counter() - start) * count / len(sample)
    print(f"over {count} files, seconds:")
    print(f"{ours:10.1f}  qcowspec validate --jobs {jobs}")
    print(f"{theirs:10.1f}  qemu-img info in a loop, a tenth of them measured")
    print(f"{theirs / ours:10.1f}  times as fast (promised: 5)")


def main() -> None:
    """Take the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    in_process()
    over_files(options.files, options.jobs)


if __name__ == "__main__":
    main()
