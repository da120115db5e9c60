"""A check of an image that takes several windows by its own size counts what qemu-img check counts.

The image has more clusters than one window: 6 TiB of them, nearly all holes.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from qcow_parsers import constants as c

from qcowspec.check.findings import Findings
from qcowspec.check.layout import Layout
from qcowspec.check.qcow2 import Qcow2Check
from qcowspec.image import Image, lay_open
from tests.conformance.checking import ours, theirs

pytestmark = pytest.mark.usefixtures("qemu_img")

OPTIONS = "preallocation=metadata,cluster_size=512k,refcount_bits=64"
SIZE = "6T"

EACH = 40
"""Faults that are planted, evenly over the disk: four of each kind."""


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Iterator[Path]:
    """The image; taken away afterwards, for it has 200 MiB of tables."""
    path = tmp_path / "wide.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", OPTIONS, str(path), SIZE]
    subprocess.run(command, check=True, timeout=300)
    yield path
    path.unlink()


class Planter:
    """Writes faults into the tables of an image."""

    def __init__(self, image: Image, path: Path, random: Random) -> None:
        assert image.geometry is not None
        assert image.l1_table is not None
        assert image.refcount_table is not None
        self._file = path.open("r+b", buffering=0)
        self._l1, self._blocks = image.l1_table.values(), image.refcount_table.values()
        self._table, self._geometry = int(image.refcount_table.offset), image.geometry
        self._random, self.total = random, image.geometry.clusters(image.size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _entry(self, guest: int) -> int:
        """Where the L2 entry of a guest cluster stands."""
        table, index = divmod(guest, 1 << self._geometry.l2_bits)
        return (self._l1[table] & c.L1E_OFFSET_MASK) + index * c.L2E_SIZE_NORMAL

    def _word(self, at: int) -> int:
        self._file.seek(at)
        return int(struct.unpack(">Q", self._file.read(8))[0])

    def _put(self, at: int, value: int) -> None:
        self._file.seek(at)
        self._file.write(struct.pack(">Q", value))

    def _refcount(self, guest: int, value: int) -> None:
        bits, per = self._geometry.cluster_bits, self._geometry.refcount_block_entries
        cluster = (self._word(self._entry(guest)) & c.L2E_OFFSET_MASK) >> bits
        self._put(self._blocks[cluster // per] + cluster % per * 8, value)

    def _set(self, guest: int, change: Callable[[int], int]) -> None:
        at = self._entry(guest)
        self._put(at, change(self._word(at)))

    def plant(self, guest: int, kind: int) -> None:
        """Plant one fault at a guest cluster."""
        size, copied = self._geometry.cluster_size, c.QCOW_OFLAG_COPIED
        other = self._word(self._entry(self._random.randrange(self.total)))
        sectors = 15 << c.QCOW2_CSIZE_END_BIT - (self._geometry.cluster_bits - 8)
        compressed = c.QCOW_OFLAG_COMPRESSED | sectors
        changes: list[Callable[[int], int]] = [
            lambda old: 0,  # a leak
            lambda old: other,  # a cluster that another one has, in any window
            lambda old: self._table | copied,  # the refcount table, in the first window
            lambda old: 1 << 55 | copied,  # past the end
            lambda old: old & ~copied,
            lambda old: old | 1 << 9,  # unaligned
            lambda old: old | 1 << 2,  # reserved
            lambda old: compressed | (old & c.L2E_OFFSET_MASK) + size - 512,  # over a cluster's end
        ]
        if kind < len(changes):
            self._set(guest, changes[kind])
        else:
            self._refcount(guest, 0 if kind == len(changes) else 7)


KINDS = 10


def test_windows_of_an_images_own_size_count_as_qemu_does(path: Path) -> None:
    with lay_open(path) as image:
        layout = Layout(image.metadata, image.source, Findings(0))
        assert layout.clusters > Qcow2Check(layout).window_size
        planter = Planter(image, path, Random(1))
    sound = theirs(path), ours(path)
    step = planter.total // EACH
    for number in range(EACH):
        planter.plant(number * step + number, number % KINDS)
    planter.close()
    broken = theirs(path), ours(path)

    for expected, actual in (sound, broken):
        assert expected is not None
        assert (actual.status, actual.figures) == (expected.status, expected.figures)
        assert actual.lost == ()
    assert [answer.status for answer in (sound[1], broken[1])] == [0, 2]
