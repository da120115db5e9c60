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


MEASURED: Final[tuple[str, ...]] = ("5.2.0", "7.2.22", "10.0.13", "11.1.3")
"""Oldest first. Each was asked about every vector, every case of the kit, images with one number at
a limit and mutants."""

DISTRIBUTIONS: Final[Mapping[str, str]] = {'5.2.0': 'Debian 11', '7.2.22': 'Debian 12', '10.0.13': 'Debian 13', '11.1.3': 'Debian unstable'}
"""Whose build of a measured version it was."""

CHANGES: Final[Mapping[str, Change]] = {
    "compression-type": Change("compression-type", ("5.1",), "The header has a compression type.", ("?",)),
    "extended-l2": Change("extended-l2", ("5.2",), "L2 entries may be extended, with subclusters.", ("?",)),
    "request-bounds": Change("request-bounds", ("6.0",), "A request that ends past BDRV_MAX_LENGTH fails; before, one that starts at 2^63 or later.", ("?",)),
    "check-reserved-bits": Change("check-reserved-bits", ("6.2",), "qemu-img check looks at reserved bits of tables' entries and at subclusters of compressed ones.", ("?",)),
    "luks-header-checks": Change("luks-header-checks", ("7.2",), "A LUKS header's strings, offsets, iterations and stripes are checked.", ("?",)),
    "luks-algorithm-quotes": Change("luks-algorithm-quotes", ("7.2",), "A message quotes the name of an algorithm that it does not know.", ("?",)),
    "data-file-later": Change("data-file-later", ("7.2.13", "8.2.6", "9.0.2", "9.1"), "An external data file is opened only where guest data can be asked for.", ("?",)),
    "sm4": Change("sm4", ("9.0",), "LUKS knows the cipher SM4.", ("?",)),
    "sm3": Change("sm3", ("9.2",), "LUKS knows the hash SM3.", ("?",)),
    "crypto-header": Change("crypto-header", ("10.0",), "A LUKS image without its header extension is refused; before, QEMU followed a null pointer.", ("?",)),
    "snapshot-size-column": Change("snapshot-size-column", ("6.0",), "In a list of snapshots, VM SIZE has a column of 8 characters, TAG one of 16; before, 7 and 17.", ("commit 26513a0174, block: Fix VM size column width in bdrv_snapshot_dump()",)),
    "dirty-flag": Change("dirty-flag", ("6.1",), "info shows the dirty bit; before, an image was never dirty.", ("commit 38b4409647, qcow2: set bdi->is_dirty",)),
    "map-present": Change("map-present", ("6.1",), "map's JSON has the key `present`, and ranges that differ in it are apart.", ("commit 8417e1378c, qemu-img: Make unallocated part of backing chain obvious in map",)),
    "block-graph": Change("block-graph", ("8.0",), "info describes the files that are open for the image: `children`, or Child node.", ("commit c04d0ab026, qemu-img: Let info print block graph",)),
    "map-compressed": Change("map-compressed", ("8.2",), "map's JSON has the key `compressed`, and ranges that differ in it are apart.", ("commit 52b10c9c0c, qemu-img: map: report compressed data blocks",)),
    "detached-header": Change("detached-header", ("9.0",), "info says whether a LUKS header is detached.", ("commit 0bd779e27e, crypto: Introduce 'detached-header' field in QCryptoBlockInfoLUKS",)),
    "snapshot-columns": Change("snapshot-columns", ("9.0",), "A list of snapshots has other columns: blanks between all, hours of four digits, -- for no count.", ("commit 52df1a5b61, qemu-img: Fix Column Width and Improve Formatting in snapshot list",)),
}
