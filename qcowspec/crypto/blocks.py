"""Block ciphers that take many blocks in one call.

In: a key, and blocks one after the other. Out: the same blocks, each encrypted or decrypted by
itself. Refuses: a cipher that the installed libraries lack, with `Unsupported`.

AES, CAST5 and SM4 are OpenSSL's. No maintained Python library has Serpent and Twofish: they are
implemented here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from qcow_parsers import constants as c

from qcowspec.crypto.cipher import BlockCipher, Bytes
from qcowspec.errors import Unsupported


class OpenSSL:
    """A cipher of the library `cryptography`."""

    def __init__(self, algorithm: Any) -> None:
        self.block_size: int = algorithm.block_size // 8
        # ECB, as the caller chains the blocks: the library's own modes do not work by sector.
        self._cipher = Cipher(algorithm, modes.ECB())  # noqa: S305
        self._cipher.decryptor()  # raises now where OpenSSL was built without the cipher

    def encrypt(self, blocks: Bytes) -> Bytes:
        """Encrypt whole blocks, each by itself, into a new array."""
        return self._run(self._cipher.encryptor(), blocks)

    def decrypt(self, blocks: Bytes) -> Bytes:
        """Decrypt whole blocks, each by itself, into a new array."""
        return self._run(self._cipher.decryptor(), blocks)

    def _run(self, context: CipherContext, blocks: Bytes) -> Bytes:
        # The library demands a longer buffer than it uses for whole blocks.
        out = np.empty(len(blocks) + self.block_size - 1, np.uint8)
        context.update_into(blocks.data, out.data)
        return out[: len(blocks)]


def block_cipher(name: str, key: bytes) -> BlockCipher:
    """A cipher by its name in a LUKS header.

    Args:
        name: The field cipher_name, which keeps the rule encryption/luks-cipher-name.
        key: One key, of a length that the cipher takes.

    Raises:
        Unsupported: The installed libraries were built without the cipher.
    """
    if name == c.QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT:
        from qcowspec.crypto.serpent import Serpent

        return Serpent(key)
    if name == c.QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH:
        from qcowspec.crypto.twofish import Twofish

        return Twofish(key)
    try:
        return OpenSSL(_algorithm(name, key))
    except (AttributeError, UnsupportedAlgorithm) as error:
        raise Unsupported(
            f"The cipher {name!r} is missing from the OpenSSL that this Python uses.",
            rule="encryption/luks-cipher-name",
            stage="encryption",
            field="luks_header.cipher_name",
            value=name,
        ) from error


def _algorithm(name: str, key: bytes) -> Any:
    if name == c.QCRYPTO_BLOCK_LUKS_CIPHER_AES:
        return algorithms.AES(key)
    if name == c.QCRYPTO_BLOCK_LUKS_CIPHER_CAST5:
        return _cast5()(key)
    if name == c.QCRYPTO_BLOCK_LUKS_CIPHER_SM4:
        return algorithms.SM4(key)
    raise AttributeError(name)


def _cast5() -> Any:
    """CAST5, which newer versions of the library have in another module."""
    try:
        from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit
    except ImportError:
        return algorithms.CAST5  # type: ignore[attr-defined,unused-ignore]
    return getattr(decrepit, "CAST5", None) or algorithms.CAST5  # type: ignore[attr-defined,unused-ignore]
