"""The fast path reads what a slow oracle reads, which goes by the document, a byte at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec, Snapshot
from qcowspec.build.assembly import data_file
from qcowspec.fuzzing import strategies as qcow
from qcowspec.image import Image
from qcowspec.mapping import Kind
from tests.property.per_byte_oracle import Bytes, Raw, Version1, Version2, oracle

Oracle = Raw | Version1 | Version2
DATA = Path(__file__).parents[1] / "data"

FEWER = settings(max_examples=max(30, settings().max_examples // 10))
"""A byte of the oracle's takes as long as a cluster of anybody else's."""

LONGEST = 1200
"""Bytes of a range."""

BITS = 14
"""cluster_bits of a built image at most: the oracle's patience is short."""

Packed = build.description.Kind.QCOW2_CLUSTER_COMPRESSED


@contextmanager
def mapped(folder: Path) -> Iterator[dict[str, Bytes]]:
    """Every file of a folder, without reading it: some are sparse and large."""
    files: dict[str, Bytes] = {}
    opened = [path for path in folder.iterdir() if path.is_file()]
    for path in opened:
        with path.open("rb") as file:
            whole = path.stat().st_size > 0
            files[path.name] = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if whole else b""
    yield files
    for data in files.values():
        if isinstance(data, mmap.mmap):
            data.close()


# --- images ---------------------------------------------------------------------------------------


def filled(
    clusters: Mapping[int, Cluster], bits: int, seed: int, *, zstd: bool
) -> dict[int, Cluster]:
    """Clusters with noise in all of their bytes, so that none is like another."""
    made = {}
    for index, cluster in clusters.items():
        random, size = Random(f"{seed}/{index}"), 1 << bits
        # A part of it random: what does not get smaller cannot be stored compressed.
        data = cluster.data + random.randbytes(size // 4) + bytes([index % 255 + 1]) * size
        data = data[:size]
        if zstd and cluster.kind is Packed:
            packed = zstandard.compress(data, random.randrange(1, 20))
            made[index] = replace(cluster, data=data, stored=packed)
        else:
            made[index] = replace(cluster, data=data)
    return made


@st.composite
def chains(draw: DrawFn) -> list[ImageSpec | bytes]:
    """An image, and what stands behind it; at the bottom perhaps a raw file."""
    bottom = draw(st.booleans())
    specs = draw(st.lists(qcow.specs(cluster_bits=BITS), min_size=1, max_size=3))
    layers: list[ImageSpec | bytes] = []
    for depth, spec in enumerate(specs):
        last = depth == len(specs) - 1
        name = b"" if last and not bottom else b"%d" % (depth + 1)
        known = None  # which means that it is probed
        if not last and spec.version > 1 and draw(st.booleans()):
            known = b"qcow" if specs[depth + 1].version == 1 else b"qcow2"
        bits, zstd = spec.cluster_bits, spec.compression_type == 1
        noisy = filled(spec.clusters, bits, depth, zstd=zstd)
        taken = tuple(
            snapshot
            if snapshot.clusters is None
            else replace(snapshot, clusters=filled(snapshot.clusters, bits, 9, zstd=zstd))
            for snapshot in spec.snapshots
        )
        named = None if spec.data_file is None else b"data%d" % depth
        described = replace(
            spec,
            clusters=noisy,
            snapshots=taken,
            backing_name=name,
            backing_format=known,
            data_file=named,
            feature_names=False,
        )
        layers.append(described)
    if bottom:
        length = draw(st.integers(1, 40_000))
        layers.append(Random(length).randbytes(length))
    return layers


def written(layers: list[ImageSpec | bytes], folder: Path) -> ImageSpec:
    """A chain as files, named by their depth; the description of its top."""
    for path in folder.iterdir():
        path.unlink()
    for depth, layer in enumerate(layers):
        if isinstance(layer, bytes):
            (folder / str(depth)).write_bytes(layer)
            continue
        (folder / str(depth)).write_bytes(build.image(layer))
        if layer.data_file is not None:
            with (folder / layer.data_file.decode()).open("wb") as file:
                file.truncate(layer.size)
                for offset, data in data_file(layer).items():
                    file.seek(offset)
                    file.write(data)
    assert isinstance(layers[0], ImageSpec)
    return layers[0]


# --- what is compared -----------------------------------------------------------------------------


def ranges(size: int, interesting: list[int], random: Random, count: int) -> list[tuple[int, int]]:
    """Ranges within a disk, and over its end; more often than not where something begins."""
    found = []
    for _ in range(count):
        at = random.choice([*interesting, random.randrange(max(1, size))])
        start = min(max(0, at - random.randrange(LONGEST)), max(0, size - 1))
        found.append((start, random.randrange(LONGEST + 1)))
    return found


def edges(image: Image, snapshot: str | None) -> list[int]:
    """Where runs begin, and the end of the disk."""
    size = image.disk(snapshot).size
    found = [run.offset for run in image.runs(0, size, snapshot=snapshot)]
    return [*found[:200], size]


def agree(image: Image, slow: Oracle, snapshot: str | None, seed: int, count: int) -> None:
    """Each way to read gives the oracle's bytes, and runs say what it says."""
    disk, random = image.disk(snapshot), Random(seed)
    assert disk.size == slow.size
    asked = ranges(disk.size, edges(image, snapshot), random, count)
    expected = [
        bytes(slow.byte(at) for at in range(start, min(start + length, slow.size)))
        for start, length in asked
    ]

    assert [image.pread(*each, snapshot=snapshot) for each in asked] == expected
    assert image.read_extents(asked, snapshot=snapshot) == expected
    for (start, length), bytes_ in zip(asked, expected, strict=True):
        buffer = bytearray(b"\xaa" * length)
        assert image.readinto(start, buffer, snapshot=snapshot) == len(bytes_)
        assert buffer == bytes_ + b"\xaa" * (length - len(bytes_))
        with image.reader(snapshot=snapshot) as file:
            file.seek(start)
            assert file.read(length) == bytes_
        runs_agree(image, slow, snapshot, start, length)


def runs_agree(image: Image, slow: Oracle, snapshot: str | None, start: int, length: int) -> None:
    """Runs tile what was asked for, and say of their first and last byte what the oracle says."""
    at, end = start, min(start + length, slow.size)
    for run in image.runs(start, length, snapshot=snapshot):
        assert run.offset == at
        assert run.length > 0
        at += run.length
        for offset in (run.offset, at - 1):
            kind, host = slow.where(offset)
            assert Kind[kind] is run.kind
            if run.kind in (Kind.DATA, Kind.COMPRESSED):
                assert run.host_offset is not None
                within = offset - run.offset if run.kind is Kind.DATA else 0
                assert host == run.host_offset + within
    assert at == max(start, end)


# --- the claims -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("per-byte")


@FEWER
@given(layers=chains(), seed=st.integers(0, 1 << 32))
def test_built_images_and_chains(layers: list[ImageSpec | bytes], seed: int, folder: Path) -> None:
    top = written(layers, folder)
    chosen = "qcow" if top.version == 1 else "qcow2"
    taken: list[Snapshot] = [s for s in top.snapshots if s.id.isascii() and s.id.isalnum()]
    with mapped(folder) as files:
        for wanted in (None, *(snapshot.id.decode() for snapshot in taken)):
            for like_qemu in (False, True)[: 1 if wanted is None else 2]:
                slow = oracle(files, "0", driver=chosen, snapshot=wanted, like_qemu=like_qemu)
                with qcowspec.open(folder / "0", allow="same-dir", like_qemu=like_qemu) as image:
                    agree(image, slow, wanted, seed, 6)


UNENCRYPTED = sorted(
    path for path in DATA.glob("*.qcow*") if "aes" not in path.name and "luks" not in path.name
)


@pytest.mark.parametrize("path", UNENCRYPTED, ids=lambda path: path.name)
def test_every_test_image_and_its_snapshots(path: Path) -> None:
    with mapped(DATA) as files, qcowspec.open(path, allow="same-dir") as image:
        for wanted in (None, *(snapshot.id_str.decode() for snapshot in image.snapshots)):
            agree(image, oracle(files, path.name, snapshot=wanted), wanted, 1, 8)
