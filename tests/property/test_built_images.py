"""QEMU opens every image that is built, finds no fault in it, and reads what was described."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qcow_parsers import constants as c

from qcowspec import build, lay_open
from qcowspec.build import Bitmap, Cluster, ImageSpec, Snapshot
from qcowspec.build.assembly import data_file
from qcowspec.build.description import Kind
from qcowspec.errors import Invalid
from qcowspec.fuzzing import strategies as qcow
from qcowspec.spec import decoding
from tests.qemu import answer

if shutil.which("qemu-img") is None and os.environ.get("CI"):
    pytest.fail("qemu-img is missing", pytrace=False)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is missing")

NO_CHECK = 63
"""Exit status of `qemu-img check` for a format that has none, which version 1 is."""

FEWER = settings(max_examples=max(25, settings().max_examples // 5))
"""Each example starts a handful of processes."""

BACKING = b"base.raw"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("built")
    (made / BACKING.decode()).write_bytes(bytes(1 << 16))
    return made


def written(spec: ImageSpec, folder: Path) -> Path:
    """An image and the files that it names."""
    if spec.backing_name:
        spec = replace(spec, backing_name=BACKING)
    if spec.data_file is not None:
        with (folder / spec.data_file.decode()).open("wb") as file:
            file.truncate(spec.size)
            for offset, data in data_file(spec).items():
                file.seek(offset)
                file.write(data)
    path = folder / "image"
    path.write_bytes(build.image(spec))
    return path


def driver(spec: ImageSpec) -> str:
    return c.QCOW1_FORMAT_NAME if spec.version == c.QCOW_VERSION else c.QCOW2_FORMAT_NAME


DATA = {0: Cluster(b"first"), 200: Cluster(b"last")}
MIXED = DATA | {
    3: Cluster(b"third" * 50, Kind.QCOW2_CLUSTER_COMPRESSED),
    4: Cluster(b"fourth", Kind.QCOW2_CLUSTER_COMPRESSED),
}
ALL = MIXED | {
    5: Cluster(kind=Kind.QCOW2_CLUSTER_ZERO_PLAIN),
    6: Cluster(kind=Kind.QCOW2_CLUSTER_ZERO_ALLOC),
}

EVERYTHING: Mapping[str, ImageSpec] = {
    "v1": ImageSpec(version=1, clusters=MIXED),
    "v1, backing file": ImageSpec(
        version=1, cluster_bits=9, l2_bits=12, clusters=MIXED, backing_name=BACKING
    ),
    "v2": ImageSpec(version=2, clusters=MIXED, backing_name=BACKING, backing_format=b"raw"),
    "v2, snapshots": ImageSpec(
        version=2, clusters=MIXED, snapshots=(Snapshot(b"1"), Snapshot(b"2", clusters=DATA))
    ),
    "v3, no disk": ImageSpec(size=0),
    "v3, no additional fields": ImageSpec(clusters=ALL, compression_type=None),
    "v3, zstd": ImageSpec(clusters=ALL, compression_type=1),
    "v3, feature names": ImageSpec(clusters=ALL, feature_names=True, features={"dirty"}),
    "v3, larger L1 table": ImageSpec(clusters=ALL, l1_size=77),
    "v3, small clusters": ImageSpec(clusters=ALL, cluster_bits=9, size=1 << 22),
    "v3, large clusters": ImageSpec(clusters=ALL, cluster_bits=21, size=1 << 30),
    "v3, subclusters": ImageSpec(
        clusters=ALL | {9: Cluster(b"ninth", subclusters=0x0000000300000004)},
        cluster_bits=14,
        size=4 << 20,
        features={"extended_l2"},
    ),
    "v3, snapshots": ImageSpec(
        clusters=ALL,
        snapshots=(Snapshot(b"1"), Snapshot(b"2", clusters=ALL, size=1 << 19), Snapshot(b"3")),
    ),
    "v3, bitmaps": ImageSpec(
        clusters=ALL,
        bitmaps=(Bitmap(b"one", clusters={0: b"\1"}), Bitmap(b"two", 9, clusters={0: None})),
    ),
    "v3, data file": ImageSpec(
        clusters={index: cluster for index, cluster in ALL.items() if index not in (3, 4)},
        data_file=b"data.raw",
        features={"data_file_raw"},
    ),
    "v3, many clusters": ImageSpec(
        clusters={index: Cluster(bytes([index])) for index in range(200)}, cluster_bits=9
    ),
} | {
    f"v3, refcounts of {1 << order} bits": ImageSpec(
        clusters=ALL, cluster_bits=9, size=1 << 21, refcount_order=order
    )
    for order in range(7)
}


@needs_qemu
@pytest.mark.parametrize("name", EVERYTHING)
def test_qemu_opens_an_image_with_anything_and_finds_no_fault(name: str, folder: Path) -> None:
    faultless(EVERYTHING[name], folder)


@needs_qemu
@FEWER
@given(spec=qcow.specs(cluster_bits=18))
def test_qemu_opens_a_built_image_and_finds_no_fault(spec: ImageSpec, folder: Path) -> None:
    faultless(spec, folder)


def faultless(spec: ImageSpec, folder: Path) -> None:
    path = written(spec, folder)
    status, said = answer(folder, "qemu-img", "info", path)  # where names of data files begin
    assert status == 0, said

    status, said = answer(folder, "qemu-img", "check", "-f", driver(spec), path)
    assert status == (NO_CHECK if spec.version == c.QCOW_VERSION else 0), said
    assert "ERROR" not in said
    assert "Leaked" not in said


@needs_qemu
@FEWER
@given(spec=qcow.specs(cluster_bits=16))
def test_qemu_reads_the_clusters_as_they_were_described(spec: ImageSpec, folder: Path) -> None:
    path = written(spec, folder)
    sector = c.BDRV_SECTOR_SIZE
    reads = []
    for index, cluster in spec.clusters.items():
        start = index << spec.cluster_bits
        if start + sector > spec.size or cluster.subclusters is not None:
            continue
        for offset, byte in enumerate(first_sector(cluster)):
            reads += ["-c", f"read -P {byte} {start + offset} 1"]
    if reads:
        status, said = answer(folder, "qemu-io", "-r", "-f", driver(spec), *reads, path)

        assert status == 0, said
        assert "Pattern verification failed" not in said


def first_sector(cluster: Cluster) -> bytes:
    """How a cluster begins, as a guest reads it."""
    zero = (Kind.QCOW2_CLUSTER_ZERO_PLAIN, Kind.QCOW2_CLUSTER_ZERO_ALLOC)
    return b"\0" if cluster.kind in zero else cluster.data[:4] or b"\0"


@given(qcow.specs(cluster_bits=14))
def test_the_structures_are_those_that_were_described(spec: ImageSpec) -> None:
    with lay_open(build.image(spec)) as image:
        header: Any = image.header

        assert (header.version, header.size, header.cluster_bits) == (
            spec.version,
            spec.size,
            spec.cluster_bits,
        )
        assert [(s.id_str, s.name) for s in image.snapshots] == [
            (s.id, s.name) for s in spec.snapshots
        ]
        assert [(b.name, b.granularity_bits) for b in image.bitmaps] == [
            (b.name, b.granularity_bits) for b in spec.bitmaps
        ]
        named = None if image.backing is None else image.backing.name
        assert named == (spec.backing_name or None)


@pytest.mark.parametrize("version", [1, 2, 3])
@given(drawn=st.data())
def test_a_compressed_cluster_is_as_long_as_its_entry_says(
    version: int, drawn: st.DataObject
) -> None:
    told = drawn.draw(st.lists(NOISE, min_size=1, max_size=8))
    # A plain cluster behind each: compressed ones share host clusters, and with nobody else.
    clusters = {2 * i: Cluster(data, KIND) for i, data in enumerate(told)}
    clusters |= {2 * i + 1: Cluster(data) for i, data in enumerate(told)}
    spec = ImageSpec(version=version, cluster_bits=9, l2_bits=9, size=1 << 14, clusters=clusters)
    data = build.image(spec)
    entries = l2_entries(data, 2 * len(told))
    for content, entry in zip(told, entries[1::2], strict=True):
        start = entry if version == c.QCOW_VERSION else decoding.l2_offset(entry)

        assert data[start : start + 512] == content.ljust(512, b"\0")
    for content, entry in zip(told, entries[::2], strict=True):
        if version == c.QCOW_VERSION:
            start = decoding.v1_compressed_offset(entry, 9)
            length, spare = decoding.v1_compressed_length(entry, 9), 0
        else:
            start = decoding.compressed_offset(entry, 9)
            length, spare = decoding.compressed_length(entry, 9), c.QCOW2_COMPRESSED_SECTOR_SIZE - 1
        stream = zlib.decompressobj(-c.QCOW2_DEFLATE_WINDOW_BITS)

        assert stream.decompress(data[start : start + length]) == content.ljust(512, b"\0")
        assert stream.eof
        assert len(stream.unused_data) <= spare


KIND = Kind.QCOW2_CLUSTER_COMPRESSED

NOISE = st.integers(1, 300).map(lambda length: bytes(i * 167 % 251 for i in range(length)))
"""Data that do not get smaller, so that some reach into the next host cluster."""


def l2_entries(data: bytes, count: int) -> list[int]:
    """The first entries of the first L2 table."""
    with lay_open(data) as image:
        assert image.l1_table is not None
        start = decoding.l1_offset(image.l1_table.values()[0])
    words = data[start : start + count * c.L2E_SIZE_NORMAL]
    return [int.from_bytes(words[i : i + 8], "big") for i in range(0, len(words), 8)]


# --- what cannot be written -----------------------------------------------------------------------

IMPOSSIBLE: Mapping[str, ImageSpec] = {
    "a number too large for its field": ImageSpec(size=1 << 64, cluster_bits=21),
    "an image that is not small": ImageSpec(size=1 << 62, cluster_bits=9),
    "a version 1 image that is not small": ImageSpec(version=1, size=1 << 63),
    "a name that does not fit": ImageSpec(cluster_bits=9, backing_name=bytes(500)),
    "a feature that does not exist": ImageSpec(features={"flying"}),
    "data that do not fit": ImageSpec(clusters={0: Cluster(bytes(4097))}),
    "data that do not get smaller": ImageSpec(
        cluster_bits=9,
        compression_type=1,
        clusters={0: Cluster(bytes(range(256)) * 2, Kind.QCOW2_CLUSTER_COMPRESSED)},
    ),
    "references that a bit does not count": ImageSpec(
        refcount_order=0, clusters={0: Cluster()}, snapshots=(Snapshot(),)
    ),
    "a bitmap's cluster that does not fit": ImageSpec(bitmaps=(Bitmap(flags=1 << 32),)),
    "a zero cluster in version 1": ImageSpec(
        version=1, clusters={0: Cluster(kind=Kind.QCOW2_CLUSTER_ZERO_PLAIN)}
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        build.image(IMPOSSIBLE[name])

    assert refused.value.stage == "build"


# --- contradictions -----------------------------------------------------------------------------


@given(qcow.numbers(32), qcow.numbers(64))
def test_the_header_says_what_it_is_told_to_say(cluster_bits: int, offset: int) -> None:
    told = {"cluster_bits": cluster_bits, "l1_table_offset": offset}
    data = build.image(ImageSpec(header=told))
    header = build.schema("qcow2::header").parse(data)

    assert {name: header[name] for name in told} == told
