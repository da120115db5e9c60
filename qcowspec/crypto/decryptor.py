"""What reads encrypted sectors, as the rest of the package sees it.

In: nothing. Out: the contract that every decryptor keeps. Refuses: nothing.
"""

from __future__ import annotations

from typing import Protocol

Buffer = bytes | bytearray | memoryview
"""Bytes of an image, however they are held."""


class Decryptor(Protocol):
    """Turns the stored sectors of one image into the guest's.

    One object serves any number of threads at once.

    Attributes:
        physical: What offsets count. True: bytes of the file that holds the guest data, which is
            the image or its data file (LUKS). False: bytes of the virtual disk (legacy AES).
    """

    physical: bool

    def decrypt(self, data: Buffer, offset: int) -> bytes:
        """Decrypt sectors that follow one another.

        Args:
            data: The sectors as they are stored: a multiple of 512 bytes.
            offset: Where the first one stands, in bytes, by the attribute `physical`.

        Returns:
            As many bytes, in the clear.

        Raises:
            ValueError: `data` or `offset` is no multiple of 512 bytes.
        """
        ...

    def decrypt_into(self, data: Buffer, offset: int, out: bytearray | memoryview) -> None:
        """The same into a buffer of as many bytes; `out` may be `data` itself.

        Args:
            data: The sectors as they are stored: a multiple of 512 bytes.
            offset: Where the first one stands, in bytes, by the attribute `physical`.
            out: Where the clear bytes go.

        Raises:
            ValueError: `data`, `offset` or `out` has not the length that it must have.
        """
        ...
