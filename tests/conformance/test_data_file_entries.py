"""Entries of L2 tables in images with a data file say what they say to `qemu-img`."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from qcow_parsers import constants as c

import qcowspec
from qcowspec.cli import qcowspec as cli
from qcowspec.spec.decoding import l1_offset
from tests import qemu

pytestmark = pytest.mark.usefixtures("qemu_img")

CLUSTERS = 8
BITS = 16
FLAVOURS = ["data_file_raw=off", "data_file_raw=on", "extended_l2=on"]

FLAGS = [
    copied | zero | compressed
    for copied, zero, compressed in product(
        (0, c.QCOW_OFLAG_COPIED), (0, c.QCOW_OFLAG_ZERO), (0, c.QCOW_OFLAG_COMPRESSED)
    )
]
BITMAPS = [0, (1 << 32) - 1, (1 << 64) - (1 << 32), 0x0000FF000000000F, 0x00000001FFFFFFFF]


@pytest.fixture(params=FLAVOURS)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A disk of a few clusters of data, in a data file."""
    path = tmp_path / "disk.qcow2"
    options = f"data_file={tmp_path}/disk.data,{request.param}"
    qemu.create(path, CLUSTERS << BITS, options=options)
    qemu.write(path, f"write -P 7 0 {CLUSTERS << BITS}")
    return path


def patch(path: Path, cluster: int, entry: int, bitmap: int) -> None:
    """Write one L2 entry, and its bitmap where entries have one."""
    with qcowspec.lay_open(path) as image:
        size = image.geometry.l2_entry_size
        assert image.l1_table is not None
        at = l1_offset(image.l1_table.values()[0]) + cluster * size
    with path.open("r+b") as file:
        file.seek(at)
        file.write((entry << 64 | bitmap).to_bytes(16, "big")[:size])


def agrees(path: Path, tmp_path: Path) -> None:
    """Map and bytes are QEMU's, or both refuse."""
    expected = qemu.run("qemu-img", "map", "--output=json", path, check=False)
    since_8_2 = ["--compressed"] if '"compressed"' in expected.stdout else []
    words = ["map", "--output", "json", *since_8_2, "--allow", "same-dir", str(path)]
    mine = CliRunner().invoke(cli, words)
    assert mine.exit_code == expected.returncode, mine.stderr
    if not expected.returncode:
        assert mine.stdout == expected.stdout

    raw, copy = tmp_path / "theirs.raw", tmp_path / "ours.raw"
    theirs = qemu.run("qemu-img", "convert", "-O", "raw", path, raw, check=False)
    words = ["convert", "-q", "--allow", "same-dir", str(path), str(copy)]
    ours = CliRunner().invoke(cli, words)
    assert ours.exit_code == theirs.returncode, ours.stderr
    if not theirs.returncode:
        assert copy.read_bytes() == raw.read_bytes()


def test_zeros_over_data_have_no_place_at_offset_0(image: Path, tmp_path: Path) -> None:
    qemu.write(image, "write -z 0 128k")
    agrees(image, tmp_path)


@pytest.mark.parametrize("flags", FLAGS, ids=hex)
@pytest.mark.parametrize("cluster", [0, 3])
def test_every_entry(image: Path, flags: int, cluster: int, tmp_path: Path) -> None:
    random = Random(f"{flags}{cluster}{image.name}")
    for place in (0, cluster, cluster + 1):
        patch(image, cluster, flags | place << BITS, random.choice(BITMAPS))
        agrees(image, tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_entries_that_qemu_reads(image: Path, seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    for cluster in range(CLUSTERS):
        flags = random.choice([flag for flag in FLAGS if not flag & c.QCOW_OFLAG_COMPRESSED])
        located = bool(place := random.choice((0, cluster))) or (
            cluster == 0 and flags & c.QCOW_OFLAG_COPIED
        )
        if flags & c.QCOW_OFLAG_COPIED and not (located or flags & c.QCOW_OFLAG_ZERO):
            place = cluster  # at offset 0 it would be another cluster's
        bitmap = random.choice(BITMAPS[:-1] if place or located else [BITMAPS[0], BITMAPS[2]])
        patch(image, cluster, flags | place << BITS, bitmap)
    agrees(image, tmp_path)


def test_an_image_compared_with_its_flat_copy(image: Path, tmp_path: Path) -> None:
    qemu.write(image, "write -z 0 128k")
    flat = tmp_path / "flat.qcow2"
    qemu.run("qemu-img", "convert", "-O", "qcow2", image, flat)
    words = ["compare", "-s", "--allow", "same-dir", str(image), str(flat)]

    assert (
        CliRunner().invoke(cli, words).exit_code
        == qemu.run("qemu-img", "compare", "-s", image, flat, check=False).returncode
    )
