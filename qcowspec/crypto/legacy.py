"""The old method: AES-128-CBC under the passphrase itself.

In: a passphrase. Out: a `Decryptor`, by guest offsets. Refuses: nothing: any passphrase is a key.

Source: crypto/block-qcow.c: qcrypto_block_qcow_init.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.crypto.blocks import block_cipher
from qcowspec.crypto.decryptor import Decryptor
from qcowspec.crypto.modes import Cbc
from qcowspec.crypto.sectors import SectorDecryptor
from qcowspec.crypto.vectors import plain64


def legacy_aes(passphrase: bytes) -> Decryptor:
    """The decryptor of versions 1 to 3 with crypt_method 1.

    Args:
        passphrase: Cut or padded with zeros to the 16 bytes of the key.
    """
    size = c.QCRYPTO_BLOCK_QCOW_KEY_SIZE
    cipher = block_cipher(c.QCRYPTO_BLOCK_LUKS_CIPHER_AES, passphrase[:size].ljust(size, b"\0"))
    return SectorDecryptor(Cbc(cipher), plain64, physical=False)
