"""`qcowspec build`: an image from a description, and the examples of docs/build.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.errors import QcowError
from tests.command import run as ran
from tools.make_test_data import DATA

DOC = Path(__file__).parents[2] / "docs" / "build.md"


def run(
    *words: object, given: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    if given is None and cwd is None and "-" not in words:
        return ran(*words)
    command = [sys.executable, "-m", "qcowspec", *map(str, words)]
    return subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, timeout=60, cwd=cwd
    )


def test_an_image_is_written_and_said(tmp_path: Path) -> None:
    image = tmp_path / "made.qcow2"

    done = run("build", "-", "-o", image, given="{size: 4K, writes: [{at: 0, text: hi}]}")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{image}: 24,576 bytes, 24,576 of them no hole\n"


def test_a_dump_and_its_original_make_the_image_again(tmp_path: Path) -> None:
    original, again = DATA / "v3-zstd.qcow2", tmp_path / "again.qcow2"
    spec = run("dump", "--yaml", "--tables", original).stdout

    done = run("build", "-", "--data-from", original, "-o", again, given=spec)

    assert (done.returncode, again.read_bytes()) == (0, original.read_bytes())


def test_the_data_file_is_written_too(tmp_path: Path) -> None:
    spec = "{size: 8K, data_file: d.raw, writes: [{at: 4K, text: hi}]}"

    done = run("build", "-", "-o", tmp_path / "i", "--data-file", tmp_path / "d.raw", given=spec)

    assert done.returncode == 0
    assert (tmp_path / "d.raw").read_bytes() == bytes(4096) + b"hi" + bytes(4094)


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        (["-"], "{sise: 1}", "qcowspec: -: sise: nobody knows this key; known are version"),
        (["nowhere.yaml"], None, "qcowspec: nowhere.yaml: "),
        (["-", "--data-from", "nowhere"], "{}", "qcowspec: nowhere: "),
        (["-", "--data-from", str(DATA / "v3-512.qcow2")], "{}", "Usage: "),
        (["-", "--data-file", "d.raw"], "{}", "Usage: "),
    ],
)
def test_what_cannot_be_built_is_2_and_leaves_no_file(
    words: list[str], given: str | None, says: str, tmp_path: Path
) -> None:
    done = run("build", *words, "-o", "made", given=given, cwd=tmp_path)

    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert done.stderr.startswith(says)


def test_an_output_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    done = run("build", "-", "-o", tmp_path / "none" / "made", given="{}")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.endswith("cannot be written: no such file or directory\n")


def test_the_examples_of_the_document_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", DOC.read_text(), re.DOTALL)
    (tmp_path / "disk.qcow2").write_bytes((DATA / "v3-snapshots.qcow2").read_bytes())
    script = 'qcowspec() { "$PYTHON" -m qcowspec "$@"; }\nset -e\n' + "\n".join(blocks)

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, len(blocks) >= 3) == (0, True), done.stderr


def test_the_specs_of_the_document_are_specs() -> None:
    from qcowspec.fuzzing.recipes import made, parsed

    blocks = re.findall(r"```ya?ml\n(.*?)```", DOC.read_text(), re.DOTALL)
    wrong = []
    for block in blocks:
        try:
            made(parsed(block.encode())).pieces.image()
        except QcowError as error:
            wrong.append(str(error))

    assert (wrong, len(blocks) >= 3) == ([], True)


def test_an_unknown_reader_of_json_may_write_specs(tmp_path: Path) -> None:
    spec = json.dumps({"size": 512, "writes": [{"at": 0, "base64": "aGk="}]})

    done = run("build", "-", "-o", tmp_path / "made", given=spec)

    assert done.returncode == 0
