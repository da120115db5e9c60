"""From a passphrase to a decryptor: AES as versions 1 to 3 have it, and LUKS1.

In: an opened image and a passphrase. Out: a `Decryptor`. Refuses: a wrong passphrase, and ciphers
that no library here has.

Source: docs/interop/qcow2, Data encryption; block/qcow.c, block/qcow2.c; crypto/block-qcow.c;
crypto/block-luks.c.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.crypto.luks import open_luks
from qcowspec.crypto.sectors import Decryptor, Mode, SectorCipher
from qcowspec.errors import BY_KIND, QcowError
from qcowspec.metadata import Format, Metadata
from qcowspec.rules import BY_ID
from qcowspec.source import Source

__all__ = ["Decryptor", "unlock"]


def unlock(metadata: Metadata, source: Source, passphrase: bytes | None) -> Decryptor | None:
    """The decryptor of an image; None of one that is not encrypted.

    Args:
        metadata: What opening read.
        source: The image file, for the LUKS key material.
        passphrase: The passphrase, without a newline; None where the user gave none.

    Raises:
        Invalid: The passphrase is wrong.
        Unsupported: There is none, or the cipher is not known here.
        Unreadable: The source failed.
    """
    header = metadata.header
    assert header is not None
    method = int(header.crypt_method)
    if method == c.QcowCryptMethod.QCOW_CRYPT_NONE:
        return None
    if passphrase is None:
        raise _no_key(metadata, source.name, method)
    if method == c.QcowCryptMethod.QCOW_CRYPT_LUKS:
        return open_luks(metadata, source, passphrase)
    key = passphrase[: c.QCRYPTO_CIPHER_KEY_LEN_AES_128]
    key = key.ljust(c.QCRYPTO_CIPHER_KEY_LEN_AES_128, b"\0")
    mode = Mode(c.QCRYPTO_CIPHER_MODE_CBC, c.QCRYPTO_IVGEN_ALG_PLAIN64)
    return SectorCipher(c.QCRYPTO_BLOCK_LUKS_CIPHER_AES, mode, key, physical=False)


def _no_key(metadata: Metadata, name: str, method: int) -> QcowError:
    """The error of the rule that QEMU reports where no key is given."""
    if metadata.format is Format.QCOW:
        rule = "encryption/v1-key"
    elif method == c.QcowCryptMethod.QCOW_CRYPT_LUKS:
        rule = "encryption/luks-key"
    else:
        rule = "encryption/aes-key"
    row = BY_ID[rule]
    return BY_KIND[row.kind](
        f"{row.message.format(value=method).rstrip('.')} (--secret file:PATH, env:NAME or -)",
        rule=rule,
        stage=row.stage,
        field=f"header.{row.field}",
        value=method,
        path=name,
    )
