"""generated/ is what the generator makes from formats/ today."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(compiler: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/generate.py", "--check", "--compiler", compiler]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_generated_is_what_the_compiler_makes() -> None:
    done = check("require" if os.environ.get("CI") else "auto")
    assert done.returncode == 0, done.stdout + done.stderr
    if "no compiler" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.stdout == "fresh (regenerated and compared)\n"


def test_generated_is_what_the_check_sums_say() -> None:
    done = check("never")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_file_names_no_registry() -> None:
    lock = (ROOT / "tools/ksc/package-lock.json").read_text("utf-8")
    assert "integrity" in lock
    assert "resolved" not in lock
    assert "://" not in lock
