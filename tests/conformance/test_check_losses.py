"""Leaks against the tables that may have referenced them, and files that end too early."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest

from qcowspec.check import Report, check, losses
from qcowspec.check.findings import Fault
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.vectors import base
from qcowspec.image import lay_open
from tests import qemu
from tests.command import run as ran

CLUSTER, ENTRIES = 0x1000, 512


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return ran("check", *arguments)


def checked(data: bytes | Path) -> Report:
    with lay_open(data, format="qcow2") as image:
        return check(image, shown=None)


def found(report: Report) -> dict[str, list[Fault]]:
    return {group.rule.id: group.faults for group in report.findings}


def notes(report: Report, rule: str) -> list[str]:
    return [fault.note for fault in found(report).get(rule, [])]


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> Path:
    """A disk of 8 MiB in clusters of 4 KiB, all of it written: four full L2 tables."""
    path = tmp_path / "disk.qcow2"
    qemu.create(path, "8M", options="cluster_size=4k")
    qemu.write(path, "write -P 7 0 8M")
    return path


def l1_entries(path: Path) -> tuple[int, list[int]]:
    """Where the L1 table is, and where the L2 tables are."""
    with lay_open(path) as image:
        assert image.l1_table is not None
        return image.l1_table.offset, [
            value & ((1 << 56) - 512) for value in image.l1_table.values()
        ]


def wipe(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(length))


# --- L2 tables ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("qemu_img")
def test_each_wiped_l2_table_is_a_guest_range_that_may_be_lost(disk: Path) -> None:
    _, tables = l1_entries(disk)
    wipe(disk, tables[1], CLUSTER)
    wipe(disk, tables[3], CLUSTER)

    report = checked(disk)

    assert notes(report, "check/l2-table-empty") == [
        "guest range 0x200000 to 0x3fffff may be lost",
        "guest range 0x600000 to 0x7fffff may be lost",
    ]
    assert (report.status, report.figures.leaks) == (3, 2 * ENTRIES)


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize(("first", "length"), [(64, 512), (0, 512), (0, 2048), (448, 512)])
def test_a_wiped_part_of_an_l2_table_is_a_possible_loss(
    disk: Path, first: int, length: int
) -> None:
    _, tables = l1_entries(disk)
    wipe(disk, tables[2] + 8 * first, length)

    report = checked(disk)

    start = 0x400000 + first * CLUSTER
    lost = f"guest range {start:#x} to {start + length // 8 * CLUSTER - 1:#x} may be lost"
    assert notes(report, "check/l2-entries-empty") == [
        f"{length // 8} entries from there on are zero: {lost}"
    ]


@pytest.mark.usefixtures("qemu_img")
def test_what_is_said_of_leaks_names_what_was_looked_at(disk: Path) -> None:
    _, tables = l1_entries(disk)
    wipe(disk, tables[1], CLUSTER)

    said = run(disk).stdout

    assert "no harm" not in said
    assert "Guest data may be lost: " in said
    assert "Do not repair the image: " in said
    assert "Looked at: 1 L1 tables (0 of 4 entries are zero), 4 L2 tables, 512 of 512 " in said


@pytest.mark.usefixtures("qemu_img")
def test_an_l2_table_past_the_end_of_the_file_has_lost_what_it_mapped(disk: Path) -> None:
    place, _ = l1_entries(disk)
    with disk.open("r+b") as file:
        file.seek(place + 8)
        file.write(struct.pack(">Q", 1 << 63 | 1 << 40))

    report = checked(disk)

    assert notes(report, "check/l2-table-empty") == ["guest range 0x200000 to 0x3fffff may be lost"]


@pytest.mark.usefixtures("qemu_img")
def test_a_few_leaks_of_a_writer_are_no_loss(disk: Path) -> None:
    _, tables = l1_entries(disk)
    wipe(disk, tables[0] + 8 * 100, 8 * 5)

    report = checked(disk)
    said = run(disk).stdout

    assert {rule for rule in found(report) if rule != "check/leaked-cluster"} == set()
    assert "Guest data may be lost" not in said
    assert "no harm" not in said


def test_an_empty_table_is_no_loss_where_all_leaked_clusters_are_zeros() -> None:
    draft = Draft(base("v3"))
    for index in range(3):
        draft.set(draft.find(f"l2_tables[0][{index}]"), 0)
    draft.write(CLUSTER, bytes(2 * CLUSTER))

    report = checked(bytes(draft.data))

    assert set(found(report)) == {"check/leaked-cluster"}
    looked = report.looked
    assert looked is not None
    assert looked.leaked_clusters_unreferenced == 2
    assert looked.leaked_clusters_zero == 2


# --- L1 tables, and what they located -------------------------------------------------------------


@pytest.mark.usefixtures("qemu_img")
def test_a_wiped_l1_table_may_have_lost_the_disk(disk: Path) -> None:
    place, tables = l1_entries(disk)
    wipe(disk, place, 8 * len(tables))

    report = checked(disk)

    assert notes(report, "check/l1-table-empty") == ["guest range 0x0 to 0x7fffff may be lost"]
    assert [f.cluster for f in found(report)["check/table-lost"]] == sorted(tables)


@pytest.mark.usefixtures("qemu_img")
def test_a_wiped_l1_entry_leaves_a_leaked_cluster_that_holds_a_table(disk: Path) -> None:
    place, tables = l1_entries(disk)
    wipe(disk, place + 8, 8)

    report = checked(disk)

    assert [(f.cluster, f.note) for f in found(report)["check/table-lost"]] == [
        (tables[1], "holds a table with 512 entries in use, which nothing locates")
    ]
    looked = report.looked
    assert looked is not None
    assert (looked.l1_entries_zero, looked.l1_entries) == (1, 4)


@pytest.mark.usefixtures("qemu_img")
def test_a_snapshots_wiped_l2_table_is_told_of_that_snapshot(disk: Path) -> None:
    qemu.run("qemu-img", "snapshot", "-c", "one", disk)
    qemu.write(disk, "write -P 8 2M 2M")
    with lay_open(disk) as image:
        at = next(iter(image.metadata.snapshots)).l1_table_offset
    entry = struct.unpack(">Q", disk.read_bytes()[at + 8 : at + 16])[0]
    wipe(disk, entry & ((1 << 56) - 512), CLUSTER)

    (fault,) = found(checked(disk))["check/l2-table-empty"]

    assert (fault.path, fault.guest) == ("snapshots[0].l1_table[1]", 0x200000)


def test_a_cluster_that_is_in_use_is_no_lost_table() -> None:
    draft = Draft(base("v3"))
    draft.set(draft.find("refcount_blocks[0][1]"), 2)
    draft.set(draft.find("refcount_blocks[0][3]"), 2)  # the L2 table

    report = checked(bytes(draft.data))

    assert "check/table-lost" not in found(report)


def test_only_so_many_leaked_clusters_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = Draft(base("v3"))
    draft.set(draft.find("l1_table[0]"), 0)
    monkeypatch.setattr(losses, "LOOKED_INTO", 2 * CLUSTER)

    report = checked(bytes(draft.data))

    looked = report.looked
    assert looked is not None
    assert looked.leaked_clusters_read == 2
    assert looked.leaked_clusters_unreferenced == 3


# --- files that end too early ---------------------------------------------------------------------


@pytest.mark.usefixtures("qemu_img")
def test_an_image_cut_at_its_l1_table_is_not_clean(tmp_path: Path) -> None:
    path = tmp_path / "cut.qcow2"
    qemu.create(path, "1M", options="cluster_size=4k")
    qemu.write(path, "write -P 5 0 128k")
    place, _ = l1_entries(path)
    with path.open("r+b") as file:
        file.truncate(place)

    done = run(path)

    assert qemu.run("qemu-img", "check", path).returncode == 0
    assert done.returncode == 2
    assert "No errors were found" not in done.stdout
    assert "; guest range 0x0 to 0xfffff may be lost\n" in done.stdout


@pytest.mark.parametrize(
    ("name", "path", "kept"),
    [
        ("v3", "header.l1_table_offset", 0),
        ("v3", "header.refcount_table_offset", 100),
        ("v3-snapshots", "header.snapshots_offset", 100),
        ("v3-snapshots", "snapshots[0].l1_table_offset", 1),
        ("v3", "l1_table[0]", 100),
        ("v3", "refcount_table[0]", 100),
    ],
)
def test_a_table_that_the_file_ends_in_is_named(name: str, path: str, kept: int) -> None:
    """The table is moved to the end of the file, and the file ends after so many of its bytes."""
    draft = Draft(base(name))
    place = draft.find(path)
    assert isinstance(place.value, int)
    start, end = place.value & ((1 << 56) - 512), len(draft.data)
    draft.write(end, bytes(draft.data)[start : start + CLUSTER])
    draft.set(place, place.value + end - start)

    report = checked(bytes(draft.data)[: end + kept])

    cut = [(f.path, f.offset) for f in found(report)["check/table-cut"]]
    assert cut == [(path, place.offset)]
    assert report.status == 2


def test_refcounts_past_the_end_that_nothing_explains_are_leaks(tmp_path: Path) -> None:
    draft = Draft(base("v3"))
    draft.set(draft.find("refcount_blocks[0][7]"), 1)
    path = tmp_path / "killed.qcow2"
    path.write_bytes(draft.data)

    done = run(path)

    assert done.returncode == 3
    assert "No errors were found" not in done.stdout


# --- the data file --------------------------------------------------------------------------------


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize(
    ("length", "missing", "first"),
    [(1 << 20, 0, None), (1 << 19, 1 << 19, 1 << 19), (0xF1234, 0xEDCC, 0xF1234), (0, 1 << 20, 0)],
)
@pytest.mark.parametrize("extended", ["off", "on"])
def test_a_data_file_that_is_too_short_is_told_with_bytes_and_the_first(
    tmp_path: Path,
    length: int,
    missing: int,
    first: int | None,
    extended: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, data = tmp_path / "disk.qcow2", tmp_path / "d.raw"
    monkeypatch.chdir(tmp_path)
    qemu.create(path, "1M", options=f"data_file={data.name},extended_l2={extended}")
    qemu.write(path, "write -P 5 0 1M")
    with data.open("r+b") as file:
        file.truncate(length)

    done = run("--allow", "same-dir", "--output", "json", path)

    said = json.loads(done.stdout)
    expected = {"length": length, "missing-bytes": missing}
    assert said["data-file"] == expected | ({} if first is None else {"first-missing": first})
    assert done.returncode == (2 if missing else 0)
    assert run(path).returncode == 0  # the data file is not looked at
