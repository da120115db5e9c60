"""The documents say what is so."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from qcowspec.cli import qcowspec
from tests.command import run
from tools.docs import DOCS, stale

DATA = DOCS.parent / "tests" / "data"


def test_documents_are_fresh() -> None:
    assert stale() == [], "run python tools/docs.py"


def test_every_page_is_in_the_index() -> None:
    listed = set(re.findall(r"\]\((\S+\.md)\)", (DOCS / "README.md").read_text()))

    assert listed == {path.name for path in DOCS.glob("*.md")} - {"README.md"}


def test_examples_of_mutate_show_real_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DATA / "v3-512.qcow2", tmp_path / "disk.qcow2")
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "mutate.md").read_text()
    shown = "".join(re.findall(r"```\n(\$ .*?)```", text, re.DOTALL))
    manifest = re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0]
    tables = "mutate disk.qcow2 -n 50 -o tables --mutation entry-past-end --mutation entry-flag"

    printed = ""
    for line in re.findall(r"^\$ qcowspec (.*)$", shown, re.MULTILINE):
        printed += f"$ qcowspec {line}\n{CliRunner().invoke(qcowspec, line.split()).output}"
    CliRunner().invoke(qcowspec, [*tables.split(), "--seed", "7"])

    assert printed == shown
    assert (
        json.loads(manifest) == json.loads(Path("tables/manifest.json").read_text())["mutants"][0]
    )


EXPLAINED = re.findall(
    r"```\n\$ qcowspec (explain .*)\n((?:.*\n)*?)```", (DOCS / "explain.md").read_text()
)


@pytest.mark.parametrize(("line", "shown"), EXPLAINED, ids=[line for line, _ in EXPLAINED])
def test_examples_of_explain_show_real_output(
    line: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)

    assert run(*line.split()).stdout == shown


def test_there_are_examples_of_explain() -> None:
    assert len(EXPLAINED) == 4
