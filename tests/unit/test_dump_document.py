"""A dump for machines: what its JSON and YAML say, word for word."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from qcowspec.image import Image, lay_open
from qcowspec.report import document, tree
from qcowspec.report.nodes import Node
from tools.make_test_data import DATA

Plain = dict[str, Any]

QCOW = sorted(path.name for path in DATA.iterdir() if path.suffix in (".qcow", ".qcow2"))
SHOWCASE = DATA / "showcase.qcow2"


def as_json(image: Image, *, whole: bool = False) -> str:
    return "".join(document.as_json(image, tree.structures(image, whole=whole), whole=whole))


def as_yaml(image: Image, *, whole: bool = False) -> str:
    return "".join(document.as_yaml(image, tree.structures(image, whole=whole), whole=whole))


def said(target: Path | bytes, *, whole: bool = False) -> Plain:
    """The dump of an image as JSON has it."""
    with lay_open(target) as image:
        found: Plain = json.loads(as_json(image, whole=whole))
        return found


def named(dump: Plain, name: str) -> Plain:
    """The structure of this name."""
    found: Plain = next(s for s in dump["structures"] if s["name"] == name)
    return found


def from_yaml(text: str) -> object:
    """What a YAML document says; the C reader is ten times as fast, where it is there."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # noqa: S506 - both loaders are safe ones


# --- The whole ------------------------------------------------------------------------------------


def test_the_keys_of_a_dump() -> None:
    assert list(said(SHOWCASE)) == [
        "schema",
        "file",
        "format",
        "version",
        "state",
        "structures",
        "findings",
        "judged",
        "not_looked_at",
        "truncated",
    ]


def test_what_stands_before_the_structures() -> None:
    dump = said(SHOWCASE)

    assert {key: dump[key] for key in ("schema", "file", "format", "version", "state")} == {
        "schema": "qcowspec.dump/1",
        "file": {"name": str(SHOWCASE), "length": 983080},
        "format": "qcow2",
        "version": 3,
        "state": "READY",
    }


def test_structures_come_in_the_order_in_which_a_reader_meets_them() -> None:
    assert [s["name"] for s in said(SHOWCASE, whole=True)["structures"]] == [
        "header",
        "header_extensions[0]",
        "header_extensions[1]",
        "header_extensions[2]",
        "header_extensions[3]",
        "backing_file_name",
        "l1_table",
        "l2_tables[0]",
        "refcount_table",
        "refcount_blocks[0]",
        "snapshots[0]",
        "snapshots[0].l1_table",
        "snapshots[0].l2_tables[0]",
        "snapshots[1]",
        "snapshots[1].l1_table",
        "bitmaps[0]",
        "bitmaps[0].bitmap_table",
    ]


def test_an_image_that_breaks_no_rule_has_no_findings() -> None:
    assert said(DATA / "v3-empty.qcow2")["findings"] == []


def broken() -> bytes:
    """An image whose clusters have 2^22 bytes."""
    content = bytearray(SHOWCASE.read_bytes())
    content[20:24] = (22).to_bytes(4, "big")
    return bytes(content)


def test_a_broken_rule_is_a_finding() -> None:
    findings = said(broken())["findings"]

    found = next(f for f in findings if f["rule"] == "header/cluster-bits")
    assert {key: found[key] for key in found if key != "message"} == {
        "rule": "header/cluster-bits",
        "stage": "header",
        "kind": "invalid",
        "offset": 20,
        "field": "header.cluster_bits",
        "value": 22,
    }


def test_a_finding_has_one_sentence() -> None:
    message = said(broken())["findings"][0]["message"]

    assert (message[-1], message.count("\n")) == (".", 0)


def test_an_image_that_qemu_refuses_is_rejected() -> None:
    assert said(broken())["state"] == "REJECTED"


def test_what_cannot_be_located_is_left_out() -> None:
    assert [s["name"] for s in said(broken())["structures"]] == ["header"]


# --- Structures, fields, rows ---------------------------------------------------------------------


def test_a_number() -> None:
    fields = named(said(SHOWCASE), "header")["fields"]

    assert next(f for f in fields if f["name"] == "cluster_bits") == {
        "name": "cluster_bits",
        "offset": 20,
        "length": 4,
        "raw": "00000010",
        "value": 16,
        "meaning": "64 KiB clusters",
    }


def test_a_text() -> None:
    assert (
        named(said(SHOWCASE), "backing_file_name").items()
        >= {
            "offset": 560,
            "length": 19,
            "raw": b"showcase-base.qcow2".hex(),
            "value": "showcase-base.qcow2",
        }.items()
    )


def test_a_structure_in_a_structure() -> None:
    fields = named(said(SHOWCASE), "snapshots[1]")["fields"]
    inner = next(f for f in fields if f["name"] == "extra_data")

    assert (inner["layout"], [(f["name"], f["value"]) for f in inner["fields"]]) == (
        "qcow2::snapshot_extra_data",
        [
            ("vm_state_size_large", 0),
            ("disk_size", 6292480),
            ("icount", 0),
            ("unknown_extra_data", ""),
        ],
    )


def test_a_structure_with_fields_has_no_bytes_of_its_own() -> None:
    header = named(said(SHOWCASE), "header")

    assert {"raw", "value"} & set(header) == set()


ROWS = {
    ("l1_table", 0): {"copied": 1, "l2_table_offset": 0xB0000, "guest_offset": 0},
    ("l2_tables[0]", 1): {
        "guest_offset": 0x10000,
        "copied": 0,
        "coffset": 0x50000,
        "csize": 29 * 512,
    },
    ("l2_tables[0]", 2): {"guest_offset": 0x20000, "copied": 0, "offset": 0, "zero": 1},
    ("l2_tables[0]", 3): {"guest_offset": 0x30000, "copied": 1, "offset": 0xC0000, "zero": 0},
    ("refcount_table", 0): {"refcount_block_offset": 0x20000, "host_offset": 0},
    ("refcount_blocks[0]", 1): {"host_offset": 0x40000},
    ("bitmaps[0].bitmap_table", 0): {"offset": 0xD0000, "all_ones": 0},
}


@pytest.mark.parametrize(("table", "index"), ROWS)
def test_what_an_entry_says(table: str, index: int) -> None:
    entry = named(said(SHOWCASE, whole=True), table)["entries"][index]

    assert entry["fields"] == ROWS[table, index]


def test_an_entry_of_a_bitmap_table_that_stands_for_ones() -> None:
    # QEMU writes none for so small a bitmap.
    content = bytearray(SHOWCASE.read_bytes())
    content[0xE0000:0xE0008] = (1).to_bytes(8, "big")
    entry = named(said(bytes(content), whole=True), "bitmaps[0].bitmap_table")["entries"][0]

    assert entry["fields"] == {"offset": 0, "all_ones": 1}


def test_equal_entries_share_a_row() -> None:
    row = named(said(SHOWCASE, whole=True), "l2_tables[0]")["entries"][4]

    assert {key: row[key] for key in ("index", "count", "offset", "raw")} == {
        "index": 4,
        "count": 8188,
        "offset": 0xB0020,
        "raw": "0" * 16,
    }


@pytest.mark.parametrize(
    ("image", "table", "digits"),
    [
        ("v3-extended-l2.qcow2", "l2_tables[0]", 32),
        ("v3-refcount-64.qcow2", "refcount_blocks[0]", 16),
        ("v3-refcount-16.qcow2", "refcount_blocks[0]", 4),
        ("v3-refcount-8.qcow2", "refcount_blocks[0]", 2),
        ("v3-refcount-4.qcow2", "refcount_blocks[0]", 1),
        ("v3-refcount-1.qcow2", "refcount_blocks[0]", 1),
    ],
)
def test_a_raw_entry_is_as_wide_as_the_entry(image: str, table: str, digits: int) -> None:
    entries = named(said(DATA / image, whole=True), table)["entries"]

    assert {len(entry["raw"]) for entry in entries} == {digits}


def test_the_figures_of_a_table() -> None:
    assert named(said(SHOWCASE), "l2_tables[0]")["summary"] == {
        "entries": 8192,
        "normal": 1,
        "compressed": 1,
        "zero_alloc": 0,
        "zero_plain": 1,
        "unallocated": 8189,
    }


def test_a_dump_is_written_as_it_is_made() -> None:
    taken: list[str] = []

    def watched(nodes: Iterator[Node]) -> Iterator[Node]:
        for node in nodes:
            taken.append(node.name)
            yield node

    with lay_open(SHOWCASE) as image:
        nodes = watched(tree.structures(image, whole=False))
        pieces = document.as_json(image, nodes, whole=False)
        seen = [(next(pieces), len(taken))[1] for _ in range(4)]

    assert seen == [0, 1, 2, 3]


# --- YAML -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QCOW)
def test_yaml_says_what_json_says_of(name: str) -> None:
    with lay_open(DATA / name) as image:
        assert from_yaml(as_yaml(image)) == json.loads(as_json(image))


@pytest.mark.parametrize("name", ["showcase.qcow2", "v1-plain.qcow", "v3-extended-l2.qcow2"])
def test_yaml_says_what_json_says_of_all_tables_of(name: str) -> None:
    with lay_open(DATA / name) as image:
        assert from_yaml(as_yaml(image, whole=True)) == json.loads(as_json(image, whole=True))


def test_yaml_says_what_json_says_of_a_broken_image() -> None:
    with lay_open(broken()) as image:
        assert from_yaml(as_yaml(image)) == json.loads(as_json(image))


def test_yaml_reads_like_yaml() -> None:
    with lay_open(SHOWCASE) as image:
        assert as_yaml(image).splitlines()[0] == "schema: qcowspec.dump/1"


# --- Names that somebody made up ------------------------------------------------------------------

NAME = b"before the update"
"""Of the first snapshot; the names below have its length."""

HOSTILE = {
    "escape": b"\x1b]0;pwned\x07\x1b[2J...",
    "8-bit escape": "\x9b31mred\x9b0m".encode().ljust(17, b"."),
    "delete": b"\x7f\x08\x7f\x08 hidden".ljust(17, b"."),
    "line ends": b"a\r\nb\x0bc\x0cd\xc2\x85e\xe2\x80\xa8f".ljust(17, b"."),
    "zero bytes": b"a\0b\0\0c".ljust(17, b"\0"),
    "right to left": "\u202egnp.exe".encode().ljust(17, b"."),
    "no UTF-8": b"\xff\xfe\xc3(\xed\xa0\x80\xf5".ljust(17, b"."),
    "quotes": b'"\\\'"\\"{}[]:,#&*!|>%'[:17],
    "like a number": b"0x10".ljust(17, b" "),
    "byte order mark": b"\xef\xbb\xbfname".ljust(17, b"."),
    "beyond the first plane": "\U0001f4a3\U0001f4a3".encode().ljust(17, b"."),
}


def with_snapshot_name(name: bytes) -> bytes:
    """The showcase with another name for its first snapshot."""
    assert len(name) == len(NAME)
    return SHOWCASE.read_bytes().replace(NAME, name)


def snapshot_name(dump: Plain) -> str:
    fields = named(dump, "snapshots[0]")["fields"]
    found: str = next(f["value"] for f in fields if f["name"] == "name")
    return found


@pytest.mark.parametrize("kind", HOSTILE)
def test_json_has_the_name_with_what_is_no_text_escaped(kind: str) -> None:
    expected = HOSTILE[kind].decode("utf-8", "backslashreplace")

    assert snapshot_name(said(with_snapshot_name(HOSTILE[kind]))) == expected


@pytest.mark.parametrize("kind", HOSTILE)
def test_yaml_has_the_same_name(kind: str) -> None:
    with lay_open(with_snapshot_name(HOSTILE[kind])) as image:
        assert from_yaml(as_yaml(image)) == json.loads(as_json(image))


def controls(text: str) -> set[str]:
    """The characters of a text that a terminal may obey, line feeds aside."""
    return {c for c in text if c < " " or "\x7f" <= c <= "\x9f"} - {"\n"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_json_has_no_character_that_a_terminal_obeys(kind: str) -> None:
    with lay_open(with_snapshot_name(HOSTILE[kind])) as image:
        assert controls(as_json(image)) == set()


@pytest.mark.parametrize("kind", HOSTILE)
def test_yaml_has_no_character_that_a_terminal_obeys(kind: str) -> None:
    with lay_open(with_snapshot_name(HOSTILE[kind])) as image:
        assert controls(as_yaml(image)) == set()


@pytest.mark.parametrize("name", [b"\xff.qcow2", b"\x1b[31m.qcow2", "größer.qcow2".encode()])
@pytest.mark.parametrize("notation", [as_json, as_yaml])
def test_a_file_of_any_name_gives_a_document_in_utf_8(
    name: bytes, notation: Any, tmp_path: Path
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(SHOWCASE.read_bytes())

    with lay_open(path) as image:
        assert b"qcowspec.dump/1" in notation(image).encode("utf-8")


def test_a_structure_behind_the_end_of_the_file_has_no_bytes() -> None:
    content = bytearray((DATA / "v3-empty.qcow2").read_bytes())
    content[60:64] = (1).to_bytes(4, "big")  # nb_snapshots
    content[64:72] = (1 << 40).to_bytes(8, "big")  # snapshots_offset

    found = named(said(bytes(content)), "snapshots[0]")
    assert (found["offset"], found["length"], found.get("raw", "")) == (1 << 40, 0, "")


# --- A part of a dump -----------------------------------------------------------------------------


def first(image: Image, name: str) -> Node:
    return next(n for n in tree.structures(image, whole=True) if n.name == name)


def test_one_structure_is_as_in_the_whole_dump() -> None:
    with lay_open(SHOWCASE) as image:
        alone = "".join(document.one(first(image, "header"), yaml=False, whole=False))

    assert json.loads(alone) == named(said(SHOWCASE), "header")


def test_one_row_is_as_in_the_whole_dump() -> None:
    with lay_open(SHOWCASE) as image:
        rows = first(image, "l1_table").rows
        assert rows is not None
        alone = "".join(document.one(next(rows()), yaml=False, whole=False))

    assert json.loads(alone) == named(said(SHOWCASE, whole=True), "l1_table")["entries"][0]
