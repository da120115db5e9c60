# Generated from formats/kaitai/qcow.ksy by tools/generate.py: do not edit.
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from . import qcow2
from . import qcow1
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class Qcow(KaitaiStruct):
    """The front door of the QCOW family: the eight bytes that all versions share,
    and the layout that they select.

    Version 1 ("qcow") and versions 2 and 3 ("qcow2") have the same magic number
    and differ from the ninth byte on. QEMU gives version 1 to one driver and
    every version from 2 up to the other, which then refuses those above 3. A
    version of 0 belongs to neither, and QEMU takes such a file for a raw disk.

    Nothing here refuses a file: whatever the numbers are, they are kept, and
    `format` says what they select.

    .. seealso::
       Source - https://www.qemu.org/docs/master/interop/qcow2.html


    .. seealso::
       block/qcow.c: qcow_probe


    .. seealso::
       block/qcow2.c: qcow2_probe
    """
    SEQ_FIELDS = ['probe']

    class Format(IntEnum):
        unknown = 0
        qcow = 1
        qcow2 = 2
    def __init__(self, _io, _parent=None, _root=None):
        super(Qcow, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.probe = Qcow.Probe(self._io, self, self._root)


    def _fetch_instances(self):
        pass
        self.probe._fetch_instances()
        _ = self.qcow1
        if hasattr(self, '_m_qcow1'):
            pass
            self._m_qcow1._fetch_instances()

        _ = self.qcow2
        if hasattr(self, '_m_qcow2'):
            pass
            self._m_qcow2._fetch_instances()


    class Probe(KaitaiStruct):
        """The first eight bytes of every QCOW image.

        .. seealso::
           docs/interop/qcow2: Header



        .. seealso::
           block/qcow.c: qcow_probe



        .. seealso::
           block/qcow2.c: qcow2_probe
        """
        SEQ_FIELDS = ['magic', 'version']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow.Probe, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_u4be()
            self.version = self._io.read_u4be()


        def _fetch_instances(self):
            pass

        @property
        def format(self):
            """The driver that QEMU would choose. Versions above 3 are probed as
            qcow2 and refused by its open function.
            """
            if hasattr(self, '_m_format'):
                return self._m_format

            self._m_format = (Qcow.Format.unknown if  (((not (self.is_qcow))) or (self.version == 0))  else (Qcow.Format.qcow if self.version == 1 else Qcow.Format.qcow2))
            return getattr(self, '_m_format', None)

        @property
        def is_qcow(self):
            """The magic number is QCOW_MAGIC."""
            if hasattr(self, '_m_is_qcow'):
                return self._m_is_qcow

            self._m_is_qcow = self.magic == 1363560955
            return getattr(self, '_m_is_qcow', None)

        @property
        def ok_claimed(self):
            """One of QEMU's two QCOW drivers takes the file (from QCOW_VERSION on).
            """
            if hasattr(self, '_m_ok_claimed'):
                return self._m_ok_claimed

            self._m_ok_claimed =  ((self.is_qcow) and (self.version >= 1))
            return getattr(self, '_m_ok_claimed', None)


    @property
    def format(self):
        """The layout that the probe selects."""
        if hasattr(self, '_m_format'):
            return self._m_format

        self._m_format = self.probe.format
        return getattr(self, '_m_format', None)

    @property
    def qcow1(self):
        """The whole file read as version 1."""
        if hasattr(self, '_m_qcow1'):
            return self._m_qcow1

        if self.probe.format == Qcow.Format.qcow:
            pass
            _pos = self._io.pos()
            self._io.seek(0)
            self._m_qcow1 = qcow1.Qcow1(self._io)
            self._io.seek(_pos)

        return getattr(self, '_m_qcow1', None)

    @property
    def qcow2(self):
        """The whole file read as version 2 or later."""
        if hasattr(self, '_m_qcow2'):
            return self._m_qcow2

        if self.probe.format == Qcow.Format.qcow2:
            pass
            _pos = self._io.pos()
            self._io.seek(0)
            self._m_qcow2 = qcow2.Qcow2(self._io)
            self._io.seek(_pos)

        return getattr(self, '_m_qcow2', None)
