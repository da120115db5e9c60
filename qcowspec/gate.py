"""Who may open a second file.

In: the name an image gives for its backing or data file. Out: leave to open it, or `Refused`.
Refuses: everything, unless the user said otherwise.

An image never opens a file: it asks the gate. An uploaded image that names its neighbour is the
attack of CVE-2024-32498, so the default is `Deny`, in the library and in every command.
"""

from __future__ import annotations

from typing import Protocol

from qcowspec.errors import Refused


class Gate(Protocol):
    """Decides whether an image may have another file opened."""

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """Return the path to open, or refuse.

        Args:
            image: The image that asks, as the user named it.
            name: The name that stands in the image, verbatim.
            purpose: What the file is to the image: ``backing file`` or ``data file``.

        Raises:
            Refused: The user has not allowed this file.
        """
        ...


class Deny:
    """The gate that stays shut."""

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """Refuse, and say which file was asked for."""
        raise Refused(
            f"names the {purpose} {name.decode('utf-8', 'backslashreplace')!r},"
            " which is not opened unless you allow it",
            path=image,
        )
