"""docs/convert.md shows what receipts give, as the commands print it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.command import run

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
PAGE = (ROOT / "docs" / "convert.md").read_text(encoding="utf-8")


def test_the_example_shows_real_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = PAGE[PAGE.index("## Receipts") :]
    found = re.search(r"```\n(\$ qcowspec convert.*?)```", section, re.DOTALL)
    assert found is not None
    shutil.copy(DATA / "v3-leaks.qcow2", tmp_path)
    monkeypatch.chdir(tmp_path)

    printed, status = "", 0
    for line in re.findall(r"^\$ (.*)$", found[1], re.MULTILINE):
        printed += f"$ {line}\n"
        if line == "echo $?":
            printed += f"{status}\n"
            continue
        done = run(*line.split()[1:])
        printed, status = printed + done.stdout + done.stderr, done.returncode
    assert printed == found[1]
