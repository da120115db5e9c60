"""A compressed file or an archive is no image; the message names what opens the image in it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import re
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

import qcowspec
from qcowspec.sources.memory import Memory
from tests.command import run
from tools.make_test_data import DATA

IMAGE = DATA / "v3-snapshots.qcow2"

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "x.qcow2.gz": gzip.compress,
    "x.qcow2.xz": lzma.compress,
    "x.qcow2.bz2": bz2.compress,
    "x.qcow2.zst": zstandard.compress,
}


def tar(*names: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("readme.txt", *names):
            data = IMAGE.read_bytes() if name.endswith("qcow2") else b"text"
            row = tarfile.TarInfo(name)
            row.size = len(data)
            archive.addfile(row, io.BytesIO(data))
    return made.getvalue()


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "text")
        for name in names:
            archive.writestr(name, IMAGE.read_bytes())
    return made.getvalue()


PACKED = {
    **{name: pack(IMAGE.read_bytes()) for name, pack in COMPRESSED.items()},
    "x.ova": tar("x.ovf", "x.qcow2"),
    "x.tar": tar("./a folder/disk one.qcow2"),
    "x.zip": zipped("x.qcow2"),
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("where", ["here", "there"])
def test_the_name_that_is_offered_opens_the_image(
    name: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = name if where == "here" else str(tmp_path / name)
    Path(path).write_bytes(PACKED[name])
    said = run("info", path)
    offered = re.search(r"to read [a-z ]+: (.*)\n", said.stderr)

    assert said.returncode == 1
    assert offered is not None
    done = run("map", offered[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:]
    assert [line.split()[:3] for line in done.stdout.splitlines()] == [
        line.split()[:3] for line in run("map", IMAGE).stdout.splitlines()
    ]
    verdict = run("validate", path)
    assert verdict.returncode == 1
    assert f": {offered[1]}\n" in verdict.stdout


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.tar", tar("x.vmdk"), "none of its first 100 files is a QCOW image"),
        ("x.zip", zipped(), "none of its first 100 files is a QCOW image"),
        ("x.zip", b"PK\x03\x04", "is a zip archive: unpack it first"),
        ("x.tgz", gzip.compress(tar("x.qcow2")), "to read what is in it: gzip::"),
        ("a::b.tar", tar("x.qcow2"), "is a tar archive: unpack it first"),
        ("x.tar", tar("a::b.qcow2"), "none of its first 100 files"),
    ],
)
def test_where_no_name_opens_it_none_is_offered(
    name: str, data: bytes, says: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)

    assert says in run("info", tmp_path / name).stderr


def test_an_archive_in_a_compressed_file_is_unpacked_first(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(tar("x.qcow2")))

    assert "is a tar archive: unpack it first" in run("info", f"gzip::{tmp_path}/x.tgz").stderr


def test_bytes_have_no_name_to_offer() -> None:
    with pytest.raises(qcowspec.NotQcow, match="compressed by gzip: unpack it first"):
        qcowspec.open(PACKED["x.qcow2.gz"])


def test_an_escape_in_an_archive_is_not_printed(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tar("\x1b[31m.qcow2"))
    said = run("info", tmp_path / "x.tar").stderr + run("validate", tmp_path / "x.tar").stdout

    assert "tar://" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["x.ova", "x.zip"])
def test_a_broken_archive_is_only_no_image(name: str) -> None:
    dice = random.Random(name)
    whole = PACKED[name]
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(20):
            at = dice.randrange(8, 300) if dice.random() < 0.5 else -dice.randrange(1, 300)
            data[at] = dice.randrange(256)
        del data[dice.randrange(300, len(data)) :]
        with pytest.raises(qcowspec.NotQcow):
            qcowspec.open(bytes(data))


def test_little_is_read_of_an_archive(tmp_path: Path) -> None:
    class Counting(Memory):
        count = 0

        def read_at(self, offset: int, length: int) -> bytes:
            data = super().read_at(offset, length)
            Counting.count += len(data)
            return data

    from qcowspec.reader import packed

    header = tarfile.TarInfo("x" * 300)
    entry = header.tobuf(tarfile.GNU_FORMAT)
    path = tmp_path / "x.tar"
    path.write_bytes(entry * 20_000)
    source = Counting(path.read_bytes(), str(path))

    with suppress(OSError):  # the bound is met before a hundred files are
        packed._member(source, "tar")
    assert 0 < Counting.count <= packed.MOST_READ
