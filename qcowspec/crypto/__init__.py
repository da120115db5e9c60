"""From a passphrase to guest bytes: AES as versions 1 to 3 have it, and LUKS1.

In: an image that was opened, its bytes, a passphrase. Out: a `Decryptor`. Refuses: a passphrase
that opens no key slot, and an encrypted image without one, as `Unsupported` with the rule that QEMU
would name. No error holds a passphrase or a key.
"""

from __future__ import annotations

from qcowspec.crypto.decryptor import Decryptor
from qcowspec.crypto.secret import read_secret
from qcowspec.crypto.unlocking import Locked, unlock

__all__ = ["Decryptor", "Locked", "read_secret", "unlock"]
