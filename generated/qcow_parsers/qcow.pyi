# Generated from formats/kaitai/qcow.ksy by tools/generate.py: do not edit.
import os
from enum import IntEnum
from typing import Self

from .qcow1 import Qcow1
from .qcow2 import Qcow2
from .runtime import ByteStream, KaitaiStream, KaitaiStruct

class Qcow(KaitaiStruct):
    """The front door of the QCOW family: the eight bytes that all versions share,
    and the layout that they select.

    Version 1 ("qcow") and versions 2 and 3 ("qcow2") have the same magic number
    and differ from the ninth byte on. QEMU gives version 1 to one driver and
    every version from 2 up to the other, which then refuses those above 3. A
    version of 0 belongs to neither, and QEMU takes such a file for a raw disk.

    Nothing here refuses a file: whatever the numbers are, they are kept, and
    `format` says what they select.

    See https://www.qemu.org/docs/master/interop/qcow2.html; block/qcow.c: qcow_probe; block/qcow2.c: qcow2_probe
    """

    class Format(IntEnum):
        unknown = 0
        """Not a QCOW image; QEMU takes the file for a raw disk."""
        qcow = 1
        """Version 1."""
        qcow2 = 2
        """Version 2 and everything later."""

    class Probe(KaitaiStruct):
        """The first eight bytes of every QCOW image.

        See docs/interop/qcow2: Header; block/qcow.c: qcow_probe; block/qcow2.c: qcow2_probe
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        magic: int
        """"QFI" and the byte 0xfb, as one number (QCOW_MAGIC)."""
        version: int
        """Version of the format. 1, 2 and 3 exist."""
        @property
        def is_qcow(self) -> bool:
            """The magic number is QCOW_MAGIC."""
        @property
        def format(self) -> Qcow.Format | int:
            """The driver that QEMU would choose. Versions above 3 are probed as
            qcow2 and refused by its open function.
            """
        @property
        def ok_claimed(self) -> bool:
            """One of QEMU's two QCOW drivers takes the file (from QCOW_VERSION on)."""

    SEQ_FIELDS: list[str]
    _io: KaitaiStream
    _parent: KaitaiStruct | None
    _root: Qcow
    def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow | None = None) -> None: ...
    @classmethod
    def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
    @classmethod
    def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
    @classmethod
    def from_io(cls, io: ByteStream) -> Self: ...
    probe: Qcow.Probe
    """The eight bytes that tell the versions apart."""
    @property
    def format(self) -> Qcow.Format | int:
        """The layout that the probe selects."""
    @property
    def qcow1(self) -> Qcow1 | None:
        """The whole file read as version 1."""
    @property
    def qcow2(self) -> Qcow2 | None:
        """The whole file read as version 2 or later."""
