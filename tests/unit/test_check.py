"""A check: counting in windows, owners against a slow count, planted faults, and hostile images."""

from __future__ import annotations

import struct
from collections import Counter
from copy import copy
from pathlib import Path
from random import Random
from typing import cast

import numpy as np
import pytest
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES

import qcowspec
from qcowspec.check import check, every, owners, qcow2
from qcowspec.check.counting import Window
from qcowspec.check.findings import Fault, Group, Owned
from qcowspec.check.l1 import Names
from qcowspec.check.ownership import Owner, overlapping, words
from qcowspec.check.places import Pointer
from qcowspec.check.regions import L1Table
from qcowspec.check.stored import StoredRefcounts
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.vectors import Vector, base
from qcowspec.image import lay_open
from qcowspec.sources.memory import Memory
from qcowspec.spec.decoding import refcounts
from qcowspec.spec.metadata import Table
from qcowspec.spec.rules import BY_ID
from qcowspec.spec.units import Geometry, HostOffset

DATA = Path(__file__).parents[1] / "data"

SMALL = sorted(p for p in DATA.glob("*.qcow2") if p.stat().st_size < 2 << 20)

JUDGED = [
    vector
    for vector in vectors.everything()
    if BY_ID[vector.rule].check and vector.judged and not vector.rule.startswith("backing/")
]
"""The vectors whose rule a check decides."""

TINY = 64
"""Bytes of the arrays of a window: a few clusters."""


def groups(data: bytes | Path, *, format: str = "qcow2", deep: bool = False) -> dict[str, Group]:
    with lay_open(data, format=format) as image:
        return {group.rule.id: group for group in check(image, deep=deep, explain=True).findings}


def outcome(data: bytes | Path) -> tuple[dict[str, int], Counter[str]]:
    with lay_open(data, format="qcow2") as image:
        report = check(image, shown=None)
    return report.figures.as_json(), Counter({g.rule.id: g.count for g in report.findings})


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", JUDGED, ids=lambda vector: str(vector.id))
def test_a_check_finds_what_a_vector_breaks(vector: Vector) -> None:
    found = groups(vectors.image(vector), format=vectors.format_of(vector), deep=True)

    assert (vector.rule in found) == vector.breaks


def test_every_rule_of_the_stage_has_an_effect() -> None:
    """All but the one that `validate --hidden` applies."""
    without = [rule.id for rule in RULES if rule.stage == "check" and rule.check is None]

    assert without == ["check/untrusted-hidden-bytes"]


def test_a_note_is_about_a_mark_in_the_header() -> None:
    noted = {rule.on for rule in RULES if rule.check and rule.check.note}

    assert noted == {"qcow2::header"}


def test_what_qemu_does_not_report_is_beyond_it_or_of_version_1() -> None:
    reported = {
        rule.id
        for rule in RULES
        if rule.check and rule.check.effect != "beyond-qemu" and "qcow2" in rule.formats
    }

    assert {rule for rule in reported if BY_ID[rule].qemu.verdict != "rejects"} == set()


# --- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SMALL, ids=lambda path: str(path.name))
def test_an_image_counts_the_same_in_many_windows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outcome(path)

    monkeypatch.setattr(qcow2, "WINDOW", TINY * 64)

    assert outcome(path) == expected


@pytest.mark.parametrize(
    "vector",
    [v for v in JUDGED if vectors.format_of(v) == "qcow2"],
    ids=lambda vector: str(vector.id),
)
def test_a_vector_counts_the_same_in_many_windows(
    vector: Vector, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outcome(vectors.image(vector))

    monkeypatch.setattr(qcow2, "WINDOW", TINY)

    assert outcome(vectors.image(vector)) == expected


def test_a_window_counts_as_a_slow_count_does() -> None:
    random = Random(1)
    window, slow = Window(10, 200, np.zeros(200, np.uint16)), Counter[int]()
    kinds: dict[int, int] = {}
    for _ in range(300):
        start, weight = random.randrange(0, 230), random.choice((1, 1, 1, 3, 40000))
        spread = random.choice((1, 2, 30))
        clusters = [start + spread * random.randrange(0, 9) for _ in range(random.randrange(1, 9))]
        owner = random.choice((Owner.DATA, Owner.L2_TABLE, Owner.COMPRESSED))
        alone = owner is not Owner.COMPRESSED
        window.add(np.array(clusters), owner, weight, alone=alone)
        for cluster in clusters:
            if 10 <= cluster < 210:
                twice = alone and (weight > 1 or bool(kinds.get(cluster, 0) & owner))
                kinds[cluster] = kinds.get(cluster, 0) | owner | (Owner.TWICE if twice else 0)
                slow[cluster] += weight

    assert window.counts.tolist() == [slow[cluster] for cluster in range(10, 210)]
    assert window.owners.tolist() == [kinds.get(cluster, 0) for cluster in range(10, 210)]


def test_a_check_reads_a_bitmap_table_once_and_what_the_reader_has_read_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lay_open(bytes(base("v3-bitmaps").data)) as image:
        assert image.l1_table is not None
        assert image.refcount_table is not None
        tables = [int(bitmap.bitmap_table_offset) for bitmap in image.bitmaps]
        held = [image.l1_table.offset, image.refcount_table.offset]
        read, times = image.source.read_at, Counter[int]()

        def counting(offset: int, length: int) -> bytes:
            times.update(at for at in (*tables, *held) if offset <= at < offset + length)
            return read(offset, length)

        monkeypatch.setattr(image.source, "read_at", counting)
        monkeypatch.setattr(qcow2, "WINDOW", TINY)
        check(image, explain=True)

    assert times == dict.fromkeys(tables, 1)


# --- stored refcounts -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(7))
def test_refcounts_of_every_width_are_those_that_a_dump_shows(order: int) -> None:
    geometry = Geometry(3, 9, 6, 8, order)
    block = Random(order).randbytes(512)
    table = struct.pack(">QQ", 512, 0).ljust(512, b"\0")
    stored = StoredRefcounts(
        Memory(table + block), geometry, Table("refcount_table", HostOffset(0), 64, table)
    )
    out = np.zeros(geometry.refcount_block_entries, stored.dtype)

    stored.load(0, out)

    assert out.tolist() == list(refcounts(block, order))
    values, known = stored.lookup(np.arange(len(out)))
    assert values.tolist() == out.tolist()
    assert known.all()


# --- owners ---------------------------------------------------------------------------------------


def test_the_owner_map_says_what_each_cluster_is() -> None:
    with qcowspec.open(base("v3-snapshots").data) as image:
        found = owners(image)

    assert found.dtype == np.uint16
    assert [words(int(each)) for each in found] == [
        ["header"],
        ["data", "snapshot-data"],
        ["l2-table", "snapshot-l2-table"],
        ["l1-table"],
        ["snapshot-l1-table"],
        ["snapshot-l1-table"],
        ["snapshot-table"],
        ["refcount-table"],
        ["refcount-block"],
    ]


def test_a_piece_of_the_owner_map_is_that_piece() -> None:
    with qcowspec.open(base("v3-snapshots").data) as image:
        whole = owners(image)

        assert owners(image, 2, 3).tolist() == whole[2:5].tolist()
        assert owners(image, 8).tolist() == whole[8:].tolist()
        assert owners(image, 9).tolist() == []


def test_version_1_has_no_owner_map() -> None:
    with qcowspec.open(base("v1").data) as image, pytest.raises(ValueError, match="version 1"):
        owners(image)


def test_owners_that_go_together_do_not_overlap() -> None:
    shared = Owner.DATA | Owner.SNAPSHOT_DATA
    tables = Owner.L2_TABLE | Owner.SNAPSHOT_L2_TABLE
    given = [0, Owner.DATA, shared, tables, Owner.DATA | Owner.TWICE, shared | Owner.L1_TABLE]
    given += [Owner.HEADER | Owner.COMPRESSED, Owner.DATA | Owner.COMPRESSED]

    found = overlapping(np.array(given, np.uint16))

    assert found.tolist() == [False] * 5 + [True] * 3


def test_an_overlap_is_explained_by_both_owners() -> None:
    vector = next(v for v in vectors.everything() if v.id == "check/overlap/l1-table")

    fault = groups(vectors.image(vector))["check/overlap"].faults[0]

    assert fault.owners == (Owned("l1_table"), Owned("l2_tables[0][0]", 0))


def snapshot_table(index: int, offset: int, count: int) -> L1Table:
    """The L1 table of a snapshot, which no field locates."""
    return L1Table(f"snapshots[{index}].", offset, count, False, cast("Pointer", None))


def test_an_entry_is_named_by_the_first_of_the_tables_that_have_it() -> None:
    random = Random(2)
    geometry = Geometry(3, 9, 6, 8, 4)
    for _ in range(50):
        tables = [
            snapshot_table(n, 8 * random.randrange(20), random.randrange(1, 9))
            for n in range(random.randrange(1, 9))
        ]
        names = Names(tables, geometry)
        for place in range(0, 8 * 32, 8):
            has = [t for t in tables if t.offset <= place < t.offset + 8 * t.count]
            index = (place - has[0].offset) // 8 if has else 0
            expected = f"{has[0].prefix}l1_table[{index}]" if has else "l1_table[?]"
            assert (names.entry(place), names.index(place)) == (expected, index)


# --- hostile images -------------------------------------------------------------------------------


def test_one_l2_table_behind_every_l1_entry_is_read_once() -> None:
    draft = Draft(base("v3"))
    entries = 1 << 18
    l1 = struct.pack(">Q", 0x3000) * entries  # as the table that the image has
    draft.write(0x8000, l1)
    for field, value in (
        ("size", entries << 21),
        ("l1_size", entries),
        ("l1_table_offset", 0x8000),
    ):
        draft.set(draft.find(f"header.{field}"), value)

    figures, found = outcome(bytes(draft.data))

    assert figures["allocated-clusters"] == 2 * entries
    assert found["check/cluster-shared"] == 2


def test_offsets_far_away_cost_nothing() -> None:
    draft = Draft(base("v3"))
    table = draft.find("l2_tables[0][0]").offset
    far = b"".join(struct.pack(">Q", (1 << 55) + (n << 12)) for n in range(512))
    draft.write(table, far)

    _, found = outcome(bytes(draft.data))

    assert found["check/past-end"] == 512


def test_a_luks_header_behind_any_offset_ends_the_check() -> None:
    with lay_open(DATA / "v3-luks.qcow2") as image:
        # A copy: equal bytes are parsed once for all images.
        pointer = copy(image.metadata.crypto_extension)
        assert pointer is not None
        image.metadata.crypto_extension = pointer
        pointer.length = c.QCOW2_MAX_TABLE_END
        long = check(image)
        pointer.offset = 1 << 40
        report = check(image)

    assert (long.figures.status, long.figures.corruptions) == (2, 1)
    assert report.figures.status == 1
    assert report.why is not None


def test_places_are_limited_and_all_are_counted() -> None:
    draft = Draft(base("v3"))
    block = draft.find("refcount_blocks[0][0]").offset
    draft.write(block, struct.pack(">7H", 0, 1, 0, 1, 0, 1, 0))  # no two of them are neighbours

    with lay_open(bytes(draft.data)) as image:
        few, every_ = check(image, shown=2), check(image, shown=None)

    kept = [
        (group.count, len(group.faults), group.complete)
        for report in (few, every_)
        for group in report.findings
        if group.rule.id == "check/refcount-too-low"
    ]
    assert kept == [(4, 2, False), (4, 4, True)]


# --- neighbours -----------------------------------------------------------------------------------


def test_neighbours_are_one_fault_and_all_are_counted() -> None:
    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, bytes(2 * 7))

    group = groups(bytes(draft.data))["check/refcount-too-low"]

    assert [(f.cluster, f.end.cluster, f.count) for f in group.faults] == [(0, 0x6000, 7)]
    assert (group.count, group.places, group.faults[0].end.path) == (7, 7, "refcount_blocks[0][6]")


def test_a_run_of_faults_goes_on_from_one_part_of_the_check_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, bytes(2 * 7))
    monkeypatch.setattr(qcow2, "CHUNK", 2)

    group = groups(bytes(draft.data))["check/refcount-too-low"]

    assert [(f.cluster, f.count) for f in group.faults] == [(0, 7)]


def test_neighbours_that_say_different_things_are_not_one_fault() -> None:
    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, struct.pack(">7H", 5, 5, 5, 6, 6, 1, 5))

    with lay_open(bytes(draft.data)) as image:
        found = {group.rule.id: group for group in check(image).findings}["check/leaked-cluster"]

    assert [(f.cluster, f.value, f.count) for f in found.faults] == [
        (0, 5, 3),
        (0x3000, 6, 2),
        (0x6000, 5, 1),
    ]


def test_entries_whose_clusters_follow_each_other_are_one_fault() -> None:
    draft = Draft(base("v3"))
    table = draft.find("l2_tables[0][0]").offset
    far = [1 << 40, (1 << 40) + 0x1000, (1 << 40) + 0x2000, 1 << 41, 1 << 41]
    draft.write(table + 8 * 10, b"".join(struct.pack(">Q", entry) for entry in far))

    found = groups(bytes(draft.data))["check/past-end"]

    assert [(f.path, f.count, f.guest, f.end.guest) for f in found.faults] == [
        ("l2_tables[0][10]", 3, 0xA000, 0xC000),
        ("l2_tables[0][13]", 2, 0xD000, 0xE000),
    ]


@pytest.mark.parametrize("rule", ["check/refcount-too-low", "check/leaked-cluster"])
@pytest.mark.parametrize("explain", [False, True])
def test_every_fault_of_a_rule_is_handed_over_and_none_is_kept(rule: str, explain: bool) -> None:
    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, struct.pack(">7H", 0, 5, 0, 6, 0, 5, 0))
    taken: list[Fault] = []

    with lay_open(bytes(draft.data)) as image:
        kept = check(image, shown=None, explain=explain).findings
        every(image, rule, taken.append, explain=explain)

    assert taken == next(group.faults for group in kept if group.rule.id == rule)


def test_a_run_of_clusters_is_explained_by_the_owners_of_all_of_them() -> None:
    draft = Draft(base("v3"))
    draft.write(draft.find("refcount_blocks[0][0]").offset, bytes(2 * 7))

    fault = groups(bytes(draft.data))["check/refcount-too-low"].faults[0]

    assert {"header", "l1_table", "l2_tables[0]", "refcount_table", "refcount_blocks[0]"} <= {
        owner.path for owner in fault.owners
    }
