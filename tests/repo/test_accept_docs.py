"""docs/accept.md: its script accepts and rejects real uploads, as the page shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qcowspec

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
PAGE = (ROOT / "docs" / "accept.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```\n(\$ .*?)```", PAGE, re.DOTALL)

UPLOADS = ("v3-zstd.qcow2", "v3-backing.qcow2", "v3-leaks.qcow2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the script, uploads, and a store."""
    found = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "store").mkdir()
    (tmp_path / "bin").mkdir()
    programs = {
        "accept.sh": found[1],
        "bin/qcowspec": f'#!/bin/sh\nexec {sys.executable} -m qcowspec "$@"\n',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in UPLOADS:
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def shell(folder: Path, line: str, limit: str = "true") -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"{limit}; {line} 2>&1"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "store").iterdir())


def test_the_page_shows_what_the_script_prints(folder: Path) -> None:
    for block in SHOWN:
        printed = ""
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            printed += f"$ {line}\n{shell(folder, line).stdout}"
        assert printed == block
    assert kept(folder) == ["disk.json", "disk.qcow2", "hidden.json", "hidden.qcow2"]
    for name, upload in (("disk", UPLOADS[0]), ("hidden", UPLOADS[2])):
        with (
            qcowspec.open(folder / "store" / f"{name}.qcow2") as copy,
            qcowspec.open(folder / upload) as image,
        ):
            assert copy.pread(0, copy.size) == image.pread(0, image.size)


def test_hidden_bytes_stay_behind(folder: Path) -> None:
    secret, place = b"a message in a leaked cluster", 0x6000
    with (folder / "v3-leaks.qcow2").open("r+b") as file:
        file.seek(place)
        file.write(secret)

    assert shell(folder, "./accept.sh store hidden < v3-leaks.qcow2").returncode == 0
    assert secret not in (folder / "store" / "hidden.qcow2").read_bytes()
    receipt = json.loads((folder / "store" / "hidden.json").read_text())
    assert receipt["source"]["left_behind"]["kinds"]["leaked"] == {"bytes": 4096, "nonzero": 4096}
    besides = receipt["result"]["besides"]["kinds"]
    assert set(besides) == {"header-extensions", "header-padding", "table-padding"}
    assert not any(kind.get("nonzero") for kind in besides.values())


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("head -c 60000 v3-zstd.qcow2 | ./accept.sh store x", "true"),
        ("head -c 0 v3-zstd.qcow2 | ./accept.sh store x", "true"),
        ("./accept.sh store x < accept.sh", "true"),
        ("./accept.sh store x < v3-zstd.qcow2", "ulimit -f 100"),
    ],
    ids=["cut off", "empty", "no image", "full"],
)
def test_what_goes_wrong_leaves_nothing(folder: Path, line: str, limit: str) -> None:
    if limit != "true":  # the script's own limit is higher, which no user may set
        script = folder / "accept.sh"
        script.write_text(script.read_text().replace("ulimit -f", "true"))
    assert shell(folder, line, limit).returncode != 0
    assert kept(folder) == []
