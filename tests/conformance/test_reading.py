"""Every byte that the guest sees is the byte that qemu-img converts."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

import qcowspec
from qcowspec.mapping import Kind
from tests.conformance.conftest import EVERY_IMAGE, QemuImg
from tests.conformance.reading import compared, ours, theirs, written
from tools.make_test_data import DATA, Image

PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
LARGEST = 256 << 20
PLAIN = [image for image in EVERY_IMAGE if image.passphrase is None]
SECRET = [image for image in EVERY_IMAGE if image.passphrase is not None]


def ids(image: Image) -> str:
    return image.name


def snapshots(path: Path) -> list[str | None]:
    with qcowspec.open(path) as image:
        return [None, *(found.id_str.decode() for found in image.snapshots)]


@pytest.fixture
def _beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU looks data files up in its working directory."""
    monkeypatch.chdir(DATA)


@pytest.mark.usefixtures("_beside", "qemu_img")
@pytest.mark.parametrize("image", PLAIN, ids=ids)
def test_every_image_and_every_snapshot_reads_as_qemu_reads_it(
    image: Image, tmp_path: Path
) -> None:
    path = DATA / image.name
    with qcowspec.open(path) as opened:
        if opened.size > LARGEST:
            return  # its map is compared
    for snapshot in snapshots(path):
        extra = [] if snapshot is None else ["-l", snapshot]
        expected = theirs(path, image.format, tmp_path / "raw", *extra)

        assert expected is not None
        assert ours(path, image.format, snapshot).data == expected.data


@pytest.mark.usefixtures("_beside", "qemu_img")
@pytest.mark.parametrize("image", SECRET, ids=ids)
def test_encrypted_images_read_as_qemu_reads_them(image: Image, tmp_path: Path) -> None:
    for snapshot in snapshots(DATA / image.name):
        out = tmp_path / "raw"
        node = f"driver={image.format},file.driver=file,file.filename={image.name}"
        chosen = [] if snapshot is None else ["-l", snapshot]
        command = ["qemu-img", "convert", "--object", f"secret,id=s,data={PASSPHRASE}"]
        command += ["--image-opts", f"{node},encrypt.key-secret=s", "-O", "raw", *chosen, str(out)]
        subprocess.run(command, check=True, capture_output=True)
        expected = out.read_bytes()

        with qcowspec.open(
            image.name, allow="same-dir", secret=PASSPHRASE, like_qemu=True
        ) as opened:
            disk = opened.disk(snapshot)
            assert disk.pread(0, disk.size) == expected
            assert disk.pread(1000, 70_001) == expected[1000:71_001]


def test_without_a_key_or_with_a_wrong_one_nothing_is_read() -> None:
    with (
        qcowspec.open(DATA / "v3-luks.qcow2") as image,
        pytest.raises(qcowspec.QcowError, match=r"\[encryption/luks-key\]"),
    ):
        image.pread(0, 1)
    with (
        qcowspec.open(DATA / "v3-luks.qcow2", secret="wrong") as image,  # noqa: S106 - it is
        pytest.raises(qcowspec.QcowError, match=r"\[encryption/luks-unlock\]"),
    ):
        image.pread(0, 1)


FLAVOURS = [
    *(["-o", f"compat=1.1,cluster_size={1 << bits}"] for bits in range(9, 22)),
    *(["-o", f"compat=0.10,cluster_size={1 << bits}"] for bits in (9, 12, 16, 21)),
    *(["-o", f"refcount_bits={1 << order}"] for order in range(7)),
    *(["-o", f"extended_l2=on,cluster_size={1 << bits}"] for bits in (14, 16, 17, 21)),
    ["-o", "compression_type=zstd"],
    ["-o", "compression_type=zstd,cluster_size=4096"],
    ["-o", "preallocation=metadata"],
    [],
]


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("options", FLAVOURS, ids=lambda options: "".join(options[1:]) or "v1")
def test_images_written_at_random(options: list[str], tmp_path: Path) -> None:
    random = Random("".join(options))
    path = tmp_path / ("disk.qcow2" if options else "disk.qcow")
    chosen = path.suffix[1:]
    narrow = options[-1:] == ["refcount_bits=1"]
    size = 512 * random.randrange(2000, 9000)
    written(path, random, options, size, snapshots=bool(options) and not narrow)

    for snapshot in snapshots(path):
        extra = [] if snapshot is None else ["-l", snapshot]
        expected = theirs(path, chosen, tmp_path / "raw", *extra)
        assert expected is not None
        assert ours(path, chosen, snapshot).data == expected.data
        with qcowspec.open(path) as image:
            size = image.disk(snapshot).size
            runs = list(image.runs(0, size, snapshot=snapshot))
        assert all(run.length > 0 for run in runs)
        assert [run.offset for run in runs[1:]] == [run.offset + run.length for run in runs[:-1]]
        assert sum(run.length for run in runs) == size


CHAINS = list(itertools.product(("qcow", "qcow2", "raw"), ("qcow", "qcow2"), ("qcow", "qcow2")))


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("formats", CHAINS, ids="-".join)
def test_chains_of_any_mix(formats: tuple[str, ...], tmp_path: Path) -> None:
    random = Random("".join(formats))
    below: Path | None = None
    for index, chosen in enumerate((*formats, "qcow2")):
        path = tmp_path / f"{index}.{chosen}"
        size = 512 * random.randrange(1000, 4000)
        if chosen == "raw":
            path.write_bytes(random.randbytes(size + random.choice((0, 100))))
        else:
            backing = [] if below is None else ["-b", below.name, "-F", below.suffix[1:]]
            written(path, random, backing, size, snapshots=False)
        below = path
    assert below is not None
    expected = theirs(below, "qcow2", tmp_path / "out")

    assert expected is not None
    assert ours(below, "qcow2").data == expected.data


@pytest.mark.usefixtures("qemu_img")
def test_mutants_read_as_qemu_reads_them(tmp_path: Path) -> None:
    count = int(os.environ.get("QCOWSPEC_MUTANTS", "300"))
    found = [compared(tmp_path, 1, number) for number in range(count)]

    assert [line for what, line in found if what == "differs"] == []
    assert {"read", "refused"} <= {what for what, _ in found}


@pytest.mark.usefixtures("_beside")
def test_maps_are_qemus(qemu_img: QemuImg) -> None:
    for image in PLAIN:
        with qcowspec.open(DATA / image.name) as opened:
            if opened.backing is not None or opened.size == 0:
                continue
            ours_ = [
                (run.offset, run.length)
                for run in opened.runs()
                if run.kind in (Kind.DATA, Kind.COMPRESSED)
            ]
        command = ["qemu-img", "map", "--output=json", "-f", image.format, image.name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows = json.loads(done.stdout)
        assert joined(ours_) == joined(
            [(row["start"], row["length"]) for row in rows if row["data"] or not row["zero"]]
        ), image.name


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges, neighbours made one."""
    found: list[tuple[int, int]] = []
    for offset, length in ranges:
        if found and found[-1][0] + found[-1][1] == offset:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((offset, length))
    return found
