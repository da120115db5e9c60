"""From a passphrase to a decryptor, for every method of encryption.

In: an image that was opened, its bytes, a passphrase. Out: a `Decryptor`, or None if the image is
not encrypted. Refuses: a missing passphrase, one that is not text, one that opens no key slot.

Source: block/qcow.c: qcow_open; block/qcow2.c: qcow2_read_extensions, qcow2_do_open;
crypto/block-qcow.c: qcrypto_block_qcow_init; crypto/secret.c: qcrypto_secret_lookup_as_utf8.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.crypto.decryptor import Buffer, Decryptor
from qcowspec.errors import QcowError
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.rules import BY_ID, error_of
from qcowspec.spec.sentences import sentence
from qcowspec.spec.structures import place

METHODS = c.QcowCryptMethod
METHOD = "crypt_method"

HOW = "secret= in Python, --secret file:PATH, env:NAME or - in a command"
"""How a passphrase is given."""


def unlock(metadata: Metadata, source: Source, passphrase: bytes | None) -> Decryptor | None:
    """Make the decryptor of an image.

    A LUKS key slot takes its PBKDF2 iterations, usually seconds. Legacy AES cannot detect a wrong
    passphrase: it decrypts to other bytes, as in QEMU.

    Args:
        metadata: What was read while the image was opened; it breaks no rule of QEMU's.
        source: The image file; a LUKS header's key material lies in it.
        passphrase: The result of `read_secret`; None if there is none.

    Returns:
        The decryptor; None if the image is not encrypted.

    Raises:
        Unsupported: There is no passphrase (encryption/luks-key, aes-key, v1-key), or it opens no
            key slot (encryption/luks-unlock), or opening one would take too long.
        Invalid: The image claims LUKS and has no LUKS header.
    """
    assert metadata.header is not None
    method = int(metadata.header.crypt_method)
    if method == METHODS.QCOW_CRYPT_NONE:
        return None
    luks = metadata.format is not Format.QCOW and method == METHODS.QCOW_CRYPT_LUKS
    key_rule = "encryption/luks-key" if luks else "encryption/aes-key"
    if metadata.format is Format.QCOW:
        key_rule = "encryption/v1-key"
    try:
        if passphrase is None:
            raise _broken(metadata, key_rule, f" A passphrase is given by {HOW}.")
        text = _text(metadata, passphrase, key_rule)
        if luks:
            from qcowspec.crypto.luks import unlock_luks

            if metadata.luks_part is None or metadata.crypto_extension is None:
                raise _broken(metadata, "encryption/crypto-present")
            return unlock_luks(metadata.luks_part, metadata.crypto_extension, source, text)
        return _legacy_aes(text)
    except QcowError as error:
        error.path = error.path or source.name
        raise


def _legacy_aes(passphrase: bytes) -> Decryptor:
    """AES-128-CBC by guest offsets: the passphrase, cut or padded with zeros, is the key."""
    from qcowspec.crypto.luks import Suite, decryptor_of

    size = c.QCRYPTO_BLOCK_QCOW_KEY_SIZE
    suite = Suite(
        c.QCRYPTO_BLOCK_LUKS_CIPHER_AES, c.QCRYPTO_CIPHER_MODE_CBC, c.QCRYPTO_IVGEN_ALG_PLAIN64
    )
    return decryptor_of(suite, passphrase[:size].ljust(size, b"\0"), physical=False)


class Locked(Decryptor):
    """The decryptor of an image whose tables are read without its passphrase.

    The tables are not encrypted; a request for data is refused as `unlock` refuses it.
    """

    physical = True

    def __init__(self, metadata: Metadata, source: Source) -> None:
        self._metadata, self._source = metadata, source

    def decrypt_into(self, data: Buffer, offset: int, out: bytearray | memoryview) -> None:
        """Refuse.

        Raises:
            Unsupported: There is no passphrase.
        """
        unlock(self._metadata, self._source, None)
        raise AssertionError("an image that is not encrypted is not locked")


def _broken(metadata: Metadata, rule_id: str, advice: str = "") -> QcowError:
    """The error of a rule, with its own sentence, and what to do."""
    assert metadata.header is not None
    value = int(metadata.header.crypt_method)
    return _error(metadata, rule_id, sentence(BY_ID[rule_id], value) + advice, value)


def _error(metadata: Metadata, rule_id: str, message: str, value: int | None = None) -> QcowError:
    """An error about the method of encryption, which stands in the header."""
    assert metadata.header_part is not None
    at = place(metadata.header_part, METHOD)
    return error_of(rule_id, value, offset=at.offset, field=at.field, message=message)


def _text(metadata: Metadata, passphrase: bytes, rule_id: str) -> bytes:
    """The passphrase, if QEMU accepts it: UTF-8 without a zero byte."""
    try:
        passphrase.decode("utf-8")
    except UnicodeDecodeError:
        valid = False
    else:
        valid = b"\0" not in passphrase
    if not valid:
        # Raised outside of `except`: the error above has the passphrase, and must not be chained.
        message = "The passphrase is no UTF-8 text, or has a zero byte; QEMU takes no such one."
        raise _error(metadata, rule_id, message)
    return passphrase
