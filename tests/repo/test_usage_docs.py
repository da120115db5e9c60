"""docs/usage.md shows what `qcowspec usage` prints, and names every kind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.check.tiles import Kind
from tests.command import run

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
PAGE = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")

EXAMPLES = re.findall(r"```\n\$ qcowspec usage (.*)\n((?:.*\n)*?)```", PAGE)
CUT = r"\$ head -c (\d+) (\S+) > (\S+)\n\$ qcowspec usage \S+\n([^`]*)\$ echo \$\?\n(\d)\n"
STATUS = "$ echo $?\n"


@pytest.mark.parametrize(("arguments", "shown"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_examples_show_real_output(
    arguments: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)

    done = run("usage", *arguments.split())

    said, _, status = shown.partition(STATUS)
    assert done.stdout == said
    assert done.returncode == int(status or 0)


def test_the_example_of_a_cut_file_shows_real_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(CUT, PAGE)
    assert found is not None
    length, name, cut, shown, status = found.groups()
    (tmp_path / cut).write_bytes((DATA / name).read_bytes()[: int(length)])
    monkeypatch.chdir(tmp_path)

    done = run("usage", cut)

    assert done.stdout + done.stderr == shown
    assert done.returncode == int(status)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


def test_every_kind_is_on_the_page() -> None:
    assert [kind.word for kind in Kind if f"`{kind.word}`" not in PAGE] == []


def test_python_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    for block in blocks:
        subprocess.run([sys.executable, "-c", block], cwd=DATA, check=True)
    assert len(blocks) == 2
