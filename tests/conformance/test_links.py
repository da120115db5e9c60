"""Names in an image that was reached through a symbolic link lead where they lead in QEMU.

In: two folders with files of the same names and other bytes, and links between them. What is
claimed: the same disk as `qemu-img convert` reads, and the same names as `qemu-img info` shows.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

import qcowspec
from qcowspec import build
from qcowspec.build import ImageSpec
from qcowspec.cli import qcowspec as cli

pytestmark = pytest.mark.usefixtures("qemu_img")

SIZE = 64 << 10


def layer(path: Path, backing: str, format: str) -> None:
    spec = ImageSpec(size=SIZE, backing_name=os.fsencode(backing), backing_format=format.encode())
    path.write_bytes(build.image(spec))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``here`` and ``there``, each with a raw base that says so, and an overlay of it."""
    for name in ("here", "there", "here/deeper"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "base").write_bytes(name.encode().ljust(SIZE, b"\0"))
        layer(tmp_path / name / "overlay", "base", "raw")
    (tmp_path / "here/link").symlink_to(tmp_path / "there/overlay")
    (tmp_path / "here/folder").symlink_to(tmp_path / "there")
    (tmp_path / "here/chained").symlink_to("link")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def theirs(image: str) -> bytes:
    command = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, "raw"]
    subprocess.run(command, check=True, capture_output=True)
    return Path("raw").read_bytes()


def ours(image: str, allow: str = "any") -> bytes:
    with qcowspec.open(image, allow=allow) as opened:
        return opened.pread(0, opened.size)


NAMED = [
    "here/overlay",
    "here/link",
    "here/chained",
    "here/folder/overlay",
    "here/deeper/../link",
    "here/folder/../there/overlay",
]


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("name", NAMED)
def test_an_image_that_is_named_by_a_link(name: str, absolute: bool, folders: Path) -> None:
    image = f"{folders}/{name}" if absolute else name

    assert ours(image) == theirs(image)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("top", ["top", "here/top"])
def test_a_backing_file_that_is_named_by_a_link(top: str, name: str, folders: Path) -> None:
    layer(folders / top, "../" * top.count("/") + name, "qcow2")

    assert ours(top) == theirs(top)


@pytest.mark.parametrize("name", NAMED)
def test_a_chain_of_links_is_shown_as_qemu_shows_it(name: str, folders: Path) -> None:
    layer(folders / "top", name, "qcow2")
    command = ["info", "--backing-chain", "--output=json", "top"]

    mine = CliRunner().invoke(cli, [*command, "--allow", "any"])
    expected = subprocess.run(["qemu-img", *command], check=True, capture_output=True).stdout

    assert mine.exit_code == 0, mine.stderr
    assert json.loads(mine.stdout) == json.loads(expected)


def test_same_dir_is_where_names_are_looked_up(folders: Path) -> None:
    assert ours("here/link", "same-dir") == theirs("here/link")

    layer(folders / "here/top", "link", "qcow2")
    with pytest.raises(qcowspec.Refused):
        ours("here/top", "same-dir")
