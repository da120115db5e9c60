"""`qcowspec check`: qemu-img's words and exit statuses, and what it finds beyond them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.vectors import base
from tests.command import run as ran
from tools.make_test_data import DATA


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return ran("check", *arguments)


def written(path: Path, name: str) -> Path:
    vector = next(vector for vector in vectors.everything() if vector.id == name)
    path.write_bytes(vectors.image(vector))
    return path


def test_a_leak_is_told_with_its_rule_and_place() -> None:
    done = run(DATA / "v3-leaks.qcow2")

    assert done.returncode == 3
    assert done.stdout.startswith("Leaked check/leaked-cluster. The rule: ")
    assert (
        "\n  cluster at 0x6000: refcount 1, references 0; refcount_blocks[0][6] at 0x200c\n"
        in done.stdout
    )


def test_every_place_is_written_as_the_kept_ones_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from qcowspec.cli import check as command

    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, bytes([0, 5, 0, 0] * 4))
    path = tmp_path / "image.qcow2"
    path.write_bytes(draft.data)

    def told(kept: int, *options: str) -> str:
        monkeypatch.setattr(command, "KEPT", kept)
        words = ["--all", "--explain", *options, str(path)]
        return CliRunner().invoke(command.command, words).stdout

    assert told(1) == told(100)
    assert told(1, "--output", "json") == told(100, "--output", "json")
    found = json.loads(told(1, "--output", "json"))["findings"]
    leaked = next(group for group in found if group["rule"] == "check/leaked-cluster")
    assert (leaked["count"], len(leaked["faults"])) == (4, 4)


def test_json_has_a_run_of_faults_with_its_count_and_its_last(tmp_path: Path) -> None:
    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, bytes(2 * 7))
    path = tmp_path / "image.qcow2"
    path.write_bytes(draft.data)

    found = json.loads(run("--output", "json", path).stdout)["findings"]
    fault = next(g for g in found if g["rule"] == "check/refcount-too-low")["faults"][0]

    assert (fault["cluster"], fault["count"], fault["length"]) == (0, 7, 0x7000)
    assert fault["last"] == {
        "path": "refcount_blocks[0][6]",
        "offset": 0x600C,
        "value": 0,
        "cluster": 0x6000,
    }


@pytest.mark.parametrize("rule", ["header/data-file-raw", "backing/data-file-name"])
def test_what_qemu_refuses_when_data_could_be_asked_for_is_not_checked(
    tmp_path: Path, rule: str
) -> None:
    vector = next(v for v in vectors.everything() if v.rule == rule and v.breaks)
    path = written(tmp_path / "image.qcow2", vector.id)

    done = run(path)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"[{rule}]" in done.stderr


def test_json_has_the_findings_beside_the_figures() -> None:
    done = run("--output", "json", DATA / "v3-damaged.qcow2")
    said = json.loads(done.stdout)

    assert said["corruptions"] == 1
    assert [group["rule"] for group in said["beyond-qemu"]] == ["header/corrupt"]
    assert [(group["rule"], group["count"]) for group in said["findings"]] == [
        ("check/refcount-too-low", 1)
    ]
    assert said["findings"][0]["faults"] == [
        {
            "path": "refcount_blocks[0][3]",
            "offset": 0x2006,
            "value": 0,
            "expected": 1,
            "cluster": 0x3000,
        }
    ]


def test_an_overlap_that_refcounts_hide_is_beyond_qemu(tmp_path: Path) -> None:
    path = written(tmp_path / "image.qcow2", "check/overlap/l1-table")

    done = run("--explain", path)

    assert done.returncode == 0
    assert done.stdout.startswith("qemu-img check finds no errors on the image; see below ")
    assert "cluster at 0x4000 belongs to: l1-table, data" in done.stdout
    assert "      owner: l1_table\n" in done.stdout
    assert "      owner: l2_tables[0][0]; guest offset 0x0\n" in done.stdout
    assert run("--strict", path).returncode == 2


def test_a_compressed_cluster_is_inflated_only_when_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "image.qcow2", "check/overlap/header")

    assert "l2/compressed-data" not in run(path).stdout
    assert "l2/compressed-data" in run("--deep", path).stdout


def test_version_1_is_checked_too(tmp_path: Path) -> None:
    path = written(tmp_path / "image.qcow", "check/v1-overlap/l2-table")

    done = run("--explain", path)

    assert done.returncode == 2
    assert "check/v1-overlap" in done.stdout
    assert "qemu-img has no check for version 1" in done.stdout


def test_an_image_that_does_not_open_is_1(tmp_path: Path) -> None:
    path = written(tmp_path / "image.qcow2", "header/cluster-bits/22")

    done = run(path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "[header/cluster-bits]" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["--no-such"], ["-r", "leaks", DATA / "v3-leaks.qcow2"], ["--source-spec", "no/such"]],
    ids=lambda arguments: str(arguments[:1]),
)
def test_status_2_is_for_damage_and_bad_usage_is_1(arguments: list[object]) -> None:
    done = run(*arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_output_that_cannot_be_written_is_1() -> None:
    command = [sys.executable, "-m", "qcowspec", "check", str(DATA / "v3-zlib.qcow2")]

    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == 1
    assert done.stderr == b"qcowspec: the output cannot be written: No space left on device\n"


def test_an_image_that_a_guest_uses_is_asked_for_as_with_qemu_img() -> None:
    assert run("-U", DATA / "v3-zlib.qcow2").returncode == 0


def test_an_entry_that_snapshots_share_counts_for_each_and_is_told_once(tmp_path: Path) -> None:
    draft = Draft(base("v3-snapshots"))
    draft.set(draft.find("l2_tables[0][0]"), 1 << 55)
    path = tmp_path / "shared.qcow2"
    path.write_bytes(draft.data)

    told = [run(*options, path).stdout.splitlines() for options in ([], ["--all"])]

    assert [lines[0].partition(".")[0] for lines in told] == ["ERROR check/past-end, 3 times"] * 2
    assert [lines[1].partition(" is ")[0] for lines in told] == ["  l2_tables[0][0] at 0x2000"] * 2
    assert [lines[2] for lines in told] == ["  … 2 more, at the same places"] * 2


def test_quiet_says_nothing() -> None:
    done = run("-q", DATA / "v3-leaks.qcow2")

    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_a_missing_refcount_table_is_checked_all_the_same(tmp_path: Path) -> None:
    path = written(tmp_path / "image.qcow2", "refcounts/table-present/0")

    assert run(path).returncode == 2


def test_a_chain_that_loops_is_found_where_it_may_be_followed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.qcow2", tmp_path / "other.qcow2"
    one.write_bytes(_backed_by(b"other.qcow2"))
    other.write_bytes(_backed_by(b"one.qcow2"))

    assert "backing/loop" not in run(one).stdout
    done = run("--allow", "same-dir", one)

    assert done.returncode == 0
    assert "BEYOND backing/loop" in done.stdout
    assert (
        f"backing_file_name at 0x88: {other}: The backing file 'one.qcow2' is already part"
        in done.stdout
    )


def _backed_by(name: bytes) -> bytes:
    from qcowspec.build import image
    from qcowspec.build.short import image_spec

    return image(
        image_spec({"backing_name": name.decode(), "backing_format": "qcow2", "version": 3})
    )
