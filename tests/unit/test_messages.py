"""What a rule's row, its JSON and its message say is the same, and true of the image at hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from qcow_parsers.catalogue import RULES, Rule

from qcowspec.cli.rules import command
from qcowspec.reader.verdict import validate
from qcowspec.report.catalogue import markdown, marks, page
from qcowspec.report.text import HEXADECIMAL
from qcowspec.spec.predicates import FACTS
from qcowspec.spec.profiles import PROFILES, refused_by, reported_by, verdict
from qcowspec.spec.sentences import sentence
from tests.every import every

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, object]]:
    listed = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    return {row["id"]: row for row in listed}


@every("rule", RULES, ids=lambda rule: rule.id)
def test_the_json_says_what_each_profile_does(
    rule: Rule, rows: dict[str, dict[str, object]]
) -> None:
    row = rows[rule.id]
    expected = {
        profile: "rejects"
        if rule.id in refused_by(profile)
        else "reports"
        if rule.id in reported_by(profile)
        else "accepts"
        for profile in PROFILES
    }

    assert row["verdicts"] == expected
    assert (row["librbd"], row["untrusted"]) == (expected["librbd"], expected["untrusted"])


@every("rule", RULES, ids=lambda rule: rule.id)
def test_the_text_says_what_each_profile_does(rule: Rule) -> None:
    facts = dict(line.split(maxsplit=1) for line in page(rule) if line.startswith("  "))

    assert facts["untrusted"].startswith(verdict(rule, "untrusted"))
    assert facts["librbd"].startswith(verdict(rule, "librbd"))
    assert ("U" in marks(rule)) == (verdict(rule, "untrusted") == "rejects")


@every("rule", RULES, ids=lambda rule: rule.id)
def test_offsets_magics_and_flags_are_in_hexadecimal(rule: Rule) -> None:
    field = (rule.field or "").rpartition(".")[2]
    of_entry = rule.on.endswith(("l1_entry", "l2_entry", "table_entry"))
    if field not in ("offset", "coffset", "csize") and not of_entry and "{value" in rule.message:
        said = set(re.findall(r"{value([^}]*)}", rule.message))
        is_text = rule.judged != "opening"  # file names, which others than a judge fill in
        assert any("x" in form for form in said) or is_text or not field.endswith(HEXADECIMAL)


@every("rule", RULES, ids=lambda rule: rule.id)
def test_any_value_can_be_filled_in(rule: Rule) -> None:
    for value in (0, (1 << 64) - 1, b"", b"\xff\0\x1b", b"name\0\0", "words", None):
        said = sentence(rule, value, 7)
        assert said.isprintable()


@every("rule", RULES, ids=lambda rule: rule.id)
def test_what_a_function_states_is_in_the_message(rule: Rule) -> None:
    if rule.judged != "check":  # a check states what it has counted
        assert ("{fact" in rule.message) == (rule.id in FACTS)


def test_the_words_that_a_reader_stumbles_over_are_gone() -> None:
    riddles = re.compile(r"\b(behind|whoever|told|is none|no harm|in danger|somebody)\b")
    texts = {rule.id: f"{rule.says} {rule.message}" for rule in RULES}

    assert [rule for rule, text in texts.items() if riddles.search(text)] == []
    assert not riddles.search("\n".join(markdown()))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"QFI", "it begins with 51 46 49"),
        (b"\x7fELF\2\1\1\0\0", "it begins with 7f 45 4c 46 02 01 01 00"),
    ],
)
def test_a_file_that_is_not_an_image_is_described_as_far_as_it_goes(data: bytes, said: str) -> None:
    (finding, *_) = validate(data).errors

    assert finding.message == f"This is not a QCOW image: {said}."


def test_the_disk_size_of_a_stream_is_unavailable() -> None:
    with (DATA / "v3-empty.qcow2").open("rb") as file:
        command = [sys.executable, "-m", "qcowspec", "info", "-"]
        piped = subprocess.run(command, input=file.read(), capture_output=True, check=True)

    assert b"disk size: unavailable" in piped.stdout
