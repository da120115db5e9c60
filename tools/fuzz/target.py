"""One process of the coverage-guided fuzzer: `run` starts it with libFuzzer's own options."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "generated"), str(ROOT / "formats")]

import atheris  # noqa: E402 - the lines above have to come first

# What runs for every structure alike tells nothing apart, and is ten times slower when watched.
ALIKE = ["qcowspec.rules", "qcowspec.structures", "qcowspec.metadata", "qcowspec.needs"]
ALIKE += ["qcowspec.drivers", "qcowspec.report", "qcowspec.profiles", "qcow_parsers.positions"]

with atheris.instrument_imports(include=["qcowspec", "qcow_parsers"], exclude=ALIKE):
    from tools.fuzz.ordeal import ordeal

atheris.Setup(sys.argv, ordeal)
atheris.Fuzz()
