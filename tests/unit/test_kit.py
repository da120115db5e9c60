"""The conformance kit: made of the record, the same every time, and it tells good from bad."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import validate  # type: ignore[import-untyped]
from qcow_parsers.catalogue import RULES
from qcow_parsers.versions import MEASURED

from qcowspec.cli import qcowspec
from qcowspec.fuzzing.campaign.naming import named
from qcowspec.fuzzing.campaign.outcomes import Outcome
from qcowspec.fuzzing.kit import making, scoring
from qcowspec.fuzzing.kit.case import Case
from qcowspec.fuzzing.kit.cases import STREAM, everything
from qcowspec.fuzzing.kit.expectations import JUDGES, RECORD, as_text, digest, on_record
from qcowspec.fuzzing.kit.scoring import Criteria
from qcowspec.fuzzing.places import Unfit
from qcowspec.spec.profiles import VERSIONS, refused_by

ROOT = Path(__file__).parents[2]
CASES = tuple(everything())
MANY = 40

READERS = """
import os, sys
from qcowspec.fuzzing.kit import readers

def blind(path):  # knows no cluster sizes
    try:
        return readers.judge(path)
    except Exception as error:
        if "cluster_bits" not in str(error):
            raise ValueError(str(error)) from error

def wrong(path):
    return readers.read(path)[::-1]

def falls(path):
    raise IndexError(path)
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of the cases about reading, and those of a few rules."""
    folder = tmp_path_factory.mktemp("kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "everything", lambda: iter(some()))
        making.make(folder)
    return folder


def some() -> Iterator[Case]:
    wanted = ("rules/header/cluster-bits/", "rules/l1/", "reading/plain/", "reading/encryption-aes")
    yield from (c for c in CASES if c.id.startswith((*wanted, "faults/deflate", "faults/cluster")))


def run(kit: Path, *words: str) -> Result:
    return CliRunner().invoke(qcowspec, ["kit", "run", *words, str(kit)])


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "kit_readers_under_test.py").write_text(READERS)
    paths = [str(tmp_path), str(ROOT), str(ROOT / "generated"), str(ROOT / "formats")]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))
    return "python:kit_readers_under_test"


def test_ids_are_unique_and_on_record_in_order() -> None:
    assert [case.id for case in CASES] == list(on_record())


def test_every_rule_has_a_case_that_breaks_it_and_one_that_does_not() -> None:
    broken = {rule for each in on_record().values() for rule in each.rules}
    about = {case.rule for case in CASES}

    assert {rule.id for rule in RULES} - about == {STREAM}
    assert {each.rule for each in CASES if each.fails} | broken >= {
        rule.id for rule in RULES if rule.qemu.when in ("info", "data") and rule.id != STREAM
    }


def test_a_version_of_qemu_is_on_record_where_it_differs_from_the_newest() -> None:
    record = json.loads(RECORD.read_text())

    for row in record.values():
        for said in (row["verdict"], row.get("reason", {})):
            same = [each for each in VERSIONS if each in said and said[each] == said.get("qemu")]
            assert same == []
    assert as_text(on_record()) == RECORD.read_text()
    assert {tuple(each.verdict) for each in on_record().values()} == {JUDGES}


def test_a_verdict_is_that_of_the_broken_rules_that_count() -> None:
    """And so the verdict of a version that is not on record follows from them."""
    for case, each in on_record().items():
        rejects = {judge for judge in JUDGES if refused_by(judge) & set(each.rules)}

        assert {judge for judge in JUDGES if each.verdict[judge] == "rejects"} == rejects, case
        assert set(each.reason) == rejects, case


def test_images_are_those_on_record() -> None:
    small = [case for case in CASES if on_record()[case.id].length < 1 << 20]
    drawn = random.Random(7).sample(small, MANY)

    found = {case.id: digest(case.image()) for case in drawn}

    assert found == {case.id: on_record()[case.id].sha256 for case in drawn}


def test_the_manifest_is_as_its_schema_says() -> None:
    schema = json.loads((ROOT / "docs" / "kit.schema.json").read_text())
    rows = [making.row(case, on_record()[case.id]) for case in CASES]

    manifest = {"schema": making.SCHEMA, "measured": making.versions(), "cases": rows}
    validate(manifest, schema)
    assert set(making.versions().values()) == set(MEASURED)
    assert making.versions()["qemu"] == MEASURED[-1]


def test_files_are_those_of_the_manifest(kit: Path) -> None:
    manifest = json.loads((kit / "manifest.json").read_text())
    rows = [(r["image"], r["length"], r["sha256"]) for r in manifest["cases"]]
    rows += [(f["path"], f["length"], f["sha256"]) for r in manifest["cases"] for f in r["files"]]

    assert [(n, len(d := (kit / n).read_bytes()), digest(d)) for n, _, _ in rows] == rows


def test_a_kit_is_made_again_byte_by_byte(kit: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "everything", lambda: iter(some()))
        making.make(tmp_path)

    files = [p for p in kit.rglob("*") if p.is_file()]
    assert all((tmp_path / p.relative_to(kit)).read_bytes() == p.read_bytes() for p in files)


def test_our_reader_is_right_about_all(kit: Path, readers: str) -> None:
    result = run(kit, "--reads", "stdout", "--target", "python:qcowspec.fuzzing.kit.readers:read")

    assert (result.exit_code, result.stdout.splitlines()[-1][:6]) == (0, "rules:"), result.output


def test_a_missing_rule_is_a_finding(kit: Path, readers: str) -> None:
    result = run(kit, "--json", "--target", f"{readers}:blind")

    score = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {(f["kind"], f["rule"]) for f in score["findings"]} == {
        ("accepted", "header/cluster-bits")
    }


def test_wrong_bytes_and_crashes_are_findings(kit: Path, readers: str) -> None:
    only = ("--only", "reading/plain/*")
    wrong = run(kit, *only, "--json", "--reads", "stdout", "--target", f"{readers}:wrong")
    falls = run(kit, *only, "--json", "--target", f"{readers}:falls")

    count = sum(case.id.startswith("reading/plain/") for case in CASES)
    assert json.loads(wrong.stdout)["kinds"] == {"wrong-bytes": count}
    assert json.loads(falls.stdout)["kinds"] == {"crash": count}
    assert "report privately first" in falls.stdout


@pytest.mark.parametrize(
    ("reads", "command"),
    [("stdout", "cat {}"), ("{out}", "cp {} {out}"), ("{out}", "true {} {out}")],
)
def test_a_command_gives_its_bytes_where_it_says(reads: str, command: str, kit: Path) -> None:
    only = ("--only", "reading/plain/v2-data")

    result = run(kit, *only, "--json", "--reads", reads, "--target", command)

    assert json.loads(result.stdout)["kinds"] == {"wrong-bytes": 1}


@pytest.mark.parametrize(
    "words",
    [
        ["--target", "no-such-program {}"],
        ["--target", "true"],
        ["--target", "true {}", "--only", "nothing"],
        ["--target", "true {}", "-p", "odd"],
        ["--target", "true {}", "-p", "qemu@odd"],
        ["--target", "true {}", "--reads", "{out}"],
        [],
    ],
)
def test_what_cannot_be_run_is_2_and_a_sentence(words: list[str], kit: Path) -> None:
    result = run(kit, *words)

    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_folder_without_a_kit_is_2(tmp_path: Path) -> None:
    assert run(tmp_path, "--target", "true {}").exit_code == 2


SAYS = """#!/bin/sh
case "$2" in
    brackets) echo "no: [$3] it is broken [twice]" >&2 ;;
    json) echo "{\\"rules\\": [\\"$3\\"]}" ;;
esac
exit 1
"""


@pytest.mark.parametrize(
    ("how", "rule", "names", "kinds"),
    [
        ("brackets", "l1/table-offset", "any", {}),
        ("json", "l1/table-offset", "any", {}),
        ("json", "l1/table-offset", "all", {"misnamed": 1}),
        ("json", "header/magic", "any", {"misnamed": 1}),
        ("silent", "l1/table-offset", "any", {"misnamed": 1}),
    ],
)
def test_a_command_names_rules_in_brackets_or_as_json(
    how: str, rule: str, names: str, kinds: dict[str, int], kit: Path, tmp_path: Path
) -> None:
    says = tmp_path / "says"
    says.write_text(SAYS)
    says.chmod(0o755)
    command = f"{says} {{}} {how} {rule} {{format}}"
    line = ("--only", "rules/l1/table-offset/bit-63", "-p", "untrusted", "--names", names)

    result = run(kit, *line, "--json", "--target", command)

    assert json.loads(result.stdout)["kinds"] == kinds


def test_our_validator_names_what_the_kit_names(kit: Path) -> None:
    """As a command, a process each; test_kit_planted_bugs asks about all cases in this process."""
    target = f"{sys.executable} -m qcowspec validate --json -p spec -f {{format}} {{}}"
    only = ("--only", "rules/l1/size-*", "--only", "rules/l1/table-offset/*")

    result = run(kit, *only, "-p", "spec", "--names", "all", "-j", "2", "--target", target)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("profile", "full", "basis"),
    [
        ("qemu@5.2", "qemu@5.2.0", "measured with 5.2.0"),
        ("qemu@7.2.22", "qemu@7.2.22", "measured with 7.2.22"),
        ("qemu@5.2.99", "qemu@5.2.99", "not measured: 5.2.0 of its series was"),
        (
            "qemu@6.1",
            "qemu@6.1",
            "not measured: between 5.2.0 and 7.2.22, by the releases that QEMU's changes name",
        ),
    ],
)
def test_a_reader_is_scored_by_any_version_of_qemu(
    profile: str, full: str, basis: str, kit: Path
) -> None:
    target = "python:qcowspec.fuzzing.kit.readers:name {format} " + profile
    line = ("-p", profile, "--only", "rules/*", "--names", "all", "--target", target)

    score = json.loads(run(kit, *line, "--json").stdout)
    printed = run(kit, *line)

    assert (score["profile"], score["basis"], score["findings"]) == (full, basis, [])
    assert printed.exit_code == 0
    assert (f"{full} was {basis}\n" in printed.stdout) == (not score["measured"])


def test_a_version_makes_the_difference(kit: Path) -> None:
    """5.2 reads an L1 table of version 1 anywhere below 2^63."""
    only = ("--only", "rules/l1/v1-read*", "--target")
    target = "python:qcowspec.fuzzing.kit.readers:name {format} qemu@5.2"

    older = run(kit, "-p", "qemu@5.2", *only, target)
    newer = run(kit, "-p", "qemu@6.1", *only, target)

    assert (older.exit_code, newer.exit_code) == (0, 1)
    assert "accepted " in newer.stdout


def test_a_reader_that_names_has_to_be_told_the_format(kit: Path) -> None:
    result = run(kit, "--names", "any", "--target", "true {}")

    assert (result.exit_code, "{format}" in result.output) == (2, True)


NAMED = {
    "id": "a/b", "read": None, "why": None, "secret": None, "guest": None,
    "verdict": {"qemu": "rejects"}, "rules": {"qemu": ["a/b", "a/c"]},
    "broken": ["a/b", "a/c", "a/d"],
}  # fmt: skip
FAILS = NAMED | {
    "verdict": {"qemu": "accepts"}, "rules": {"qemu": []}, "read": "fails", "why": "l2/x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("names", "row", "rules", "mark"),
    [
        ("any", NAMED, ("a/b",), "right"),
        ("any", NAMED, ("a/d",), "misnamed"),
        ("any", NAMED, ("a/b", "z/z"), "misnamed"),
        ("all", NAMED, ("a/c", "a/b"), "right"),
        ("all", NAMED, ("a/c", "a/b", "a/d"), "right"),
        ("all", NAMED, ("a/b",), "misnamed"),
        (None, NAMED, (), "right"),
        ("all", FAILS, ("l2/x",), "right"),
        ("any", FAILS, ("a/b",), "misnamed"),
        ("any", FAILS | {"why": None}, (), "right"),
    ],
)
def test_marks_of_names(
    names: str | None, row: scoring.Row, rules: tuple[str, ...], mark: str
) -> None:
    criteria = Criteria(reads=True, format_given=True, names=names)

    assert criteria.mark(row, Outcome("rejects", rules=rules)) == mark


def test_an_old_kit_has_no_names() -> None:
    with pytest.raises(Unfit, match="make the kit anew"):
        Criteria(format_given=True, names="any").mark(NAMED | {"rules": None}, Outcome("rejects"))


@pytest.mark.parametrize(
    ("stdout", "stderr", "rules"),
    [
        (b'{"rules": ["a/b", 3], "errors": [{"rule": "a/c"}, 5]}', "", ("a/b", "a/c")),
        (b'{"warnings": [{"rule": null}], "errors": 4}', "", ()),
        (b"[" * 100_000, "x [a/b-c] [A/b] [a/b-c] [1/2]", ("a/b-c", "1/2")),
        (b"\xff", "[nothing]", ()),
    ],
)
def test_names_are_found(stdout: bytes, stderr: str, rules: tuple[str, ...]) -> None:
    assert named(stdout, stderr) == rules


LOCKED = {
    "verdict": {"qemu": "accepts"}, "probed": {"qemu": "accepts"}, "read": "bytes",
    "secret": "s", "guest": {"size": 1, "sha256": "right"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("criteria", "outcome", "mark"),
    [
        (Criteria(reads=True, unlocks=True), Outcome("accepts", content="right"), "right"),
        (Criteria(reads=True, unlocks=True), Outcome("accepts", content="other"), "wrong-bytes"),
        (Criteria(reads=True, unlocks=True), Outcome("accepts"), "wrong-bytes"),
        (Criteria(reads=True, unlocks=True), Outcome("rejects"), "rejected"),
        (Criteria(reads=True), Outcome("accepts", content="other"), "ciphertext"),
        (Criteria(reads=True), Outcome("rejects"), "right"),
        (Criteria(), Outcome("accepts"), "right"),
        (Criteria(), Outcome("hang"), "hang"),
    ],
)
def test_marks(criteria: Criteria, outcome: Outcome, mark: str) -> None:
    assert criteria.mark(LOCKED, outcome) == mark


def test_a_version_between_is_judged_by_the_broken_rules() -> None:
    row = NAMED | {"probed": NAMED["verdict"], "broken": ["backing/data-file-found"]}

    [older] = scoring.judged_by("qemu@8.1", [row])
    [newer] = scoring.judged_by("qemu@9.1", [row])

    assert (older["verdict"]["qemu@8.1"], older["probed"]["qemu@8.1"]) == ("rejects", "rejects")
    assert older["rules"]["qemu@8.1"] == ["backing/data-file-found"]
    assert (newer["verdict"]["qemu@9.1"], newer["rules"]["qemu@9.1"]) == ("accepts", [])


@pytest.mark.parametrize(("profile", "read"), [("qemu@5.2", None), ("qemu@7.2", "fails")])
def test_a_disk_is_not_asked_for_where_a_version_lacks_the_rule(
    profile: str, read: str | None
) -> None:
    row = FAILS | {"probed": FAILS["verdict"], "why": "l2/v1-table-read"}

    [found] = scoring.judged_by(profile, [row])

    assert found["read"] == read


def test_where_the_probe_finds_another_format_a_version_between_has_no_verdict() -> None:
    row = NAMED | {"probed": {"qemu": "accepts"}}

    [found] = scoring.judged_by("qemu@8.1", [row])

    assert Criteria("qemu@8.1", format_given=True).answer(found) == "accepts"
    with pytest.raises(Unfit, match=r"no verdicts of qemu@8\.1"):
        Criteria("qemu@8.1").answer(found)


CASE = {
    "id": "a/b", "says": "", "feature": "a", "rule": None, "image": "a/b/image.qcow2",
    "format": "qcow2", "secret": None, "verdict": {"qemu": "accepts"},
    "probed": {"qemu": "accepts"}, "read": None, "guest": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (None, "has no list of cases"),
        ([CASE, 5], r"cases\[1\] is no case"),
        ([CASE | {"image": "/etc/passwd"}], r"cases\[0\] is no case"),
        ([CASE | {"image": "../image.qcow2"}], r"cases\[0\] is no case"),
        ([CASE | {"verdict": {"qemu": "perhaps"}}], r"cases\[0\] is no case"),
        ([CASE | {"read": "bytes"}], r"cases\[0\] is no case"),
        ([{key: CASE[key] for key in CASE if key != "secret"}], r"cases\[0\] is no case"),
    ],
)
def test_a_manifest_that_is_none_is_said_to_be(cases: object, said: str, tmp_path: Path) -> None:
    manifest = {"schema": making.SCHEMA, "cases": cases}
    (tmp_path / making.MANIFEST).write_text(json.dumps(manifest))

    with pytest.raises(Unfit, match=said):
        scoring.cases(tmp_path)


def test_a_manifest_without_an_end_is_none(tmp_path: Path) -> None:
    (tmp_path / making.MANIFEST).write_text("[" * 200_000)

    with pytest.raises(Unfit, match="is no kit's manifest"):
        scoring.cases(tmp_path)


def test_a_score_names_the_version_of_qemu_that_judges() -> None:
    said = scoring.Score(scoring.Criteria()).as_json()

    assert (said["profile"], said["measured"]) == ("qemu@11.1.3", True)
