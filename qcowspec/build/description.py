"""The description of a small image.

In: keywords. Out: an `ImageSpec`. Refuses: nothing; `qcowspec.build.image` does.

Everything has a default, so that a test names only what it is about::

    ImageSpec(version=2, size=1 << 20, clusters={3: Cluster(b"third")})
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from qcow_parsers import constants as c

Kind = c.QCow2ClusterType


@dataclass(frozen=True, slots=True)
class Cluster:
    """What one guest cluster holds.

    Attributes:
        data: How it begins; the rest is zeros.
        kind: How it is stored, by QEMU's names.
        subclusters: With extended L2 entries: the subcluster bitmap, as the 64-bit number that QEMU
            calls ``l2_bitmap``; None for the one that goes with `kind`.
        stored: Of a compressed cluster: what stands in the file, verbatim; None for `data`,
            compressed.
        fields: Other fields of the L2 entry, by the layout's names, such as ``nb_csectors``.
    """

    data: bytes = b""
    kind: Kind = Kind.QCOW2_CLUSTER_NORMAL
    subclusters: int | None = None
    stored: bytes | None = None
    fields: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extension:
    """A header extension, verbatim.

    Attributes:
        magic: Its type.
        data: Its data, as bytes or as the fields of the type's layout.
        fields: Its other fields, such as a wrong ``len``.
    """

    magic: int
    data: bytes | Mapping[str, Any] = b""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An internal snapshot.

    Attributes:
        id: Its identifier.
        name: Its name.
        clusters: Its guest clusters; None if it was taken just now, and shares all of the image's.
        size: Size of its disk in bytes; None for the image's.
        extra_data: Fields of ``qcow2::snapshot_extra_data``; None for what QEMU writes.
        fields: Other fields of ``qcow2::snapshot``, such as ``date_sec``.
    """

    id: bytes = b"1"
    name: bytes = b""
    clusters: Mapping[int, Cluster] | None = None
    size: int | None = None
    extra_data: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A dirty bitmap.

    Attributes:
        name: Its name.
        granularity_bits: Binary logarithm of the guest bytes that one bit stands for.
        flags: As in the directory entry.
        clusters: Clusters of the bitmap's data, by index; None for one of all ones. The others are
            all zeros.
        fields: Other fields of ``qcow2::bitmap_directory_entry``.
    """

    name: bytes = b"bitmap"
    granularity_bits: int = 16
    flags: int = c.Qcow2BitmapFlags.BME_FLAG_AUTO
    clusters: Mapping[int, bytes | None] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """A whole image.

    The mapping tables, the reference counts, the sizes and the feature bits are derived from the
    rest. Anything in the header can be contradicted with `header`.

    Attributes:
        version: 1, 2 or 3.
        size: Size of the virtual disk in bytes.
        cluster_bits: Binary logarithm of the cluster size.
        l2_bits: Version 1: binary logarithm of the entries of an L2 table.
        refcount_order: Version 3: binary logarithm of the width of a refcount in bits.
        compression_type: Version 3: as in the header; None for a header of 104 bytes without it.
        features: Feature bits, by their ids in ``formats/features.toml``, besides those that follow
            from the rest.
        l1_size: Entries of the L1 table, where it is to have more than the disk needs.
        clusters: What the disk holds, by index of the guest cluster.
        backing_name: Name of the backing file.
        backing_format: Its format, as an extension.
        data_file: Name of the external data file; see `qcowspec.build.assembly.data_file`.
        feature_names: Whether the feature name table stands among the extensions.
        extensions: Extensions besides those that follow from the rest, in front of the END.
        end_extension: Whether the extensions close with an END.
        snapshots: Internal snapshots.
        bitmaps: Dirty bitmaps.
        luks: The LUKS header and the key material after it, verbatim; an extension points at it.
            Guest data are not encrypted, so a guest would read something else than `clusters`.
        header: Header fields that are not to be derived.
    """

    version: int = c.QCOW2_MAX_VERSION
    size: int = 1 << 20
    cluster_bits: int = 12
    l2_bits: int = c.QCOW1_DEFAULT_L2_BITS
    refcount_order: int = c.QCOW2_V2_REFCOUNT_ORDER
    compression_type: int | None = c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB
    features: Collection[str] = ()
    l1_size: int = 0
    clusters: Mapping[int, Cluster] = field(default_factory=dict)
    backing_name: bytes = b""
    backing_format: bytes | None = None
    data_file: bytes | None = None
    feature_names: bool = False
    extensions: tuple[Extension, ...] = ()
    end_extension: bool = True
    snapshots: tuple[Snapshot, ...] = ()
    bitmaps: tuple[Bitmap, ...] = ()
    luks: bytes | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
