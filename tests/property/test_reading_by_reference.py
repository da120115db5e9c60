"""The fast paths map and read what `qcowspec.reference` does, which goes by the document."""

from __future__ import annotations

import json
import mmap
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
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
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.kit.case import Case
from qcowspec.fuzzing.kit.cases import everything
from qcowspec.fuzzing.kit.expectations import BYTES, FAILS, on_record
from qcowspec.image import Image
from qcowspec.mapping import Kind
from qcowspec.reference import Bytes, Place, Raw, Reference, reader
from qcowspec.spec.rules import BY_ID
from tests.conformance.random_images import mutated, seeds_once

DATA = Path(__file__).parents[1] / "data"

FEWER = settings(max_examples=max(30, settings().max_examples // 10))
"""A cluster of the reference's takes as long as a hundred of the fast paths'."""

LONGEST = 1200
"""Bytes of a range."""

BITS = 14
"""cluster_bits of a built image at most."""

PLACES = 4096
"""Clusters or subclusters of a disk whose mapping is compared; of a larger one, parts."""

WHOLE = 1 << 20
"""Bytes of a disk that is read whole; of a larger one, ranges are."""

MUTANTS = int(os.environ.get("QCOWSPEC_MUTANTS", "400"))

PLACES_OF_A_MUTANT = 64
"""Clusters of a mutant's disk that are read."""

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


def disk(
    files: Mapping[str, Bytes],
    name: str,
    driver: str | None = None,
    snapshot: str | None = None,
    *,
    like_qemu: bool = False,
) -> Reference:
    """The reference's view of a file and of all that it leads to.

    Args:
        files: The bytes of all of them, by their names.
        name: Which of them is read.
        driver: ``qcow``, ``qcow2`` or ``raw``; None where the first bytes decide.
        snapshot: An internal snapshot; None for the active state.
        like_qemu: Read the snapshot at the active state's size, as qemu-img does.
    """
    data = files[name]
    try:
        if driver == "raw":
            return Raw(data)
        top = reader(data)
    except qcowspec.NotQcow:
        return Raw(data)
    below, size = None, top.size
    if top.backing_file:
        named, driver = top.backing_file.decode(), top.backing_format.decode() or None
        if named.startswith("json:"):
            node = json.loads(named.removeprefix("json:"))
            named, driver = node["file"]["filename"], node["driver"]
        below = disk(files, named.removeprefix("file:").rpartition("/")[2], driver)
    data_file = files.get(top.data_file.decode().rpartition("/")[2])
    found = reader(data, snapshot=snapshot, backing=below, data_file=data_file)
    if like_qemu:
        found.size = size
    return found


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


def agree(image: Image, slow: Reference, snapshot: str | None, seed: int, count: int) -> None:
    """Each way to read gives the reference's bytes, and runs are where it has them."""
    disk, random = image.disk(snapshot), Random(seed)
    assert disk.size == slow.size
    asked = ranges(disk.size, edges(image, snapshot), random, count)
    expected = [slow.read(*each) for each in asked]

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


def runs_agree(
    image: Image, slow: Reference, snapshot: str | None, start: int, length: int
) -> None:
    """Runs tile what was asked for, and are of the kind and at the place that the reference has."""
    at, end = start, min(start + length, slow.size)
    for run in image.runs(start, length, snapshot=snapshot):
        assert run.offset == at
        assert run.length > 0
        while at < run.offset + run.length:
            place = slow.at(at)
            within = 0 if run.kind is Kind.COMPRESSED else at - run.offset
            host = None if run.host_offset is None else run.host_offset + within
            assert kind_of(place, slow) is run.kind
            assert (place.host, place.csize) == (host, run.compressed_length)
            at = min(at + place.length, run.offset + run.length)
    assert at == max(start, end)


def kind_of(place: Place, slow: Reference) -> Kind:
    """A place's kind in the fast paths' words: without a place, the backing file may have bytes."""
    if place.kind.name == "UNALLOCATED" and slow.backing_file:
        return Kind.BACKING
    return Kind[place.kind.name]


def all_agrees(image: Image, slow: Reference, snapshot: str | None) -> None:
    """The whole mapping and all bytes of a small disk; of a larger one, parts."""
    agree(image, slow, snapshot, 1, 8)
    if slow.size <= WHOLE:
        assert image.pread(0, slow.size, snapshot=snapshot) == slow.read(0, slow.size)
    if slow.size <= PLACES * slow.cluster_size:
        runs_agree(image, slow, snapshot, 0, slow.size)


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
                slow = disk(files, "0", chosen, wanted, like_qemu=like_qemu)
                with qcowspec.open(folder / "0", allow="same-dir", like_qemu=like_qemu) as image:
                    agree(image, slow, wanted, seed, 6)


UNENCRYPTED = sorted(
    path for path in DATA.glob("*.qcow*") if "aes" not in path.name and "luks" not in path.name
)


@pytest.mark.parametrize("path", UNENCRYPTED, ids=lambda path: path.name)
def test_every_test_image_and_its_snapshots(path: Path) -> None:
    with mapped(DATA) as files, qcowspec.open(path, allow="same-dir") as image:
        for wanted in (None, *(snapshot.id_str.decode() for snapshot in image.snapshots)):
            all_agrees(image, disk(files, path.name, snapshot=wanted), wanted)


def read_of(case: Case, folder: Path) -> str | None:
    """What the reference makes of a kit's image: the SHA-256 of its disk, or the rule broken.

    Where it is read, its mapping is held against the arrays'.
    """
    for name, data in ((case.name, case.image()), *case.beside()):
        (folder / name).write_bytes(data)
    with mapped(folder) as files:
        slow = disk(files, case.name)
        found = answer(slow, 0, slow.size)
        if not isinstance(found, bytes):
            return found
        with qcowspec.open(folder / case.name, allow="same-dir") as image:
            runs_agree(image, slow, None, 0, slow.size)
        return sha256(found).hexdigest()


def test_every_readable_image_of_the_kit(tmp_path: Path) -> None:
    seen, wrong = Counter[str](), []
    for case in everything():
        expected = on_record()[case.id]
        # What is wrong with a second file's name is no matter of who is handed the file.
        late = expected.why is None or expected.why.startswith("l2/")
        if expected.read is None or case.secret is not None or not late:
            continue
        folder = tmp_path / str(seen.total())
        folder.mkdir()
        seen[expected.read] += 1
        found = read_of(case, folder)
        if expected.read == BYTES:
            wrong += [case.id] * (found != expected.guest)
        else:
            wrong += [case.id] * (found not in BY_ID or found != (expected.why or found))

    assert wrong == []
    assert min(seen[BYTES], seen[FAILS]) > 30


def test_what_the_reference_refuses_to_open_breaks_a_rule_and_qemu_refuses_it() -> None:
    refused, wrong = 0, []
    for vector in vectors.everything():
        try:
            reader(vectors.image(vector))
        except qcowspec.QcowError as error:
            # Those without a rule are encrypted; the probe's are read as another format's.
            if error.rule is not None and vector.stage != "probe":
                refused += 1
                rejected = vector.verdict["qemu"] == vectors.REJECTS
                wrong += [vector.id] * (not rejected or error.rule not in vector.rules)

    assert wrong == []
    assert refused > 60


def answer(read: Image | Reference, start: int, length: int) -> bytes | str | None:
    """The bytes of a range, or the rule that is broken on the way."""
    try:
        return read.pread(start, length) if isinstance(read, Image) else read.read(start, length)
    except qcowspec.QcowError as error:
        return error.rule


def test_mutants_read_the_same_or_fail_by_the_same_rule_in_every_cluster() -> None:
    seen: Counter[str] = Counter()
    for number in range(MUTANTS):
        random = Random(f"reference/{number}")
        _, format_, seed = random.choice(seeds_once())
        data = mutated(random, seed)
        try:
            image = qcowspec.open(data, format=format_)
        except qcowspec.QcowError:
            seen["not opened"] += 1
            continue
        with image:
            slow, size = (
                reader(data),
                min(image.size, PLACES_OF_A_MUTANT * image.geometry.cluster_size),
            )
            for start in range(0, size, image.geometry.cluster_size):
                found = answer(image, start, image.geometry.cluster_size)
                assert found == answer(slow, start, image.geometry.cluster_size), (number, start)
                seen["read" if isinstance(found, bytes) else "refused"] += 1
    assert min(seen["read"], seen["refused"]) > MUTANTS // 10, seen
