"""A dump for people: every field on a line of its own, and nothing that a terminal obeys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qcowspec.image import Image, lay_open
from qcowspec.report import document, text, tree
from qcowspec.report.nodes import Node
from tools.make_test_data import DATA

Plain = dict[str, Any]

QCOW = sorted(path.name for path in DATA.iterdir() if path.suffix in (".qcow", ".qcow2"))
SHOWCASE = DATA / "showcase.qcow2"

CLUSTER_BITS, L1_SIZE, PADDING = 20, 36, 105
"""Offsets of fields of the header; each has 4 bytes."""


def lines(
    target: Path | bytes, *, whole: bool = False, hexadecimal: bool = False, **style: Any
) -> list[str]:
    """The dump of an image as text."""
    with lay_open(target) as image:
        nodes = tree.structures(image, whole=whole)
        return list(text.lines(image, nodes, whole=whole, hexadecimal=hexadecimal, **style))


def patched(name: str, offset: int, number: int) -> bytes:
    """An image of tests/data with another number in a field of 4 bytes."""
    content = bytearray((DATA / name).read_bytes())
    content[offset : offset + 4] = number.to_bytes(4, "big")
    return bytes(content)


# --- Lines ----------------------------------------------------------------------------------------


def test_the_first_line_says_what_the_image_is() -> None:
    path = DATA / "v2-64k.qcow2"

    assert lines(path)[0] == f"{path}: QCOW v2 · 8 MiB disk in a 704 KiB file · 64 KiB clusters"


@pytest.mark.parametrize(
    "line",
    [
        "header  qcow2::header  0x0 + 0x70",
        '  0x00000000       4  magic                     0x514649fb          "QFI\\xfb"',
        "  0x00000014       4  cluster_bits              16                  64 KiB clusters",
        "  0x00000028       8  l1_table_offset           0x30000             192 KiB",
        "  0x00000064       4  header_length             112",
        "    0x00000069       7  padding                   00 00 00 00 00 00 …  zeros",
        'snapshots[1]  qcow2::snapshot  0x90058 + 0x58  "größere Platte"',
        "l1_table  qcow2::l1_table  0x30000 + 0x8  1 entry, 1 in use",
    ],
)
def test_a_line_of_the_showcase(line: str) -> None:
    assert line in lines(SHOWCASE)


def test_a_small_structure_has_one_line_that_says_it_all() -> None:
    found = next(line for line in lines(SHOWCASE) if "dirty bit" in line)

    assert found.startswith("    0x00000088      48  entries[0] ")
    assert found.endswith('  incompatible bit 0: "dirty bit"')


@pytest.mark.parametrize(
    "line",
    [
        "  0x00030000  [0]             0x80000000000b0000  guest 0x0: L2 table at 0xb0000, copied",
        "  0x000b0010  [2]             0x0000000000000001  guest 0x20000: zero",
        "  0x000b0020  [4…8191]        0x0000000000000000  guest 0x40000: unallocated",
        "  0x00010000  [0]             0x0000000000020000  host 0x0: refcount block at 0x20000",
        "  0x0002000a  [5]             0x0003  host 0x50000: 3 references",
    ],
)
def test_a_row_of_the_showcase(line: str) -> None:
    assert line in lines(SHOWCASE, whole=True)


def test_without_tables_there_are_no_rows() -> None:
    assert [line for line in lines(SHOWCASE) if ROW.match(line)] == []


def test_with_hex_the_bytes_stand_beside_the_fields() -> None:
    expected = (
        "  0x00000014       4  cluster_bits              00 00 00 10              16"
        "                  64 KiB clusters"
    )

    assert expected in lines(SHOWCASE, hexadecimal=True)


def test_no_line_ends_in_blanks() -> None:
    assert [
        line for line in lines(SHOWCASE, whole=True, hexadecimal=True) if line[-1:] == " "
    ] == []


# --- The same as for machines ---------------------------------------------------------------------

FIELD = re.compile(r" +(0x[0-9a-f]{8,}) +(\d+)  (\S+)")
ROW = re.compile(r" +(0x[0-9a-f]{8,})  \[(\d+)(?:…(\d+))?\] +0x([0-9a-f]+)  ")
HEADING = re.compile(r" *(\S+)  (?:\S+::\S+)?  (0x[0-9a-f]+) \+ (0x[0-9a-f]+)(?:  |$)")


def structures(image: Image, *, whole: bool) -> list[Plain]:
    """The structures as JSON has them."""
    nodes = tree.structures(image, whole=whole)
    said: Plain = json.loads("".join(document.as_json(image, nodes, whole=whole)))
    found: list[Plain] = said["structures"]
    return found


def walk(nodes: list[Plain]) -> Iterator[Plain]:
    for node in nodes:
        yield node
        yield from walk(node.get("fields", []))


@pytest.mark.parametrize("name", QCOW)
def test_with_hex_every_field_has_a_line(name: str) -> None:
    with lay_open(DATA / name) as image:
        every = walk(structures(image, whole=False))
        fields = [node for node in every if "raw" in node and node["length"]]

    shown = lines(DATA / name, hexadecimal=True)
    found = [match.groups() for line in shown if (match := FIELD.match(line))]
    actual = [(int(offset, 16), int(length), field) for offset, length, field in found]
    assert actual == [(f["offset"], f["length"], f["name"]) for f in fields]


@pytest.mark.parametrize("name", QCOW)
def test_with_hex_every_structure_has_a_heading(name: str) -> None:
    with lay_open(DATA / name) as image:
        whole = structures(image, whole=False)
        expected = [n for n in walk(whole) if "raw" not in n or n in whole]

    shown = lines(DATA / name, hexadecimal=True)
    found = [match.groups() for line in shown if (match := HEADING.match(line))]
    actual = [(item, int(offset, 16), int(length, 16)) for item, offset, length in found]
    assert actual == [(n["name"], n["offset"], n["length"]) for n in expected]


@pytest.mark.parametrize("name", QCOW)
def test_every_entry_has_a_row(name: str) -> None:
    with lay_open(DATA / name) as image:
        tables = structures(image, whole=True)
        rows = [row for table in tables for row in table.get("entries", [])]

    found = (ROW.match(line) for line in lines(DATA / name, whole=True))
    actual = [
        (int(offset, 16), int(first), int(last or first) - int(first) + 1, raw)
        for offset, first, last, raw in (match.groups() for match in found if match)
    ]
    assert actual == [(r["offset"], r["index"], r["count"], r["raw"]) for r in rows]


def test_what_was_left_out_is_said() -> None:
    left = [line for line in lines(DATA / "v3-refcount-64.qcow2") if "--tables reads them" in line]

    assert len(left) == 2  # of the L2 tables, and of the refcount blocks


# --- The verdict ----------------------------------------------------------------------------------


def test_the_last_lines_of_a_sound_image() -> None:
    judged, unseen = lines(DATA / "v3-empty.qcow2")[-2:]

    assert re.fullmatch(r"QEMU opens this image\. \d+ rules judged, none broken\.", judged)
    assert unseen.startswith("Not looked at: ")


def verdict(content: bytes) -> str:
    """The line before the findings, up to their number."""
    line = next(line for line in lines(content) if line.startswith("QEMU "))
    return line.partition(".")[0]


def test_an_image_that_qemu_refuses() -> None:
    assert verdict(patched("v3-empty.qcow2", L1_SIZE, 0)) == "QEMU refuses this image"


def test_an_image_that_breaks_a_rule_and_opens() -> None:
    # QEMU never looks at the padding behind the compression type.
    assert verdict(patched("v3-empty.qcow2", PADDING, 1)) == "QEMU opens this image"


def test_a_finding_has_a_line_that_ends_in_its_rule() -> None:
    found = lines(patched("v3-empty.qcow2", L1_SIZE, 0))

    assert [line[:14] for line in found if line.endswith("[l1/size-minimum]")] == ["  at 0x24: l1_"]


def test_the_findings_are_as_many_as_their_lines() -> None:
    found = lines(patched("showcase.qcow2", L1_SIZE, 0))
    heading = next(index for index, line in enumerate(found) if line.startswith("QEMU "))

    count = re.search(r" rules judged, (\d+) broken:$", found[heading])
    assert count is not None
    assert int(count[1]) == len(found[heading + 1 : -1])


def test_what_only_an_operator_minds_is_no_finding() -> None:
    # Its backing file.
    assert lines(SHOWCASE)[-2].endswith(" rules judged, none broken.")


def test_findings_that_were_not_kept_are_counted() -> None:
    with lay_open(patched("v3-empty.qcow2", CLUSTER_BITS, 22)) as image:
        image.judge.counts["header/cluster-bits"] += 1000
        nodes = tree.structures(image, whole=False)
        found = list(text.lines(image, nodes, whole=False, hexadecimal=False))

    assert "  … and 1,000 more of header/cluster-bits" in found


# --- Colours --------------------------------------------------------------------------------------

ROLES = {"title", "layout", "offset", "name", "value", "meaning"}


def test_each_part_of_a_line_is_painted_in_its_role() -> None:
    roles = set()

    def note(words: str, role: str) -> str:
        roles.add(role)
        return words

    lines(DATA / "v3-empty.qcow2", whole=True, style=note)
    assert roles == {*ROLES, "good"}


def test_a_finding_is_painted_as_bad() -> None:
    painted = lines(patched("v3-empty.qcow2", L1_SIZE, 0), style=lambda words, role: role)

    assert painted[-2].strip() == "bad"


def test_colours_change_nothing_but_the_colour() -> None:
    painted = lines(SHOWCASE, whole=True, style=lambda words, role: f"<{role}|{words}|>")

    plain = [re.sub(r"<[a-z]+\||\|>", "", line).rstrip() for line in painted]
    assert plain == lines(SHOWCASE, whole=True)


# --- Names that somebody made up ------------------------------------------------------------------

NAME = b"before the update"
"""Of the first snapshot; the names below have its length."""

HOSTILE = {
    "escape": b"\x1b]0;pwned\x07\x1b[2J...",
    "8-bit escape": "\x9b31mred\x9b0m".encode().ljust(17, b"."),
    "line ends": b"a\r\nb\x0bc\x0cd\xc2\x85e\xe2\x80\xa8f".ljust(17, b"."),
    "right to left": "\u202egnp.exe".encode().ljust(17, b"."),
    "no UTF-8": b"\xff\xfe\xc3(\xed\xa0\x80\xf5".ljust(17, b"."),
}


@pytest.mark.parametrize("hexadecimal", [True, False], ids=["hex", "no hex"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_every_character_is_printable(kind: str, hexadecimal: bool) -> None:
    content = SHOWCASE.read_bytes().replace(NAME, HOSTILE[kind])

    found = lines(content, whole=True, hexadecimal=hexadecimal)
    assert [line for line in found if not line.isprintable()] == []


def snapshot_name(image: Image) -> Node:
    snapshot = next(n for n in tree.structures(image, whole=False) if n.name == "snapshots[0]")
    return next(child for child in snapshot.children if child.name == "name")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bare_value_is_printable(kind: str) -> None:
    with lay_open(SHOWCASE.read_bytes().replace(NAME, HOSTILE[kind])) as image:
        assert text.bare(snapshot_name(image)).isprintable()


@pytest.mark.parametrize("name", [b"before the update", b'"before" "update"', b"'before update'  "])
def test_a_bare_value_is_the_text_itself(name: bytes) -> None:
    with lay_open(SHOWCASE.read_bytes().replace(NAME, name)) as image:
        assert text.bare(snapshot_name(image)) == name.decode()


def test_a_bare_offset_is_hexadecimal_and_a_count_decimal() -> None:
    with lay_open(SHOWCASE) as image:
        header = next(tree.structures(image, whole=False))

    fields = {child.name: child for child in header.children}
    assert text.bare(fields["l1_table_offset"]) == "0x30000"
    assert text.bare(fields["nb_snapshots"]) == "2"
