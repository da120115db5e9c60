"""What a qcow2 image that is to be written is like: the options of ``-o``, and the sizes they give.

In: an option string as qemu-img's. Out: a `NewImage`. Refuses: options that are unknown, and values
that QEMU refuses, with `ValueError`.

Source: block/qcow2.c: qcow2_create_opts, qcow2_opt_get_cluster_size_del, validate_cluster_size,
qcow2_opt_get_version_del, qcow2_opt_get_refcount_bits_del.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec.spec.sizes import size
from qcowspec.spec.units import Geometry, align_up

ON, OFF = "on", "off"
SWITCH = {ON: True, "yes": True, "true": True, "y": True, OFF: False, "no": False, "false": False}
SWITCH["n"] = False

COMPATS = {
    c.QCOW2_COMPAT_LEVEL_V2: c.QCOW2_MIN_VERSION,
    c.QCOW2_COMPAT_LEVEL_V3: c.QCOW2_MAX_VERSION,
    "v2": c.QCOW2_MIN_VERSION,
    "v3": c.QCOW2_MAX_VERSION,
}
"""Versions by the words of ``compat``; QEMU takes ``v2`` and ``v3`` when it creates an image."""

PREALLOCATIONS = (OFF, "metadata", "falloc", "full")


class NewImage(NamedTuple):
    """A qcow2 image that is to be written.

    Attributes:
        version: 2 or 3.
        cluster_bits: Binary logarithm of the cluster size.
        refcount_order: Binary logarithm of the width of a refcount in bits.
        extended_l2: Whether L2 entries have a subcluster bitmap.
        compression_type: ``zlib`` or ``zstd``.
        preallocation: ``off``, ``metadata``, ``falloc`` or ``full``.
        has_backing_file: Whether it names a backing file.
    """

    version: int = c.QCOW2_MAX_VERSION
    cluster_bits: int = c.DEFAULT_CLUSTER_SIZE.bit_length() - 1
    refcount_order: int = c.QCOW2_DEFAULT_REFCOUNT_BITS.bit_length() - 1
    extended_l2: bool = False
    compression_type: str = "zlib"
    preallocation: str = OFF
    has_backing_file: bool = False

    @property
    def geometry(self) -> Geometry:
        """The sizes that follow."""
        size = c.L2E_SIZE_EXTENDED if self.extended_l2 else c.L2E_SIZE_NORMAL
        bits = self.cluster_bits - (size.bit_length() - 1)
        return Geometry(self.version, self.cluster_bits, bits, size, self.refcount_order)

    def tables(self, size: int) -> int:
        """L2 tables for a disk of `size` bytes."""
        return -(-size // self.geometry.l2_span)

    def check_size(self, size: int) -> None:
        """Refuse a disk of `size` bytes whose L1 table would be larger than QEMU reads.

        Raises:
            ValueError: It would.
        """
        if self.tables(size) * c.L1E_SIZE > c.QCOW_MAX_L1_SIZE:
            raise ValueError("the disk is too large for this cluster size")

    def metadata(self, size: int) -> int:
        """Bytes of the header and all tables, if the whole disk of `size` bytes has data.

        Source: block/qcow2.c: qcow2_calc_prealloc_size.
        """
        geometry = self.geometry
        cluster, tables = geometry.cluster_size, self.tables(size)
        length = cluster + tables * cluster + align_up(tables * c.L1E_SIZE, cluster)
        return length + sum(self.refcounts(geometry.clusters(length + size))) * cluster

    def refcounts(self, clusters: int) -> tuple[int, int]:
        """Clusters of the refcount table, and refcount blocks, that count these and themselves.

        Source: block/qcow2.c: qcow2_refcount_metadata_size.
        """
        geometry = self.geometry
        table = blocks = 0
        while True:
            total = clusters + table + blocks
            more = -(-total // geometry.refcount_block_entries)
            longer = geometry.clusters(more * c.REFTABLE_ENTRY_SIZE)
            if (longer, more) == (table, blocks):
                return table, blocks
            table, blocks = longer, more


def new_image(text: str) -> NewImage:
    """An image by the options of ``-o``: ``compat=1.1,cluster_size=2M``.

    Raises:
        ValueError: An option is unknown, or QEMU refuses its value.
    """
    from qcowspec.sources.image_options import pairs

    options = pairs(text) if text else {}
    unknown = [name for name in options if name not in _READ and name not in UNUSED]
    if unknown:
        known = ", ".join([*_READ, *UNUSED])
        raise ValueError(f"the option {unknown[0]!r} is not known; known are {known}")
    found = NewImage()
    for name, read in _READ.items():
        if name in options:
            found = found._replace(**read(options[name]))
    return _checked(found)


def written_image(text: str) -> NewImage:
    """The same for an image that `convert` writes, which is flat and allocates what has data.

    Raises:
        ValueError: An option is unknown, not offered, or QEMU refuses its value.
    """
    from qcowspec.sources.image_options import pairs

    for name, value in (pairs(text) if text else {}).items():
        if name in UNUSED and SWITCH.get(value, True):
            raise ValueError(f"{name}={value} is not offered here")
    found = new_image(text)
    if found.has_backing_file:
        raise ValueError("backing_file is not offered: the image that is written is flat")
    if found.preallocation != OFF:
        raise ValueError(f"preallocation={found.preallocation} is not offered here")
    return found


UNUSED = ("lazy_refcounts", "size")
"""Options of QEMU's that change no size."""


def _checked(found: NewImage) -> NewImage:
    if found.extended_l2 and found.cluster_bits < c.QCOW2_EXTL2_MIN_CLUSTER_BITS:
        least = 1 << c.QCOW2_EXTL2_MIN_CLUSTER_BITS
        raise ValueError(f"extended_l2 needs a cluster_size of at least {least} bytes")
    if found.version < c.QCOW2_MAX_VERSION:
        if found.extended_l2:
            raise ValueError("extended_l2 needs compat=1.1")
        if found.refcount_order != c.QCOW2_V2_REFCOUNT_ORDER:
            raise ValueError("compat=0.10 has 16-bit refcounts only")
        if found.compression_type != "zlib":
            raise ValueError(f"compression_type={found.compression_type} needs compat=1.1")
    return found


def _power_of_two(name: str, text: str, least: int, most: int) -> int:
    """The binary logarithm of a number."""
    number = size(text)
    if number.bit_count() != 1 or not least <= number <= most:
        raise ValueError(f"{name}={text} is no power of two from {least} to {most}")
    return number.bit_length() - 1


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"{name}={text} is none of {', '.join(choices)}")
    return text


def _compat(text: str) -> dict[str, Any]:
    return {"version": COMPATS[_choice("compat", text, tuple(COMPATS))]}


def _cluster_size(text: str) -> dict[str, Any]:
    least, most = 1 << c.MIN_CLUSTER_BITS, 1 << c.MAX_CLUSTER_BITS
    return {"cluster_bits": _power_of_two("cluster_size", text, least, most)}


def _refcount_bits(text: str) -> dict[str, Any]:
    most = 1 << c.QCOW2_MAX_REFCOUNT_ORDER
    return {"refcount_order": _power_of_two("refcount_bits", text, 1, most)}


_READ: dict[str, Callable[[str], dict[str, Any]]] = {
    "compat": _compat,
    "cluster_size": _cluster_size,
    "refcount_bits": _refcount_bits,
    "extended_l2": lambda text: {
        "extended_l2": SWITCH[_choice("extended_l2", text, tuple(SWITCH))]
    },
    "compression_type": lambda text: {
        "compression_type": _choice("compression_type", text, ("zlib", "zstd"))
    },
    "preallocation": lambda text: {"preallocation": _choice("preallocation", text, PREALLOCATIONS)},
    "backing_file": lambda text: {"has_backing_file": bool(text)},
}
"""How the value of each option is read."""
