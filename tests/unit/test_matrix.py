"""The table of rules by version, for people and for programs."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from qcow_parsers.catalogue import RULES, Rule
from qcow_parsers.versions import CHANGES, MEASURED

from qcowspec.report.matrix import COLUMNS, HEAD, WIDTH, cells, flat, markdown, table, tsv
from qcowspec.spec.profiles import key_of, refused_by, refuses, verdict
from qcowspec.spec.rules import BY_ID
from tests.command import run_bytes
from tests.every import every

ROOT = Path(__file__).parents[2]
TSV, JSON = ROOT / "generated/rules.tsv", ROOT / "generated/rules.json"


def printed(*words: str) -> str:
    done = run_bytes("rules", *words)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


# --- for people -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("probe/claimed", "· · · · S L U"),
        ("probe/untrusted-partition-table", "· · · · · · u"),
        ("header/cluster-bits", "info info info info S L U"),
        ("header/data-file-raw", "info data data data S · U"),
        ("header/corrupt", "write write write write · · U"),
        ("header/total-sectors", "info* info info info · · U"),
        ("l1/read", "· info info info · · U"),
        ("l1/v1-read-signed", "info · · · · · ·"),
        ("l1/reserved", "· check check check S · U"),
        ("encryption/crypto-present", "· · info info S L U"),
        ("encryption/luks-hash-sm3", "info* info · · · L U"),
        ("encryption/luks-key", "data data data data · L ·"),
    ],
)
def test_a_row_has_a_mark_for_each_reader(rule: str, expected: str) -> None:
    assert " ".join(cells(BY_ID[rule])[1:-1]) == expected


@every("rule", RULES, ids=lambda rule: rule.id)
def test_marks_agree_with_the_profiles(rule: Rule) -> None:
    row = dict(zip(HEAD, cells(rule), strict=True))

    for version in MEASURED:
        profile = f"qemu@{version}"
        mark = row[".".join(version.split(".")[:2])]
        assert mark.startswith("info") == (rule.id in refused_by(profile))
        if mark != "·":
            assert mark.endswith("*") == (key_of(rule, profile) != rule.qemu.key)
    assert (row["S"] == "S") == refuses(rule, "spec")
    assert (row["L"] == "L") == refuses(rule, "librbd")
    marks = {"U": "rejects", "u": "reports", "·": "accepts"}
    assert marks[row["U"]] == verdict(rule, "untrusted")


@every("rule", RULES, ids=lambda rule: rule.id)
def test_a_change_is_named_where_versions_differ(rule: Rule) -> None:
    marks = set(cells(rule)[1 : 1 + len(MEASURED)])

    assert len(marks) == 1 or cells(rule)[-1]


def test_the_table_has_a_row_a_rule_and_fits() -> None:
    lines = printed("--matrix").splitlines()
    rows = lines[1 : lines.index("")]

    assert [line.split()[0] for line in rows] == [rule.id for rule in RULES]
    assert max(map(len, lines)) <= WIDTH
    below = "\n".join(lines[len(rows) :])
    named = {row.split()[-1] for row in rows} & set(CHANGES)
    assert len(named) >= 10
    assert all(f"\n  {change}  " in below for change in named)


def test_columns_are_aligned() -> None:
    head, *rows = [line for line in table(RULES) if line][: 1 + len(RULES)]

    for name in HEAD[:-1]:
        at = head.index(f"{name} ")
        assert all(row[at] != " " and (at == 0 or row[at - 1] == " ") for row in rows)


def test_a_part_of_the_table_names_its_own_changes_only() -> None:
    text = printed("--matrix", "header/total-sectors", "probe/*")

    assert "request-bounds  6.0 (measured: after 5.2.0, by 7.2.22)" in text
    assert "luks-header-checks" not in text
    assert "Changes" not in printed("--matrix", "probe/*")


def test_the_page_has_every_rule_and_every_change_with_its_source() -> None:
    lines = list(markdown())

    for rule in RULES:
        assert sum(line.startswith(f"| `{rule.id}` |") for line in lines) == 1
    for change in CHANGES.values():
        (row,) = [line for line in lines if line.startswith(f"| `{change.id}` |")]
        assert all(source in row for source in change.source)


# --- for programs ---------------------------------------------------------------------------------


@every("rule", RULES, ids=lambda rule: rule.id)
def test_a_flat_row_has_every_column_and_needs_no_quotes(rule: Rule) -> None:
    row = flat(rule)

    assert list(row) == list(COLUMNS)
    for value in row.values():
        assert value is None or (value and value == " ".join(value.split()) and value[0] != '"')


def test_a_flat_row_says_what_the_rule_says() -> None:
    row = flat(BY_ID["header/total-sectors"])

    assert [row[f"message_{series}"] for series in ("5_2", "7_2", "10_0", "11_1")] == [
        "Can't get image size",
        *["Could not refresh total sector count"] * 3,
    ]
    assert (row["qemu_5_2"], row["before"], row["changes"]) == (
        "open",
        "request-bounds",
        "request-bounds 6.0",
    )
    assert (row["since"], row["document"], row["spec"]) == (None, None, "accepts")
    assert flat(BY_ID["probe/magic"])["document"] == "Header"
    assert flat(BY_ID["l1/v1-read-signed"])["qemu_11_1"] == "accepts"
    assert flat(BY_ID["l1/v1-read-signed"])["message_11_1"] is None


def test_commands_print_the_files() -> None:
    assert printed("--tsv") == TSV.read_text()
    assert printed("--matrix", "--json") == JSON.read_text()


def test_both_files_have_the_same_rows() -> None:
    rows = list(csv.DictReader(TSV.read_text().splitlines(), delimiter="\t"))
    listed = json.loads(JSON.read_text())

    assert rows == [{k: v or "" for k, v in row.items()} for row in listed["rules"]]
    assert [row["id"] for row in rows] == [rule.id for rule in RULES]
    assert list(listed["columns"]) == list(rows[0])
    assert [each["id"] for each in listed["changes"]] == list(CHANGES)


def test_rows_can_be_chosen() -> None:
    assert printed("--tsv", "l1/read").splitlines() == list(tsv([BY_ID["l1/read"]]))
    chosen = json.loads(printed("--matrix", "--json", "l1/read"))["rules"]
    assert [row["id"] for row in chosen] == ["l1/read"]


def test_a_table_is_of_one_kind() -> None:
    assert run_bytes("rules", "--tsv", "--json").returncode == 2


def test_examples_for_the_shell_run() -> None:
    (example,) = re.findall(r"```sh\n(.*?)```", "\n".join(markdown()), re.DOTALL)
    if shutil.which("jq") is None:
        pytest.skip("no jq")
    done = subprocess.run(["sh", "-ec", example], cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (0, "")
    assert "l1/read" in lines
    assert "probe/magic\tHeader" in lines
