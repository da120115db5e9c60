# Generated from formats/kaitai/luks1.ksy by tools/generate.py: do not edit.
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum
import collections


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class Luks1(KaitaiStruct):
    """The first 592 bytes of a LUKS version 1 volume: which cipher protects the
    payload, how the master key is checked, and eight slots that each hold one
    encrypted copy of it. A qcow2 image with crypt_method 2 stores this header,
    and the key material after it, in clusters of its own. All offsets inside it
    count from the start of this header, not from the start of the image.

    Names are kept as bytes, because a damaged header may hold anything.

    .. seealso::
       Source - https://gitlab.com/cryptsetup/cryptsetup/-/wikis/LUKS-standard/on-disk-format.pdf


    .. seealso::
       docs/interop/qcow2: Full disk encryption header pointer


    .. seealso::
       crypto/block-luks-priv.h: QCryptoBlockLUKSHeader
    """

    class KeySlotState(IntEnum):
        disabled = 57005
        enabled = 11301363
    SEQ_FIELDS = ["header"]
    def __init__(self, _io, _parent=None, _root=None):
        super(Luks1, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._debug = collections.defaultdict(dict)

    def _read(self):
        self._debug['header']['start'] = self._io.pos()
        self.header = Luks1.Header(self._io, self, self._root)
        self.header._read()
        self._debug['header']['end'] = self._io.pos()


    def _fetch_instances(self):
        pass
        self.header._fetch_instances()

    class Header(KaitaiStruct):
        """The partition header, 592 bytes.

        .. seealso::
           crypto/block-luks-priv.h: QCryptoBlockLUKSHeader
        """
        SEQ_FIELDS = ["magic", "version", "cipher_name", "cipher_mode", "hash_spec", "payload_offset_sector", "master_key_len", "master_key_digest", "master_key_salt", "master_key_iterations", "uuid", "key_slots"]
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._debug = collections.defaultdict(dict)

        def _read(self):
            self._debug['magic']['start'] = self._io.pos()
            self.magic = self._io.read_bytes(6)
            self._debug['magic']['end'] = self._io.pos()
            self._debug['version']['start'] = self._io.pos()
            self.version = self._io.read_u2be()
            self._debug['version']['end'] = self._io.pos()
            self._debug['cipher_name']['start'] = self._io.pos()
            self.cipher_name = self._io.read_bytes(32)
            self._debug['cipher_name']['end'] = self._io.pos()
            self._debug['cipher_mode']['start'] = self._io.pos()
            self.cipher_mode = self._io.read_bytes(32)
            self._debug['cipher_mode']['end'] = self._io.pos()
            self._debug['hash_spec']['start'] = self._io.pos()
            self.hash_spec = self._io.read_bytes(32)
            self._debug['hash_spec']['end'] = self._io.pos()
            self._debug['payload_offset_sector']['start'] = self._io.pos()
            self.payload_offset_sector = self._io.read_u4be()
            self._debug['payload_offset_sector']['end'] = self._io.pos()
            self._debug['master_key_len']['start'] = self._io.pos()
            self.master_key_len = self._io.read_u4be()
            self._debug['master_key_len']['end'] = self._io.pos()
            self._debug['master_key_digest']['start'] = self._io.pos()
            self.master_key_digest = self._io.read_bytes(20)
            self._debug['master_key_digest']['end'] = self._io.pos()
            self._debug['master_key_salt']['start'] = self._io.pos()
            self.master_key_salt = self._io.read_bytes(32)
            self._debug['master_key_salt']['end'] = self._io.pos()
            self._debug['master_key_iterations']['start'] = self._io.pos()
            self.master_key_iterations = self._io.read_u4be()
            self._debug['master_key_iterations']['end'] = self._io.pos()
            self._debug['uuid']['start'] = self._io.pos()
            self.uuid = self._io.read_bytes(40)
            self._debug['uuid']['end'] = self._io.pos()
            self._debug['key_slots']['start'] = self._io.pos()
            self._debug['key_slots']['arr'] = []
            self.key_slots = []
            for i in range(8):
                self._debug['key_slots']['arr'].append({'start': self._io.pos()})
                _t_key_slots = Luks1.KeySlot(self._io, self, self._root)
                try:
                    _t_key_slots._read()
                finally:
                    self.key_slots.append(_t_key_slots)
                self._debug['key_slots']['arr'][i]['end'] = self._io.pos()

            self._debug['key_slots']['end'] = self._io.pos()


        def _fetch_instances(self):
            pass
            for i in range(len(self.key_slots)):
                pass
                self.key_slots[i]._fetch_instances()


        @property
        def ok_magic(self):
            """The magic bytes are those of LUKS (QCRYPTO_BLOCK_LUKS_MAGIC)."""
            if hasattr(self, '_m_ok_magic'):
                return self._m_ok_magic

            self._m_ok_magic = self.magic == b"\x4C\x55\x4B\x53\xBA\xBE"
            return getattr(self, '_m_ok_magic', None)

        @property
        def ok_version(self):
            """The version is 1 (QCRYPTO_BLOCK_LUKS_VERSION)."""
            if hasattr(self, '_m_ok_version'):
                return self._m_ok_version

            self._m_ok_version = self.version == 1
            return getattr(self, '_m_ok_version', None)

        @property
        def payload_offset(self):
            """Start of the encrypted payload in bytes."""
            if hasattr(self, '_m_payload_offset'):
                return self._m_payload_offset

            self._m_payload_offset = (self.payload_offset_sector * 512)
            return getattr(self, '_m_payload_offset', None)


    class KeySlot(KaitaiStruct):
        """One encrypted copy of the master key, 48 bytes.

        .. seealso::
           crypto/block-luks-priv.h: QCryptoBlockLUKSKeySlot
        """
        SEQ_FIELDS = ["active", "iterations", "salt", "key_offset_sector", "stripes"]
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.KeySlot, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._debug = collections.defaultdict(dict)

        def _read(self):
            self._debug['active']['start'] = self._io.pos()
            self.active = KaitaiStream.resolve_enum(Luks1.KeySlotState, self._io.read_u4be())
            self._debug['active']['end'] = self._io.pos()
            self._debug['iterations']['start'] = self._io.pos()
            self.iterations = self._io.read_u4be()
            self._debug['iterations']['end'] = self._io.pos()
            self._debug['salt']['start'] = self._io.pos()
            self.salt = self._io.read_bytes(32)
            self._debug['salt']['end'] = self._io.pos()
            self._debug['key_offset_sector']['start'] = self._io.pos()
            self.key_offset_sector = self._io.read_u4be()
            self._debug['key_offset_sector']['end'] = self._io.pos()
            self._debug['stripes']['start'] = self._io.pos()
            self.stripes = self._io.read_u4be()
            self._debug['stripes']['end'] = self._io.pos()


        def _fetch_instances(self):
            pass

        @property
        def is_active(self):
            """The slot holds a key."""
            if hasattr(self, '_m_is_active'):
                return self._m_is_active

            self._m_is_active = self.active == Luks1.KeySlotState.enabled
            return getattr(self, '_m_is_active', None)

        @property
        def key_offset(self):
            """Start of the slot's key material in bytes."""
            if hasattr(self, '_m_key_offset'):
                return self._m_key_offset

            self._m_key_offset = (self.key_offset_sector * 512)
            return getattr(self, '_m_key_offset', None)

        @property
        def ok_striped(self):
            """The key is split into some stripes. QEMU from 7.2 on wants 4000."""
            if hasattr(self, '_m_ok_striped'):
                return self._m_ok_striped

            self._m_ok_striped = self.stripes > 0
            return getattr(self, '_m_ok_striped', None)
