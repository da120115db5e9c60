"""The rules about what the file is, and what else it could pass for."""

from __future__ import annotations

from qcow_parsers import Qcow

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, states

PARTITION_TABLES = frozenset({"MBR", "GPT"})
"""Of the signatures of others, those that are no image format."""


@states("probe/claimed")
def beginning(probe: Qcow.Probe, image: Metadata) -> str:
    """The bytes that decide, as far as the file has them."""
    return f"it begins with {image.beginning.hex(' ')}" if image.beginning else "it is empty"


@decides("probe/untrusted-foreign", reads="the signatures of other formats")
def untrusted_foreign(probe: Qcow.Probe, image: Metadata) -> bool:
    """Nothing but partition tables was found."""
    return image.foreign <= PARTITION_TABLES


@decides("probe/untrusted-partition-table", reads="the signatures of other formats")
def untrusted_partition_table(probe: Qcow.Probe, image: Metadata) -> bool:
    """No partition table was found."""
    return not image.foreign & PARTITION_TABLES


@states("probe/untrusted-foreign")
def foreign_names(probe: Qcow.Probe, image: Metadata) -> str:
    """The formats that the file could pass for."""
    return ", ".join(sorted(image.foreign - PARTITION_TABLES))


@states("probe/untrusted-partition-table")
def partition_tables(probe: Qcow.Probe, image: Metadata) -> str:
    """The partition tables that the file begins with."""
    return ", ".join(sorted(image.foreign & PARTITION_TABLES))
