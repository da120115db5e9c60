"""What is served, and what may be opened for it.

In: the words of a command line, or what `qcowspec serve` sends. Out: an opened image. Refuses:
unknown keys, with `ValueError`, and what opening refuses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qcowspec.crypto.secret import read_secret
from qcowspec.errors import Unsupported
from qcowspec.sources import FileName, Target, Url, named, stated_format
from qcowspec.sources.gate import ANY, RAW, SAME_DIR, Allow, Gate, is_url
from qcowspec.sources.moved import Moved
from qcowspec.sources.names import STANDARD_INPUT

if TYPE_CHECKING:
    from qcowspec.image import Image
    from qcowspec.raw import RawImage

FORMATS = ("qcow", "qcow2", RAW)

MOST = 1 << 24
"""Bytes of settings that are received, at most."""


@dataclass
class Settings:
    """An image to serve.

    Attributes:
        image: The image; None as long as none is named.
        format: Its format, to skip the probe.
        allow: Places of second files, as for `--allow`.
        backing: Where second files lie, each as ``NAME=PATH``.
        no_backing: Whether backing files are left out.
        secret: The passphrase.
        share: Whether files may be written to while they are served.
    """

    image: Target | None = None
    format: str | None = None
    allow: list[str] = field(default_factory=list)
    backing: list[str] = field(default_factory=list)
    no_backing: bool = False
    secret: bytes | None = field(default=None, repr=False)
    share: bool = False

    # --- from words -------------------------------------------------------------------------------

    def add(self, key: str, value: str) -> None:
        """Take a word of a command line. Paths become absolute: a server leaves its directory.

        Raises:
            ValueError: The key or the value is not known.
            QcowError: The passphrase cannot be read.
        """
        if key == "image":
            self.image = _absolute(named(value))
        elif key == "format" and value in FORMATS:
            self.format = value
        elif key == "allow":
            plain = value in (ANY, SAME_DIR) or (is_url(value) and not os.path.isdir(value))
            self.allow.append(value if plain else os.path.abspath(value))
        elif key == "backing" and "=" in value:
            self.backing.append(value)
        elif key == "secret":
            self.secret = read_secret(value)
        elif key in ("no-backing", "share") and value in YES_NO:
            setattr(self, key.replace("-", "_"), YES_NO[value])
        elif key in KEYS:
            raise ValueError(f"{key} takes {KEYS[key]}")
        else:
            raise ValueError(f"{key} is not known; known are {', '.join(KEYS)}")

    def check(self) -> None:
        """Refuse settings that name no image.

        Raises:
            ValueError: They name none.
        """
        if self.image is None:
            raise ValueError("image=PATH is missing: which image is to be served?")

    # --- from another process ---------------------------------------------------------------------

    def sent(self) -> bytes:
        """The same as bytes, for `receive`; the passphrase is among them.

        Raises:
            Unsupported: The image has no name by which another process can open it.
        """
        target = self.image
        if isinstance(target, FileName):
            image: list[Any] = ["path", target.text, target.format]
        elif isinstance(target, Url):
            image = ["url", target.text]
        elif isinstance(target, Mapping):
            image = ["spec", dict(target)]
        else:
            raise Unsupported("cannot be served: name a file or a URL", path=STANDARD_INPUT)
        values: dict[str, Any] = vars(self) | {
            "image": image,
            "secret": None if self.secret is None else self.secret.hex(),
        }
        return json.dumps(values).encode()

    def receive(self, descriptor: int) -> None:
        """Take what `sent` made, from a file descriptor, which is closed.

        Raises:
            ValueError: There is too much of it.
            OSError: It cannot be read.
        """
        pieces, left = [], MOST
        while left and (piece := os.read(descriptor, left)):
            pieces.append(piece)
            left -= len(piece)
        os.close(descriptor)
        if not left:
            raise ValueError(f"there are {MOST} bytes of settings or more")
        values = json.loads(b"".join(pieces))
        kind, *image = values.pop("image")
        secret = values.pop("secret")
        kinds: dict[str, Any] = {"path": FileName, "url": Url, "spec": dict}
        self.image = kinds[kind](*image)
        self.secret = None if secret is None else bytes.fromhex(secret)
        for name, value in values.items():
            setattr(self, name, value)

    # --- the image --------------------------------------------------------------------------------

    def gate(self) -> Gate:
        """What decides about second files."""
        return Moved(self.backing, allow=self.allow, no_backing=self.no_backing)

    def take_gate(self, gate: Gate) -> None:
        """Have the settings of a gate that a command line has made."""
        if isinstance(gate, Moved):
            self.backing = list(map(os.fsdecode, gate.places))
            self.no_backing = gate.no_backing
            gate = gate.gate
        if isinstance(gate, Allow):
            self.allow = list(gate.places)

    def opened(self) -> Image | RawImage:
        """Open the image.

        Raises:
            QcowError: It cannot be opened.
        """
        assert self.image is not None
        if RAW in (self.format, stated_format(self.image)):
            from qcowspec.raw import RawImage

            return RawImage(self.image)
        from qcowspec.image import open as open_image

        return open_image(self.image, format=self.format, allow=self.gate(), secret=self.secret)


KEYS = {
    "image": "a path or a URL",
    "format": "qcow, qcow2 or raw",
    "allow": "same-dir, any or a directory",
    "backing": "NAME=PATH",
    "no-backing": "yes or no",
    "secret": "file:PATH or env:NAME",
    "share": "yes or no",
}
"""The keys of a command line, and the values that they take."""

YES_NO = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}


def _absolute(target: Any) -> Target:
    """The same image, wherever the process goes."""
    if target == STANDARD_INPUT:
        raise ValueError("standard input cannot be served: name a file or a URL")
    if isinstance(target, FileName):
        with suppress(ValueError):
            return FileName(os.path.abspath(target.text), target.format)
    return target  # type: ignore[no-any-return]
