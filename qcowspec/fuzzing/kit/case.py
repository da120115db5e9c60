"""One image of the kit, described by a build spec.

In: a build spec. Out: the image, and its other files. Refuses: an invalid spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from qcowspec.fuzzing import recipes
from qcowspec.fuzzing.kit.encrypting import Luks, luks_header, with_aes, with_luks

Spec = Mapping[str, Any]

SECRET = "kit secret"  # noqa: S105 - it protects nothing
"""The passphrase of every encrypted image of the kit."""


@dataclass(frozen=True)
class Case:
    """An image of the kit.

    Attributes:
        id: Its id, which is also its folder: the rule or the feature, and a name.
        says: What is special about it, in a sentence.
        feature: The feature that it is counted under.
        spec: The image, as `qcowspec build` takes it.
        rule: The id of the rule that it tests; None if it tests a feature.
        format: ``qcow`` or ``qcow2``.
        files: The files that the image names, as build specs, or `raw`.
        luks: How its data are encrypted; None if they are not, or not by LUKS.
        aes: Whether its data are encrypted by AES without LUKS.
        fails: Why reading it must fail, though it opens; None if reading must not fail.
        asked: Whether the bytes of its disk are tested.
        differs: How every measured QEMU differs, and why.
    """

    id: str
    says: str
    feature: str
    spec: Spec
    rule: str | None = None
    format: str = "qcow2"
    files: Mapping[str, Spec] = field(default_factory=dict)
    luks: Luks | None = None
    aes: bool = False
    fails: str | None = None
    asked: bool = True
    differs: str | None = None

    @property
    def secret(self) -> str | None:
        """The passphrase, if there is one."""
        return SECRET if self.aes or self.luks is not None else None

    @property
    def name(self) -> str:
        """The image's file name."""
        return f"image.{self.format}"

    def image(self) -> bytes:
        """The image."""
        spec = dict(self.spec)
        if self.luks is not None:
            spec["luks"] = {"hex": luks_header(self.luks).hex()}
        data = recipes.made(spec).pieces.image()
        if self.aes:
            return with_aes(data, SECRET.encode())
        return data if self.luks is None else with_luks(data, self.luks)

    def beside(self) -> Iterator[tuple[str, bytes]]:
        """The other files, by name, with their bytes."""
        for name, spec in self.files.items():
            if "raw" in spec:
                yield name, raw_bytes(spec)
            else:
                yield name, recipes.made(spec).pieces.image()
        described = recipes.made(self.spec) if self.spec.get("data_file") else None
        if described is not None and described.data_file is not None:
            name = str(self.spec["data_file"])
            if name not in self.files:
                data = bytearray(described.data_size)
                for offset, piece in described.data_file.items():
                    data[offset : offset + len(piece)] = piece
                yield name, bytes(data)


def raw(length: int, **writes: Any) -> Spec:
    """A raw file: its length, and texts by offset, as ``at_4096="text"``."""
    return {"raw": length, "writes": {key.removeprefix("at_"): v for key, v in writes.items()}}


def raw_bytes(spec: Spec) -> bytes:
    """The bytes of a raw file."""
    data = bytearray(spec["raw"])
    for offset, text in spec.get("writes", {}).items():
        piece = str(text).encode()
        data[int(offset) : int(offset) + len(piece)] = piece
    return bytes(data)


def sound(feature: str, name: str, says: str, spec: dict[str, Any], **more: Any) -> Case:
    """A case of a feature: a valid image."""
    folder = feature.replace(" ", "-")
    more.setdefault("format", "qcow" if spec.get("version") == 1 else "qcow2")
    return Case(f"reading/{folder}/{name}", says, feature, spec, **more)


def scattered(cluster: int) -> list[dict[str, Any]]:
    """Writes that touch clusters in part, whole, and across their boundaries."""
    return [
        {"at": 5, "text": "at the beginning"},
        {"at": cluster - 3, "text": "across a boundary"},
        {"at": 3 * cluster, "noise": 3, "length": cluster},
        {"at": 7 * cluster + cluster // 2, "noise": 7, "length": 2 * cluster},
    ]
