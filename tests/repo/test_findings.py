"""What campaigns found can be built again, and breaks the rule that the document names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from qcowspec.cli import qcowspec
from qcowspec.fuzzing.campaign.oracle import Oracle
from qcowspec.fuzzing.campaign.presets import PRESETS
from qcowspec.fuzzing.campaign.targets import FORMAT
from qcowspec.spec.metadata import Format
from tools.findings import LARGEST, PRIVATE, READERS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "findings.md").read_text("utf-8")
ROWS = re.findall(
    r"^\| (.*) \| (none|`.*`) \| ([\d,]*) \| \[spec\]\((.*)\) \|$", TEXT, re.MULTILINE
)


@pytest.mark.parametrize("reader", READERS)
def test_every_spec_breaks_the_rule_that_it_stands_for(reader: str, tmp_path: Path) -> None:
    preset, image = PRESETS[reader], tmp_path / "image"
    oracle = Oracle(preset.profile, reads=preset.reads)
    rows = [(rule.strip("`"), spec) for _, rule, _, spec in ROWS if f"/{reader}/" in spec]
    for rule, spec in rows:
        line = ["build", str(DOCS / spec), "-o", str(image)]
        assert CliRunner().invoke(qcowspec, line).exit_code == 0, spec
        data = image.read_bytes()
        version = int.from_bytes(data[4:8], "big")
        told = str(Format.QCOW if version == 1 else Format.QCOW2)
        expected = oracle.expect(data, told if FORMAT in preset.target else None)
        assert (expected.rule or "none") == rule, spec

    assert rows


def test_the_document_names_every_spec_and_each_is_small() -> None:
    specs = {path.relative_to(DOCS).as_posix(): path for path in DOCS.glob("findings/*/*.yaml")}

    assert {spec for *_, spec in ROWS} == set(specs)
    assert all(path.stat().st_size <= LARGEST for path in specs.values())


def test_of_private_findings_nothing_is_told_but_rule_and_spec() -> None:
    for told, _, count, spec in ROWS:
        is_private = Path(spec).name.startswith("private-")
        assert (told == PRIVATE) == is_private
        if is_private:
            assert count == ""
