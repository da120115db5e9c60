"""A piece of a disk: a range of its bytes, or a partition as sfdisk sees it; and moved layers."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

import qcowspec
from qcowspec.errors import QcowError
from qcowspec.raw import RawImage
from qcowspec.sources.moved import Moved
from qcowspec.transfer.partitions import Partition, partitions
from tests import qemu
from tests.command import run, run_bytes

DATA = Path(__file__).parents[1] / "data"

TABLES = {
    "mbr": "label: dos\nstart=2048,size=4096,type=83\nstart=8192,size=2048,type=7\n",
    "logical": (
        "label: dos\nstart=2048,size=4096,type=83\nstart=8192,size=30000,type=5\n"
        "start=10240,size=4096,type=83\nstart=16384,size=2048,type=82\nstart=20480,size=2048\n"
    ),
    "gpt": "label: gpt\nstart=2048,size=4096\nstart=8192,size=2048\n",
    "empty": "label: gpt\n",
}
SIZE = 20 << 20


@pytest.fixture(scope="module", params=TABLES)
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk of bytes that differ everywhere, with a partition table that sfdisk wrote."""
    path = tmp_path_factory.mktemp("disk") / "disk.raw"
    path.write_bytes(random.Random(20).randbytes(SIZE))
    with path.open("r+b") as file:  # no old table anywhere
        file.write(bytes(1 << 20))
        file.seek(SIZE - (1 << 20))
        file.write(bytes(1 << 20))
    sfdisk(path, TABLES[request.param])
    return path


def sfdisk(path: Path, table: str | None = None) -> str:
    """Write a table, or print the one that is there as JSON."""
    words = ["-q", "--no-reread", "--no-tell-kernel"] if table is not None else ["--json"]
    found = shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert found is not None, "sfdisk is in Debian's package fdisk"
    done = subprocess.run(
        [found, *words, path], input=table, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def expected(path: Path) -> list[Partition]:
    rows = json.loads(sfdisk(path))["partitiontable"].get("partitions", [])
    number = {row["node"].removeprefix(str(path)): row for row in rows}
    return sorted(
        Partition(int(key), row["start"] * 512, row["size"] * 512)
        for key, row in number.items()
        if row.get("type") != "5"
    )


def test_partitions_are_those_of_sfdisk(disk: Path) -> None:
    with RawImage(disk) as image:
        assert sorted(partitions(image.disk(), "disk")) == expected(disk)


def test_a_partition_is_copied(disk: Path, tmp_path: Path) -> None:
    image, out = tmp_path / "disk.qcow2", tmp_path / "part.raw"
    qemu.run("qemu-img", "convert", "-O", "qcow2", disk, image)
    whole = disk.read_bytes()
    for each in expected(disk):
        assert run("convert", "--partition", each.number, image, out).returncode == 0
        assert out.read_bytes() == whole[each.start : each.start + each.length]

    done = run("convert", "--partition", 99, image, out)

    assert (done.returncode, "has no partition 99" in done.stderr) == (1, True)


def test_broken_tables_are_an_error_or_within_the_disk(disk: Path) -> None:
    chance = random.Random(4)
    data = bytearray(disk.read_bytes())
    places = [446, 512, 1024, 8192 * 512, 10240 * 512, SIZE - 512]
    for _ in range(100):
        undo = []
        for _ in range(chance.randint(1, 4)):
            at = min(chance.choice(places) + chance.randrange(128), SIZE - 1)
            undo.append((at, data[at]))
            data[at] = chance.randrange(256)
        with RawImage(data) as image, suppress(QcowError):
            found = list(partitions(image.disk(), "disk"))
            assert all(each.start >= 0 and each.start + each.length <= SIZE for each in found)
        for at, byte in reversed(undo):
            data[at] = byte


def test_loops_of_logical_partitions_end(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(SIZE))
    sfdisk(path, TABLES["logical"])
    data = bytearray(path.read_bytes())
    at = 8192 * 512  # the first of the extended partition's tables: its second entry is the next
    data[at + 446 + 16 + 8 : at + 446 + 16 + 12] = bytes(4)

    with RawImage(bytes(data)) as image, pytest.raises(QcowError, match="form a loop"):
        list(partitions(image.disk(), "disk"))


RANGES = [
    (0, 0),
    (0, 1),
    (1, 511),
    (4095, 70000),
    (65536, 65536),
    (123457, 1 << 20),
    (3 << 20, None),
]


@pytest.mark.parametrize(
    "name", ["showcase.qcow2", "v1-compressed.qcow", "v3-extended-l2-16k.qcow2"]
)
def test_a_range_is_a_slice_of_the_disk(name: str, tmp_path: Path) -> None:
    with qcowspec.open(DATA / name, allow="same-dir") as image:
        whole = image.pread(0, image.size)
    for start, length in RANGES:
        if start > len(whole):
            continue
        words = ["--start-offset", start, *([] if length is None else ["--max-length", length])]
        piece = whole[start : None if length is None else start + length]
        for target in (tmp_path / "piece", "-"):
            done = run_bytes("convert", *words, "--allow", "same-dir", DATA / name, target)
            assert done.returncode == 0
            found = done.stdout if target == "-" else (tmp_path / "piece").read_bytes()
            assert found == piece


def test_past_the_end_is_bad_usage(tmp_path: Path) -> None:
    words = ("convert", "--start-offset", "1G", DATA / "v3-zlib.qcow2", tmp_path / "out")

    assert run(*words).returncode == 2


# --- where a layer is now -------------------------------------------------------------------------


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """An overlay whose backing file and data file were moved away."""
    for name in ("v3-backing.qcow2", "v3-data-file.qcow2"):
        shutil.copy(DATA / name, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(DATA / "v3-backing-base.qcow2", tmp_path / "elsewhere/a=b.qcow2")
    for part in ("v3-data-file.raw", "v3-data-file-base.raw"):
        shutil.copy(DATA / part, tmp_path / "elsewhere")
    return tmp_path


@pytest.mark.parametrize("command", ["convert", "map", "compare", "measure", "info", "check"])
def test_every_command_that_reads_a_chain_finds_a_moved_layer(command: str, moved: Path) -> None:
    image, base = moved / "v3-backing.qcow2", moved / "elsewhere/a=b.qcow2"
    words = {"info": ["--backing-chain"], "measure": ["-O", "qcow2"]}.get(command, [])
    more = {"convert": [moved / "out"], "compare": [DATA / "v3-backing.qcow2"]}.get(command, [])
    allow = ["--allow", DATA] if command == "compare" else []

    done = run(command, *words, *allow, "--backing", f"v3-backing-base.qcow2={base}", image, *more)

    assert (done.returncode, done.stderr) == (0, "")
    if command == "convert":
        with qcowspec.open(DATA / "v3-backing.qcow2", allow="same-dir") as whole:
            assert (moved / "out").read_bytes() == whole.pread(0, whole.size)


def test_a_moved_data_file_is_found(moved: Path) -> None:
    with qcowspec.open(DATA / "v3-data-file.qcow2", allow="same-dir") as image:
        whole = image.pread(0, image.size)
        names = [image.data_file.name.decode(), image.backing.name.decode()]  # type: ignore[union-attr]
    words = [
        word for name in names for word in ("--backing", f"{name}={moved / 'elsewhere' / name}")
    ]

    assert run("convert", *words, moved / "v3-data-file.qcow2", moved / "out").returncode == 0
    assert (moved / "out").read_bytes() == whole


def test_without_its_backing_file_an_overlay_has_zeros(moved: Path, tmp_path: Path) -> None:
    image = moved / "v3-backing.qcow2"
    name = "json:" + json.dumps(
        {"driver": "qcow2", "backing": None, "file": {"driver": "file", "filename": str(image)}}
    )
    qemu.run("qemu-img", "convert", "-O", "raw", name, tmp_path / "theirs")

    assert run("convert", "--no-backing", image, tmp_path / "ours").returncode == 0
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    with qcowspec.open(image, allow=Moved(no_backing=True)) as opened:
        assert opened.pread(0, opened.size) == (tmp_path / "theirs").read_bytes()


def test_no_other_file_is_opened(moved: Path) -> None:
    image = moved / "v3-backing.qcow2"

    done = run(
        "convert", "--backing", f"other={moved / 'elsewhere/a=b.qcow2'}", image, moved / "out"
    )

    assert (done.returncode, "not opened unless you allow it" in done.stderr) == (1, True)
    assert run("convert", "--backing", "base", image, moved / "out").returncode == 2


# --- progress for programs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["--progress", "json"], ["--progress=json"], ["-q", "--progress=json"]]
)
def test_progress_is_json_when_asked(words: list[str], tmp_path: Path) -> None:
    done = run("convert", *words, DATA / "v3-zlib.qcow2", tmp_path / "out")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    size = (tmp_path / "out").stat().st_size
    assert (lines[-1]["done"], lines[-1]["total"], lines[-1]["unit"]) == (size, size, "bytes")
    assert done.returncode == 0


def test_progress_of_check_and_usage_is_json(tmp_path: Path) -> None:
    for command in ("check", "usage"):
        done = run(command, "--progress=json", "--json", DATA / "v3-zlib.qcow2")
        assert [json.loads(line)["label"] for line in done.stderr.splitlines()][-1:] != []
        json.loads(done.stdout)
