"""SM3, which QEMU has from 9.2 on: an image whose keys it derives, made from one of QEMU 7.2.

The slot's key material is split and encrypted anew under what SM3 derives from the passphrase.
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from qcow_parsers import constants as c

import qcowspec
from qcowspec.cli import qcowspec as command
from qcowspec.crypto import luks
from qcowspec.errors import Unsupported
from qcowspec.image import lay_open
from tools.make_test_data import DATA

SECRET = b"qcowspec"
HASH_SPEC, DIGEST = 72, 112
"""Where two fields of a LUKS header stand."""

SECTOR = 512
"""Bytes that have a vector of their own."""


def sm3_is_there() -> bool:
    return "sm3" in hashlib.algorithms_available


def ciphered(key: bytes, clear: bytes) -> bytes:
    """Sectors from 0 on under aes-xts-plain64."""
    stored = b""
    for at in range(0, len(clear), SECTOR):
        vector = (at // SECTOR).to_bytes(16, "little")
        context = Cipher(algorithms.AES(key), modes.XTS(vector)).encryptor()
        stored += context.update(clear[at : at + SECTOR]) + context.finalize()
    return stored


def diffused(block: bytes) -> bytes:
    """A block of the splitter, chunk by chunk of a digest's length."""
    step = c.QCRYPTO_HASH_DIGEST_LEN_SM3
    chunks = [block[at : at + step] for at in range(0, len(block), step)]
    hashes = (
        hashlib.new("sm3", number.to_bytes(4, "big") + chunk).digest()[: len(chunk)]
        for number, chunk in zip(itertools.count(), chunks, strict=False)
    )
    return b"".join(hashes)


def split(key: bytes, stripes: int) -> bytes:
    """A key in stripes: all zeros but the last, which the key is in (crypto/afsplit.c)."""
    zeros, block = bytes(len(key)), bytes(len(key))
    for _ in range(stripes - 1):
        block = diffused(block)
    return zeros * (stripes - 1) + bytes(a ^ b for a, b in zip(block, key, strict=True))


@pytest.fixture(scope="module")
def image() -> bytes:
    """QEMU's image of LUKS by aes-256-xts, its key slot under SM3."""
    if not sm3_is_there():
        pytest.skip("this Python's OpenSSL was built without SM3")
    data = bytearray((DATA / "v3-luks-xts.qcow2").read_bytes())
    with lay_open(bytes(data)) as opened:
        part, pointer = opened.metadata.luks_part, opened.metadata.crypto_extension
        assert part is not None
        assert pointer is not None
        known = luks.Volume.of(part, pointer, opened.source)
        header, key = known.header, luks._find_key(known, SECRET)
    slot, start, size = header.key_slots[0], int(pointer.offset), header.master_key_len
    slot_key = hashlib.pbkdf2_hmac("sm3", SECRET, slot.salt, slot.iterations, size)
    at = start + slot.key_offset
    material = ciphered(slot_key, split(key, slot.stripes))
    data[at : at + len(material)] = material
    salt, rounds = header.master_key_salt, header.master_key_iterations
    digest = hashlib.pbkdf2_hmac("sm3", key, salt, rounds, 20)
    data[start + DIGEST : start + DIGEST + 20] = digest
    data[start + HASH_SPEC : start + HASH_SPEC + 32] = b"sm3".ljust(32, b"\0")
    return bytes(data)


def test_an_image_under_sm3_has_the_same_bytes(image: bytes) -> None:
    with (
        qcowspec.open(image, secret=SECRET) as ours,
        qcowspec.open(DATA / "v3-luks-xts.qcow2", secret=SECRET) as original,
    ):
        assert ours.pread(0, ours.size) == original.pread(0, original.size)


@pytest.mark.parametrize(
    ("profile", "accepted"),
    [("qemu", True), ("qemu@10.0", True), ("qemu@7.2", False), ("qemu@5.2", False)],
)
def test_older_qemus_refuse_it(image: bytes, profile: str, accepted: bool) -> None:
    assert qcowspec.validate(image, profile=profile).accepted == accepted


@pytest.mark.parametrize("words", [["info"], ["check"], ["map"], ["dump"]], ids=" ".join)
def test_commands_without_a_key_open_it(image: bytes, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "sm3.qcow2"
    path.write_bytes(image)

    assert CliRunner().invoke(command, [*words, str(path)]).exit_code == 0


def test_a_library_without_sm3_is_named(image: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(*_: object, **__: object) -> None:
        raise ValueError("unsupported hash type sm3")

    monkeypatch.setattr(hashlib, "new", lacks)
    with (
        qcowspec.open(image, secret=SECRET) as opened,
        pytest.raises(Unsupported, match="hash 'sm3' is missing"),
    ):
        opened.pread(0, 512)
