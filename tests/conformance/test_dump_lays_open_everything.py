"""Dump lays open all that an image is made of: no byte of a structure is left out or made up.

QEMU counts, in an image's refcounts, who uses each cluster. Counted anew from nothing but the
dump's own structures, the numbers are the same: every structure was found, and rightly read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.conformance.conftest import Claim, of_every_image, of_images
from tools.make_test_data import IMAGES

if TYPE_CHECKING:
    from tests.conformance.conftest import Dump

SOUND, DIRTY_OR_DAMAGED, LEAKS = 0, 2, 3


# --- Bytes ----------------------------------------------------------------------------------------


@of_every_image
def test_that_every_structure_lies_in_the_file(said: Dump) -> None:
    length = len(said.content)

    assert [n["name"] for n in said.nodes() if n["offset"] + n["length"] > length] == []


@of_every_image
def test_that_raw_bytes_are_those_of_the_file(said: Dump) -> None:
    for node in said.nodes():
        if "raw" in node:
            found = said.content[node["offset"] : node["offset"] + node["length"]]
            assert node["raw"] == found.hex(), node["name"]


@of_every_image
def test_that_numbers_are_the_bytes_big_endian(said: Dump) -> None:
    for node in said.nodes():
        if isinstance(node.get("value"), int):
            assert node["value"] == int(node["raw"], 16), node["name"]


@of_every_image
def test_that_texts_are_the_bytes(said: Dump) -> None:
    for node in said.nodes():
        if isinstance(node.get("value"), str):
            expected = bytes.fromhex(node["raw"]).decode("utf-8", "backslashreplace")
            assert node["value"] == expected, node["name"]


@of_every_image
def test_that_a_value_is_a_number_or_a_text(said: Dump) -> None:
    assert {type(node["value"]) for node in said.nodes() if "raw" in node} <= {int, str}


@of_every_image
def test_that_fields_leave_no_gap_and_do_not_overlap(said: Dump) -> None:
    for node in said.nodes():
        if "fields" in node:
            ends = [node["offset"]] + [f["offset"] + f["length"] for f in node["fields"]]
            starts = [f["offset"] for f in node["fields"]] + [node["offset"] + node["length"]]

            assert starts == ends, node["name"]


@of_every_image
def test_that_names_are_unique(said: Dump) -> None:
    names = Counter(structure["name"] for structure in said.structures)

    assert [name for name, count in names.items() if count > 1] == []


@of_every_image
def test_that_names_in_a_structure_are_unique(said: Dump) -> None:
    for node in said.nodes():
        names = [field["name"] for field in node.get("fields", [])]
        assert sorted(names) == sorted(set(names)), node["name"]


@of_every_image
def test_that_header_and_extensions_follow_each_other(said: Dump) -> None:
    area = [said.by_name["header"], *said.called("header_extensions")]

    assert [s["offset"] for s in area[1:]] == [s["offset"] + s["length"] for s in area[:-1]]


# --- Tables ---------------------------------------------------------------------------------------


@of_every_image
def test_that_rows_number_every_entry(said: Dump) -> None:
    for table in said.tables():
        indices = [row["index"] for row in table["entries"]]
        nexts = [row["index"] + row["count"] for row in table["entries"]]

        assert indices == [0, *nexts][: len(indices)], table["name"]
        assert [table["summary"]["entries"]] == (nexts or [0])[-1:], table["name"]


@of_every_image
def test_that_equal_neighbours_share_a_row(said: Dump) -> None:
    for table in said.tables():
        values = [row["raw"] for row in table["entries"]]

        assert all(a != b for a, b in pairwise(values)), table["name"]


def width(table: dict[str, Any]) -> int:
    """Bits of a table's entry."""
    entries = table["summary"]["entries"]
    return int(table["length"] * 8 // entries) if entries else 0


@of_every_image
def test_that_rows_stand_where_they_say(said: Dump) -> None:
    for table in said.tables():
        bits = width(table)
        expected = [table["offset"] + row["index"] * bits // 8 for row in table["entries"]]

        assert [row["offset"] for row in table["entries"]] == expected, table["name"]


def packed(table: dict[str, Any]) -> bytes:
    """The bytes that a table's rows stand for."""
    bits = width(table)
    if bits >= 8:
        return b"".join(
            int(row["raw"], 16).to_bytes(bits // 8, "big") * row["count"]
            for row in table["entries"]
        )
    # Below a byte, the first entry has the least significant bits.
    values = [int(row["raw"], 16) for row in table["entries"] for _ in range(row["count"])]
    whole = sum(value << index * bits for index, value in enumerate(values))
    return whole.to_bytes(table["length"], "little")


@of_every_image
def test_that_rows_add_up_to_the_bytes_of_the_table(said: Dump) -> None:
    for table in said.tables():
        found = said.content[table["offset"] : table["offset"] + table["length"]]

        assert packed(table) == found, table["name"]


@of_every_image
def test_the_figures_of_tables_of_pointers_and_counts(said: Dump) -> None:
    for table in said.tables():
        if not table["layout"].endswith("::l2_table"):
            used = sum(row["count"] for row in table["entries"] if int(row["raw"], 16))

            assert table["summary"]["used"] == used, table["name"]


# --- References -----------------------------------------------------------------------------------


class References:
    """Who uses each cluster of the image file, counted from a dump's structures alone."""

    def __init__(self, said: Dump) -> None:
        self.said = said
        self.counts: Counter[int] = Counter()
        # A table that several pointers share is shown once.
        self.l2_tables = {
            table["offset"]: table
            for table in said.tables()
            if table["layout"] == "qcow2::l2_table"
        }

    def use(self, offset: int, length: int) -> None:
        """Count one reference to every cluster that holds some of these bytes."""
        if length:
            size = self.said.cluster_size
            self.counts.update(range(offset // size, (offset + length - 1) // size + 1))

    def count(self) -> Counter[int]:
        """Count them all."""
        said = self.said
        self.use(0, 1)  # header, extensions and backing file name: the first cluster
        self.use_table("refcount_table", "refcount_block_offset")
        self.use_mapping("l1_table")
        for index in range(len(said.called("snapshots"))):
            self.use_mapping(f"snapshots[{index}].l1_table")
        self.use_list("snapshots")
        self.use_list("bitmaps")
        for index in range(len(said.called("bitmaps"))):
            self.use_table(f"bitmaps[{index}].bitmap_table", "offset")
        pointer = said.extension("crypto_extension")
        if pointer is not None:
            self.use(pointer["offset"], pointer["length"])
        return self.counts

    def use_list(self, name: str) -> None:
        """A table of entries of different lengths."""
        listed = self.said.called(name)
        if listed:
            start, last = listed[0]["offset"], listed[-1]
            self.use(start, last["offset"] + last["length"] - start)

    def use_table(self, name: str, pointer: str) -> None:
        """A table, and the one cluster behind each of its pointers."""
        table = self.said.by_name[name]
        self.use(table["offset"], table["length"])
        for fields in entries(table):
            if fields[pointer]:
                self.use(fields[pointer], 1)

    def use_mapping(self, name: str) -> None:
        """An L1 table, its L2 tables, and the clusters that these map."""
        table = self.said.by_name[name]
        self.use(table["offset"], table["length"])
        for fields in entries(table):
            if fields["l2_table_offset"]:
                self.use(fields["l2_table_offset"], 1)
                for cluster in entries(self.l2_tables[fields["l2_table_offset"]]):
                    self.use_cluster(cluster)

    def use_cluster(self, cluster: dict[str, int]) -> None:
        """A cluster of guest data, or what it is compressed to."""
        if "coffset" in cluster:
            self.use(cluster["coffset"], cluster["csize"])
        elif cluster["offset"] and not self.said.has_data_file:
            self.use(cluster["offset"], 1)


def entries(table: dict[str, Any]) -> Iterator[dict[str, int]]:
    """The fields of a table's entries, one by one."""
    for row in table["entries"]:
        for _ in range(row["count"]):
            yield row["fields"]


def refcounts(said: Dump) -> Counter[int]:
    """The refcount of each cluster that has one, as the refcount blocks have them."""
    found: Counter[int] = Counter()
    for block in said.called("refcount_blocks"):
        for row in block["entries"]:
            refcount = int(row["raw"], 16)
            if refcount:
                first = row["fields"]["host_offset"] // said.cluster_size
                found.update({first + step: refcount for step in range(row["count"])})
    return found


def images_that_check_with(status: int) -> Callable[[Claim], Claim]:
    """The qcow2 images of which ``qemu-img check`` says this."""
    return of_images(row for row in IMAGES if row.check == status)


@images_that_check_with(SOUND)
def test_that_references_are_as_many_as_qemu_counted(said: Dump) -> None:
    assert References(said).count() == refcounts(said)


@images_that_check_with(LEAKS)
def test_that_a_leaked_cluster_is_one_that_nobody_refers_to(said: Dump) -> None:
    assert (refcounts(said) - References(said).count()).total() == 1


@images_that_check_with(DIRTY_OR_DAMAGED)
def test_that_missing_refcounts_are_references_that_dump_finds(said: Dump) -> None:
    assert (References(said).count() - refcounts(said)).total() > 0
