"""tools/qemus finds the machine's own apt entry, starts what it unpacks, and lists what is here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.matrix import Difference
from tools import new_qemu, qemus

STANZAS = """\
Types: deb
URIs: http://elsewhere.example/other
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: stable
Components: main

Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: stable stable-updates
Components: main contrib
Signed-By: /usr/share/keyrings/some.gpg
"""

LINES = """\
# deb http://mirror.example/debian stable main
deb http://mirror.example/security stable-security main
deb-src http://mirror.example/debian stable main
deb [arch=amd64 signed-by=/some.gpg] http://mirror.example/debian stable main contrib
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("QCOWSPEC_QEMUS", str(tmp_path / "qemus"))
    kept = qemus.at_hand, qemus.installed
    for found in kept:
        found.cache_clear()
    yield tmp_path / "qemus"
    for found in kept:
        found.cache_clear()


def sources(folder: Path, name: str, text: str) -> Path:
    path = folder / "apt" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return folder / "apt"


def test_the_machines_own_stanza_is_kept_but_for_its_suites(tmp_path: Path) -> None:
    apt = sources(tmp_path, "sources.list.d/some.sources", STANZAS)

    found = qemus.own_source(apt)

    assert found.splitlines() == [
        "Types: deb deb-src",
        "# a comment",
        "URIs: http://mirror.example/debian",
        "Signed-By: /usr/share/keyrings/some.gpg",
        "Suites: {suite}",
        "Components: main",
    ]


def test_the_machines_own_line_is_kept_but_for_its_suite(tmp_path: Path) -> None:
    apt = sources(tmp_path, "sources.list", LINES)

    assert qemus.own_source(apt) == (
        "deb [arch=amd64 signed-by=/some.gpg] http://mirror.example/debian {suite} main\n"
    )


def test_a_machine_without_debians_suites_says_so(tmp_path: Path) -> None:
    apt = sources(tmp_path, "sources.list", "deb http://mirror.example/x nodistro main\n")

    with pytest.raises(qemus.Missing, match="no apt source here names a suite of Debian"):
        qemus.own_source(apt)


def fetched(folder: Path, version: str) -> None:
    program = folder / version / "qemu-img"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho qemu-img version {version}\n")
    program.chmod(0o755)


def test_the_installed_one_serves_for_its_series(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("10.0.13", "5.2.0", "7.2.1"):
        fetched(own_home, version)
    fetched(tmp_path / "installed", "7.2.22")
    monkeypatch.setenv("PATH", f"{tmp_path}/installed/7.2.22:{os.environ['PATH']}")

    assert [qemu.version for qemu in qemus.at_hand()] == ["5.2.0", "7.2.22", "10.0.13"]
    assert [str(qemu) for qemu in qemus.choose("10.0,5.2")] == ["10.0.13", "5.2.0"]
    assert qemus.choose("all") == qemus.at_hand()
    with pytest.raises(LookupError, match=r"QEMU 8\.0 is not here; there are 5\.2, 7\.2, 10\.0"):
        qemus.choose("5.2,8.0")


def test_the_tests_compare_with_the_installed_one_and_with_those_that_were_measured(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("5.2.0", "10.0.9", "10.0.13", "99.0.1"):
        fetched(own_home, version)
    fetched(tmp_path / "installed", "8.2.4")
    monkeypatch.setenv("PATH", f"{tmp_path}/installed/8.2.4:{os.environ['PATH']}")

    assert [qemu.version for qemu in qemus.at_hand()] == ["5.2.0", "8.2.4", "10.0.13", "99.0.1"]
    assert [qemu.version for qemu in qemus.compared()] == ["5.2.0", "8.2.4", "10.0.13"]
    assert [qemu.version for qemu in qemus.others()] == ["5.2.0", "10.0.13"]


def test_one_that_is_put_on_the_path_runs_by_its_name(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    fetched(own_home, "9.9.1")
    [qemu] = qemus.at_hand()

    with qemus.by_name(qemu):
        inside = qemus.installed()

    assert inside == qemu
    with pytest.raises(LookupError, match="is not installed"):
        qemus.installed()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not here")
def test_apt_runs_with_folders_of_its_own_and_without_the_systems_hooks(tmp_path: Path) -> None:
    source = "deb [trusted=yes] file:/nowhere {suite} main\n"
    apt = qemus.Apt(tmp_path / "apt", source, "stable")

    shown = apt("apt-config", "dump")

    assert f'Dir::State::lists "{tmp_path}/apt/lists";' in shown
    assert f'Dir::State::Status "{tmp_path}/apt/state/status";' in shown
    assert "Post-Invoke::" not in shown
    with pytest.raises(qemus.Missing, match="apt-get: E: "):
        apt.candidate()


def test_what_is_unpacked_is_started_with_its_own_loader(tmp_path: Path) -> None:
    system = tmp_path / "system"
    (system / "lib").mkdir(parents=True)
    (system / "lib" / "ld-own.so.2").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (system / "lib" / "ld-own.so.2").chmod(0o755)

    qemus._write_starters(tmp_path, system)

    started = subprocess.run([tmp_path / "qemu-img", "a b"], capture_output=True, text=True)
    assert started.stdout.splitlines() == [
        "--library-path",
        f"{tmp_path}/system/lib",
        f"{tmp_path}/system/usr/bin/qemu-img",
        "a b",
    ]


def test_a_place_where_nothing_can_be_kept_is_one_line() -> None:
    done = subprocess.run(
        ["python3", "-m", "tools.qemus"],
        capture_output=True,
        text=True,
        env={**os.environ, "QCOWSPEC_QEMUS": "/dev/null/qemus"},
        cwd=Path(__file__).parents[2],
    )

    assert done.returncode == 0
    assert done.stderr.splitlines() == ["nothing can be kept in /dev/null/qemus: Not a directory"]


def test_what_a_new_qemu_changes_is_a_patch_that_git_applies(tmp_path: Path) -> None:
    found = [
        Difference("12.0.0", "a", "header/cluster-bits", "Cluster size", 0, "image: image"),
        Difference(
            "12.0.0",
            "b",
            "header/compression-type",
            "type",
            1,
            'qemu-img: No "version" 9',
        ),
        Difference("12.0.0", "c", "header/size", None, 1, "qemu-img: unheard of"),
    ]
    text = "".join(new_qemu.patch(qemus.Qemu("12.0.0", tmp_path), found))

    root = Path(__file__).parents[2]
    for name in ("qemu.toml", "rules/header.toml"):
        copy = tmp_path / "formats" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((root / "formats" / name).read_bytes())
    subprocess.run(["git", "apply"], input=text, text=True, cwd=tmp_path, check=True)
    versions = tomllib.loads((tmp_path / "formats/qemu.toml").read_text())
    rules = tomllib.loads((tmp_path / "formats/rules/header.toml").read_text())["rule"]
    rows = {row["id"]: row["qemu"] for row in rules}
    assert "12.0.0" in [row["version"] for row in versions["measured"]]
    assert versions["change"][-1]["id"] == "qemu-12.0"
    assert rows["header/cluster-bits"]["until"] == "qemu-12.0"
    assert rows["header/compression-type"]["key"] == 'No "version" 9'
    assert rows["header/compression-type"]["before"]["change"] == "qemu-12.0"
    assert {"5.2", "7.2", "10.0", "11.1"} <= new_qemu.KNOWN
