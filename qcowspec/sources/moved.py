"""Second files that lie elsewhere than the image says: the user names where.

In: what the user says of a file, and the name in an image. Out: the path to open. Refuses: what the
gate refuses; a file that the user names needs no other permission.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from qcowspec.sources.gate import Gate, gate_of, is_url, looked_up, seen_from


class Moved:
    """A gate that opens other files in place of some, or no backing file at all.

    Attributes:
        places: Where files lie, each as ``NAME=PATH``.
        gate: Decides about the others.
        no_backing: Whether backing files are left out.
    """

    def __init__(
        self,
        places: Iterable[str] = (),
        *,
        allow: str | Iterable[str] | Gate | None = None,
        no_backing: bool = False,
    ) -> None:
        """Set where files lie.

        Args:
            places: ``NAME=PATH``: the name of a backing or data file as the image has it, and the
                path or URL of the file to open in its place.
            allow: Which other files may be opened; see `qcowspec.open`.
            no_backing: Read images as if they named no backing file: zeros where it would decide.
        """
        self.places = tuple(map(os.fsencode, places))
        self.gate = gate_of(allow)
        self.no_backing = no_backing

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """See `Gate.admit`."""
        return self.place_of(name) or self.gate.admit(image, name, purpose)

    def place_of(self, name: bytes) -> str | None:
        """Where the file of this name lies; None if the user has not said."""
        for place in self.places:
            if place.startswith(name + b"="):
                path = os.fsdecode(place.removeprefix(name + b"="))
                return path if is_url(path) and not os.path.exists(path) else os.path.realpath(path)
        return None


def admitted(gate: Gate, opened: str, given: str, name: bytes, purpose: str) -> tuple[str, str]:
    """Where to open a second file.

    Args:
        gate: Decides whether it may be opened.
        opened: The image that names it, as it was opened.
        given: The same, links not followed.
        name: The name, verbatim.
        purpose: See `Gate.admit`.

    Returns:
        The path or URL, without links; and the same, links not followed.

    Raises:
        Refused: The gate does not open it.
        Unreadable: It cannot be looked up.
    """
    place = gate.place_of(name) if isinstance(gate, Moved) else None
    if place is not None:
        return place, place
    path = gate.admit(opened, seen_from(opened, given, name), purpose)
    return path, looked_up(given, name) or path
