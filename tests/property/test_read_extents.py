"""Many ranges at once are the same ranges one at a time, and cost each host cluster once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec
from qcowspec.guest import Disk, layers
from qcowspec.guest.inflate import Inflate, Payload
from qcowspec.image import Image
from qcowspec.mapping import Kind, Run
from qcowspec.reader.opening import laid_open
from qcowspec.sources.local import LocalFile
from tests.conformance.random_images import LARGEST, mutated, seeds_once
from tools.make_test_data import DATA, IMAGES

PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
READABLE = [image.name for image in IMAGES]


class Counting(LocalFile):
    """A file that remembers what it was asked for."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.asked: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        """Read, and remember."""
        self.asked.append((offset, length))
        return super().read_at(offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Read, and remember."""
        self.asked.append((offset, len(buffer)))
        return super().read_into(offset, buffer)

    def times(self, offset: int) -> int:
        """How often a byte was asked for."""
        return sum(start <= offset < start + length for start, length in self.asked)


@pytest.fixture(scope="module", params=READABLE)
def disks(request: pytest.FixtureRequest) -> Iterator[list[Disk]]:
    with qcowspec.open(DATA / request.param, allow="same-dir", secret=PASSPHRASE) as image:
        names = [None, *(found.id_str.decode() for found in image.snapshots)]
        yield [image.disk(name) for name in names]


def answer(read: object, *arguments: object) -> object:
    """Bytes, or the rule that is broken."""
    assert callable(read)
    try:
        return read(*arguments)
    except qcowspec.QcowError as error:
        return error.rule, type(error)


@given(data=st.data())
def test_many_ranges_are_each_alone(disks: list[Disk], data: st.DataObject) -> None:
    disk = data.draw(st.sampled_from(disks))
    within = st.integers(0, disk.size + 1000) | st.integers(0, 300_000)
    lengths = st.integers(0, 70_000) | st.sampled_from([0, 1, 511, 512, 4096, 300_000])
    extents = data.draw(st.lists(st.tuples(within, lengths), max_size=12))
    expected = [answer(disk.pread, *extent) for extent in extents]

    got = answer(disk.read_extents, extents)

    if isinstance(got, list):
        assert got == expected
    else:
        assert got in expected


def counted(name: str) -> tuple[Image, Counting]:
    source = Counting(str(DATA / name))
    return Image(source, laid_open(source)), source


def payload_bytes(run: Run) -> range:
    assert run.host_offset is not None
    return range(run.host_offset, run.host_offset + run.compressed_length)


SECTOR = 512
COMPRESSED = ["v1-compressed.qcow", "v2-compressed.qcow2", "v3-zstd.qcow2"]


@pytest.mark.parametrize("name", COMPRESSED)
def test_each_payload_is_fetched_and_inflated_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflated: list[bytes] = []

    def counting(inflate: Inflate) -> Inflate:
        def work(payload: Payload, size: int) -> bytes:
            inflated.append(bytes(payload))
            return inflate(payload, size)

        return work

    for function in ("deflated", "zstandard_frames"):
        monkeypatch.setattr(layers, function, counting(getattr(layers, function)))
    image, source = counted(name)
    with image:
        disk = image.disk()
        size = disk.layers[0].mapping.cluster_size
        packed = [run for run in image.runs() if run.kind is Kind.COMPRESSED]
        extents = [
            (run.offset + ahead, length)
            for ahead, length in [(1, 99), (0, size), (size // 2, size), (7, 0), (1, 99)]
            for run in packed
        ]
        expected = [disk.pread(*extent) for extent in extents]
        disk.reader_of(0)._kept.clear()
        inflated.clear()
        source.asked.clear()

        assert disk.read_extents(extents) == expected
        assert len(packed) > 3
        assert len(inflated) == len(packed)
        # Payloads share a sector with their neighbours; a read may end in the midst of one.
        claimed = {at for run in packed for at in payload_bytes(run)}
        again = [at for at in claimed if source.times(at) != 1]
        assert len(again) < SECTOR * len(source.asked)
        assert min(source.times(at) for at in claimed) == 1


@pytest.mark.parametrize("name", ["v1-plain.qcow", "v2-64k.qcow2", "v3-extended-l2.qcow2"])
def test_each_host_cluster_is_read_once(name: str) -> None:
    image, source = counted(name)
    with image:
        data = [run for run in image.runs() if run.kind is Kind.DATA]
        pieces = [(run.offset + ahead, 1000) for run in data for ahead in range(0, run.length, 512)]
        expected = [image.pread(*piece) for piece in pieces]
        source.asked.clear()

        assert image.read_extents(pieces) == expected
        assert {source.times(run.host_offset or 0) for run in data} == {1}


@pytest.fixture
def broken_in_the_middle(tmp_path: Path) -> Path:
    """Three clusters of data, of which the second one's entry is not aligned."""
    path = tmp_path / "disk.qcow2"
    unaligned = Cluster(b"two", fields={"offset_sectors": 41})
    clusters = {0: Cluster(b"one"), 1: unaligned, 2: Cluster(b"three")}
    path.write_bytes(build.image(ImageSpec(clusters=clusters)))
    return path


def test_an_entry_that_nobody_asked_for_does_no_harm(broken_in_the_middle: Path) -> None:
    with qcowspec.open(broken_in_the_middle) as image:
        around = [(0, 512), (2 << 12, 512)]

        assert image.read_extents(around) == [image.pread(*each) for each in around]
        with pytest.raises(qcowspec.Invalid, match=r"l2/cluster-offset"):
            image.read_extents([*around, (1 << 12, 512)])


def test_a_file_that_no_range_needs_is_not_opened() -> None:
    with qcowspec.open(DATA / "v3-backing.qcow2") as image:
        runs = list(image.runs())
        own = [(run.offset, run.length) for run in runs if run.kind is not Kind.BACKING]
        behind = [(run.offset, run.length) for run in runs if run.kind is Kind.BACKING]

        assert len(image.read_extents(own)) == len(own)
        with pytest.raises(qcowspec.Refused):
            image.read_extents(own + behind)


def test_what_is_no_range_is_said_as_pread_says_it() -> None:
    with qcowspec.open(DATA / "v2-64k.qcow2") as image:
        assert image.read_extents([]) == []
        assert image.read_extents([(1 << 70, 1 << 70), (0, 0)]) == [b"", b""]
        with pytest.raises(ValueError, match="no length: -1"):
            image.read_extents([(5, -1)])
        with pytest.raises(ValueError, match="no offset on a disk: -1"):
            image.read_extents([(-1, 1)])


def test_mutants_read_the_same_or_fail_by_the_same_rule() -> None:
    count = int(os.environ.get("QCOWSPEC_MUTANTS", "300"))
    seen: Counter[str] = Counter()
    for number in range(count):
        random = Random(f"read_extents/{number}")
        _, format_, seed = random.choice(seeds_once())
        try:
            image = qcowspec.open(mutated(random, seed), format=format_)
        except qcowspec.QcowError:
            seen["not opened"] += 1
            continue
        with image:
            if image.size > LARGEST:
                continue
            disk = image.disk()
            step = random.choice([disk.size or 1, 70_000, 5000])
            extents = [(at, step + 100) for at in range(0, min(disk.size, 400 * step), step)]
            random.shuffle(extents)
            expected = [answer(disk.pread, *extent) for extent in extents]
            got = answer(disk.read_extents, extents)

            assert got == expected if isinstance(got, list) else got in expected, number
            seen["read" if isinstance(got, list) else "refused"] += 1
    assert min(seen["read"], seen["refused"]) > count // 100, seen
