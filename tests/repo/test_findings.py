"""What campaigns found can be built again, and breaks the rule that the document names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from qcowspec.cli import qcowspec
from qcowspec.fuzzing.campaign.oracle import Oracle
from qcowspec.fuzzing.campaign.presets import PRESETS
from qcowspec.fuzzing.campaign.targets import FORMAT
from qcowspec.spec.metadata import Format
from tools.findings import LARGEST, PRIVATE, READERS, specs

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/findings.md").read_text("utf-8")
ROWS = re.findall(
    r"^\| (.*) \| (none|`.*`) \| ([\d,]*) \| `([a-z0-9-]+)/(.*)` \|$", TEXT, re.MULTILINE
)


def built(text: str, image: Path) -> bytes:
    spec = image.with_suffix(".yaml")
    spec.write_text(text, "utf-8")
    done = CliRunner().invoke(qcowspec, ["build", str(spec), "-o", str(image)])
    assert done.exit_code == 0, done.output
    return image.read_bytes()


@pytest.mark.parametrize("reader", READERS)
def test_every_spec_breaks_the_rule_that_it_stands_for(reader: str, tmp_path: Path) -> None:
    preset, found = PRESETS[reader], specs(reader)
    oracle = Oracle(preset.profile, reads=preset.reads)
    rows = [(rule.strip("`"), name) for _, rule, _, whose, name in ROWS if whose == reader]
    for rule, name in rows:
        data = built(yaml.safe_dump(found[name]), tmp_path / "image")
        version = int.from_bytes(data[4:8], "big")
        told = str(Format.QCOW if version == 1 else Format.QCOW2)
        expected = oracle.expect(data, told if FORMAT in preset.target else None)
        assert (expected.rule or "none") == rule, name

    assert rows


def test_the_tool_prints_a_spec_that_can_be_built(tmp_path: Path) -> None:
    *_, reader, name = ROWS[0]
    line = [sys.executable, str(ROOT / "tools/findings.py"), "--spec"]

    printed = subprocess.run(
        [*line, f"{reader}/{name}"], capture_output=True, text=True, check=True
    )
    unknown = subprocess.run([*line, "oslo/none"], capture_output=True, text=True, check=False)

    assert yaml.safe_load(printed.stdout) == specs(reader)[name]
    assert built(printed.stdout, tmp_path / "image")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "oslo/none: docs/findings.md names no such spec\n"


def test_the_document_names_every_spec_and_each_is_small() -> None:
    found = {(reader, name): spec for reader in READERS for name, spec in specs(reader).items()}

    assert {(reader, name) for *_, reader, name in ROWS} == set(found)
    assert all(len(yaml.safe_dump(spec)) <= LARGEST for spec in found.values())


def test_of_private_findings_nothing_is_told_but_rule_and_spec() -> None:
    for told, _, count, _, name in ROWS:
        is_private = name.startswith("private-")
        assert (told == PRIVATE) == is_private
        if is_private:
            assert count == ""
