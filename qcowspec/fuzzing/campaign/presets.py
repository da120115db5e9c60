"""Presets: readers whose command lines are known.

In: a preset's name. Out: the target, and how it is judged. Refuses: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from qcowspec.fuzzing.campaign.targets import OUTPUT, PYTHON


@dataclass(frozen=True, slots=True)
class Preset:
    """A reader, and how it is run and judged.

    Attributes:
        target: The command, or the callable; see `targets.target`.
        profile: The profile that it is judged by.
        reads: Whether it reads the guest's bytes, so that they are compared.
        says: A short description.
        stdout: Whether it writes the guest's bytes to stdout.
        needs: What to do where it is not installed.
    """

    target: str
    profile: str = "qemu"
    reads: bool = False
    says: str = ""
    stdout: bool = False
    needs: str = ""

    @property
    def is_python(self) -> bool:
        """Whether it is a Python callable."""
        return self.target.startswith(PYTHON)

    @property
    def compares(self) -> bool:
        """Whether the guest's bytes are compared: it reads them, and gives them somewhere."""
        return self.reads and (self.stdout or self.is_python or OUTPUT in self.target)


QEMU = "install the package qemu-utils (Debian, Ubuntu) or qemu-img (Fedora)"
SEVEN_ZIP = "install the package 7zip"

PRESETS = {
    "qemu-img": Preset("qemu-img info -f {format} {}", says="QEMU opens the image", needs=QEMU),
    "qemu-read": Preset(
        "qemu-img convert -f {format} -O raw {} {out}",
        reads=True,
        says="QEMU reads all of the disk",
        needs=QEMU,
    ),
    "qemu-io": Preset(
        "qemu-io -r -f {format} -c 'read -q 0 {size}' {}",
        reads=True,
        says="QEMU reads all of the disk at once; its bytes are not compared",
        needs=QEMU,
    ),
    "qcowinfo": Preset(
        "qcowinfo {}",
        says="libqcow's tool opens the image",
        needs="install the package libqcow-utils (Debian, Ubuntu)",
    ),
    "libqcow": Preset(
        "python:libqcow",
        reads=True,
        says="libqcow's Python binding reads it",
        needs="pip install libqcow-python",
    ),
    "dissect": Preset(
        "python:dissect",
        reads=True,
        says="dissect.hypervisor reads it",
        needs="pip install dissect.hypervisor",
    ),
    "oslo": Preset(
        "python:oslo",
        profile="untrusted",
        says="OpenStack's inspector judges an upload",
        needs="pip install oslo.utils",
    ),
    "7z": Preset(
        "7z t {}",
        reads=True,
        says="7-Zip tests the archive that it takes it for",
        needs=SEVEN_ZIP,
    ),
    "7z-read": Preset(
        "7z e -so -tqcow {}",
        reads=True,
        says="7-Zip reads all of the disk",
        stdout=True,
        needs=SEVEN_ZIP,
    ),
}
"""The presets, by name."""
