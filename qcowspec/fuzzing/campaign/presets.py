"""Presets: readers whose command lines are known.

In: a preset's name. Out: the target, and how it is judged. Refuses: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A reader, and how it is run and judged.

    Attributes:
        target: The command, or the callable; see `targets.target`.
        profile: The profile that it is judged by.
        reads: Whether it reads the guest's bytes, so that they are compared.
        says: A short description.
        stdout: Whether it writes the guest's bytes to stdout.
    """

    target: str
    profile: str = "qemu"
    reads: bool = False
    says: str = ""
    stdout: bool = False


PRESETS = {
    "qemu-img": Preset("qemu-img info -f {format} {}", says="QEMU opens the image"),
    "qemu-read": Preset(
        "qemu-img convert -f {format} -O raw {} {out}",
        reads=True,
        says="QEMU reads all of the disk",
    ),
    "qemu-io": Preset(
        "qemu-io -r -f {format} -c 'read -q 0 {size}' {}",
        reads=True,
        says="QEMU reads all of the disk at once; its bytes are not compared",
    ),
    "qcowinfo": Preset("qcowinfo {}", says="libqcow's tool opens the image"),
    "libqcow": Preset("python:libqcow", reads=True, says="libqcow's Python binding reads it"),
    "dissect": Preset("python:dissect", reads=True, says="dissect.hypervisor reads it"),
    "oslo": Preset(
        "python:oslo", profile="untrusted", says="OpenStack's inspector judges an upload"
    ),
    "7z": Preset("7z t {}", reads=True, says="7-Zip tests the archive that it takes it for"),
    "7z-read": Preset(
        "7z e -so -tqcow {}", reads=True, says="7-Zip reads all of the disk", stdout=True
    ),
}
"""The presets, by name."""
