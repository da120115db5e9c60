"""A campaign finds what a reader gets wrong, makes it small, and can be shown again."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from random import Random

import pytest
import yaml
from click.testing import CliRunner, Result

from qcowspec import build
from qcowspec.build.short import image_spec
from qcowspec.cli import qcowspec
from qcowspec.fuzzing.campaign.findings import key_of
from qcowspec.fuzzing.campaign.minimise import minimised
from qcowspec.fuzzing.campaign.oracle import EITHER, Expected, Oracle
from qcowspec.fuzzing.campaign.outcomes import Outcome, of_process
from qcowspec.fuzzing.campaign.stock import Stock, applied
from qcowspec.fuzzing.drafts import Change

DATA = Path(__file__).parents[1] / "data"

READERS = """
import sys, time
import qcowspec

def right(path):
    if not qcowspec.validate(path).accepted:
        raise ValueError("no")

def blind(path):  # knows no cluster sizes
    verdict = qcowspec.validate(path)
    if not verdict.accepted and verdict.errors[0].rule != "header/cluster-bits":
        raise ValueError("no")

def falls(path):
    if not qcowspec.validate(path).accepted:
        raise IndexError("oh")

def sleeps(path):
    if not qcowspec.validate(path).accepted:
        time.sleep(60)
"""


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of readers."""
    (tmp_path / "readers_under_test.py").write_text(READERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "python:readers_under_test"


def fuzz(folder: Path, target: str, *words: str) -> Result:
    line = ["fuzz", "--target", target, "-o", str(folder), *words]
    return CliRunner().invoke(qcowspec, line)


def findings(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/finding.json"))]


def test_a_reader_that_is_right_is_left_in_peace(readers: str, tmp_path: Path) -> None:
    result = fuzz(tmp_path / "c", f"{readers}:right", "-n", "200")

    assert (result.exit_code, findings(tmp_path / "c")) == (0, [])
    assert "200 mutants" in result.stdout


def test_a_missing_rule_is_found_and_shown_by_one_field(readers: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"

    assert fuzz(folder, f"{readers}:blind", "-n", "900", "--seed", "2", "-j", "2").exit_code == 1
    (found,) = [each for each in findings(folder) if each["rule"] == "header/cluster-bits"]
    assert found["kind"] == "accepted"
    assert [change["field"] for change in found["changes"]] == ["header.cluster_bits"]  # type: ignore[attr-defined]


def test_crashes_and_hangs_are_told_apart(readers: str, tmp_path: Path) -> None:
    fuzz(tmp_path / "a", f"{readers}:falls", "-n", "40")
    fuzz(tmp_path / "b", f"{readers}:sleeps", "-n", "4", "--timeout", "0.3")

    assert {found["kind"] for found in findings(tmp_path / "a")} == {"crash"}
    assert {found["kind"] for found in findings(tmp_path / "b")} == {"hang"}


def test_a_campaign_goes_on_where_it_was_left(readers: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    fuzz(folder, f"{readers}:falls", "-n", "60")
    first = json.loads((folder / "state.json").read_text())
    fuzz(folder, f"{readers}:falls", "-n", "90")
    second = json.loads((folder / "state.json").read_text())

    assert (first["done"], second["done"]) == (60, 90)
    assert fuzz(folder, f"{readers}:right", "-n", "90").exit_code == 2


def test_a_finding_is_built_again_from_its_description(readers: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    fuzz(folder, f"{readers}:falls", "-n", "60")
    for spec in folder.glob("*/spec.yaml"):
        image = next(spec.parent.glob("image.*"))
        again = tmp_path / "again"
        line = ["build", str(spec), "-o", str(again)]

        assert CliRunner().invoke(qcowspec, line).exit_code == 0, yaml.safe_load(spec.read_text())
        assert again.read_bytes() == image.read_bytes()


def test_a_target_that_cannot_run_is_one_sentence(tmp_path: Path) -> None:
    for target in ("no-such-program {}", "python:no_such_module:f", "true"):
        result = fuzz(tmp_path / "c", target, "-n", "1")
        assert result.exit_code == 2
        assert "Traceback" not in result.stderr


def test_statuses_are_answers() -> None:
    assert of_process(0, "").answer == "accepts"
    assert of_process(1, "no").answer == "rejects"
    assert of_process(-11, "").answer == "crash"
    assert of_process(-9, "").answer == "memory"
    assert of_process(1, "x.c:3: runtime error: shift exponent 64").answer == "sanitizer"
    assert of_process(1, "Traceback (most recent call last)\nKeyError: 1").answer == "crash"


def test_samples_are_their_changes_and_reach_every_rule() -> None:
    stock, oracle, broken = Stock(), Oracle("qemu"), Counter[str]()
    for number in range(1500):
        sample = stock.draw(Random(f"3/{number}"), broken)
        assert sample.data == stock.remade(sample.seed, sample.changes)
        expected = oracle.expect(sample.data)
        if expected.rule is not None:
            broken[expected.rule] += 1

    assert len(broken) > 90


def test_minimising_leaves_what_it_takes() -> None:
    changes = [Change(None, at, b"\0", b"x") for at in range(20)]
    needed = {3, 11}

    left = minimised(changes, lambda some: needed <= {change.offset for change in some})

    assert {change.offset for change in left} == needed
    assert applied(bytes(20), left) == bytes(3) + b"x" + bytes(7) + b"x" + bytes(8)


def test_a_finding_is_shown_again_by_the_command_it_names(readers: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    fuzz(folder, f"{readers}:falls", "-n", "40")
    (found, *_) = sorted(folder.glob("*/reproduce.sh"))
    again = shlex.split(found.read_text().splitlines()[-1])
    image = next(found.parent.glob("image.*"))
    shown = CliRunner().invoke(qcowspec, [*again[1:-1], str(image)])

    assert again[:2] == ["qcowspec", "fuzz"]
    assert (shown.exit_code, "crash: IndexError" in shown.stdout) == (1, True)
    sound = CliRunner().invoke(qcowspec, [*again[1:-1], str(DATA / "v3-empty.qcow2")])
    assert (sound.exit_code, "as it should" in sound.stdout) == (0, True)


def test_a_disk_that_nobody_reads_to_its_end_is_no_finding() -> None:
    huge = build.image(image_spec({"size": "1T"}))

    assert Oracle("qemu", reads=True).expect(huge).answer == EITHER
    assert key_of(Expected(EITHER), Outcome("rejects", "no")) is None
    assert key_of(Expected(EITHER), Outcome("crash", "SIGSEGV")) is not None


def test_a_signature_has_no_numbers() -> None:
    one = Outcome("rejects", "flags: 0x0010 at 512")
    other = Outcome("rejects", "flags: 0xfffe at 7")

    assert one.signature == other.signature


def test_the_rule_that_was_tried_least_is_aimed_at_most() -> None:
    tried = Counter(dict.fromkeys(Stock().rules(), 1000))
    tried["header/cluster-bits"] = 0
    aims = Counter(Stock().draw(Random(n), tried).aim for n in range(200))
    del aims[None]

    assert aims["header/cluster-bits"] > aims.total() / 2
