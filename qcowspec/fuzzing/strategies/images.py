"""Whole images without a fault.

In: a version, if it matters. Out: strategies of descriptions and of bytes. Refuses: nothing.

QEMU opens every image that is drawn here, its check finds nothing to complain about, and no rule of
the format's document is broken. The caller provides the backing file and the data file that some of
them name.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from qcow_parsers import constants as c

from qcowspec import build
from qcowspec.build import Bitmap, Cluster, Extension, ImageSpec, Snapshot
from qcowspec.build.description import Kind
from qcowspec.fuzzing.strategies.entries import REFCOUNT_ORDERS
from qcowspec.spec.units import BITS_PER_BYTE, whole_sectors

VERSIONS = (c.QCOW_VERSION, c.QCOW2_MIN_VERSION, c.QCOW2_MAX_VERSION)

LARGE = 16
"""Above this cluster_bits an image takes megabytes, and is drawn more rarely."""

SPANS = 8
"""L2 tables that a disk needs, at most."""

DATA_FILE = b"data.raw"


def images(
    version: int | None = None, *, cluster_bits: int = c.MAX_CLUSTER_BITS
) -> SearchStrategy[bytes]:
    """Whole images without a fault, as bytes.

    Args:
        version: 1, 2 or 3; None for any.
        cluster_bits: The largest that is drawn; from 17 on, some images take tens of megabytes.
    """
    return specs(version, cluster_bits=cluster_bits).map(build.image)


def specs(
    version: int | None = None, *, cluster_bits: int = c.MAX_CLUSTER_BITS
) -> SearchStrategy[ImageSpec]:
    """Whole images without a fault, as descriptions for `qcowspec.build.image`.

    Args:
        version: 1, 2 or 3; None for any.
        cluster_bits: The largest that is drawn.
    """
    if version is None:
        versions = st.sampled_from(VERSIONS)
        return versions.flatmap(lambda drawn: specs(drawn, cluster_bits=cluster_bits))
    if version == c.QCOW_VERSION:
        return _v1_specs(min(cluster_bits, c.QCOW1_MAX_CLUSTER_BITS))
    return _v2_specs(version, cluster_bits)


@st.composite
def _v1_specs(draw: DrawFn, most_bits: int) -> ImageSpec:
    bits = draw(st.integers(c.QCOW1_MIN_CLUSTER_BITS, most_bits))
    l2_bits = draw(st.integers(c.QCOW1_MIN_L2_BITS, c.QCOW1_MAX_L2_BITS))
    size = max(c.QCOW1_MIN_SIZE, draw(_sizes(1 << (bits + l2_bits))))
    kinds = [Kind.QCOW2_CLUSTER_NORMAL, Kind.QCOW2_CLUSTER_COMPRESSED]
    return ImageSpec(
        version=c.QCOW_VERSION,
        size=size,
        cluster_bits=bits,
        l2_bits=l2_bits,
        clusters=draw(_clusters(size, bits, kinds)),
        backing_name=draw(_names(most=c.QCOW_MAX_BACKING_FILE_SIZE)),
    )


@st.composite
def _v2_specs(draw: DrawFn, version: int, most_bits: int) -> ImageSpec:
    usual = st.integers(c.MIN_CLUSTER_BITS, min(LARGE, most_bits))
    large = st.integers(LARGE, most_bits) if most_bits > LARGE else usual
    bits = draw(st.one_of(usual, usual, usual, large))
    chosen = draw(_version_3(bits)) if version > c.QCOW2_MIN_VERSION else {}
    extended = "extended_l2" in chosen.get("features", ())
    entry_size = c.L2E_SIZE_EXTENDED if extended else c.L2E_SIZE_NORMAL
    size = draw(_sizes((1 << 2 * bits) // entry_size))
    kinds = [Kind.QCOW2_CLUSTER_NORMAL]
    if version > c.QCOW2_MIN_VERSION:
        kinds += [Kind.QCOW2_CLUSTER_ZERO_PLAIN, Kind.QCOW2_CLUSTER_ZERO_ALLOC]
    if "data_file" not in chosen:
        kinds.append(Kind.QCOW2_CLUSTER_COMPRESSED)
        order = chosen.get("refcount_order", c.QCOW2_V2_REFCOUNT_ORDER)
        chosen["snapshots"] = draw(_snapshots(size, bits, kinds, order, extended=extended))
    if version > c.QCOW2_MIN_VERSION and size >= c.BDRV_SECTOR_SIZE:
        chosen["bitmaps"] = draw(_bitmaps(size, bits))
    roomy = bits > c.MIN_CLUSTER_BITS
    return ImageSpec(
        version=version,
        size=size,
        cluster_bits=bits,
        clusters=draw(_clusters(size, bits, kinds, extended=extended)),
        backing_name=draw(_names(most=c.QCOW_MAX_BACKING_FILE_SIZE if bits > 11 else 48)),
        backing_format=draw(st.none() | st.just(b"raw")),
        feature_names=roomy and draw(st.booleans()),
        extensions=draw(_unknown_extensions()),
        **chosen,
    )


def _version_3(cluster_bits: int) -> SearchStrategy[dict[str, Any]]:
    """What only version 3 has, except zero clusters and bitmaps."""
    features = ["dirty", "corrupt", "lazy_refcounts"]
    if cluster_bits >= c.QCOW2_EXTL2_MIN_CLUSTER_BITS:
        features.append("extended_l2")
    optional = {"data_file": st.just(DATA_FILE)}
    return st.fixed_dictionaries(
        {
            "refcount_order": st.sampled_from(REFCOUNT_ORDERS),
            "compression_type": st.sampled_from([None, *c.Qcow2CompressionType]),
            "features": st.frozensets(st.sampled_from(features)),
        },
        optional=optional,
    )


def _sizes(span: int) -> SearchStrategy[int]:
    """Sizes of a disk that needs few L2 tables; at the edge of sectors and tables, and any."""
    near = [0, 1, c.BDRV_SECTOR_SIZE - 1, c.BDRV_SECTOR_SIZE, span - 1, span, span + 1]
    return st.one_of(st.sampled_from(near), st.integers(0, SPANS * span))


def _clusters(
    size: int, bits: int, kinds: list[Kind], *, extended: bool = False
) -> SearchStrategy[dict[int, Cluster]]:
    """A few guest clusters, the first and the last more often than others."""
    count = -(-size >> bits)
    if count == 0:
        return st.just({})
    index = st.one_of(st.sampled_from([0, count - 1]), st.integers(0, count - 1))
    kind = st.sampled_from(kinds)
    return st.dictionaries(
        index, kind.flatmap(lambda kind: _cluster(kind, extended=extended)), max_size=5
    )


def _cluster(kind: Kind, *, extended: bool) -> SearchStrategy[Cluster]:
    data = st.binary(max_size=48)
    if not extended or kind is not Kind.QCOW2_CLUSTER_NORMAL:
        return data.map(lambda data: Cluster(data, kind))
    # A subcluster is allocated, or zero, or neither, but not both.
    half = st.integers(0, c.QCOW_L2_BITMAP_ALL_ALLOC)
    return st.builds(
        lambda data, allocated, zero: Cluster(data, kind, (zero & ~allocated) << 32 | allocated),
        data,
        half,
        half,
    )


def _names(most: int) -> SearchStrategy[bytes]:
    """Names of other files; mostly none, never with a zero byte, at which QEMU would cut them."""
    name = st.binary(max_size=most).map(lambda name: name.replace(b"\0", b"0"))
    return st.just(b"") | name


def _unknown_extensions() -> SearchStrategy[tuple[Extension, ...]]:
    known = {extension.magic for extension in c.EXTENSIONS}
    magic = st.integers(1, (1 << 32) - 1).filter(lambda magic: magic not in known)
    extension = st.builds(Extension, magic, st.binary(max_size=16))
    return st.lists(extension, max_size=2, unique_by=lambda each: each.magic).map(tuple)


def _snapshots(
    size: int, bits: int, kinds: list[Kind], order: int, *, extended: bool
) -> SearchStrategy[tuple[Snapshot, ...]]:
    """Few snapshots; no more of them share clusters than a refcount of this width can count."""
    shared = st.none() if order > 0 else st.nothing()
    own = _clusters(size, bits, kinds, extended=extended)
    snapshot = st.builds(
        Snapshot,
        id=st.binary(max_size=8),
        name=st.binary(max_size=32),
        clusters=shared | own,
        fields=st.fixed_dictionaries(
            {}, optional={"date_sec": st.integers(0, (1 << 32) - 1), "vm_clock_nsec": st.just(1)}
        ),
    )
    # As QEMU sees an identifier, it ends at its first zero byte.
    told_apart = st.lists(
        snapshot, max_size=2, unique_by=lambda snapshot: snapshot.id.partition(b"\0")[0]
    )
    return told_apart.map(tuple)


def _bitmaps(size: int, bits: int) -> SearchStrategy[tuple[Bitmap, ...]]:
    granularity = st.integers(c.BME_MIN_GRANULARITY_BITS, c.BME_MAX_GRANULARITY_BITS)
    flags = st.sampled_from([0, *c.Qcow2BitmapFlags][:3])
    name = st.binary(min_size=1, max_size=24).map(lambda name: name.replace(b"\0", b"0"))
    one = st.tuples(name, granularity, flags).flatmap(lambda drawn: _bitmap(size, bits, *drawn))
    return st.lists(one, max_size=2, unique_by=lambda bitmap: bitmap.name).map(tuple)


def _bitmap(
    size: int, bits: int, name: bytes, granularity_bits: int, flags: int
) -> SearchStrategy[Bitmap]:
    # The bits of guest bytes; those after them are padding, and stay clear.
    used = -(-whole_sectors(size) >> granularity_bits)
    clusters = -(-used // (BITS_PER_BYTE << bits))
    whole = used // BITS_PER_BYTE
    data = st.binary(max_size=min(16, whole))
    last = {clusters - 1: st.just(b"\0")}
    first = {0: st.none() | data.map(lambda data: data or b"\0")} if clusters > 1 else {}
    return st.fixed_dictionaries({}, optional=last | first).map(
        lambda content: Bitmap(name, granularity_bits, flags, content)
    )
