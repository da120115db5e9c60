"""A broken LUKS header gives one clear error, or the bytes that qemu-img gives.

A longer run: set ``QCOWSPEC_LUKS_MUTANTS`` to more of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import tracemalloc
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from qcow_parsers import constants as c

import qcowspec
from qcowspec.image import lay_open
from tests.conformance.luks import node
from tools.make_test_data import DATA

COUNT = int(os.environ.get("QCOWSPEC_LUKS_MUTANTS", "300"))
PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
NAMES = ("v3-luks.qcow2", "v3-luks-xts.qcow2", "v3-luks-essiv.qcow2")
HEADER = c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE
SLOT = HEADER - c.QCRYPTO_BLOCK_LUKS_NUM_KEY_SLOTS * c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE
"""Where the first key slot begins: active, iterations, 32 bytes of salt, offset, stripes."""

ITERATIONS, KEY_OFFSET, STRIPES = SLOT + 4, SLOT + 40, SLOT + 44
MASTER_KEY_LENGTH, MASTER_KEY_ITERATIONS = 108, 164
EDGES = (0, 1, 7, 8, 999, 1 << 16, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
WORDS = (
    *(b"aes", b"serpent", b"twofish", b"cast5", b"sm4", b"3des", b""),
    *(b"cbc-plain", b"ecb-plain64", b"ctr-essiv:sha256", b"xts-plain64:sha1", b"cbc-essiv:md5"),
    *(b"cbc", b"-", b":", b"cbc-essiv", b"cbc-essiv:", b"xts-", b"lrw-benbi", b"sha1", b"md5"),
    *(b"whirlpool", b"\xff" * 32, b"cbc-plain\0:", b"a" * 32),
)
TEXTS = (8, 40, 72)
"""Where the cipher's name, its mode and the hash stand."""


class Base(NamedTuple):
    """An image, and where its LUKS header is."""

    name: str
    data: bytes
    start: int
    length: int


def base_of(name: str) -> Base:
    with lay_open(DATA / name) as image:
        pointer = image.metadata.crypto_extension
        assert pointer is not None
        data = (DATA / name).read_bytes()
        return Base(name, data, int(pointer.offset), int(pointer.length))


BASES = [base_of(name) for name in NAMES]


def patched(base: Base, *changes: tuple[int, bytes]) -> bytes:
    """The image with bytes of its LUKS area changed."""
    data = bytearray(base.data)
    for at, new in changes:
        data[base.start + at : base.start + at + len(new)] = new
    return bytes(data)


def mutated(base: Base, random: Random) -> bytes:
    changes = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        chance = random.random()
        if chance < 0.35:
            field = random.choice((ITERATIONS, KEY_OFFSET, STRIPES, SLOT, MASTER_KEY_LENGTH))
            field = random.choice((field, field, MASTER_KEY_ITERATIONS, 104))
            if field >= SLOT:
                field += c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE * random.choice((0, 0, 3, 7))
            changes.append((field, random.choice(EDGES).to_bytes(4, "big")))
        elif chance < 0.55:
            word = random.choice(WORDS)[:32].ljust(32, b"\0")
            changes.append((random.choice(TEXTS), word))
        elif chance < 0.85:
            changes.append((random.randrange(HEADER), random.randbytes(1)))
        else:
            changes.append((random.randrange(4096, base.length), random.randbytes(8)))
    return patched(base, *changes)


def read(data: bytes) -> bytes | str:
    """The guest's bytes, or the error."""
    try:
        with qcowspec.open(data, secret=PASSPHRASE) as image:
            return image.pread(0, image.size)
    except qcowspec.QcowError as error:
        said = str(error)
    assert re.search(r"\[[a-z0-9]+/[a-z0-9-]+\]$", said), said
    return said


def theirs(data: bytes, folder: Path) -> bytes | str | None:
    """The same of qemu-img; None where it takes too long."""
    image, raw = folder / "image.qcow2", folder / "raw"
    image.write_bytes(data)
    raw.unlink(missing_ok=True)
    key = ["--object", f"secret,id=key,data={PASSPHRASE}"]
    command = ["qemu-img", "convert", *key, *node(image), "-O", "raw", str(raw)]
    try:
        done = subprocess.run(command, capture_output=True, errors="replace", timeout=20)
    except subprocess.TimeoutExpired:
        return None
    return done.stderr if done.returncode else raw.read_bytes()


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an attacker may have us compute, made less, so that many mutants are tried."""
    monkeypatch.setattr(c, "POLICY_MAX_PBKDF2_ROUNDS", 1 << 17)


def test_mutants_give_one_error_or_the_right_bytes() -> None:
    sound = [read(base.data) for base in BASES]
    found: dict[str, int] = {}
    for number in range(COUNT):
        random = Random(f"luks/{number}")
        index = random.randrange(len(BASES))
        got = read(mutated(BASES[index], random))
        assert isinstance(got, str) or got == sound[index], f"{number}: other bytes"
        what = got.rpartition("[")[2] if isinstance(got, str) else "read"
        found[what] = found.get(what, 0) + 1

    assert all(isinstance(data, bytes) for data in sound)
    assert {"read", "encryption/luks-unlock]", "encryption/luks-slot-stripes]"} <= set(found)
    assert len(found) > 10


@pytest.mark.usefixtures("qemu_img")
def test_mutants_are_read_where_qemu_img_reads_them(tmp_path: Path) -> None:
    kinds = set()
    for number in range(COUNT // 6):
        random = Random(f"luks/{number}")
        data = mutated(BASES[random.randrange(len(BASES))], random)
        got = read(data)
        if isinstance(got, str) and "iterations, and the master" in got:
            continue  # our bound; QEMU has none
        expected = theirs(data, tmp_path)
        if expected is not None:
            kinds.add((type(got), type(expected)))
            assert isinstance(got, str) == isinstance(expected, str), f"{number}: {got!r:.200}"
            assert isinstance(got, str) or got == expected, number

    assert kinds == {(bytes, bytes), (str, str)}


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


CASES = [
    ("iterations 0", [(ITERATIONS, number(0))], "luks-slot-iterations"),
    ("iterations 2^32-1", [(ITERATIONS, number((1 << 32) - 1))], "luks-unlock"),
    ("digest's iterations 0", [(MASTER_KEY_ITERATIONS, number(0))], "luks-master-key-iterations"),
    ("digest's 2^32-1", [(MASTER_KEY_ITERATIONS, number((1 << 32) - 1))], "luks-unlock"),
    ("stripes 0", [(STRIPES, number(0))], "luks-slot-stripes"),
    ("stripes 1", [(STRIPES, number(1))], "luks-slot-stripes"),
    ("stripes 2^32-1", [(STRIPES, number((1 << 32) - 1))], "luks-slot-stripes"),
    ("material in the header", [(KEY_OFFSET, number(1))], "luks-slot-offset"),
    ("material in the payload", [(KEY_OFFSET, number(5000))], "luks-slot-payload"),
    # QEMU counts in 32 bits, in which this ends before the payload.
    ("material behind all", [(KEY_OFFSET, number((1 << 32) - 8))], "luks-unlock"),
    # The payload's start, which qcow2 does not use, lets the material lie anywhere.
    (
        "material out of the file",
        [(104, number((1 << 32) - 1)), (KEY_OFFSET, number(1 << 30))],
        "luks-unlock",
    ),
    ("key of 0 bytes", [(MASTER_KEY_LENGTH, number(0))], "luks-cipher-name"),
    ("key of 2^32-1 bytes", [(MASTER_KEY_LENGTH, number((1 << 32) - 1))], None),
    (
        "xts over short blocks",
        [(8, b"cast5".ljust(32, b"\0")), (40, b"xts-plain64".ljust(32, b"\0"))],
        None,
    ),
    ("no slot", [(SLOT + 48 * slot, number(0xDEAD)) for slot in range(8)], "luks-unlock"),
]


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize(
    ("changes", "rule"), [case[1:] for case in CASES], ids=[x[0] for x in CASES]
)
def test_extremes_are_refused(
    changes: list[tuple[int, bytes]], rule: str | None, tmp_path: Path
) -> None:
    data = patched(BASES[0], *changes)
    # Slot 3 of this image opens with another passphrase; it is tried, and does not count.
    got = read(data)

    assert isinstance(got, str)
    assert rule is None or f"[encryption/{rule}]" in got
    if "iterations, and the master" not in got:  # QEMU would compute for an hour
        assert isinstance(theirs(data, tmp_path), str)


def test_a_slot_that_takes_too_long_does_not_hide_the_others() -> None:
    slot = c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE
    data = patched(BASES[0], (ITERATIONS, number((1 << 32) - 1)))
    with qcowspec.open(data, secret="qcowspec-two") as image:  # noqa: S106 - of slot 3
        assert image.pread(0, 1)

    hidden = patched(BASES[0], (ITERATIONS + 3 * slot, number((1 << 32) - 1)))
    assert read(hidden) == read(BASES[0].data)


def test_no_header_makes_us_allocate_much() -> None:
    data = patched(
        BASES[1], (104, number((1 << 32) - 1)), (KEY_OFFSET, number(1 << 31))
    )  # 2^40 bytes into the area
    tracemalloc.start()
    got = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert isinstance(got, str)
    assert peak < 16 << 20


@pytest.mark.parametrize("generator", ["plain64", "essiv:sha256"])
def test_an_area_that_claims_to_be_larger_than_the_file_reads_zeros(generator: str) -> None:
    """The pointer's length is not bounded: material behind the end of the file is zeros."""
    with lay_open(DATA / NAMES[0]) as image:
        at = image.metadata.crypto_extension
        assert at is not None
        length = int(at.length).to_bytes(8, "big")
    pointer = int(BASES[0].start).to_bytes(8, "big") + length
    data = bytearray(patched(BASES[0], (104, number((1 << 32) - 1)), (KEY_OFFSET, number(1 << 30))))
    place = data.index(pointer)
    data[place + 8 : place + 16] = ((1 << 64) - 1).to_bytes(8, "big")
    mode = f"cbc-{generator}".encode().ljust(32, b"\0")
    data[BASES[0].start + 40 : BASES[0].start + 72] = mode
    got = read(bytes(data))

    assert isinstance(got, str)
    assert "[encryption/luks-unlock]" in got
