"""Whole images of versions 2 and 3.

In: an `ImageSpec`. Out: bytes. Refuses: what does not fit the first cluster.

Source: docs/interop/qcow2; block/qcow2.c: qcow2_co_create, qcow2_update_header.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from qcow_parsers import constants as c

from qcowspec.build.description import Bitmap, Extension, ImageSpec, Snapshot
from qcowspec.build.host import Host
from qcowspec.build.layouts import structure
from qcowspec.build.mapping import Mapper
from qcowspec.errors import Invalid
from qcowspec.spec.units import BITS_PER_BYTE, align_up, whole_sectors

FEATURES = {feature.id: feature for feature in c.FEATURES}

BITMAP_WORD = 8
"""Bytes that QEMU rounds a bitmap's data up to (block/dirty-bitmap.c, util/hbitmap.c)."""


def image(spec: ImageSpec) -> bytes:
    """The bytes of a version 2 or 3 image."""
    features = implied_features(spec)
    order = spec.refcount_order if spec.version > c.QCOW2_MIN_VERSION else c.QCOW2_V2_REFCOUNT_ORDER
    host = Host(spec.cluster_bits, order)
    host.reserve(host.cluster_size)
    mapper = Mapper(host, spec, extended="extended_l2" in features)
    sharing = sum(snapshot.clusters is None for snapshot in spec.snapshots)

    alone = sharing == 0
    placed = mapper.l2_tables(spec.clusters, references=1 + sharing, copied=alone)
    l1_size = max(spec.l1_size, mapper.l1_size(spec.size, spec.clusters))
    fields: dict[str, Any] = {
        "version": spec.version,
        "cluster_bits": spec.cluster_bits,
        "size": spec.size,
        "l1_size": l1_size,
        "l1_table_offset": mapper.l1_table(placed, l1_size, copied=alone),
        "nb_snapshots": len(spec.snapshots),
        "snapshots_offset": _snapshot_table(mapper, spec, placed),
    }
    if spec.luks is not None:
        fields["crypt_method"] = c.QcowCryptMethod.QCOW_CRYPT_LUKS
    if spec.version > c.QCOW2_MIN_VERSION:
        fields |= _version_3(spec, features)
    extensions = _extensions(host, spec)
    fields["refcount_table_offset"], fields["refcount_table_clusters"] = host.finish()
    host.write(0, _first_cluster(spec, fields, extensions))
    return bytes(host.data)


def implied_features(spec: ImageSpec) -> set[str]:
    """The features of an image, by id: those asked for, and those that follow from the rest."""
    implied = set(spec.features)
    if spec.compression_type:
        implied.add("compression_type")
    if spec.data_file is not None:
        implied.add("data_file")
    if spec.bitmaps:
        implied.add("bitmaps")
    if unknown := implied - FEATURES.keys():
        raise Invalid(f"no such feature: {sorted(unknown)}", stage="build", field="features")
    return implied


def _version_3(spec: ImageSpec, features: Collection[str]) -> dict[str, Any]:
    """The additional header fields of version 3."""
    words = dict.fromkeys(("incompatible", "compatible", "autoclear"), 0)
    for feature in map(FEATURES.__getitem__, features):
        words[feature.type] |= feature.mask
    fields: dict[str, Any] = {f"{word}_features": bits for word, bits in words.items()}
    fields["refcount_order"] = spec.refcount_order
    if spec.compression_type is not None:
        fields["additional_fields"] = {"compression_type": spec.compression_type}
    return fields


def _first_cluster(spec: ImageSpec, fields: Mapping[str, Any], extensions: bytes) -> bytes:
    """The header, the extensions and the backing file's name."""
    header_length = len(structure("qcow2::header", {**fields, **spec.header}))
    if spec.backing_name:
        offset = header_length + len(extensions)
        fields = {
            **fields,
            "backing_file_offset": offset,
            "backing_file_size": len(spec.backing_name),
        }
    header = structure("qcow2::header", {**fields, **spec.header})
    whole = header + extensions + spec.backing_name
    if len(whole) > 1 << spec.cluster_bits:
        raise Invalid(
            f"header, extensions and backing file name take {len(whole)} bytes,"
            " more than the first cluster has",
            stage="build",
            field="cluster_bits",
            value=spec.cluster_bits,
        )
    return whole


def _extensions(host: Host, spec: ImageSpec) -> bytes:
    """The header extensions, in QEMU's order; what they point at is placed."""
    entries = []
    if spec.backing_format is not None:
        entries.append(Extension(c.QCOW2_EXT_MAGIC_BACKING_FORMAT, spec.backing_format))
    if spec.data_file is not None:
        entries.append(Extension(c.QCOW2_EXT_MAGIC_DATA_FILE, spec.data_file))
    if spec.luks is not None:
        pointer = {"offset": host.place(spec.luks), "length": len(spec.luks)}
        entries.append(Extension(c.QCOW2_EXT_MAGIC_CRYPTO_HEADER, pointer))
    if spec.feature_names:
        entries.append(Extension(c.QCOW2_EXT_MAGIC_FEATURE_TABLE, feature_name_table()))
    if spec.bitmaps:
        entries.append(Extension(c.QCOW2_EXT_MAGIC_BITMAPS, _bitmaps(host, spec)))
    entries += spec.extensions
    if spec.end_extension:
        entries.append(Extension(c.QCOW2_EXT_MAGIC_END))
    fields = [{"magic": e.magic, "data": e.data, **e.fields} for e in entries]
    return structure("qcow2::header_extensions", {"entries": fields})


def feature_name_table() -> dict[str, Any]:
    """The fields of a feature name table with all known features."""
    types = {
        "incompatible": c.Qcow2FeatureType.QCOW2_FEAT_TYPE_INCOMPATIBLE,
        "compatible": c.Qcow2FeatureType.QCOW2_FEAT_TYPE_COMPATIBLE,
        "autoclear": c.Qcow2FeatureType.QCOW2_FEAT_TYPE_AUTOCLEAR,
    }
    return {
        "entries": [
            {"type": types[feature.type], "bit": feature.bit, "name": feature.name.encode()}
            for feature in c.FEATURES
        ]
    }


def _snapshot_table(mapper: Mapper, spec: ImageSpec, active: Mapping[int, int]) -> int:
    """Place the snapshots; offset of their table."""
    table = [_snapshot(mapper, spec, snapshot, active) for snapshot in spec.snapshots]
    return mapper.host.place(b"".join(table))


def _snapshot(
    mapper: Mapper, spec: ImageSpec, snapshot: Snapshot, active: Mapping[int, int]
) -> bytes:
    size = spec.size if snapshot.size is None else snapshot.size
    if snapshot.clusters is None:
        placed, clusters = active, spec.clusters
    else:
        placed = mapper.l2_tables(snapshot.clusters, references=1, copied=False)
        clusters = snapshot.clusters
    l1_size = mapper.l1_size(size, clusters)
    extra_data = snapshot.extra_data
    if extra_data is None and spec.version > c.QCOW2_MIN_VERSION:
        # Version 3 demands the first two (docs/interop/qcow2, Snapshots); QEMU writes all three.
        icount = c.QCOW2_SNAPSHOT_NO_ICOUNT
        extra_data = {"vm_state_size_large": 0, "disk_size": size, "icount": icount}
    fields = {
        "l1_table_offset": mapper.l1_table(placed, l1_size, copied=False),
        "l1_size": l1_size,
        "extra_data": extra_data or {},
        "id_str": snapshot.id,
        "name": snapshot.name,
    }
    return structure("qcow2::snapshot", fields | dict(snapshot.fields))


def _bitmaps(host: Host, spec: ImageSpec) -> dict[str, int]:
    """Place the bitmaps; the fields of the extension that points at them."""
    directory = b"".join(_bitmap(host, spec, bitmap) for bitmap in spec.bitmaps)
    return {
        "nb_bitmaps": len(spec.bitmaps),
        "bitmap_directory_size": len(directory),
        "bitmap_directory_offset": host.place(directory),
    }


def _bitmap(host: Host, spec: ImageSpec, bitmap: Bitmap) -> bytes:
    bits = -(-whole_sectors(spec.size) >> bitmap.granularity_bits)
    length = align_up(-(-bits // BITS_PER_BYTE), BITMAP_WORD)
    size = -(-length // host.cluster_size)
    table = host.reserve(size * c.BME_TABLE_ENTRY_SIZE)
    for index, data in bitmap.clusters.items():
        if index >= size:
            says = f"its table has {size} entries, and none for the cluster {index} of its data"
            raise Invalid(says, stage="build", field="bitmaps")
        if data is None:
            fields = {"all_ones": 1}
        else:
            fields = {"offset_sectors": host.place(data) // c.BDRV_SECTOR_SIZE}
        entry = structure("qcow2::bitmap_table_entry", fields)
        host.write(table + index * c.BME_TABLE_ENTRY_SIZE, entry)
    fields = {
        "bitmap_table_offset": table,
        "bitmap_table_size": size,
        "flags": bitmap.flags,
        "granularity_bits": bitmap.granularity_bits,
    }
    named = {**fields, "name": bitmap.name, **bitmap.fields}
    return structure("qcow2::bitmap_directory_entry", named, spec.cluster_bits)
