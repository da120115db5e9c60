"""Each bit of a canonical image changes the disk, breaks a rule, or is named in docs/convert.md.

Rules are those of the profile `untrusted`, hidden bytes included, and of `check`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import qcowspec
from qcowspec.check import check
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Tile, Usage
from qcowspec.check.verdict import validate
from qcowspec.errors import QcowError
from qcowspec.image import Image, lay_open
from qcowspec.raw import RawImage
from qcowspec.spec.structures import lay_open as fields_of
from qcowspec.transfer.new_image import NewImage
from qcowspec.transfer.qcow2 import write_qcow2

PAGE = (Path(__file__).parents[2] / "docs" / "convert.md").read_text(encoding="utf-8")

CLUSTER = 1 << 16
ENTRY = 8
FIRST = 7 * ENTRY
"""Bytes of each table all of whose bits are flipped: six entries of the disk, and one more."""

DRAWN = 25
"""Bits that are drawn from the rest of each tile."""


@pytest.fixture(scope="module")
def disk() -> bytes:
    """Data, zeros, and an end within a cluster."""
    disk, random = bytearray(5 * CLUSTER + 1024), Random(22)
    disk[CLUSTER : 2 * CLUSTER] = random.randbytes(CLUSTER)
    disk[3 * CLUSTER + 5] = 7
    disk[-3] = 9
    return bytes(disk)


@pytest.fixture(scope="module")
def canonical(disk: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("canonical") / "image"
    with RawImage(disk) as raw:
        write_qcow2(raw.disk(), str(out), NewImage())
    return out.read_bytes()


def is_free(data: bytes, disk: bytes) -> bool:
    """Whether all rules hold, and the disk is the same."""
    try:
        if not validate(data, profile="untrusted").accepted:
            return False
        with qcowspec.open(data) as image:
            if image.size != len(disk) or image.pread(0, len(disk)) != disk:
                return False
            if check(image).status:
                return False
    except QcowError:
        return False
    return validate(data, profile="untrusted", hidden="reject").accepted


def bits_of(tile: Tile, random: Random) -> Iterator[int]:
    """Bits of a tile, by their numbers in the file, from the highest of each byte."""
    first, end = tile.offset * 8, tile.end * 8
    whole = end if tile.length <= 2 * FIRST else first
    if tile.kind not in (Kind.DATA, Kind.BEYOND_DISK, Kind.HEADER_PADDING, Kind.TABLE_PADDING):
        whole = max(whole, first + FIRST * 8)
    yield from range(first, min(whole, end))
    if whole < end:
        yield from random.sample(range(whole, end), DRAWN)


def named(image: Image, tile: Tile, offset: int) -> str:
    """What the page calls the place of a bit: the field, or the kind."""
    if tile.kind is Kind.HEADER:
        part = image.metadata.header_part
        assert part is not None
        for field in fields_of(part).walk():
            if not field.fields and field.offset <= offset < field.offset + field.length:
                return field.name
    return tile.kind.word


def test_each_bit_changes_the_disk_or_breaks_a_rule_or_is_named(
    canonical: bytes, disk: bytes
) -> None:
    random, free, entries = Random(22), Counter[str](), set[int]()
    assert is_free(canonical, disk)
    with lay_open(canonical) as image:
        for tile in Usage(image):
            for bit in bits_of(tile, random):
                changed = bytearray(canonical)
                changed[bit // 8] ^= 128 >> bit % 8
                if not is_free(bytes(changed), disk):
                    continue
                if tile.kind is Kind.L2_TABLE:
                    entry, flag = divmod(bit - tile.offset * 8, ENTRY * 8)
                    assert flag == 63  # the zero flag
                    assert not any(canonical[tile.offset + entry * ENTRY :][:ENTRY])
                    entries.add(entry)
                else:
                    free[named(image, tile, bit // 8)] += 1
    assert {0, 2, 4, 6} <= entries  # of the first seven: those without data
    assert {(name, str(count)) for name, count in free.items()} == set(ROWS)


ROWS = re.findall(
    r"^\| `([a-z0-9_-]+)` \| (\d+) \|", PAGE[PAGE.index("### Canonical") :], re.MULTILINE
)
"""The fields with free bits, and how many, as the page has them."""
