"""QEMU opens every image that is built, finds no fault in it, and reads what was described."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from qcow_parsers import constants as c

from qcowspec import build, lay_open
from qcowspec.build import Bitmap, Cluster, ImageSpec, Snapshot
from qcowspec.build.assembly import data_file
from qcowspec.build.description import Kind
from qcowspec.errors import Invalid
from qcowspec.fuzzing import strategies as qcow

if shutil.which("qemu-img") is None and os.environ.get("CI"):
    pytest.fail("qemu-img is missing", pytrace=False)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is missing")

NO_CHECK = 63
"""Exit status of `qemu-img check` for a format that has none, which version 1 is."""

FEWER = settings(max_examples=max(1, settings().max_examples // 5))
"""Each example starts a handful of processes."""

BACKING = b"base.raw"


def run(*command: str | Path, folder: Path) -> tuple[int, str]:
    # A data file's name counts from where QEMU was started.
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


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
        (folder / spec.data_file.decode()).write_bytes(data_file(spec))
    path = folder / "image"
    path.write_bytes(build.image(spec))
    return path


def driver(spec: ImageSpec) -> str:
    return c.QCOW1_FORMAT_NAME if spec.version == c.QCOW_VERSION else c.QCOW2_FORMAT_NAME


@needs_qemu
@FEWER
@given(spec=qcow.specs())
def test_qemu_opens_a_built_image_and_finds_no_fault(spec: ImageSpec, folder: Path) -> None:
    path = written(spec, folder)
    status, said = run("qemu-img", "info", path, folder=folder)
    assert status == 0, said

    status, said = run("qemu-img", "check", "-f", driver(spec), path, folder=folder)
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
        status, said = run("qemu-io", "-r", "-f", driver(spec), *reads, path, folder=folder)

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
        clusters={0: Cluster(b"\1" * 512, Kind.QCOW2_CLUSTER_COMPRESSED)},
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
