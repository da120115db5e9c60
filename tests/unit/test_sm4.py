"""SM4, which QEMU has from 9.0 on: an image of it, made from one that QEMU 7.2 made.

Whatever stands in a key slot is the key of something: the header is told of which.
"""

from __future__ import annotations

from hashlib import pbkdf2_hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import qcowspec
from qcowspec.crypto.luks import merge
from qcowspec.fuzzing import vectors
from qcowspec.image import lay_open
from qcowspec.report.info import described
from tools.make_test_data import DATA

SECRET = b"qcowspec"
CIPHER_NAME, DIGEST = 8, 112
"""Where two fields of a LUKS header stand."""


def decrypted(key: bytes, stored: bytes, first: int) -> bytes:
    """Sectors in the clear, by the library's own CBC."""
    clear = b""
    for at in range(0, len(stored), 512):
        vector = (first + at // 512).to_bytes(16, "little")
        context = Cipher(algorithms.SM4(key), modes.CBC(vector)).decryptor()
        clear += context.update(stored[at : at + 512]) + context.finalize()
    return clear


def test_an_image_under_sm4_is_read() -> None:
    data = bytearray((DATA / "v3-luks.qcow2").read_bytes())
    with lay_open(bytes(data)) as image:
        header, pointer = image.metadata.luks, image.metadata.crypto_extension
        assert header is not None
        assert pointer is not None
        slot, start = header.key_slots[0], int(pointer.offset)
        host = next(image.runs(65536, 512)).host_offset
    assert host is not None
    at, size = start + slot.key_offset, header.master_key_len
    name = "sha256"
    slot_key = pbkdf2_hmac(name, SECRET, slot.salt, slot.iterations, size)
    split = decrypted(slot_key, bytes(data[at : at + size * slot.stripes]), 0)
    key = merge(name, split, size)
    digest = pbkdf2_hmac(name, key, header.master_key_salt, header.master_key_iterations, 20)
    data[start + DIGEST : start + DIGEST + 20] = digest
    data[start + CIPHER_NAME : start + CIPHER_NAME + 32] = b"sm4".ljust(32, b"\0")
    expected = decrypted(key, bytes(data[host : host + 4096]), host // 512)

    with qcowspec.open(bytes(data), secret=SECRET) as image:
        assert image.pread(65536, 4096) == expected


def test_info_calls_it_sm4_without_a_number() -> None:
    (vector,) = (v for v in vectors.about("encryption/luks-cipher-sm4") if v.breaks)

    with lay_open(vectors.image(vector)) as image:
        said = described(image, "sm4.qcow2")["format-specific"]["data"]["encrypt"]

    assert said["cipher-alg"] == "sm4"
