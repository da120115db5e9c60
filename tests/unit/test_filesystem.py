"""The guest's disk is a file of an fsspec file system, wherever the image is."""

from __future__ import annotations

import csv
import gc
import os
import pickle
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import fsspec
import pytest

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec, Snapshot
from qcowspec.export.filesystem import QcowFileSystem
from tools.make_test_data import DATA, IMAGES

PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
ROOT = Path(__file__).parents[2]
SHOWCASE = DATA / "showcase.qcow2"
DISKS = [image.name for image in IMAGES]
LARGEST = 16 << 20

# As an installation's entry point does it; a checkout on PYTHONPATH has none.
fsspec.register_implementation("qcow", QcowFileSystem, clobber=True)


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def system(path: Path, **options: Any) -> QcowFileSystem:
    return fsspec.filesystem("qcow", fo=str(path), **options)  # type: ignore[no-any-return]


def test_the_entry_point_leads_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    value = project["entry-points"]["fsspec.specs"][QcowFileSystem.protocol]

    assert EntryPoint("qcow", value, "fsspec.specs").load() is QcowFileSystem


@pytest.mark.parametrize("name", DISKS)
def test_every_disk_and_snapshot_is_a_file_of_its_size_and_bytes(name: str) -> None:
    options = {"allow": "same-dir", "secret": PASSPHRASE}
    files = system(DATA / name, **options)
    with qcowspec.open(DATA / name, allow="same-dir", secret=PASSPHRASE) as image:
        states = {None: "disk.raw"}
        for path in files.ls("snapshots", detail=False):
            states[files.info(path)["snapshot"]] = path
        assert len(states) == 1 + len(image.snapshots)
        for state, path in states.items():
            disk = image.disk(state)
            length = min(LARGEST, disk.size)
            assert files.size(path) == disk.size
            assert files.cat_file(path, 0, length) == disk.pread(0, length)
            with files.open(path) as file:
                file.seek(-min(1000, disk.size), os.SEEK_END)
                assert file.read() == disk.pread(max(0, disk.size - 1000), 1000)


def test_an_url_that_names_no_file_is_the_disk() -> None:
    with fsspec.open(f"qcow::file://{SHOWCASE}", allow="same-dir") as file:
        start = file.read(100_000)
    with fsspec.open(f"qcow://disk.raw::file://{SHOWCASE}", allow="same-dir") as file:
        same = file.read(100_000)
    with qcowspec.open(SHOWCASE, allow="same-dir") as image:
        assert start == same == image.pread(0, 100_000)


def test_an_url_can_name_a_snapshot() -> None:
    url = f"qcow://snapshots/größere Platte.raw::file://{SHOWCASE}"
    with (
        fsspec.open(url, allow="same-dir") as file,
        qcowspec.open(SHOWCASE, allow="same-dir") as image,
    ):
        assert file.read() == image.pread(0, 8 << 20, snapshot="größere Platte")


def test_an_option_chooses_the_snapshot_that_the_disk_shows() -> None:
    files = system(SHOWCASE, allow="same-dir", snapshot="before the update")

    assert files.size("disk.raw") == 4 << 20
    with pytest.raises(qcowspec.Invalid, match="has no snapshot 'none'"):
        system(SHOWCASE, snapshot="none")


def test_what_there_is_can_be_listed_without_opening_other_files() -> None:
    files = system(SHOWCASE)

    assert files.ls("", detail=False) == ["disk.raw", "snapshots"]
    assert files.find("") == [
        "disk.raw",
        "snapshots/before the update.raw",
        "snapshots/größere Platte.raw",
    ]
    assert files.glob("snapshots/*.raw") == files.find("snapshots")
    assert files.isfile("disk.raw")
    assert files.isdir("/snapshots")
    assert not files.exists("snapshots/none.raw")
    assert str(files.created("snapshots/before the update.raw")).startswith("2026-11-23")
    with pytest.raises(qcowspec.Refused, match="backing file"):
        files.cat_file("disk.raw")


def test_locked_images_are_listed_without_their_passphrase() -> None:
    assert system(DATA / "v3-luks.qcow2").size("disk.raw") > 0


def test_snapshots_of_any_name_are_files() -> None:
    names = [b"a/b", b"a/b", b"100%", b"\xff*", b"", b"::", b"."]
    snapshots = tuple(
        Snapshot(str(number).encode(), name) for number, name in enumerate(names, start=1)
    )
    data = build.image(ImageSpec(clusters={0: Cluster(b"one")}, snapshots=snapshots))
    fsspec.filesystem("memory").pipe("/names.qcow2", data)

    files = fsspec.filesystem("qcow", fo="memory://names.qcow2")

    assert set(files.ls("snapshots", detail=False)) == {
        "snapshots/a%2Fb.raw",
        "snapshots/a%2Fb~2.raw",
        "snapshots/100%25.raw",
        "snapshots/%FF%2A.raw",
        "snapshots/5.raw",
        "snapshots/%3A%3A.raw",
        "snapshots/..raw",
    }
    for path in files.ls("snapshots", detail=False):
        assert files.cat_file(path, 0, 3) == b"one"


def test_images_in_memory_in_archives_and_file_objects(tmp_path: Path) -> None:
    image = DATA / "v2-64k.qcow2"
    fsspec.filesystem("memory").pipe("/there.qcow2", image.read_bytes())
    with zipfile.ZipFile(tmp_path / "there.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(image, "in/there.qcow2")
    with qcowspec.open(image) as opened:
        expected = opened.pread(0, opened.size)

    for url in (
        "qcow::memory://there.qcow2",
        f"qcow::zip://in/there.qcow2::file://{tmp_path / 'there.zip'}",
        f"qcow::simplecache::file://{image}",
    ):
        with fsspec.open(url) as file:
            assert file.read() == expected
    with image.open("rb") as file:
        assert fsspec.filesystem("qcow", fo=file).cat_file("disk.raw") == expected
        assert not file.closed


def test_many_ranges_come_at_once() -> None:
    files = system(DATA / "v2-compressed.qcow2")
    whole = files.cat_file("disk.raw")
    starts = list(range(0, 90_000, 1000))
    ends = [start + 1500 for start in starts]

    got = files.cat_ranges(["disk.raw"] * len(starts), starts, ends)

    assert got == [whole[start:end] for start, end in zip(starts, ends, strict=True)]
    assert files.cat_ranges(["disk.raw"] * 2, [0, -10], [10, None]) == [whole[:10], whole[-10:]]
    assert [type(each) for each in files.cat_ranges(["disk.raw", "none"], 0, 9)] == [
        bytes,
        FileNotFoundError,
    ]


@pytest.mark.parametrize("cache", ["none", "readahead", "blockcache", "bytes", "background"])
def test_fsspecs_caches_stand_in_front(cache: str) -> None:
    files = system(DATA / "v2-64k.qcow2")
    whole = files.cat_file("disk.raw")
    with files.open("disk.raw", cache_type=cache, block_size=8192) as file:
        for offset in (0, 100_000, 5, 8190, len(whole) - 3, 70_000):
            file.seek(offset)
            assert file.read(10_000) == whole[offset : offset + 10_000]


def test_a_table_on_a_disk_is_read_as_text(tmp_path: Path) -> None:
    rows = [["name", "size"], ["öl", "1"], ["wasser", "2"]]
    text = "\n".join(",".join(row) for row in rows) + "\n"
    path = tmp_path / "table.qcow2"
    path.write_bytes(build.image(ImageSpec(clusters={0: Cluster(text.encode())})))

    with fsspec.open(f"qcow::file://{path}", "rt", encoding="utf-8") as file:
        found = [row for _, row in zip(rows, csv.reader(file), strict=False)]

    assert found == rows


def test_nothing_is_written() -> None:
    with pytest.raises(OSError, match="Read-only file system"):
        system(SHOWCASE).open("disk.raw", "wb")


def test_errors_are_the_librarys() -> None:
    with pytest.raises(qcowspec.NotQcow):
        system(DATA / "v2-backing-base.raw")
    with pytest.raises(qcowspec.Unreadable, match="no such file"):
        system(DATA / "none")
    with pytest.raises(qcowspec.Unreadable, match="FileNotFoundError"):
        fsspec.filesystem("qcow", fo="memory://none.qcow2")
    with pytest.raises(FileNotFoundError):
        system(SHOWCASE).open("none.raw")
    with pytest.raises(IsADirectoryError):
        system(SHOWCASE).cat_file("snapshots")


def test_a_file_system_is_pickled_by_what_it_was_made_of() -> None:
    files = system(DATA / "v2-64k.qcow2")

    again = pickle.loads(pickle.dumps(files))  # noqa: S301 - our own

    assert again.cat_file("disk.raw", 0, 100) == files.cat_file("disk.raw", 0, 100)


def test_a_closed_file_system_reads_nothing_more() -> None:
    files = system(DATA / "v2-64k.qcow2")
    files.close()
    files.close()

    with pytest.raises(qcowspec.Unreadable):
        files.cat_file("disk.raw", 0, 10)
