# Generated from formats/qemu.toml by tools/generate.py: do not edit.
"""The QEMUs that every rule was measured with, and the changes between them."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Change(NamedTuple):
    """A change of QEMU's that some rules came with, went with, or are judged otherwise since."""

    id: str
    releases: tuple[str, ...]  # the first of each series that has it, the main line's last
    says: str
    source: tuple[str, ...]


class Proposed(NamedTuple):
    """An addition to the format that was sent to QEMU's list and is in no release."""

    id: str
    says: str
    source: tuple[str, ...]


MEASURED: Final[tuple[str, ...]] = ("5.2.0", "7.2.22", "10.0.13", "11.1.3")
"""Oldest first. Each was asked about every vector, every case of the kit, images with one number at
a limit and mutants."""

DISTRIBUTIONS: Final[Mapping[str, str]] = {'5.2.0': 'Debian 11', '7.2.22': 'Debian 12', '10.0.13': 'Debian 13', '11.1.3': 'Debian unstable'}
"""Whose build of a measured version it was."""

CHANGES: Final[Mapping[str, Change]] = {
    "compression-type": Change("compression-type", ("5.1",), "The header has a compression type.", ("qcow2: introduce compression type feature (572ad9783f)",)),
    "extended-l2": Change("extended-l2", ("5.2",), "L2 entries may be extended, with subclusters.", ("qcow2: Add the 'extended_l2' option and the QCOW2_INCOMPAT_EXTL2 bit (7be2025258)", "qcow2: Add subcluster support to qcow2_get_host_offset() (3f9c6b3b1f)")),
    "request-bounds": Change("request-bounds", ("6.0",), "A request that ends past BDRV_MAX_LENGTH fails; before, one that starts at 2^63 or later.", ("block: introduce BDRV_MAX_LENGTH (8b1170012b)",)),
    "check-reserved-bits": Change("check-reserved-bits", ("6.2",), "qemu-img check looks at reserved bits of tables' entries and at subclusters of compressed ones.", ("qcow2-refcount: check_refcounts_l1(): check reserved bits (98bc07d6cd)", "qcow2-refcount: check_refcounts_l2(): check reserved bits (289ef5f219)", "qcow2-refcount: check_refcounts_l2(): check l2_bitmap (9631c7822e)", "qcow2-refcount: check_refblocks(): add separate message for reserved (8fba395151)")),
    "luks-header-checks": Change("luks-header-checks", ("7.2",), "A LUKS header's strings, offsets, iterations and stripes are checked.", ("crypto: sanity check that LUKS header strings are NUL-terminated (c1d8634c20)", "crypto: validate that LUKS payload doesn't overlap with header (d233fbc327)", "crypto: check that LUKS PBKDF2 iterations count is non-zero (b57151ac03)", "crypto: enforce that LUKS stripes is always a fixed value (f1195961f3)", "crypto: enforce that key material doesn't overlap with LUKS header (93569c3730)", "crypto: strengthen the check for key slots overlapping with LUKS header (c5f6962801)")),
    "luks-algorithm-quotes": Change("luks-algorithm-quotes", ("7.2",), "A message quotes the name of an algorithm that it does not know.", ("crypto: quote algorithm names in error messages (6c1989321e)",)),
    "data-file-later": Change("data-file-later", ("7.2.13", "8.2.6", "9.0.2", "9.1"), "An external data file is opened only where guest data can be asked for.", ("qcow2: Don't open data_file with BDRV_O_NO_IO (bd385a5298; CVE-2024-4467)", "7.2.13: 149bc216f2; 8.2.6: d7e7f342c6; 9.0.2: 312ca4065b")),
    "sm4": Change("sm4", ("9.0",), "LUKS knows the cipher SM4.", ("crypto: Introduce SM4 symmetric cipher algorithm (52ed9f455e)",)),
    "sm3": Change("sm3", ("9.2",), "LUKS knows the hash SM3.", ("crypto: Introduce SM3 hash hmac pbkdf algorithm (d078da86d6)",)),
    "crypto-header": Change("crypto-header", ("10.0",), "A LUKS image without its header extension is refused; before, QEMU followed a null pointer.", ("qcow2: Don't crash qemu-img info with missing crypto header (8e4ffb4ef4)",)),
    "snapshot-size-column": Change("snapshot-size-column", ("6.0",), "In a list of snapshots, VM SIZE has a column of 8 characters, TAG one of 16; before, 7 and 17.", ("block: Fix VM size column width in bdrv_snapshot_dump() (26513a0174)",)),
    "dirty-flag": Change("dirty-flag", ("6.1",), "info shows the dirty bit; before, an image was never dirty.", ("qcow2: set bdi->is_dirty (38b4409647)",)),
    "map-present": Change("map-present", ("6.1",), "map's JSON has the key `present`, and ranges that differ in it are apart.", ("qemu-img: Make unallocated part of backing chain obvious in map (8417e1378c)",)),
    "block-graph": Change("block-graph", ("8.0",), "info describes the files that are open for the image: `children`, or Child node.", ("qemu-img: Let info print block graph (c04d0ab026)",)),
    "map-compressed": Change("map-compressed", ("8.2",), "map's JSON has the key `compressed`, and ranges that differ in it are apart.", ("qemu-img: map: report compressed data blocks (52b10c9c0c)",)),
    "detached-header": Change("detached-header", ("9.0",), "info says whether a LUKS header is detached.", ("crypto: Introduce 'detached-header' field in QCryptoBlockInfoLUKS (0bd779e27e)",)),
    "snapshot-columns": Change("snapshot-columns", ("9.0",), "A list of snapshots has other columns: blanks between all, hours of four digits, -- for no count.", ("qemu-img: Fix Column Width and Improve Formatting in snapshot list (52df1a5b61)",)),
}

PROPOSED: Final[tuple[Proposed, ...]] = (Proposed("zoned", "A zoned disk: incompatible feature bit 5, and the header extension 0x007a6264 of 56 bytes: zoned (u8; 1 is host-managed), 3 reserved bytes, zone_size and zone_capacity (u64, bytes), conventional_zones, nr_zones, max_active_zones, max_open_zones and max_append_bytes (u32), zonedmeta_size and zonedmeta_offset (u64, bytes; 8 bytes of write pointer a zone). All big-endian. Today's QEMU refuses the bit as unknown, and so does every profile.", ("qemu-devel, Sam Li: Add full zoned storage emulation to qcow2 driver, v8 of 2024-09-29",)), )
