"""Every finding of a check says by which rule, and at which byte of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from qcow_parsers import constants as c

from qcowspec.check import check
from qcowspec.check.findings import Fault
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.places import Places, Unfit
from qcowspec.fuzzing.vectors import Vector, base
from qcowspec.image import lay_open
from qcowspec.spec.rules import BY_ID
from qcowspec.spec.units import align_up

DATA = Path(__file__).parents[1] / "data"

BROKEN = [
    vector
    for vector in vectors.everything()
    if BY_ID[vector.rule].check
    and vector.breaks
    and vector.judged
    and not vector.rule.startswith("backing/")
]

FAR = 1 << 40
"""An offset that no small image has."""

SECOND_WORDS = {"l2/compressed-bitmap", "l2/subcluster-bitmap", "l2/subcluster-unallocated"}
"""Rules about the second half of an entry, whose path is the entry's."""


def faults(data: bytes, format: str = "qcow2") -> dict[str, list[Fault]]:
    """What a check finds, in full, by the rule's id."""
    with lay_open(data, format=format) as image:
        report = check(image, shown=None, deep=True, explain=True)
    return {group.rule.id: group.faults for group in report.findings}


def stands_at(places: Places, path: str) -> int | None:
    """Where a path stands, by the fuzzer's own reading; None where it follows no such table."""
    try:
        return places.find(path).offset
    except Unfit:
        return None


# --- all rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", BROKEN, ids=lambda vector: str(vector.id))
def test_every_fault_of_a_vector_has_a_place_in_the_file(vector: Vector) -> None:
    data = vectors.image(vector)
    length = align_up(len(data), c.BDRV_SECTOR_SIZE)  # as QEMU reads it

    found = faults(data, vectors.format_of(vector))

    assert vector.rule in found
    assert [f for some in found.values() for f in some if not 0 <= f.offset < length] == []
    assert [rule for rule, some in found.items() if not some] == []


@pytest.mark.parametrize("vector", BROKEN, ids=lambda vector: str(vector.id))
def test_the_place_of_a_fault_is_where_its_path_stands(vector: Vector) -> None:
    data, format_ = vectors.image(vector), vectors.format_of(vector)
    places = Places(data, format_)

    found = faults(data, format_)

    elsewhere = [
        (rule, fault.path, fault.offset, place)
        for rule, some in found.items()
        if rule not in SECOND_WORDS
        for fault in some[:8]
        if (place := stands_at(places, fault.path)) is not None and place != fault.offset
    ]
    assert elsewhere == []


def test_a_check_shows_the_bitmap_where_a_rule_is_about_it() -> None:
    second = [vector for vector in BROKEN if vector.rule in SECOND_WORDS]
    assert {vector.rule for vector in second} == SECOND_WORDS

    for vector in second:
        data = vectors.image(vector)
        for fault in faults(data)[vector.rule]:
            place = Places(data, "qcow2").find(fault.path).offset + c.L2E_SIZE_NORMAL
            word = int.from_bytes(data[place : place + c.L2E_SIZE_NORMAL], "big")
            assert (fault.offset, fault.value) == (place, word), vector.id


def test_all_rules_of_a_check_are_among_these_vectors() -> None:
    ours = {rule for rule in BY_ID if rule.startswith("check/") and BY_ID[rule].check}

    assert ours - {vector.rule for vector in BROKEN} == set()


# --- structures that lie wholly past the end of the file ------------------------------------------

POINTERS = [
    ("v3", "header.l1_table_offset"),
    ("v3", "header.refcount_table_offset"),
    ("v3", "l1_table[0]"),
    ("v3", "l2_tables[0][0]"),
    ("v3-snapshots", "header.snapshots_offset"),
    ("v3-snapshots", "snapshots[1].l1_table_offset"),
    ("v3-bitmaps", "bitmaps[0].bitmap_table_offset"),
    ("v3-bitmaps", "bitmaps[0].bitmap_table[0]"),
]
"""Fields that locate a structure, each in an image that has it."""


@pytest.mark.parametrize(("name", "path"), POINTERS, ids=lambda value: str(value))
def test_what_lies_past_the_end_is_told_where_it_is_pointed_at(name: str, path: str) -> None:
    draft = Draft(base(name))
    place = draft.find(path)
    draft.set(place, FAR)
    if path.startswith("bitmaps[0].bitmap_table"):  # else opening reads the table, and refuses it
        flags = draft.find("bitmaps[0].flags")
        draft.set(flags, c.Qcow2BitmapFlags.BME_FLAG_IN_USE)

    found = faults(bytes(draft.data))["check/past-end"]

    assert [(f.path, f.offset) for f in found] == [(path, place.offset)]
    assert found[0].value == FAR


def test_a_refcount_block_past_the_end_is_told_where_it_is_pointed_at() -> None:
    draft = Draft(base("v3"))
    place = draft.find("refcount_table[0]")
    draft.set(place, FAR)

    found = faults(bytes(draft.data))

    past, low = found["check/refcount-block-past-end"], found["check/refcount-too-low"]
    assert [(f.path, f.offset) for f in past] == [("refcount_table[0]", place.offset)]
    assert {(f.path, f.offset) for f in low} == {("refcount_table[0]", place.offset)}


def test_a_snapshot_past_the_end_is_told_at_the_headers_field() -> None:
    draft = Draft(base("v3-snapshots"))
    place = draft.find("header.snapshots_offset")
    draft.set(place, FAR)  # zeros: two snapshots without extra data

    found = faults(bytes(draft.data))["snapshots/extra-data-minimum"]

    assert [(f.path, f.offset, f.value) for f in found] == [
        ("header.snapshots_offset", place.offset, FAR)
    ] * 2
    assert [f.note for f in found] == [
        "snapshots[0] lies past the end of the file",
        "snapshots[1] lies past the end of the file",
    ]


def test_a_bitmap_directory_past_the_end_has_no_bitmaps_to_count() -> None:
    draft = Draft(base("v3-bitmaps"))
    draft.set(draft.find("header_extensions[bitmaps].data.bitmap_directory_offset"), FAR)

    with lay_open(bytes(draft.data)) as image:
        broken = {finding.rule for finding in image.findings}

    assert broken != set()  # zeros are no bitmap: opening tells it, with its place


def test_a_luks_header_that_ends_past_the_end_is_told_where_it_is_pointed_at() -> None:
    draft = Draft(base("v3-luks"))
    draft.set(draft.find("header_extensions[crypto].data.length"), FAR)
    place = draft.find("header_extensions[crypto].data.offset")

    found = faults(bytes(draft.data))["check/past-end"]

    assert [(f.path, f.offset, f.value) for f in found] == [(place.path, place.offset, place.value)]


def test_an_l1_table_of_version_1_past_the_end_is_told_where_it_is_pointed_at() -> None:
    draft = Draft(base("v1-backing"))
    place = draft.find("header.l1_table_offset")
    draft.set(place, FAR)

    with lay_open(bytes(draft.data), format="qcow") as image:
        found = {g.rule.id: g.faults for g in check(image, shown=None).findings}

    assert [(f.path, f.offset, f.value) for f in found["check/v1-past-end"]] == [
        (place.path, place.offset, FAR)
    ]


# --- clusters whose refcount stands nowhere -------------------------------------------------------


def test_a_cluster_behind_the_refcount_table_is_told_at_the_tables_size() -> None:
    draft = Draft(base("v3-512"))
    per_table = (512 // 8) * (512 * 8 // 16)  # clusters that a refcount table of one cluster counts
    far = per_table * 512
    draft.set(draft.find("l2_tables[0][0]"), far | c.QCOW_OFLAG_COPIED)
    draft.write(far, b"data".ljust(512, b"\0"))

    found = faults(bytes(draft.data))["check/refcount-too-low"]

    size = draft.find("header.refcount_table_clusters")
    assert [(f.path, f.offset, f.cluster, f.value, f.expected) for f in found] == [
        (size.path, size.offset, far, 0, 1)
    ]
    assert found[0].note == "the refcount table ends before this cluster"


def test_a_cluster_without_a_refcount_block_is_told_at_the_tables_entry() -> None:
    draft = Draft(base("v3"))
    draft.set(draft.find("refcount_table[0]"), 0)

    found = faults(bytes(draft.data))["check/refcount-too-low"]

    assert {(f.path, f.note) for f in found} == {
        ("refcount_table[0]", "there is no refcount block")
    }


def test_a_refcount_in_a_block_that_is_cut_short_is_told_at_the_tables_entry() -> None:
    draft = Draft(base("v3"))
    block = draft.find("refcount_blocks[0][0]")
    draft.truncate(block.offset + 4)  # two refcounts of sixteen bits are left

    found = faults(bytes(draft.data))["check/refcount-too-low"]

    assert found != []
    assert {(f.path, f.offset) for f in found} == {
        ("refcount_table[0]", draft.find("refcount_table[0]").offset)
    }


def test_an_unreadable_refcount_is_told_at_the_tables_entry() -> None:
    draft = Draft(base("v3"))
    place = draft.find("refcount_table[0]")
    assert isinstance(place.value, int)
    draft.set(place, place.value + 512)

    found = faults(bytes(draft.data))["check/refcount-unreadable"]

    assert {(f.path, f.offset, f.value) for f in found} == {
        ("refcount_table[0]", place.offset, place.value + 512)
    }


# --- what the guest sees --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "bits"), [("v3", 12), ("v3-512", 9), ("v3-extended", 14)])
def test_a_fault_of_an_entry_says_which_guest_cluster_it_is(name: str, bits: int) -> None:
    draft = Draft(base(name))
    place = draft.find("l2_tables[0][5]")
    draft.write(place.offset, FAR.to_bytes(8, "big"))

    found = faults(bytes(draft.data))["check/past-end"]

    assert [fault.guest for fault in found if fault.path == place.path] == [5 << bits]


def test_refcounts_past_the_end_are_all_told_when_all_are_asked_for() -> None:
    draft = Draft(base("v3"))
    block = draft.find("refcount_blocks[0][0]")
    draft.write(block.offset + 200, b"\0\1\0\2" * 25)

    with lay_open(bytes(draft.data)) as image:
        some, every = check(image, shown=8), check(image, shown=None)

    counted = [
        (group.count, len(group.faults))
        for report in (some, every)
        for group in report.findings
        if group.rule.id == "check/refcount-past-end"
    ]
    assert counted == [(50, 8), (50, 50)]
