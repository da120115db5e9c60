"""Where the bytes of a guest range are, for every version: run by run, or as arrays.

In: what opening read of an image. Out: a `Walk`, and its `Mapping` of arrays. Refuses: a snapshot
whose L1 table cannot be read.

Only the arrays import NumPy, and only when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcowspec.mapping.runs import Kind, Run
from qcowspec.mapping.volume import Volume, volume_of
from qcowspec.mapping.walk import LostWalk, RawWalk, Walk
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Format, Metadata

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

    from qcowspec.mapping.base import Mapping, RawMapping
    from qcowspec.mapping.extents import NOWHERE, Extents
    from qcowspec.mapping.l1 import TableMapping
    from qcowspec.mapping.qcow1 import Qcow1Mapping
    from qcowspec.mapping.qcow2 import Qcow2Mapping

__all__ = [
    "NOWHERE",
    "Extents",
    "Kind",
    "LostWalk",
    "Mapping",
    "Qcow1Mapping",
    "Qcow2Mapping",
    "RawMapping",
    "RawWalk",
    "Run",
    "TableMapping",
    "Volume",
    "Walk",
    "mapping_of",
    "volume_of",
    "walk_of",
]

_ARRAYS = {
    "NOWHERE": "extents",
    "Extents": "extents",
    "Mapping": "base",
    "Qcow1Mapping": "qcow1",
    "Qcow2Mapping": "qcow2",
    "RawMapping": "base",
    "TableMapping": "l1",
}
"""Names whose modules import NumPy."""


def walk_of(
    metadata: Metadata,
    source: Source,
    *,
    snapshot: Qcow2.Snapshot | None = None,
    like_qemu: bool = False,
    salvage: bool = False,
    vm_state: bool = False,
) -> Walk:
    """The walk through an opened image; see `volume_of`."""
    volume = volume_of(
        metadata,
        source,
        snapshot=snapshot,
        like_qemu=like_qemu,
        salvage=salvage,
        vm_state=vm_state,
    )
    if metadata.format is Format.QCOW:
        from qcowspec.mapping.walk_qcow1 import Qcow1Walk

        return Qcow1Walk(volume)
    from qcowspec.mapping.walk_qcow2 import Qcow2Walk

    return Qcow2Walk(volume)


def mapping_of(
    metadata: Metadata,
    source: Source,
    *,
    snapshot: Qcow2.Snapshot | None = None,
    like_qemu: bool = False,
) -> Mapping:
    """The mapping of an opened image, as arrays; see `volume_of`."""
    return walk_of(metadata, source, snapshot=snapshot, like_qemu=like_qemu).arrays


def __getattr__(name: str) -> object:
    if name not in _ARRAYS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ARRAYS[name]}"), name)
