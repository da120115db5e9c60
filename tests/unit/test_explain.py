"""`qcowspec explain` says what dump, check and map say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qcowspec.check import owners as owner_map
from qcowspec.check import references, refusal
from qcowspec.check.ownership import Owner, words
from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from qcowspec.image import Image, lay_open
from qcowspec.mapping import Kind
from qcowspec.report import explain as explanation
from qcowspec.report import explain_structures, tree
from qcowspec.report.document import row
from qcowspec.report.explain import explain
from qcowspec.report.explain_guest import explain_guest
from qcowspec.report.explain_structures import around, offset_of
from qcowspec.report.explain_text import guest_lines, host_lines
from qcowspec.report.nodes import Node
from qcowspec.spec import decoding
from qcowspec.spec.entries import KINDS, Frame
from tests.command import run
from tests.every import every

DATA = Path(__file__).parents[1] / "data"
IMAGES = sorted(path for path in DATA.iterdir() if path.suffix in (".qcow", ".qcow2"))
SHOWCASE = DATA / "showcase.qcow2"

MOST = 24
"""Entries, bytes, clusters or runs that are tried of each image or table."""


def some(items: list[Any], seed: int = 1) -> list[Any]:
    return items if len(items) <= MOST else random.Random(seed).sample(items, MOST)


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    path = f"{path}.{node.name}" if path else node.name
    if not node.children and node.length and node.raw is not None:
        yield path, node
    for child in node.children:
        yield from leaves(child, path)


def named(path: Path) -> str:
    return path.name


# --- against dump ---------------------------------------------------------------------------------


@every("path", IMAGES, ids=named)
def test_every_field_of_a_dump_is_found_by_its_bytes_and_its_path(path: Path) -> None:
    with lay_open(path) as image:
        for structure in tree.structures(image, whole=False):
            for name, leaf in leaves(structure):
                for offset in {leaf.offset, leaf.offset + leaf.length - 1}:
                    found = {inside.path: inside for inside in around(image, offset)}

                    assert found[name].levels[-1] == leaf
                assert offset_of(image, name) == leaf.offset


@every("path", IMAGES, ids=named)
def test_every_table_entry_of_a_dump_is_found_by_its_bytes_and_its_path(path: Path) -> None:
    with lay_open(path) as image:
        tables = [node for node in tree.structures(image, whole=True) if node.rows is not None]
        for table in tables:
            assert table.rows is not None
            for shown in some(list(table.rows())):
                name = f"{table.name}[{shown.index}]"
                assert offset_of(image, name) == shown.offset
                last = shown.offset + max(1, shown.bits // 8) - 1
                for offset in {shown.offset, last}:
                    rows = [each for one in around(image, offset) for each in one.rows]
                    same = row(shown) | {"count": 1}

                    assert same in [row(each) for each in rows]


# --- against check --------------------------------------------------------------------------------


@every("path", IMAGES, ids=named)
def test_the_owners_of_clusters_are_those_of_the_owner_map(path: Path) -> None:
    with lay_open(path) as image:
        if image.header.version == 1:
            pytest.skip("version 1 has no owner map")
        try:
            owners = owner_map(image)
        except QcowError:
            pytest.skip("QEMU does not check it")
        size = image.geometry.cluster_size
        for number in some(list(range(len(owners)))):
            said = explain(image, min(number * size + 5, image.source.length - 1))
            known = int(owners[number]) & ~Owner.TWICE

            assert {each["owner"] for each in said["cluster"]["owners"]} == set(words(known))


def test_a_leaked_cluster_is_called_so() -> None:
    with lay_open(DATA / "v3-leaks.qcow2") as image:
        assert explain(image, 0x6000)["is"].startswith("leaked")


def test_the_rest_of_a_table_s_cluster_is_called_so() -> None:
    with lay_open(SHOWCASE) as image:
        assert (
            explain(image, 0x30000 + 0x8000)["is"] == "the unused rest of the cluster of l1_table"
        )
        assert explain(image, 0xFFF0)["is"] == "the header's cluster, outside every structure"


# --- against map ----------------------------------------------------------------------------------


def data_runs(image: Image) -> list[Any]:
    kinds = Kind.DATA, Kind.COMPRESSED
    return [each for each in image.runs() if each.kind in kinds]


@every("path", IMAGES, ids=named)
def test_where_the_guest_sees_a_byte_is_where_the_map_has_it(path: Path) -> None:
    with lay_open(path) as image:
        try:
            runs = data_runs(image)
        except QcowError:
            pytest.skip("QEMU does not open it")
        for run_ in some(runs):
            guest = run_.offset + (0 if run_.kind is Kind.COMPRESSED else run_.length - 1)
            way = explain_guest(image, guest, None)["layers"][0]
            assert way["kind"] == run_.kind.name.lower()
            assert way["host_offset"] == run_.host_offset + guest - run_.offset
            if image.has_data_file or way["host_offset"] >= image.source.length:
                continue
            said = explain(image, way["host_offset"])
            seen = said["guest"]
            if said["cluster"]["references"] > len(seen):
                continue  # a cluster that many entries share

            assert (None, guest) in [(each["state"], each["offset"]) for each in seen]


def test_a_byte_before_an_unaligned_cluster_is_not_the_guest_s() -> None:
    """The check counts both clusters that the entry reaches into."""
    data = bytearray(SHOWCASE.read_bytes())
    with lay_open(SHOWCASE) as image:
        run_ = next(each for each in image.runs() if each.kind is Kind.DATA)
        entry = offset_of(image, f"l2_tables[0][{run_.offset // image.geometry.cluster_size}]")
    moved = (run_.host_offset or 0) + 512
    data[entry : entry + 8] = (1 << 63 | moved).to_bytes(8, "big")
    with lay_open(bytes(data)) as image:
        before, inside = explain(image, moved - 1), explain(image, moved)

    owners = [owner for owner in before["cluster"]["owners"] if owner["guest"] == run_.offset]
    assert [owner["has_byte"] for owner in owners if owner["state"] is None] == [False]
    assert not any(seen["state"] is None for seen in before["guest"])
    assert (None, run_.offset) in [(seen["state"], seen["offset"]) for seen in inside["guest"]]


def test_a_guest_byte_is_followed_through_the_chain() -> None:
    said = json.loads(
        run(
            "explain", "--json", "--guest", "16k", "--allow", "same-dir", DATA / "v3-chain.qcow2"
        ).stdout
    )

    assert [layer["kind"] for layer in said["layers"]] == ["backing", "compressed"]
    assert said["byte"] == ord("0")


def test_a_backing_file_is_not_opened_unless_allowed() -> None:
    said = json.loads(run("explain", "--json", "--guest", "16k", DATA / "v3-chain.qcow2").stdout)

    assert [layer["kind"] for layer in said["layers"]] == ["backing"]
    assert said["byte"] is None
    assert "--allow" in said["why_no_byte"]


@every("path", IMAGES, ids=named)
def test_the_byte_is_the_one_that_the_guest_reads(path: Path) -> None:
    with lay_open(path, allow="same-dir") as image:
        if int(image.header.crypt_method):
            pytest.skip("encrypted")
        try:
            size = image.disk().size
        except QcowError:
            pytest.skip("QEMU does not open it")
        for offset in some(list(range(0, size, max(1, size // 8) - 1 or 1)))[:8]:
            said = explain_guest(image, offset, None)

            assert said["byte"] == image.pread(offset, 1)[0]


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "byte", "rule"),
    [
        ("header.cluster_bits", 3, "header/cluster-bits"),
        ("header.l1_size", 3, "l1/size-minimum"),
        ("header.magic", 0, "probe/magic"),
        ("l1_table[0]", 7, "l1/reserved"),
        ("l2_tables[0][0]", 7, "l2/reserved"),
        ("refcount_table[0]", 7, "refcounts/reserved"),
    ],
)
def test_broken_rules_are_named_where_they_are_broken(path: str, byte: int, rule: str) -> None:
    data = bytearray((DATA / "v3-512.qcow2").read_bytes())
    with lay_open(bytes(data)) as image:
        offset = offset_of(image, path)
    data[offset + byte] = 0 if path == "header.l1_size" else data[offset + byte] ^ 0x40 | 2
    with lay_open(bytes(data), format="qcow2") as image:
        states = {each["rule"]: each["state"] for each in explain(image, offset)["rules"]}

    assert states[rule] == "broken"


def test_rules_that_nobody_applied_are_not_said_to_hold() -> None:
    with lay_open(SHOWCASE) as image:
        said = explain(image, offset_of(image, "refcount_blocks[0][3]"))["rules"]

    assert {each["state"] for each in said} == {"not looked at"}


# --- whatever the image and the offset are --------------------------------------------------------


@pytest.mark.parametrize("name", ["v3-512.qcow2", "v2-snapshots.qcow2", "v1-compressed.qcow"])
def test_no_mutant_gets_a_traceback(name: str) -> None:
    chance, data = random.Random(name), (DATA / name).read_bytes()
    for _ in range(60):
        mutant = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.choice([chance.randrange(120), chance.randrange(len(mutant))])
            mutant[at] = chance.choice([0, 0xFF, mutant[at] ^ 1 << chance.randrange(8)])
        try:
            image = lay_open(bytes(mutant))
        except QcowError:
            continue
        with image:
            for offset in (0, chance.randrange(len(data)), chance.randrange(1 << 63)):
                assert list(host_lines(explain(image, offset)))
            try:
                assert list(guest_lines(explain_guest(image, chance.randrange(1 << 20), None)))
            except QcowError:
                continue


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((1 << 63,), 2),
        ((1 << 64,), 2),
        ((-1,), 2),
        (("--", -1), 2),
        (("text",), 2),
        (("",), 2),
        (("l2_tables[3]",), 2),
        (("l2_tables[99999999999999999999][0]",), 2),
        (("l1_table[9999999]",), 2),
        (("snapshots[7].l1_table[0]",), 2),
        (("bitmaps[7].bitmap_table",), 2),
        (("header.nothing",), 2),
        (((1 << 63) - 1,), 1),
        (("1T",), 1),
        (("--guest", "1T"), 1),
        (("--guest", "0", "--snapshot", "none"), 2),
        (("--snapshot", "1", "0"), 2),
        (("--guest", "0", "0"), 2),
        ((), 2),
    ],
)
def test_hostile_offsets(words: tuple[object, ...], status: int) -> None:
    done = run("explain", DATA / "v3-512.qcow2", *words)

    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_text_and_json_agree_on_the_path() -> None:
    words = "explain", SHOWCASE, "l2_tables[0][1]"

    assert run(*words).stdout.startswith("byte 0xb0008 (720,904): l2_tables[0][1]\n")
    assert json.loads(run(*words, "--json").stdout)["is"] == "l2_tables[0][1]"


# --- bits -----------------------------------------------------------------------------------------


def bits_at(image: Path, path: str, byte: int = 0) -> list[tuple[str, int, int, int]]:
    """The named bits of one byte: name, highest bit, lowest bit, value."""
    with lay_open(image) as opened:
        inside = explain(opened, offset_of(opened, path) + byte)["inside"][0]
    named = (inside.get("entries") or inside["levels"][-1:])[0].get("named_bits", [])
    return [(each["name"], *each["bits"], each["value"]) for each in named]


FLAGS = [
    ("showcase.qcow2", "l1_table[0]", 0, [("copied", 63, 63, 1), ("reserved", 62, 56, 0)]),
    (
        "showcase.qcow2",
        "l2_tables[0][1]",
        0,
        [("copied", 63, 63, 0), ("compressed", 62, 62, 1), ("csize", 61, 56, 7)],
    ),
    ("showcase.qcow2", "l2_tables[0][1]", 5, [("coffset", 23, 16, 5)]),
    ("showcase.qcow2", "l2_tables[0][2]", 7, [("reserved", 7, 1, 0), ("zero", 0, 0, 1)]),
    (
        "v3-extended-l2.qcow2",
        "l2_tables[0][0]",
        0,
        [("copied", 127, 127, 1), ("compressed", 126, 126, 0), ("reserved", 125, 120, 0)],
    ),
    (
        "v3-extended-l2.qcow2",
        "l2_tables[0][0]",
        11,
        [("l2_bitmap, reads as zeros", 39, 32, 0x10)],
    ),
    ("showcase.qcow2", "refcount_table[0]", 7, [("reserved", 7, 0, 0)]),
    ("showcase.qcow2", "refcount_blocks[0][0]", 0, []),
    ("showcase.qcow2", "header.cluster_bits", 0, []),
    (
        "showcase.qcow2",
        "header.incompatible_features",
        7,
        [
            ("extended L2 entries", 4, 4, 0),
            ("compression type", 3, 3, 0),
            ("external data file", 2, 2, 0),
            ("corrupt bit", 1, 1, 0),
            ("dirty bit", 0, 0, 0),
        ],
    ),
]


@pytest.mark.parametrize(("name", "path", "byte", "expected"), FLAGS)
def test_bits_are_named(name: str, path: str, byte: int, expected: list[Any]) -> None:
    found = bits_at(DATA / name, path, byte)

    assert [(f.strip('"'), *rest) for f, *rest in found] == expected


@every("layout", [name for name in decoding.FIELDS if name.endswith("l2_table")])
def test_the_bits_of_entries_are_those_that_the_decoder_reads(layout: str) -> None:
    """Masks have no bit in common, and what they cut out is what the views say."""
    chance, view = random.Random(layout), KINDS[layout.replace("table", "entry")]
    with lay_open(DATA / ("v1-backing.qcow" if "qcow1" in layout else "showcase.qcow2")) as image:
        geometry = image.geometry
    for _ in range(500):
        word = chance.getrandbits(64)
        masks = decoding.parts(layout, word, geometry.cluster_bits)
        decoded = view(word, Frame(geometry))
        place = "coffset" if decoded.compressed else "offset"

        assert sum(masks.values()) == reduce(or_, masks.values())
        assert bool(word & masks["compressed"]) == bool(decoded.compressed)
        assert word & masks[place] == getattr(decoded, place)
        if "qcow1" not in layout:
            assert bool(word & masks["copied"]) == bool(decoded.copied)
            unnamed = decoding.FULL & ~sum(masks.values())
            assert decoded.compressed or unnamed == view.RESERVED


def test_dump_at_is_explain() -> None:
    for word in ("0xb0008", "l2_tables[0][1]", "1T"):
        for options in ((), ("--json",)):
            one = run("explain", SHOWCASE, word, *options)
            other = run("dump", "--at", word, SHOWCASE, *options)

            assert (other.returncode, other.stdout) == (one.returncode, one.stdout)


@pytest.mark.parametrize("option", ["--yaml", "--tables", "--hex"])
def test_dump_at_takes_no_option_that_it_ignores(option: str) -> None:
    assert run("dump", "--at", "0", option, SHOWCASE).returncode == 2


def test_a_payload_of_no_bytes_has_no_host_byte() -> None:
    data = bytearray((DATA / "v1-plain.qcow").read_bytes())
    with lay_open(bytes(data)) as image:
        entry = offset_of(image, "l2_tables[0][0]")
    data[entry : entry + 8] = (1 << 63).to_bytes(8, "big")
    with lay_open(bytes(data)) as image:
        said = explain_guest(image, 0)

    assert said["layers"][0]["compressed_length"] == 0
    assert (said["host"], said["byte"]) == (None, None)


def test_the_host_byte_of_a_guest_byte_is_explained() -> None:
    with lay_open(SHOWCASE) as image:
        host = explain_guest(image, 0x10000, None)["host"]

    assert (host["offset"], host["is"]) == (0x50000, "compressed guest data")
    assert (host["refcount"], host["references"]) == (3, 3)
    assert host["owners"][0] == "l2_tables[0][1]"


# --- what bounds leave out ------------------------------------------------------------------------

CUTS = [
    ("v3-1tib.qcow2", 0x50000, references, "SEARCHED", "l2-tables"),
    ("showcase.qcow2", 0x50010, references, "L1_READ", "snapshots-l1"),
    ("showcase.qcow2", 0x50010, references, "NAMED", "references"),
    ("showcase.qcow2", 0x50010, explanation, "SEEN", "guest"),
    ("showcase.qcow2", 0x50010, explain_structures, "L1_READ", "snapshots"),
    ("showcase.qcow2", 0x50010, explain_structures, "TABLES", "snapshots"),
    ("showcase.qcow2", 0x50010, explain_structures, "TABLES", "bitmaps"),
    ("showcase.qcow2", 0xB0008, explain_structures, "NAMED", "structures"),
]


@pytest.mark.parametrize(("name", "offset", "module", "bound", "cut"), CUTS)
def test_nothing_is_complete_that_a_bound_cut(
    name: str,
    offset: int,
    module: ModuleType,
    bound: str,
    cut: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lay_open(DATA / name) as image:
        assert explain(image, offset)["complete"]
        monkeypatch.setattr(module, bound, 0)
        said = explain(image, offset)

    assert not said["complete"]
    assert cut in {each["bound"] for each in said["cuts"]}
    lines = list(host_lines(said))
    for each in said["cuts"]:
        assert any(line.endswith(each["says"]) for line in lines)


def test_an_image_that_qemu_refuses_is_followed() -> None:
    vector = next(v for v in vectors.everything() if v.id == "bitmaps/granularity-bits/8")
    with lay_open(vectors.image(vector)) as image:
        assert refusal(image.judge) is not None
        said = explain(image, offset_of(image, "l1_table[0]"))

    assert [owner["path"] for owner in said["cluster"]["owners"]] == ["l1_table"]
    assert said["complete"]


def test_where_the_guest_sees_a_byte_of_a_refused_image_is_not_known() -> None:
    """The L1 table has more entries than QEMU reads, and is not read; its place is known."""
    data = bytearray(SHOWCASE.read_bytes())
    data[36:40] = (1 << 31).to_bytes(4, "big")
    with lay_open(bytes(data)) as image:
        said = explain(image, 0x50010)

    assert {each["kind"] for each in said["guest"]} <= {None}
    assert list(host_lines(said))


def test_what_was_not_followed_is_not_called_free() -> None:
    data = bytearray((DATA / "v3-512.qcow2").read_bytes())
    with lay_open(bytes(data)) as image:
        entry = offset_of(image, "l1_table[0]")
    data[entry : entry + 8] = (1 << 63 | 1 << 40).to_bytes(8, "big")
    with lay_open(bytes(data)) as image:
        said = [explain(image, offset) for offset in range(0, len(data), 512)]

    assert not any(each["complete"] for each in said)
    assert not any(each["is"].startswith(("free", "leaked")) for each in said)
    assert any(each["is"].startswith("not known") for each in said)


def test_nothing_is_known_after_a_header_without_geometry() -> None:
    data = bytearray(SHOWCASE.read_bytes())
    data[20:24] = (63).to_bytes(4, "big")
    with lay_open(bytes(data)) as image:
        said = explain(image, 0x50010)

    assert (said["cluster"], said["complete"]) == (None, False)
    assert "cluster_bits" in said["why_no_cluster"]
