"""The rules about the encryption method, and about where the LUKS header lies."""

from __future__ import annotations

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides

LUKS = int(c.QcowCryptMethod.QCOW_CRYPT_LUKS)


@decides("encryption/crypto-method")
def crypto_method(extension: Qcow2.HeaderExtension, image: Metadata) -> bool:
    """Only an image encrypted with LUKS points at a LUKS header. Reads the header."""
    return (
        int(extension.magic) != c.QCOW2_EXT_MAGIC_CRYPTO_HEADER
        or int(image.qcow2_header.crypt_method) == LUKS
    )


@decides("encryption/crypto-present", "encryption/crypto-followed")
def crypto_present(header: Qcow2.Header, image: Metadata) -> bool:
    """An image encrypted with LUKS points at a LUKS header. Reads the types of all extensions."""
    return (
        int(header.crypt_method) != LUKS or c.QCOW2_EXT_MAGIC_CRYPTO_HEADER in image.extension_types
    )


@decides("encryption/crypto-offset")
def crypto_offset(pointer: Qcow2.CryptoExtension, image: Metadata) -> bool:
    """The LUKS header begins at a cluster. Reads the header."""
    return pointer.offset % image.qcow2_header.cluster_size == 0


@decides("encryption/untrusted-headers")
def untrusted_headers(pointer: Qcow2.CryptoExtension, image: Metadata) -> bool:
    """The LUKS header is no more than the last one that is read here.

    Reads the earlier LUKS headers.
    """
    known = image.luks_headers
    return len(known) < c.POLICY_MAX_LUKS_HEADERS or pointer.offset in known
