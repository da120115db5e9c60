"""Decryption of guest data: the AES of versions 1 to 3, and LUKS1.

In: an image that was opened, its bytes, a passphrase. Out: a `Decryptor`. Refuses: a passphrase
that opens no key slot, and an encrypted image without one, with `Unsupported` and the rule that
QEMU checks. No error has a passphrase or a key in it.
"""

from __future__ import annotations

from qcowspec.crypto.decryptor import Decryptor
from qcowspec.crypto.secret import read_secret
from qcowspec.crypto.unlocking import Locked, unlock

__all__ = ["Decryptor", "Locked", "read_secret", "unlock"]
