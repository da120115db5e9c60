"""What an image file holds besides its disk, by kind: what a flat copy leaves behind.

In: an opened image. Out: values of JSON. Refuses: nothing.
"""

from __future__ import annotations

from typing import Any

from qcowspec.check.findings import Progress, silent
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Usage
from qcowspec.errors import shown
from qcowspec.image import Image
from qcowspec.spec.metadata import Format

NAMES_SHOWN = 64
"""Names of features, and extensions, that are listed; more are counted only."""

OF_THE_DISK = {
    Kind.HEADER, Kind.L1_TABLE, Kind.REFCOUNT_TABLE, Kind.REFCOUNT_BLOCK, Kind.L2_TABLE,
    Kind.LUKS_HEADER, Kind.DATA, Kind.SHARED_DATA, Kind.COMPRESSED, Kind.SHARED_COMPRESSED,
}  # fmt: skip
"""Kinds of bytes without which there is no disk of the active state."""


def besides(image: Image, progress: Progress = silent) -> dict[str, Any]:
    """What an image file holds besides the disk of its active state.

    Args:
        image: The image; it may be broken.
        progress: See `Usage`; all cavities are read.

    Raises:
        Unreadable: The file cannot be read.
    """
    usage = Usage(image, deep=True, progress=progress)
    for _ in usage.arrays():
        pass
    metadata, geometry = image.metadata, image.metadata.geometry
    clusters = 0
    if geometry is not None:
        clusters = -(-usage.totals[Kind.LEAKED].length // geometry.cluster_size)
    kinds = {
        kind.word: {"bytes": usage.totals[kind].length}
        | ({"nonzero": usage.totals[kind].nonzero} if kind.is_cavity else {})
        for kind in Kind
        if kind not in OF_THE_DISK and usage.totals[kind].length
    }
    unknown = [
        f"{int(each.magic):#010x}"
        for each in (image.extensions if image.format is Format.QCOW2 else ())
        if not each.ok_untrusted_unknown
    ]
    features = sorted({text(name) for name in metadata.feature_names.values()})
    return {
        "kinds": kinds,
        "leaked_clusters": clusters,
        "snapshots": len(metadata.snapshots),
        "bitmaps": len(metadata.bitmaps),
        "backing_file": None if metadata.backing is None else text(metadata.backing.name),
        "data_file": None if metadata.data_file is None else text(metadata.data_file.name),
        "feature_names": _some(features),
        "unknown_extensions": _some(unknown),
        "not_followed": usage.not_followed,
    }


def text(name: bytes) -> str:
    """A name that stands in an image, without secrets; what is no text in it is escaped."""
    return shown(name.decode("utf-8", "backslashreplace"))


def _some(names: list[str]) -> dict[str, Any]:
    return {"count": len(names), "names": names[:NAMES_SHOWN]}
