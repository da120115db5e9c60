"""One process of the coverage-guided fuzzer: `run` starts it with libFuzzer's own options."""

from __future__ import annotations

import gc
import pkgutil
import signal
import sys
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "generated"), str(ROOT / "formats")]

import atheris  # noqa: E402 - the lines above have to come first

from tools.fuzz import HANG, WILD  # noqa: E402

# What runs for every structure alike tells nothing apart, and is ten times slower when watched.
ALIKE = ["rules", "structures", "metadata", "needs", "drivers", "profiles"]
REPORT = [module.name for module in pkgutil.iter_modules([str(ROOT / "qcowspec" / "report")])]
UNWATCHED = [f"qcowspec.{name}" for name in ALIKE] + ["qcow_parsers.positions"]
UNWATCHED += [f"qcowspec.report.{name}" for name in REPORT if name != "meaning"]

with atheris.instrument_imports(include=["qcowspec", "qcow_parsers"], exclude=UNWATCHED):
    from tools.fuzz.ordeal import ordeal

from tools.fuzz import corpus  # noqa: E402 - what it alone imports is not watched


class Hang(BaseException):
    """An input took too long; nothing in the library catches it."""


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise Hang(f"an input took {HANG} s of the processor")


def undergo(data: bytes) -> None:
    """Undergo the ordeal, within a time that only runs while this process does."""
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG)
    ordeal(data)


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """An input changed as libFuzzer does it, tamed most of the time."""
    changed = bytes(atheris.Mutate(data, longest))
    return changed if seed % WILD == 0 else corpus.tame(changed)


corpus.tame(bytes(corpus.SMALL))  # builds an image, once
gc.freeze()  # what is imported is never garbage
gc.set_threshold(20_000, 10, 10)
signal.signal(signal.SIGVTALRM, _too_long)
atheris.Setup(sys.argv, undergo, custom_mutator=mutate)
atheris.Fuzz()
