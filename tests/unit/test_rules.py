"""The judge: which rules count for a profile, which broken one comes first, and at what cost."""

from __future__ import annotations

import ast
import inspect
import struct
import time
from math import inf
from pathlib import Path
from typing import get_args

import pytest
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES

from qcowspec.image import Image, lay_open
from qcowspec.spec.entry_rules import HOLDS
from qcowspec.spec.predicates import FACTS, FUNCTIONS, READS
from qcowspec.spec.predicates.binding import Reads
from qcowspec.spec.profiles import NEWEST, Version, check_profile, refused_by, refuses
from qcowspec.spec.rules import BY_ID, KEPT_PER_RULE
from tools.generator.layouts import read_layouts
from tools.generator.numbers import declarations

DATA = Path(__file__).parents[1] / "data"
FORMATS = Path(__file__).parents[2] / "formats"

SECONDS = 20
"""For images made to take long: a few times what they take on a slow machine."""


def patched(name: str, *changes: tuple[int, bytes]) -> Image:
    """An image of tests/data with other bytes here and there."""
    data = bytearray((DATA / name).read_bytes())
    for offset, change in changes:
        data.extend(bytes(max(0, offset + len(change) - len(data))))
        data[offset : offset + len(change)] = change
    return lay_open(bytes(data))


def first(image: Image, profile: str = "qemu") -> str | None:
    found = image.judge.first(profile)
    return None if found is None else found.rule


def number(value: int, width: int) -> bytes:
    return value.to_bytes(width, "big")


# --- every rule is judged when its row says -------------------------------------------------------


def test_a_rule_has_one_predicate_where_its_row_says_that_it_is_judged() -> None:
    for rule in RULES:
        assert (rule.judged == "entries") == (rule.id in HOLDS), rule.id
        judged_on_opening = rule.judged == "opening" and rule.predicate == "function"
        assert judged_on_opening == (rule.id in FUNCTIONS), rule.id
        assert rule.judged in ("opening", "entries") or rule.predicate == "function", rule.id


def test_no_opening_by_qemu_needs_a_rule_that_is_judged_later() -> None:
    when: dict[str, tuple[str | None, ...]] = {
        "data": ("data",),
        "entries": ("data", "check", None),
        "files": ("data", "chain", None),
        "keys": ("data",),
        "writing": ("write",),
        "stream": (None,),
        "check": ("check", None),
    }
    for rule in RULES:
        if rule.judged != "opening":
            assert rule.qemu.when in when[rule.judged], rule.id
            assert not refuses(rule, "qemu"), rule.id


def test_every_function_is_some_rules() -> None:
    ids = {rule.id for rule in RULES}

    assert FUNCTIONS.keys() | FACTS.keys() <= ids


def test_a_function_reads_more_than_its_structure() -> None:
    """What a structure says by itself is an instance of its .ksy; a function says what it reads."""
    assert READS.keys() == FUNCTIONS.keys()
    assert set(READS.values()) <= set(get_args(Reads))
    for rule, function in FUNCTIONS.items():
        image = list(inspect.signature(function).parameters)[1]
        body = ast.parse(inspect.getsource(function))
        assert image in {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}, rule
        seen = {
            node.attr
            for node in ast.walk(body)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == image
        }
        assert (seen == {"qcow2_header"}) <= (READS[rule] == "the header"), rule


def test_a_function_reads_the_header_only_where_its_type_has_no_parameters() -> None:
    """The fields of the header that a type takes already are there for its instances."""
    layouts = read_layouts(declarations(FORMATS))
    types = {layout.name: layout for top in layouts.values() for layout in top.walk()}
    for rule, reads in READS.items():
        assert reads != "the header" or types[BY_ID[rule].on].params == [], rule


# --- profiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "parts"),
    [
        ("qemu", ("qemu", NEWEST)),
        ("qemu@7.2", ("qemu", (7, 2, inf))),
        ("qemu@10.0.3", ("qemu", (10, 0, 3, inf))),
        ("librbd", ("librbd", NEWEST)),
        ("spec", ("spec", NEWEST)),
        ("untrusted", ("untrusted", NEWEST)),
    ],
)
def test_a_profile_is_named_so(profile: str, parts: tuple[str, Version]) -> None:
    assert check_profile(profile) == parts


@pytest.mark.parametrize(
    "profile", ["", "QEMU", "qemu@", "qemu@x", "qemu@7.", "spec@1", "qemu-7.2"]
)
def test_a_profile_is_not_named_so(profile: str) -> None:
    with pytest.raises(ValueError, match="profile"):
        check_profile(profile)


@pytest.mark.parametrize(
    ("rule", "profile", "expected"),
    [
        ("header/subcluster-size", "qemu@5.1", False),
        ("header/subcluster-size", "qemu@5.2", True),
        ("header/subcluster-size", "qemu@5.2.1", True),
        ("header/subcluster-size", "qemu", True),
        ("encryption/crypto-present", "qemu@7.2.22", False),
        ("encryption/crypto-present", "qemu@10.0", True),
        ("encryption/crypto-followed", "qemu@9.2", True),
        ("encryption/crypto-followed", "qemu@10.0", False),
        ("encryption/crypto-followed", "qemu", False),
        ("header/data-file-raw", "qemu", False),
        ("header/data-file-raw", "qemu@5.2", True),
        ("header/data-file-raw", "qemu@7.2.12", True),
        ("header/data-file-raw", "qemu@7.2.13", False),
        ("header/data-file-raw", "qemu@7.2", False),
        ("header/data-file-raw", "qemu@8.1", True),
        ("header/data-file-raw", "qemu@9.0.1", True),
        ("header/data-file-raw", "qemu@9.1", False),
        ("backing/data-file-found", "qemu@8.2.5", True),
        ("backing/data-file-found", "qemu@8.2.6", False),
        ("backing/data-file-found", "qemu", False),
        ("l1/read", "qemu@5.2", False),
        ("l1/read", "qemu@6.0", True),
        ("encryption/luks-hash-sm3", "qemu@9.1", True),
        ("encryption/luks-hash-sm3", "qemu@9.2", False),
        ("header/corrupt", "qemu", False),
        ("snapshots/count", "qemu", True),
        ("snapshots/l1-size", "qemu", False),
        ("header/data-file-raw", "spec", True),
        ("header/corrupt", "spec", False),
        ("header/corrupt", "untrusted", True),
        ("header/data-file-raw", "untrusted", True),
        ("header/librbd-data-file", "librbd", True),
        ("header/librbd-data-file", "untrusted", False),
    ],
)
def test_a_rule_counts_for_a_profile(rule: str, profile: str, expected: bool) -> None:
    assert refuses(BY_ID[rule], profile) == expected


def test_an_operator_asks_for_all_that_the_document_asks_for() -> None:
    assert refused_by("spec") < refused_by("untrusted")


# --- which broken rule comes first ----------------------------------------------------------------


def test_rules_come_in_qemus_order_whatever_the_order_of_the_stages() -> None:
    # The name's length is looked at behind the extensions, a table's offset before them.
    image = patched("v3-backing.qcow2", (16, number(2000, 4)), (40, number(8, 8)))

    assert first(image) == "l1/table-offset"
    assert {"backing/file-size", "l1/table-offset"} <= image.judge.counts.keys()


def test_all_rules_of_one_key_slot_come_before_those_of_the_next() -> None:
    image = lay_open(DATA / "v3-luks.qcow2")
    part = image.metadata.luks_part
    assert part is not None
    slots = part.offset + c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE - 8 * c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE
    # Of one slot QEMU looks at the stripes before it looks at the place.
    in_the_header, odd = (slots + 40, number(0, 4)), (slots + 48 + 44, number(5, 4))

    image = patched("v3-luks.qcow2", in_the_header, odd)

    assert first(image) == "encryption/luks-slot-offset"
    assert "encryption/luks-slot-stripes" in image.judge.counts


def bitmaps_image(*entries: tuple[int, int, bytes]) -> Image:
    """An image with bitmaps: granularity_bits, flags and name of each."""
    image = bytearray((DATA / "v3-empty.qcow2").read_bytes())
    directory, table = len(image) + -len(image) % 65536, len(image) + -len(image) % 65536 + 65536
    data = b""
    for granularity, flags, name in entries:
        entry = struct.pack(">QIIBBHI", table, 1, flags, 1, granularity, len(name), 0) + name
        data += entry + bytes(-len(entry) % 8)
    extension = struct.pack(
        ">IIIIQQ", c.QCOW2_EXT_MAGIC_BITMAPS, 24, len(entries), 0, len(data), directory
    )
    return patched(
        "v3-empty.qcow2",
        (88, number(1, 8)),
        (112, extension + bytes(400)),
        (directory, data),
        (table, bytes(65536)),
    )


def test_the_whole_directory_comes_before_any_name() -> None:
    image = bitmaps_image((16, 0, b"same"), (16, 0, b"same"), (40, 0, b"other"))

    assert first(image) == "bitmaps/granularity-bits"
    assert {"bitmaps/name-unique", "bitmaps/granularity-bits"} <= image.judge.counts.keys()


def test_one_bitmaps_table_comes_before_the_next_ones_name() -> None:
    # table-size-exact of the first bitmap, then name-unique of the third.
    image = bitmaps_image((9, 0, b"a"), (31, 0, b"b"), (31, 0, b"b"))
    places = {f.rule: f.place for f in image.judge.findings}

    assert first(image) == "bitmaps/name-unique"
    assert places["bitmaps/name-unique"][1] == 2


def test_the_first_finding_is_the_one_that_open_raises() -> None:
    image = patched("v3-empty.qcow2", (20, number(8, 4)))
    found = image.judge.first("qemu")

    assert found is not None
    assert (found.rule, found.offset, found.value) == ("header/cluster-bits", 20, 8)
    assert (found.error().rule, found.error().value) == ("header/cluster-bits", 8)


def test_a_version_that_nobody_knows_breaks_no_rule_of_those_that_somebody_knows() -> None:
    image = patched("v3-empty.qcow2", (4, number(4, 4)), (96, number(99, 4)))

    assert set(image.judge.counts) == {"probe/version"}


def test_a_wrong_header_length_leaves_the_tables_where_they_are() -> None:
    image = patched("v3-snapshots.qcow2", (100, number(96, 4)))

    assert first(image) == "header/header-length-minimum"
    assert len(image.snapshots) > 0
    assert len(image.extensions) == 0


# --- cost -----------------------------------------------------------------------------------------


def large_clusters() -> bytearray:
    """The smallest image with clusters of 2 MiB: its header says so."""
    data = bytearray((DATA / "v3-empty.qcow2").read_bytes()[:112])
    struct.pack_into(">I", data, 20, c.MAX_CLUSTER_BITS)
    for field in (40, 48, 64):
        struct.pack_into(">Q", data, field, 1 << c.MAX_CLUSTER_BITS)
    return data


def test_findings_do_not_flood() -> None:
    data = large_clusters()
    data += b"".join(struct.pack(">II", 0x10000000 + i, 0) for i in range(4000))

    image = lay_open(bytes(data))
    kept = [f for f in image.judge.findings if f.rule == "extensions/untrusted-unknown"]

    assert image.judge.counts["extensions/untrusted-unknown"] == 4000
    assert len(kept) == KEPT_PER_RULE


def test_a_cluster_full_of_empty_extensions_takes_no_time() -> None:
    data = large_clusters()
    data += struct.pack(">II", 0x10000000, 0) * (((1 << c.MAX_CLUSTER_BITS) - len(data)) // 8)
    started = time.monotonic()

    image = lay_open(bytes(data))

    assert time.monotonic() - started < SECONDS
    assert len(image.extensions) == c.POLICY_MAX_HEADER_EXTENSIONS
    assert "extensions/untrusted-count" in image.judge.counts


def test_a_broken_extension_behind_those_that_are_kept_is_found_nevertheless() -> None:
    data = large_clusters()
    count = c.POLICY_MAX_HEADER_EXTENSIONS + 7
    data += struct.pack(">II", 0x10000000, 0) * count + struct.pack(">II", 1, 1 << 30)

    assert first(lay_open(bytes(data))) == "extensions/len"


def test_as_many_snapshots_as_there_may_be_take_no_time() -> None:
    image_bytes = bytearray((DATA / "v3-empty.qcow2").read_bytes())
    struct.pack_into(">IQ", image_bytes, 60, c.QCOW_MAX_SNAPSHOTS, 1 << 30)
    started = time.monotonic()

    image = lay_open(bytes(image_bytes))

    assert time.monotonic() - started < SECONDS
    assert len(image.snapshots) == c.QCOW_MAX_SNAPSHOTS
    assert first(image) is None
