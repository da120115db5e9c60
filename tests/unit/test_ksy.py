"""The Kaitai declarations: their style, and that no file shakes the parsers made from them.

What comes in: formats/kaitai, the generated parsers, the images of tests/data. What is claimed: the
files keep the gallery's style and this house's; images that QEMU made keep every rule and say what
qemu-img says; whatever bytes a file has, only its header can run out of them.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import struct
import subprocess
from collections import deque
from collections.abc import Iterator
from io import BytesIO
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from kaitaistruct import KaitaiStream, KaitaiStruct
from qcow_parsers import Luks1, Qcow, Qcow1, Qcow2
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES

from tests.every import every
from tools import gallery

ROOT = Path(__file__).parents[2]
KAITAI = ROOT / "formats/kaitai"
SPECS: dict[str, dict[str, Any]] = {
    path.stem: gallery.read(path) for path in sorted(KAITAI.glob("*.ksy"))
}
TYPES: dict[str, dict[str, Any]] = dict(SPECS) | {
    f"{stem}::{name}": each for stem, spec in SPECS.items() for name, each in spec["types"].items()
}
PARSERS: dict[str, Any] = {"qcow": Qcow, "qcow1": Qcow1, "qcow2": Qcow2, "luks1": Luks1}
IMAGES = sorted((ROOT / "tests/data").glob("*.qcow*"))

by_file = every("stem", SPECS)
by_type = every("layout", TYPES)
by_image = every("path", IMAGES, ids=lambda path: path.name)


def fields_of(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in ("params", "seq"):
        yield from ((each["id"], each) for each in spec.get(key, []))
    yield from spec.get("instances", {}).items()


# ---- style: the gallery's guide, and this house's own rules

META = [
    "id", "title", "application", "file-extension", "xref", "tags", "license", "ks-version",
    "imports", "encoding", "endian", "bit-endian",
]  # fmt: skip
TYPE = [
    "meta", "doc", "doc-ref", "-webide-representation", "params", "seq", "instances", "types",
    "enums",
]  # fmt: skip
FIELD = [
    "id", "-orig-id", "io", "pos", "value", "size", "size-eos", "terminator", "type", "enum",
    "repeat", "repeat-expr", "repeat-until", "if", "doc",
]  # fmt: skip


def in_order(keys: Any, order: list[str]) -> bool:
    """Whether all keys are known and none stands before one that it has to follow."""
    return all(order.index(a) < order.index(b) for a, b in pairwise(keys))


@by_file
def test_text_is_tidy(stem: str) -> None:
    text = (KAITAI / f"{stem}.ksy").read_text("utf-8")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\t" not in text
    wide = [line for line in text.splitlines() if len(line) > 80 and "https://" not in line]
    assert wide == []


@by_file
def test_meta_is_as_the_gallery_wants_it(stem: str) -> None:
    meta = SPECS[stem]["meta"]
    assert in_order(meta, META)
    assert meta["id"] == stem
    assert meta["license"] == "CC0-1.0"
    assert sorted(meta["xref"]) == list(meta["xref"])
    assert sorted(meta["tags"]) == meta["tags"]


@by_type
def test_a_type_says_what_it_is_and_where_that_is_from(layout: str) -> None:
    spec = TYPES[layout]
    assert in_order(spec, TYPE)
    assert spec["doc"].strip()
    assert spec["doc-ref"]


@by_type
def test_every_field_is_in_order_and_documented(layout: str) -> None:
    for name, field in fields_of(TYPES[layout]):
        order = ["value", "pos", *FIELD] if "value" in field else FIELD
        assert in_order(field, list(dict.fromkeys(order))), name
        doc = " ".join(field["doc"].split())
        assert doc.endswith("."), name
        assert " should " not in doc, name
    for enum in TYPES[layout].get("enums", {}).values():
        assert all(member["doc"].endswith(".") for member in enum.values())


@by_type
def test_nothing_aborts_a_parse_but_the_end_of_the_bytes(layout: str) -> None:
    for _, field in fields_of(TYPES[layout]):
        assert not {"valid", "contents", "process", "encoding"} & field.keys()
        # Within bytes that have been read, a terminator may be missing.
        assert "terminator" not in field or {"size", "size-eos"} & field.keys()


@by_type
def test_a_type_needs_nothing_but_its_bytes_and_parameters(layout: str) -> None:
    """Only the places of tables reach for the file, and only when they are looked at."""
    for _, field in fields_of(TYPES[layout]):
        for key in gallery.EXPRESSIONS & field.keys():
            assert "_parent" not in str(field[key])
            if "_root" in str(field[key]):
                assert layout.endswith("_at")
                assert field["io"] == "_root._io"


@by_type
def test_no_bit_field_has_more_than_32_bits(layout: str) -> None:
    widths = [field["type"] for _, field in fields_of(TYPES[layout]) if "type" in field]
    assert [w for w in widths if re.fullmatch(r"b\d+", str(w)) and int(w[1:]) > 32] == []


# ---- whole files


Found = tuple[str, Any]


def walk(value: Any, path: str = "", *, ends: int = 3, alone: bool = False) -> Iterator[Found]:
    """Everything below a parsed object, instances included; of long lists both ends.

    What is `alone`, without its file, has no places to go to.
    """
    if isinstance(value, KaitaiStruct):
        if alone and type(value).__name__.endswith("At"):
            return
        stored = [name for name in vars(value) if not name.startswith("_")]
        derived = [name for name, each in vars(type(value)).items() if isinstance(each, property)]
        for name in [*stored, *derived]:
            yield from walk(getattr(value, name), f"{path}.{name}", ends=ends, alone=alone)
    elif isinstance(value, list):
        for index in sorted({*range(len(value))[:ends], *range(len(value))[-ends:]}):
            yield from walk(value[index], f"{path}[{index}]", ends=ends, alone=alone)
    else:
        yield path, value


def look_at(parsed: KaitaiStruct, *, alone: bool = False) -> None:
    """Walk a part of everything: a hostile file may lay out more than anybody wants to see."""
    deque(islice(walk(parsed, ends=1, alone=alone), 20_000), maxlen=0)


KEPT = {
    rule.predicate_name
    for rule in RULES
    if rule.predicate == "instance"
    and (rule.spec or (rule.qemu.verdict == "rejects" and rule.qemu.when != "write"))
}
"""What the document demands, and QEMU of an image that it reads; librbd and operators ask more."""


@by_image
def test_images_that_qemu_made_keep_every_rule(path: Path) -> None:
    broken = {
        where.rpartition(".")[2]
        for where, value in walk(Qcow.from_bytes(path.read_bytes()))
        if where.rpartition(".")[2] in KEPT and value is not True
    }
    assert broken == set()


QEMU_IMG = shutil.which("qemu-img")
if QEMU_IMG is None and os.environ.get("CI"):
    pytest.fail("qemu-img is missing", pytrace=False)


@pytest.mark.skipif(QEMU_IMG is None, reason="qemu-img is missing")
@by_image
def test_a_header_says_what_qemu_img_info_says(path: Path) -> None:
    image: Any = Qcow.from_bytes(path.read_bytes())
    layout = image.qcow1 or image.qcow2
    command = ["qemu-img", "info", "-U", "--output=json", "-f", image.format.name, path.name]
    done = subprocess.run(command, cwd=path.parent, check=True, capture_output=True)
    info = json.loads(done.stdout)
    header = layout.header
    assert info["virtual-size"] == header.size // 512 * 512
    assert info["cluster-size"] == header.cluster_size
    name = layout.backing_file_name
    assert info.get("backing-filename", "") == (name.name.decode() if name else "")
    if image.qcow1:
        return
    said = info["format-specific"]["data"]
    assert said["compat"] == ("0.10" if header.version == 2 else "1.1")
    assert said["refcount-bits"] == header.refcount_bits
    assert said.get("extended-l2", False) == header.has_extended_l2
    assert said.get("corrupt", False) == header.has_corrupt
    assert info.get("dirty-flag", False) == header.has_dirty
    assert said["compression-type"] == header.effective_compression_type.name
    table = layout.snapshot_table
    entries = table.entries if table else []
    assert [(s.id_str, s.name, s.effective_vm_state_size) for s in entries] == [
        (s["id"].encode(), s["name"].encode(), s["vm-state-size"])
        for s in info.get("snapshots", [])
    ]
    directory = layout.bitmap_directory
    entries = directory.entries if directory else []
    assert sorted((b.name, b.granularity, b.in_use, b.is_auto) for b in entries) == sorted(
        (b["name"].encode(), b["granularity"], "in-use" in b["flags"], "auto" in b["flags"])
        for b in said.get("bitmaps", [])
    )


# ---- hostile bytes

INTERESTING = (
    b"\0" * 8,
    b"\xff" * 8,
    b"\x7f" + b"\xff" * 7,
    b"\0" * 7 + b"\1",
    b"\x80" + b"\0" * 7,
)
SEEDS = [path.read_bytes()[: 1 << 19] for path in IMAGES if path.stat().st_size < 4 << 20]


def mutant(chance: random.Random) -> bytes:
    """A real image with some bytes changed, or bytes that merely begin like one."""
    if chance.random() < 0.2:
        data = bytearray(chance.randbytes(chance.choice((0, 7, 47, 72, 104, 112, 600, 5000))))
        data[:8] = struct.pack(">II", c.QCOW_MAGIC, chance.choice((0, 1, 2, 3, 4, 0xFFFFFFFF)))
        data[20:24] = struct.pack(">I", chance.choice((0, 9, 16, 21, 22, 31, 64, 0xFFFFFFFF)))
        return bytes(data)
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.choice((1, 2, 5, 40))):
        near = chance.random() < 0.7
        at, width = chance.randrange(200 if near else len(data)), chance.choice((1, 2, 4, 8))
        data[at : at + width] = chance.choice((*INTERESTING, chance.randbytes(8)))[-width:]
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


@every("seed", range(20))
def test_only_a_header_can_run_out_of_bytes(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(15):
        data = mutant(chance)
        for parse in (
            Qcow1.from_bytes,
            Qcow2.from_bytes,
            Luks1.from_bytes,
            lambda data: Qcow.from_bytes(data).qcow1,
            lambda data: Qcow.from_bytes(data).qcow2,
        ):
            try:
                parsed = parse(data)
            except EOFError:
                continue
            look_at(parsed)


ALONE = sorted(name for name in TYPES if "::" in name and not name.endswith("_at"))
ARGUMENTS: dict[str, tuple[int | bool, ...]] = {
    "bool": (False, True),
    "s4": (-1, 0, 5),
    "u1": (0, 9, 16, 17, 255),
    "u4": (0, 1, 2, 4, 6, 7, 9, 16, 21, 22, 64, 0xFFFFFFFF),
    "u8": (0, 511, 1 << 40, 1 << 63, (1 << 64) - 1),
}


@every("layout", ALONE)
def test_a_type_alone_on_random_bytes_is_total(layout: str) -> None:
    chance = random.Random(layout)
    stem, name = layout.split("::")
    parser = getattr(PARSERS[stem], "".join(part.capitalize() for part in name.split("_")))
    for _ in range(60):
        data = chance.randbytes(chance.choice((0, 1, 7, 8, 16, 40, 48, 120, 592, 5000)))
        if chance.random() < 0.5:  # sizes that the stream holds
            data = data.translate(bytes(i if i < 2 else 0 for i in range(256)))
        kinds = [param["type"] for param in TYPES[layout].get("params", [])]
        try:
            parsed = parser(*(chance.choice(ARGUMENTS[kind]) for kind in kinds), stream(data))
        except EOFError:
            continue
        try:
            look_at(parsed, alone=True)
        except EOFError:
            # Asked for an entry, or a page of them, that the stream does not hold.
            assert name.endswith(("_page", "refcount_entry"))


def stream(data: bytes) -> KaitaiStream:
    return KaitaiStream(BytesIO(data))


def test_the_biggest_tables_open_at_once() -> None:
    """A page is an object that has read nothing yet; what varies in length is bounded."""
    assert len(Qcow2.L1Table(stream(bytes(c.QCOW_MAX_L1_SIZE))).pages) == 8192
    assert len(Qcow2.RefcountBlock(0, stream(bytes(1 << c.MAX_CLUSTER_BITS))).pages) == 32768
    extensions = Qcow2.HeaderExtensions(stream(b"\0\0\0\1\0\0\0\0" * (1 << 18)))
    assert len(extensions.entries or []) == extensions.max_extensions
    assert len(extensions.unparsed) == (1 << 21) - 8 * extensions.max_extensions


def test_of_several_extensions_of_a_kind_the_last_one_counts() -> None:
    pointer = struct.pack(">II", c.QCOW2_EXT_MAGIC_CRYPTO_HEADER, 16)
    area = b"".join(pointer + struct.pack(">QQ", n << 16, 1) for n in (1, 2)) + bytes(8)
    extensions = Qcow2.HeaderExtensions(stream(area))
    assert (extensions.last_crypto, extensions.last_bitmaps, extensions.has_end) == (1, -1, True)
