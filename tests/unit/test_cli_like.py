"""--like asks for the output of another QEMU: what it takes, and what it says of versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qcow_parsers.versions import CHANGES

from qcowspec.fuzzing import vectors
from qcowspec.report.info_text import snapshot_lines
from qcowspec.spec.profiles import OUTPUT, has
from tests.command import run
from tools.make_test_data import DATA

IMAGE = DATA / "v3-zlib.qcow2"
SM3 = "encryption/luks-hash-sm3/sm3"
"""A vector that QEMU opens since 9.2."""

COMMANDS = {"info": 2, "map": 2, "check": 1, "compare": 2}
"""Each command that has the option, and its exit status for bad usage."""


def words(command: str) -> list[object]:
    return [command, *[IMAGE] * (2 if command == "compare" else 1)]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("like", ["", "7.2", "qemu@", "qemu@x", "librbd", "spec"])
def test_what_is_no_qemu_is_bad_usage(command: str, like: str) -> None:
    done = run(*words(command), "--like", like)

    assert (done.returncode, done.stdout) == (COMMANDS[command], "")
    assert done.stderr.splitlines()[-1].startswith("Error: --like")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("like", ["qemu", "qemu@5.2", "qemu@7.2.22", "qemu@11.1"])
def test_a_measured_version_needs_no_remark(command: str, like: str) -> None:
    done = run(*words(command), "--like", like)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_stderr_says_of_another_version_that_it_was_not_measured(command: str) -> None:
    done = run(*words(command), "--like", "qemu@8.2")

    assert done.returncode == 0
    assert done.stderr.startswith("qcowspec: qemu@8.2 is not measured: between ")


@pytest.mark.parametrize("command", ["info", "map", "check"])
@pytest.mark.parametrize("output", ["human", "json"])
def test_without_it_the_output_is_the_usual_one(command: str, output: str) -> None:
    usual = run(command, "--output", output, IMAGE)

    assert usual.stdout == run(command, "--output", output, "--like", OUTPUT, IMAGE).stdout


def test_map_writes_the_keys_that_a_version_writes() -> None:
    def keys(like: str) -> list[str]:
        rows = json.loads(run("map", "--output", "json", "--like", like, IMAGE).stdout)
        return list(rows[1])[3:-1]

    assert keys("qemu@5.2") == ["zero", "data"]
    assert keys("qemu@7.2") == ["present", "zero", "data"]
    assert keys("qemu@8.2") == ["present", "zero", "data", "compressed"]


def test_info_of_a_version_that_opens_the_data_file_needs_leave() -> None:
    image = DATA / "v3-data-file.qcow2"
    refused = run("info", "--like", "qemu@5.2", image)
    allowed = run("info", "--output=json", "--allow", "same-dir", "--like", "qemu@5.2", image)
    usual = run("info", "--output=json", image)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "[backing/data-file-found]" in refused.stderr
    sizes = [json.loads(done.stdout)["actual-size"] for done in (allowed, usual)]
    assert sizes[0] > sizes[1]


def test_an_image_that_the_version_does_not_open_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "sm3.qcow2"
    image.write_bytes(vectors.image(next(v for v in vectors.everything() if v.id == SM3)))

    for command, status in {"info": 1, "map": 1, "check": 1, "compare": 2}.items():
        both = [image] * (2 if command == "compare" else 1)
        done = run(command, "--like", "qemu@7.2", *both)

        assert (done.returncode, done.stdout) == (status, ""), command
        assert "[encryption/luks-hash-sm3]" in done.stderr


def test_a_rule_that_came_later_is_beyond_the_check_of_an_older_version(tmp_path: Path) -> None:
    image = tmp_path / "reserved.qcow2"
    vector = next(v for v in vectors.everything() if v.id == "l2/reserved/bit-1")
    image.write_bytes(vectors.image(vector))
    older = run("check", "--output=json", "--like", "qemu@5.2", image)
    usual = run("check", "--output=json", image)

    found = json.loads(older.stdout)["beyond-qemu"], json.loads(usual.stdout)["findings"]
    assert (older.returncode, usual.returncode) == (0, 2)
    assert [[group["rule"] for group in groups] for groups in found] == [["l2/reserved"]] * 2


SNAPSHOT = {
    "id": "1",
    "name": "tag",
    "vm-state-size": 0,
    "date-sec": 0,
    "vm-clock-sec": 0,
    "vm-clock-nsec": 0,
}


def test_each_layout_of_the_list_of_snapshots_has_rows_as_wide_as_its_heading() -> None:
    for like in ("qemu@5.2", "qemu@7.2", "qemu@10.0"):
        heading, row = snapshot_lines([SNAPSHOT], like)

        assert len(heading) == len(row), like


def test_a_profile_has_the_changes_of_its_version_and_of_those_before() -> None:
    for change in CHANGES:
        first = CHANGES[change].releases[-1]

        assert has(f"qemu@{first}", change)
        assert has("qemu", change)
        assert not has("qemu@5.0", change)
