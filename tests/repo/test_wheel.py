"""The installed package needs nothing of the repository: its wheel, unpacked, does all."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SPEC = """\
size: 1M
writes:
- {at: 0, text: hello}
"""

KIT = "python:qcowspec.fuzzing.kit.readers:name {format}"
READER = "python:qcowspec.fuzzing.kit.readers:judge"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel has, and beside it one to work in, with an image."""
    folder = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    work = folder / "work"
    work.mkdir()
    (work / "spec.yaml").write_text(SPEC)
    assert qcowspec(work, "build", "spec.yaml", "-o", "disk.qcow2").returncode == 0
    return work


def python(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the wheel's packages are the first that it finds."""
    paths = {"PYTHONPATH": str(work.parent / "site")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=work,
        env=os.environ | paths,
        capture_output=True,
        text=True,
        check=False,
    )


def qcowspec(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(work, "-m", "qcowspec", *words)


def test_it_is_the_wheel_that_runs(installed: Path) -> None:
    code = "import qcowspec, qcow_parsers, qcow_schemas as s; print(qcowspec.__file__, s.__file__)"
    found = python(installed, "-c", code).stdout.split()

    site = installed.parent / "site"
    assert found == [str(site / name / "__init__.py") for name in ("qcowspec", "qcow_schemas")]


@pytest.mark.parametrize("name", ["rules.tsv", "rules.json"])
def test_the_rules_for_programs_are_in_it(name: str, installed: Path) -> None:
    packed = installed.parent / "site/qcowspec/formats" / name

    assert packed.read_bytes() == (ROOT / "generated" / name).read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "dump disk.qcow2",
        "validate --json disk.qcow2",
        "check disk.qcow2",
        "info disk.qcow2",
        "map disk.qcow2",
        "convert disk.qcow2 disk.raw",
        "rules header/cluster-bits",
        "rules --matrix",
        "report disk.qcow2 -o -",
        "report --svg disk.qcow2 -o disk.svg",
        "mutate disk.qcow2 -n 1 -o mutants --rule header/cluster-bits",
    ],
)
def test_commands_run(line: str, installed: Path) -> None:
    done = qcowspec(installed, *line.split())

    assert (done.returncode, done.stderr) == (0, "")


def test_the_kit_is_made_and_run(installed: Path) -> None:
    made = qcowspec(installed, "kit", "make", "kit")
    run = qcowspec(installed, "kit", "run", "--names", "all", "--target", KIT, "kit")

    assert (made.returncode, made.stderr) == (0, "")
    assert (run.returncode, run.stderr) == (0, "")


def test_a_campaign_runs(installed: Path) -> None:
    done = qcowspec(installed, "fuzz", "--target", READER, "-n", "50", "-o", "campaign")

    assert (done.returncode, done.stderr) == (0, "")
