"""A program that uses the library as docs/python.md does passes mypy in strict mode, uncast."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.repo.test_python_docs import EXAMPLES, ROOT

CHECKED = """\
import qcowspec
from typing_extensions import assert_type

image = qcowspec.open("x")
header = image.header
if isinstance(header, qcowspec.HeaderV1):
    assert_type(header.l2_bits, int)
elif isinstance(header, qcowspec.HeaderV2):
    assert_type(header.incompatible_features, int | None)
else:
    assert_type(header, qcowspec.HeaderV3)
    assert_type(header.incompatible_features, int)
    assert_type(header.refcount_order, int)
for snapshot in image.snapshots:
    assert_type(snapshot, qcowspec.Snapshot)
    assert_type(snapshot.name_text, str)
    assert_type(image.snapshot("x"), qcowspec.Snapshot)
for bitmap in image.bitmaps:
    assert_type(bitmap.name_text, str)
try:
    image.pread(0, 1)
except OSError as error:
    assert_type(error, OSError)
except qcowspec.Unreadable as error:
    assert_type(error.errno, int)
"""


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """What mypy says of the programs in a folder; the library is found as if it were installed."""
    (folder / "mypy.ini").write_text("[mypy]\n[mypy-fsspec.*]\nignore_missing_imports = true\n")
    path = os.pathsep.join(str(ROOT / each) for each in (".", "generated", "formats"))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        "--scripts-are-modules",
    ]
    return subprocess.run(
        [*command, *map(str, sorted(folder.glob("*.py")))],
        cwd=folder, env={**os.environ, "MYPYPATH": path}, capture_output=True, text=True,
    )  # fmt: skip


def test_the_examples_are_typed(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        assert not re.search(r"\bcast\b|type: ignore", example)
        ast.parse(example)
        (tmp_path / f"example_{number}.py").write_text(example)
    (tmp_path / "headers.py").write_text(CHECKED)
    done = checked(tmp_path)

    assert done.stdout.splitlines()[-1].startswith("Success"), done.stdout + done.stderr


def test_a_field_of_the_wrong_version_is_found(tmp_path: Path) -> None:
    wrong = CHECKED.replace("header.l2_bits", "header.nb_snapshots")
    (tmp_path / "wrong.py").write_text(wrong)
    done = checked(tmp_path)

    assert '"HeaderV1" has no attribute "nb_snapshots"' in done.stdout
