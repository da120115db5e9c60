"""The reference reads what it is handed, opens nothing, and fails with the package's own errors."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec, Snapshot
from qcowspec.build.assembly import data_file
from qcowspec.reference import Kind, Place, reader

BASE = build.image(ImageSpec(clusters={0: Cluster(b"below")}))


def image(**spec: Any) -> bytes:
    return build.image(ImageSpec(**spec))


def test_a_backing_file_is_handed_in_as_its_bytes_if_it_is_raw() -> None:
    disk = reader(image(backing_name=b"base.raw"), backing=b"below, and short")

    assert disk.backing_file == b"base.raw"
    assert disk.read(7, 20) == b"and short" + bytes(11)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_backing_file_is_handed_in_as_another_reader(version: int) -> None:
    disk = reader(image(version=version, backing_name=b"base"), backing=reader(BASE))

    assert disk.read(0, 5) == b"below"


@pytest.mark.parametrize(
    "spec",
    [{"backing_name": b"base"}, {"data_file": b"data", "clusters": {0: Cluster(b"stored")}}],
)
def test_what_was_not_handed_in_is_refused_where_it_is_needed(spec: dict[str, Any]) -> None:
    disk = reader(image(**spec))

    with pytest.raises(qcowspec.Refused, match="not handed in"):
        disk.read(0, 512)


def test_an_external_data_file_is_handed_in_as_its_bytes() -> None:
    spec = ImageSpec(data_file=b"data", clusters={0: Cluster(b"stored")})
    stored = data_file(spec)[0]

    assert reader(build.image(spec), data_file=stored).read(0, 6) == b"stored"


@pytest.mark.parametrize("wanted", ["7", "then"])
def test_a_snapshot_is_found_by_its_id_or_its_name(wanted: str) -> None:
    taken = Snapshot(id=b"7", name=b"then", clusters={0: Cluster(b"old")})
    data = image(clusters={0: Cluster(b"new")}, snapshots=(taken,))

    assert reader(data, snapshot=wanted).read(0, 3) == b"old"
    assert reader(data).read(0, 3) == b"new"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_snapshot_that_is_not_there_is_no_snapshot(version: int) -> None:
    with pytest.raises(qcowspec.Invalid, match="no snapshot '8'"):
        reader(image(version=version), snapshot="8")


def test_a_place_goes_to_the_end_of_its_cluster_or_of_the_disk() -> None:
    disk = reader(image(size=9 << 10, clusters={0: Cluster(b"x")}))

    assert disk.at(100).length == disk.cluster_size - 100
    assert disk.at(2 * disk.cluster_size) == Place(Kind.UNALLOCATED, 1024)


def test_the_first_broken_rule_of_the_header_is_the_error() -> None:
    data = bytearray(BASE)
    data[23] = 30  # cluster_bits

    with pytest.raises(qcowspec.QcowError, match=r"header/cluster-bits"):
        reader(bytes(data))


def test_an_encrypted_image_is_unsupported() -> None:
    data = bytearray(image(version=2))
    data[35] = 1  # crypt_method

    with pytest.raises(qcowspec.Unsupported, match="encrypted"):
        reader(bytes(data))


def test_a_raw_file_is_no_image() -> None:
    with pytest.raises(qcowspec.NotQcow):
        reader(b"raw")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_whatever_the_bytes_are_only_our_errors_leave(version: int) -> None:
    taken = () if version == 1 else (Snapshot(id=b"7", clusters={0: Cluster(b"old")}),)
    sound = image(version=version, clusters={0: Cluster(b"x")}, snapshots=taken)
    outcomes = set[int | str]()
    for number in range(300):
        random = Random(f"{version}/{number}")
        data = bytearray(sound[: random.choice((len(sound), random.randrange(8, len(sound))))])
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(8, min(len(data), 160))
            if at != 62:  # of nb_snapshots: ten thousands of them only take time
                data[at] = random.randrange(256)
        try:
            disk = reader(bytes(data), snapshot=random.choice((None, "7")))
            outcomes.add(len(disk.read(0, 600)))
        except qcowspec.QcowError as error:
            outcomes.add(error.kind)

    assert {600, "invalid"} <= outcomes
