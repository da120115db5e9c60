"""What a way to an image on a server has to offer, whichever protocol it speaks.

In: nothing. Out: the contracts of a transport and of what it brings. Refuses: nothing.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from qcowspec.sources.source import Source


class Identity(NamedTuple):
    """Which version of a file is read.

    Attributes:
        length: Its bytes.
        etag: What the server calls the version; empty where it does not say.
        modified: When it was changed last, in the server's words; empty where it does not say.
    """

    length: int
    etag: str = ""
    modified: str = ""


class Body(Protocol):
    """What comes of a range, in order; for one thread."""

    def read_into(self, buffer: memoryview) -> int:
        """Read on.

        Returns:
            How many bytes are in the buffer: all that it holds, or fewer where the range ends, or
            where something fails after some of them.

        Raises:
            Transient: Something fails before the first of them.
        """
        ...

    def close(self) -> None:
        """Be done with it, read to its end or not; harmless when called again."""
        ...


class Transport(Protocol):
    """A way to fetch ranges of one file; its methods may be called from several threads.

    Attributes:
        name: The file, as it may be shown.
    """

    name: str

    def open(self, length: int, deadline: float) -> tuple[Identity, bytes]:
        """Find the file.

        Args:
            length: Bytes of its beginning that are wanted.
            deadline: When to give up, by the monotonic clock.

        Returns:
            What it is, and its beginning; less of it only where the file ends.

        Raises:
            Transient: It may go better the next time.
            Unreadable: It will not.
        """
        ...

    def begin(self, offset: int, length: int, deadline: float) -> Body:
        """Ask for a range of the file that `open` found.

        Raises:
            Transient: It may go better the next time.
            Unreadable: It will not, or the file is no longer the same.
        """
        ...

    def sibling(self, name: str) -> Source | None:
        """Open another file of this server; see `Source.sibling`."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...
