"""Ciphers and modes, against published vectors and against a library's own modes."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from qcowspec.crypto.blocks import block_cipher
from qcowspec.crypto.cipher import BlockCipher
from qcowspec.crypto.luks import Suite, decryptor_of, merge

KEY = bytes.fromhex("0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff")
HIGH = b"\x80".ljust(32, b"\0")
"""The key of the papers' and NESSIE's first vectors: one bit."""

VECTORS = [
    # Twofish: A 128-Bit Block Cipher, appendix B.2, of a block of zeros
    ("twofish", bytes(16), "00" * 16, "9f589f5cf6122c32b6bfec2f2ae8c35a"),
    ("twofish", KEY[:24], "00" * 16, "cfd1d2e5a9be9cdf501f13b892bd2248"),
    ("twofish", KEY, "00" * 16, "37527be0052334b89f0cfccae87cfa20"),
    # NESSIE, Serpent, set 1, vector 0 of each key length
    ("serpent", HIGH[:16], "00" * 16, "264e5481eff42a4606abda06c0bfda3d"),
    ("serpent", HIGH[:24], "00" * 16, "9e274ead9b737bb21efcfca548602689"),
    ("serpent", HIGH, "00" * 16, "a223aa1288463c0e2be38ebd825616c0"),
    # FIPS 197, appendix C
    *(
        ("aes", bytes(range(size)), "00112233445566778899aabbccddeeff", expected)
        for size, expected in (
            (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
            (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
            (32, "8ea2b7ca516745bfeafc49904b496089"),
        )
    ),
    # RFC 2144, appendix B.1
    (
        "cast5",
        bytes.fromhex("0123456712345678234567893456789a"),
        "0123456789abcdef",
        "238b4fe5847e44b2",
    ),
    # RFC 8998's cipher, GB/T 32907-2016, appendix A.1
    (
        "sm4",
        bytes.fromhex("0123456789abcdeffedcba9876543210"),
        "0123456789abcdeffedcba9876543210",
        "681edf34d206965e86b3e94f536e4246",
    ),
]


def bytes_of(array: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> bytes:
    return array.tobytes()


def array(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize(
    ("name", "key", "clear", "stored"), VECTORS, ids=lambda value: str(value)[:12]
)
def test_ciphers_give_the_published_blocks(name: str, key: bytes, clear: str, stored: str) -> None:
    cipher = block_cipher(name, key)

    assert bytes_of(cipher.encrypt(array(bytes.fromhex(clear)))).hex() == stored
    assert bytes_of(cipher.decrypt(array(bytes.fromhex(stored)))).hex() == clear


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("name", ["serpent", "twofish"])
def test_many_blocks_are_each_block_by_itself(name: str, size: int) -> None:
    random = Random(f"{name}{size}")
    cipher = block_cipher(name, random.randbytes(size))
    blocks = [random.randbytes(16) for _ in range(97)]
    stored = [bytes_of(cipher.encrypt(array(block))) for block in blocks]

    assert bytes_of(cipher.encrypt(array(b"".join(blocks)))) == b"".join(stored)
    assert bytes_of(cipher.decrypt(array(b"".join(stored)))) == b"".join(blocks)


@pytest.mark.parametrize(("name", "steps"), [("serpent", 100), ("twofish", 100)])
def test_a_long_chain_of_blocks_and_keys_comes_back(name: str, steps: int) -> None:
    def chained(cipher: BlockCipher, block: bytes, *, back: bool) -> bytes:
        work = cipher.decrypt if back else cipher.encrypt
        return bytes_of(work(array(block)))

    ciphers = [block_cipher(name, bytes([index] * 32)) for index in range(4)]
    block = bytes(16)
    for index in range(steps):
        block = chained(ciphers[index % 4], block, back=False)
    for index in reversed(range(steps)):
        block = chained(ciphers[index % 4], block, back=True)

    assert block == bytes(16)


def numbered(number: int) -> bytes:
    """A sector's number, as plain64 has it."""
    return number.to_bytes(16, "little")


SECTORS = [0, 1, 2, (1 << 32) - 1, 1 << 32, (1 << 40) + 7]


@pytest.mark.parametrize("first", SECTORS)
@pytest.mark.parametrize("mode", ["cbc", "xts", "ctr", "ecb"])
def test_modes_are_the_librarys_over_each_sector(mode: str, first: int) -> None:
    random = Random(f"{mode}{first}")
    key, stored = random.randbytes(32 * (1 + (mode == "xts"))), random.randbytes(512 * 5)
    decryptor = decryptor_of(Suite("aes", mode, "plain64", "", "sha256"), key)
    expected = b""
    for index in range(5):
        vector = numbered(first + index)
        chosen: Any = {
            "cbc": modes.CBC(vector),
            "xts": modes.XTS(vector),
            "ctr": modes.CTR(vector),
            "ecb": modes.ECB(),  # noqa: S305 - one of LUKS's modes
        }[mode]
        context = Cipher(algorithms.AES(key), chosen).decryptor()
        expected += context.update(stored[512 * index :][:512]) + context.finalize()

    assert decryptor.decrypt(stored, 512 * first) == expected


def test_a_counter_carries_from_word_to_word() -> None:
    # A vector whose lower half, big endian, is about to overflow: essiv makes such by chance.
    from qcowspec.crypto.modes import Ctr

    key, vector, stored = bytes(16), bytes(7) + b"\1" + b"\xff" * 8, bytes(range(256)) * 2
    out = np.empty(512, np.uint8)
    Ctr(block_cipher("aes", key)).decrypt(array(stored), array(vector), out)

    context = Cipher(algorithms.AES(key), modes.CTR(vector)).decryptor()
    assert out.tobytes() == context.update(stored)


@pytest.mark.parametrize("mode", ["cbc", "xts", "ctr", "ecb"])
@pytest.mark.parametrize("cipher", ["aes", "serpent", "twofish"])
def test_decrypting_in_place_is_decrypting(cipher: str, mode: str) -> None:
    random = Random(f"{cipher}{mode}")
    key, stored = random.randbytes(32), random.randbytes(512 * 700)
    decryptor = decryptor_of(Suite(cipher, mode, "essiv", "sha256", "sha256"), key)
    buffer = bytearray(stored)
    decryptor.decrypt_into(buffer, 512 * 9, buffer)

    assert bytes(buffer) == decryptor.decrypt(stored, 512 * 9)
    assert bytes(buffer[512 * 699 :]) == decryptor.decrypt(stored[512 * 699 :], 512 * 708)


def test_plain_keeps_32_bits_of_a_sectors_number() -> None:
    plain, plain64 = (
        decryptor_of(Suite("aes", "cbc", name, "", "sha256"), bytes(32))
        for name in ("plain", "plain64")
    )
    wrapped = 512 * ((1 << 32) + 5)

    assert plain.decrypt(bytes(512), wrapped) == plain64.decrypt(bytes(512), 512 * 5)
    assert plain.decrypt(bytes(512), wrapped) != plain64.decrypt(bytes(512), wrapped)


@pytest.mark.parametrize(("length", "offset"), [(511, 0), (512, 1), (1024, 256)])
def test_what_is_no_whole_sector_is_the_callers_mistake(length: int, offset: int) -> None:
    decryptor = decryptor_of(Suite("aes", "cbc", "plain64", "", "sha256"), bytes(32))
    with pytest.raises(ValueError, match="no whole sectors"):
        decryptor.decrypt(bytes(length), offset)


def test_one_stripe_is_the_key_itself() -> None:
    assert merge("sha1", b"k" * 32, 32) == b"k" * 32
