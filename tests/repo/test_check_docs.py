"""docs/check.md shows what `qcowspec check` says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.fuzzing import vectors
from tests.command import run

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
DATA = ROOT / "tests" / "data"

EXAMPLES = re.findall(r"```\n\$ qcowspec check (.*)\n((?:.*\n)*?)```", PAGE)
STATUS = "$ echo $?\n"

CUT = 0x10000
"""Bytes that a copy lacks: its last cluster."""


def images() -> dict[str, bytes]:
    """The images of the examples."""
    wiped = next(v for v in vectors.everything() if v.id == "check/l2-table-empty/leaks")
    overlap = next(v for v in vectors.everything() if v.id == "check/overlap/l1-table")
    return {
        "wiped.qcow2": vectors.image(wiped),
        "leaks.qcow2": (DATA / "v3-leaks.qcow2").read_bytes(),
        "cut.qcow2": (DATA / "v3-backing.qcow2").read_bytes()[:-CUT],
        "overlap.qcow2": vectors.image(overlap),
    }


@pytest.mark.parametrize(("arguments", "shown"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_examples_show_real_output(
    arguments: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data in images().items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)

    done = run("check", *arguments.split())

    said, _, status = shown.partition(STATUS)
    assert done.stdout == said
    assert not status or done.returncode == int(status)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 5


def test_all_rules_of_a_check_are_on_the_page() -> None:
    from qcow_parsers.catalogue import RULES

    checked = [rule.id for rule in RULES if rule.check and rule.check.effect != "gives-up"]
    assert [rule for rule in checked if f"`{rule}`" not in PAGE] == []


def test_python_examples_run(tmp_path: Path) -> None:
    (tmp_path / "disk.qcow2").write_bytes(images()["overlap.qcow2"])
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert len(blocks) == 1
