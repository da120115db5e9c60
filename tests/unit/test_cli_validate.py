"""`qcowspec validate`: one verdict a file, and exit codes that scripts can trust."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from qcow_parsers.versions import MEASURED

from qcowspec.fuzzing import vectors
from tests.command import run_bytes
from tools.make_test_data import DATA

GOOD, BACKED = DATA / "v3-zstd.qcow2", DATA / "showcase.qcow2"


def run(*arguments: object, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    if given is None:
        return run_bytes(*arguments)
    command = [sys.executable, "-m", "qcowspec", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.qcow2"
    data = bytearray(GOOD.read_bytes())
    data[20:24] = (22).to_bytes(4, "big")
    path.write_bytes(data)
    return path


def test_an_accepted_image_is_a_verdict_and_0() -> None:
    done = run("validate", GOOD)

    verdict, looked = done.stdout.splitlines()
    assert looked.startswith(b"  ")
    assert (done.returncode, verdict, done.stderr) == (
        0,
        f"{GOOD}: accept, qcow2".encode(),
        b"",
    )


def test_a_rejected_image_is_said_with_its_rule_and_1(broken: Path) -> None:
    done = run("validate", broken)

    assert done.returncode == 1
    assert b"reject" in done.stdout
    assert b"[header/cluster-bits]" in done.stdout
    assert done.stderr == b""


def test_json_is_an_object_a_line(broken: Path) -> None:
    done = run("validate", "--json", GOOD, broken)
    good, bad = map(json.loads, done.stdout.splitlines())

    assert good == {
        "path": str(GOOD),
        "format": "qcow2",
        "verdict": "accept",
        "profile": "qemu@11.1.3",
        "measured": True,
        "basis": "measured with 11.1.3",
        "errors": [],
        "warnings": [],
        "judged": good["judged"],
        "not_looked_at": [
            "table entries",
            "refcounts against references (qcowspec check)",
            "guest data",
        ],
        "truncated": None,
        "error": None,
    }
    assert bad["verdict"] == "reject"
    assert bad["errors"][0]["rule"] == "header/cluster-bits"
    assert (bad["errors"][0]["offset"], bad["errors"][0]["value"]) == (20, 22)


def test_an_unreadable_file_does_not_keep_the_others_from_their_verdict(tmp_path: Path) -> None:
    done = run("validate", tmp_path / "none", GOOD)

    assert done.returncode == 2
    assert done.stdout.splitlines()[0].endswith(b"accept, qcow2")
    assert done.stderr.decode().splitlines() == [
        f"qcowspec: {tmp_path / 'none'}: cannot be opened: no such file or directory",
        "qcowspec: 2 files: 1 accepted, 0 rejected, 1 not read",
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_json_has_an_object_for_a_file_that_cannot_be_read(jobs: int, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    done = run("validate", "--json", "-j", jobs, missing, tmp_path, GOOD, "json:{}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 2
    assert [row["path"] for row in rows] == [str(missing), str(tmp_path), str(GOOD), "source spec"]
    assert [row["verdict"] for row in rows] == [None, None, "accept", None]
    assert {tuple(row) for row in rows} == {tuple(rows[2])}
    assert [row["error"] and (row["error"]["kind"], row["error"]["errno"]) for row in rows] == [
        ("unreadable", "ENOENT"), ("unreadable", "EISDIR"), None, ("invalid", None),
    ]  # fmt: skip
    assert rows[0]["error"]["message"] == "cannot be opened: no such file or directory"
    assert done.stderr.count(b"\n") == 3  # the reasons alone


def test_many_files_end_with_a_line_that_counts_them(broken: Path) -> None:
    files = [GOOD, broken, GOOD]

    assert run("validate", *files).stderr == b"qcowspec: 3 files: 2 accepted, 1 rejected\n"
    assert run("validate", "-q", *files).stderr == b""
    assert run("validate", "--json", *files).stderr == b""
    assert run("validate", broken).stderr == b""


def test_a_directory_without_r_names_r(tmp_path: Path) -> None:
    assert b"is a directory, not an image; -r judges every" in run("validate", tmp_path).stderr


def test_a_raw_file_is_no_qcow_image() -> None:
    done = run("validate", DATA / "README.md")

    assert done.returncode == 1
    assert b"[probe/claimed]" in done.stdout


def test_a_directory_is_walked_when_asked(tmp_path: Path, broken: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "good.qcow2").write_bytes(GOOD.read_bytes())
    done = run("validate", "--recursive", tmp_path)

    assert done.returncode == 1
    assert [
        line.split(b": ")[1] for line in done.stdout.splitlines() if not line.startswith(b" ")
    ] == [
        b"reject, qcow2",
        b"accept, qcow2",
    ]
    assert run("validate", tmp_path).returncode == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs_keep_the_order(jobs: int, broken: Path) -> None:
    done = run("validate", "--json", "--jobs", jobs, *[GOOD, broken] * 20)

    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == [
        "accept",
        "reject",
    ] * 20


def test_untrusted_rejects_what_qemu_accepts() -> None:
    assert run("validate", BACKED).returncode == 0
    assert run("validate", "--profile", "untrusted", BACKED).returncode == 1


@pytest.mark.parametrize("name", ["qemu@", "qemu@x", "librbd@7.2", "glance", ""])
def test_an_unknown_profile_is_bad_usage(name: str) -> None:
    done = run("validate", "-p", name, GOOD)

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_version_of_qemu_can_be_asked_for() -> None:
    assert run("validate", "-p", "qemu@5.0", GOOD).returncode == 0


def test_help_names_the_version_of_qemu_and_those_that_were_measured() -> None:
    text = " ".join(run("validate", "--help").stdout.decode().split())

    assert f"qemu is what QEMU {MEASURED[-1]} opens" in text
    assert ", ".join(MEASURED) in text


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("qemu", "qemu@11.1.3"),
        ("qemu@7.2", "qemu@7.2.22"),
        ("qemu@7.2.22", "qemu@7.2.22"),
        ("qemu@5.2.0", "qemu@5.2.0"),
    ],
)
def test_a_verdict_names_the_version_that_was_measured(profile: str, name: str) -> None:
    text = run("validate", "-p", profile, GOOD).stdout.decode()
    said = json.loads(run("validate", "-p", profile, "--json", GOOD).stdout)

    assert f"  By {name}: " in text
    assert "not measured" not in text
    assert (said["profile"], said["measured"]) == (name, True)
    assert said["basis"] == f"measured with {name[5:]}"


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ("qemu@8.0", "between 7.2.22 and 10.0.13, by the releases that QEMU's changes name"),
        ("qemu@12", "newer than 11.1.3, by the releases that QEMU's changes name"),
        ("qemu@11", "newer than 11.1.3, by the releases that QEMU's changes name"),
        ("qemu@5.1", "older than 5.2.0, by the releases that QEMU's changes name"),
        ("qemu@7.2.13", "7.2.22 of its series was"),
    ],
)
@pytest.mark.parametrize("image", [GOOD, DATA / "README.md"], ids=["good", "no image"])
def test_a_verdict_says_that_a_version_was_not_measured(
    profile: str, why: str, image: Path
) -> None:
    lines = run("validate", "-p", profile, image).stdout.decode().splitlines()
    said = json.loads(run("validate", "-p", profile, "--json", image).stdout)

    assert lines[-1] == f"  {profile} was not measured: {why}."
    assert (said["profile"], said["measured"]) == (profile, False)
    assert said["basis"] == f"not measured: {why}"


def test_the_verdict_of_another_profile_has_no_version_of_qemu() -> None:
    said = json.loads(run("validate", "-p", "spec", "--json", GOOD).stdout)

    assert (said["profile"], said["measured"], said["basis"]) == ("spec", None, None)
    assert b"qemu" not in run("validate", "-p", "spec", GOOD).stdout.splitlines()[-1]


def test_a_pipe_is_judged_as_a_stream() -> None:
    done = run("validate", "-p", "untrusted", "-", given=GOOD.read_bytes())
    assert done.stdout.splitlines()[0] == b"-: accept, qcow2"
    assert run("validate", "-p", "untrusted", "-", given=BACKED.read_bytes()).returncode == 1
    assert run("validate", "-", given=b"").returncode == 1


def test_quiet_leaves_out_the_accepted(broken: Path) -> None:
    done = run("validate", "-q", GOOD, broken)

    assert str(GOOD).encode() not in done.stdout
    assert str(broken).encode() in done.stdout


def test_a_rule_is_explained() -> None:
    done = run("rules", "header/cluster-bits")

    assert done.returncode == 0
    assert done.stdout.startswith(b"header/cluster-bits\n")


def test_all_rules_are_listed_once() -> None:
    lines = run("rules").stdout.splitlines()
    rows = json.loads(run("rules", "--json").stdout)

    assert [line.split()[1].decode() for line in lines] == [row["id"] for row in rows]


def test_an_unknown_rule_is_bad_usage() -> None:
    done = run("rules", "header/none")

    assert done.returncode == 2
    assert b"no rule has the ID" in done.stderr


@pytest.fixture
def with_data_file(tmp_path: Path) -> Path:
    (vector,) = (v for v in vectors.about("backing/data-file-found") if v.breaks)
    path = tmp_path / "image.qcow2"
    path.write_bytes(vectors.image(vector))
    return path


def test_a_data_file_that_qemu_would_open_counts_as_missing(with_data_file: Path) -> None:
    (with_data_file.parent / "data.raw").write_bytes(b"")

    done = run("validate", "-p", "qemu@5.2", with_data_file)

    assert done.returncode == 1
    assert b"'data.raw' was not opened" in done.stdout


@pytest.mark.parametrize(("there", "status"), [(True, 0), (False, 1)])
def test_an_allowed_data_file_is_looked_for(with_data_file: Path, there: bool, status: int) -> None:
    if there:
        (with_data_file.parent / "data.raw").write_bytes(b"")

    done = run("validate", "-p", "qemu@5.2", "--allow", "same-dir", with_data_file)

    assert done.returncode == status


def test_a_newer_qemu_opens_no_data_file(with_data_file: Path) -> None:
    assert run("validate", "-p", "qemu@7.2", with_data_file).returncode == 0


def test_hidden_bytes_are_looked_for_when_asked() -> None:
    """They are a warning, or an error; without it the verdict says that nobody looked."""
    leaks, clean = DATA / "v3-leaks.qcow2", DATA / "v3-snapshots.qcow2"

    unasked, reported, rejected = (
        json.loads(run("validate", "-p", "untrusted", *words, "--json", leaks).stdout)
        for words in ([], ["--hidden", "report"], ["--hidden", "reject"])
    )
    done = run("validate", "-p", "untrusted", "--hidden", "reject", clean)

    finding = {
        "rule": "check/untrusted-hidden-bytes",
        "stage": "check",
        "kind": "unsupported",
        "offset": 0x6000,
        "field": None,
        "value": 4096,
        "message": "Bytes that no reader looks at are not zero: 4,096 of them,"
        " the first at 0x6000.",
    }
    hidden = "hidden bytes (qcowspec validate --hidden)"
    shown = [
        (one["verdict"], one["errors"], one["warnings"], hidden in one["not_looked_at"])
        for one in (unasked, reported, rejected)
    ]
    assert shown == [
        ("accept", [], [], True),
        ("accept", [], [finding], False),
        ("reject", [finding], [], False),
    ]
    assert rejected["judged"] == unasked["judged"] + 1
    assert done.returncode == 0


def test_hidden_bytes_of_an_image_that_cannot_be_followed(tmp_path: Path) -> None:
    """It is rejected anyway; that some bytes were not looked at is said."""
    cut = tmp_path / "cut.qcow2"
    cut.write_bytes((DATA / "showcase.qcow2").read_bytes()[:500000])

    found = json.loads(
        run("validate", "-p", "untrusted", "--hidden", "report", "--json", cut).stdout
    )

    assert found["verdict"] == "reject"
    assert "hidden bytes where structures were not followed" in found["not_looked_at"]


@pytest.mark.parametrize("words", [["--hidden", "report"], ["-p", "untrusted", "--hidden", "all"]])
def test_hidden_bytes_are_a_choice_of_one_profile(words: list[str]) -> None:
    assert run("validate", *words, GOOD).returncode == 2
