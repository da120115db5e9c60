"""Where an image's bytes come from, as the rest of the package sees it.

In: nothing. Out: the contracts that byte sources keep, one for each way to wait;
`qcowspec.sources` has the sources. Refuses: nothing.
"""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Random access to the bytes of one image file."""

    @property
    def name(self) -> str:
        """The image as the user named it."""
        ...

    @property
    def length(self) -> int:
        """Length of the file in bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes at an offset.

        Args:
            offset: First byte, from the start of the file; may lie past its end.
            length: Number of bytes wanted.

        Returns:
            The bytes; fewer than `length` only where the file ends, none past its end.

        Raises:
            Unreadable: The device or the network failed.
        """
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class AsyncSource(Protocol):
    """Random access to the bytes of one image file, awaited on an event loop.

    A `Source` whose bytes come over a network may be one of these as well: then no thread waits
    while an image is opened.
    """

    @property
    def name(self) -> str:
        """The image as the user named it."""
        ...

    @property
    def length(self) -> int:
        """Length of the file in bytes."""
        ...

    async def read_at_async(self, offset: int, length: int) -> bytes:
        """Read bytes at an offset; see `Source.read_at`. May run many times at once."""
        ...
