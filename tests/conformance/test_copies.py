"""Copies by `convert -O qcow2`: a sample of `python -m tests.conformance.reading --copies`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_copies_of_mutants_are_sound_and_the_same() -> None:
    words = ["--copies", "--mutants", "12", "--sources", "4", "--seed", "5"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.reading", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b12 copied\b", done.stdout)
