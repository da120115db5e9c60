"""A short description of an image, as a person writes it in YAML, as an `ImageSpec`.

In: a mapping with the keys of `ImageSpec`, and ``writes``. Out: an `ImageSpec`. Refuses, as
`Invalid`, with the path of the key: a key that nobody knows, a value of another kind.

Everything has a default::

    size: 1M
    cluster_bits: 16
    writes:
    - {at: 0, text: hello}
    - {at: 64K, fill: 0xab, length: 64K, kind: compressed}
    - {at: 128K, zero: 64K}
    header: {incompatible_features: 0x10}

Text stands for bytes; so do ``{hex: …}``, ``{base64: …}``, ``{fill: …, length: …}`` and
``{noise: …, length: …}``, which is the same noise for the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from qcow_parsers import constants as c

from qcowspec.build import wording
from qcowspec.build.description import Bitmap, Cluster, Extension, ImageSpec, Kind, Snapshot
from qcowspec.build.documents import built, by_name
from qcowspec.build.host import LARGEST
from qcowspec.build.wording import (
    BYTE_KEYS,
    Plain,
    Reader,
    content,
    each,
    mapping,
    number,
    record,
    wrong,
)
from qcowspec.spec.units import MAX_L1_ENTRIES

Packing = c.Qcow2CompressionType
PREFIX = "QCOW2_CLUSTER_"
KINDS: Mapping[str, Kind] = {
    "data": Kind.QCOW2_CLUSTER_NORMAL,
    "zero": Kind.QCOW2_CLUSTER_ZERO_PLAIN,
    **{kind.name.removeprefix(PREFIX).lower(): kind for kind in Kind},
    **{kind.name: kind for kind in Kind},
}
"""Kinds of clusters by name: QEMU's, the same in short, and ``data`` and ``zero``."""

COMPRESSION = {
    "zlib": Packing.QCOW2_COMPRESSION_TYPE_ZLIB,
    "zstd": Packing.QCOW2_COMPRESSION_TYPE_ZSTD,
}
EXTENSIONS = {extension.id: extension for extension in c.EXTENSIONS}

LUKS_TEXTS = {
    "cipher_name": c.QCRYPTO_BLOCK_LUKS_CIPHER_NAME_LEN,
    "cipher_mode": c.QCRYPTO_BLOCK_LUKS_CIPHER_MODE_LEN,
    "hash_spec": c.QCRYPTO_BLOCK_LUKS_HASH_SPEC_LEN,
    "uuid": c.QCRYPTO_BLOCK_LUKS_UUID_LEN,
}
"""Bytes of the fields of a LUKS header that hold text."""

LUKS_SALT = bytes(c.QCRYPTO_BLOCK_LUKS_SALT_LEN)
LUKS_BLANK = {
    "master_key_digest": bytes(c.QCRYPTO_BLOCK_LUKS_DIGEST_LEN),
    "master_key_salt": LUKS_SALT,
}
"""Fields that need no value of their own."""

MOST_CLUSTERS = 1 << 20
"""Clusters that one write covers at most."""


def image_spec(spec: Plain, path: str = "") -> ImageSpec:
    """A description as the builder's.

    Args:
        spec: The description.
        path: Where it stands in a larger one.

    Raises:
        Invalid: It is not the description of an image.
    """
    given = {key: spec[key] for key in spec if spec[key] is not None or key not in BYTES}
    fields = record(given, path, IMAGE, ("clusters", "writes", "snapshots"))
    at = f"{path}." if path else ""
    _check_geometry(fields, at)
    made = ImageSpec(**fields)
    bits = made.cluster_bits
    snapshots = wording.items(spec.get("snapshots", []), f"{at}snapshots")
    return replace(
        made,
        clusters=_clusters(spec, bits, at),
        snapshots=tuple(_snapshot(item, bits, each) for item, each in snapshots),
    )


def _check_geometry(fields: Mapping[str, int], at: str) -> None:
    """Refuse what no image can be laid out with; the header may say it all the same."""
    bounds = {
        "version": (c.QCOW_VERSION, c.QCOW2_MAX_VERSION),
        "cluster_bits": (c.MIN_CLUSTER_BITS, c.MAX_CLUSTER_BITS),
        "l2_bits": (1, c.QCOW1_MAX_L2_BITS),
        "refcount_order": (0, c.QCOW2_MAX_REFCOUNT_ORDER),
        "l1_size": (0, MAX_L1_ENTRIES),
    }
    for name, (least, most) in bounds.items():
        if name in fields and not least <= fields[name] <= most:
            raise wrong(
                at + name,
                f"an image is laid out with {least} to {most}, not {fields[name]};"
                f" `header` may contradict it",
            )


# --- readers of values: each takes a value and its path -------------------------------------------


def _compression(value: object, path: str) -> int | None:
    if value in (None, "none"):
        return None
    if isinstance(value, str) and value in COMPRESSION:
        return COMPRESSION[value]
    return wording.number(value, path, 0xFF)


def _kind(value: object, path: str) -> Kind:
    name = wording.text(value, path)
    if name not in KINDS:
        names = [name for name in KINDS if not name.startswith(PREFIX)]
        raise wrong(path, f"a cluster is one of {', '.join(names)}")
    return KINDS[name]


def _fields(value: object, path: str) -> dict[str, Any]:
    """The fields of a structure, by name."""
    return {key: by_name(item, f"{path}.{key}") for key, item in mapping(value, path).items()}


def _numbers(value: object, path: str) -> dict[str, int]:
    """The fields of a table entry, by name."""
    return {key: number(item, f"{path}.{key}") for key, item in mapping(value, path).items()}


def _indexed(value: object, path: str, read: Reader) -> dict[int, Any]:
    """A mapping whose keys are the indices of clusters."""
    if not isinstance(value, Mapping):
        raise wrong(path, f"a mapping is wanted, not {wording.shown(value)}")
    return {
        number(key, f"{path}.{wording.shown(key)}", 1 << 55): read(item, f"{path}.{key}")
        for key, item in value.items()
    }


def _extension(item: object, path: str) -> Extension:
    keys = ("magic", "type", "data", "fields", "len", *BYTE_KEYS, "length")
    said = mapping(item, path, keys)
    name = said.get("type", said.get("magic"))
    known = EXTENSIONS.get(name) if isinstance(name, str) else None
    magic = known.magic if known is not None else number(name, f"{path}.type", 0xFFFFFFFF)
    data: Any = b""
    if "fields" in said:
        data = _fields(said["fields"], f"{path}.fields")
    elif "data" in said:
        data = by_name(said["data"], f"{path}.data")
    elif said.keys() & set(BYTE_KEYS):
        data = content(said, path)
    return Extension(magic, data, record(said, path, {"len": number}, keys))


def _bitmap(item: object, path: str) -> Bitmap:
    return Bitmap(**record(item, path, BITMAP))


def _bitmap_clusters(value: object, path: str) -> dict[int, bytes | None]:
    return _indexed(value, path, lambda v, at: None if v is None else content(v, at))


def _luks(value: object, path: str) -> bytes:
    """A LUKS header by its fields, texts filled up with zeros; or bytes, verbatim."""
    if not isinstance(value, Mapping) or value.keys() & set(BYTE_KEYS):
        return content(value, path)
    said = _fields(value, path)
    for name, size in LUKS_TEXTS.items():
        if isinstance(said.get(name), bytes):
            said[name] = said[name].ljust(size, b"\0")
    said["key_slots"] = [
        {"salt": LUKS_SALT, **slot} if isinstance(slot, Mapping) else slot
        for slot in said.get("key_slots", [])
    ]
    return built("luks1::header", {**LUKS_BLANK, **said}, path)


BYTES = ("backing_name", "backing_format", "data_file")

IMAGE: Mapping[str, Reader] = {
    **dict.fromkeys(("version", "size", "cluster_bits"), number),
    **dict.fromkeys(("l2_bits", "refcount_order", "l1_size"), number),
    **dict.fromkeys(BYTES, content),
    **dict.fromkeys(("feature_names", "end_extension"), wording.flag),
    "compression_type": _compression,
    "features": each(wording.text),
    "extensions": each(_extension),
    "bitmaps": each(_bitmap),
    "luks": _luks,
    "header": _fields,
}
STORED: Mapping[str, Reader] = {
    "kind": _kind,
    "stored": content,
    "subclusters": number,
    "fields": _numbers,
}
SNAPSHOT: Mapping[str, Reader] = {
    **dict.fromkeys(("id", "name"), content),
    "size": number,
    **dict.fromkeys(("extra_data", "fields"), _fields),
}
BITMAP: Mapping[str, Reader] = {
    "name": content,
    "granularity_bits": partial(number, most=c.QCOW2_BITMAP_MAX_GRANULARITY_BITS),
    "flags": partial(number, most=0xFFFFFFFF),
    "clusters": _bitmap_clusters,
    "fields": _fields,
}
"""The keys of each thing, and what reads their values."""


# --- clusters -------------------------------------------------------------------------------------


def _snapshot(item: object, bits: int, path: str) -> Snapshot:
    said = mapping(item, path)
    fields = record(said, path, SNAPSHOT, ("clusters", "writes"))
    if said.keys() & {"clusters", "writes"}:
        fields["clusters"] = _clusters(said, bits, f"{path}.")
    return Snapshot(**fields)


def _clusters(spec: Plain, bits: int, at: str) -> dict[int, Cluster]:
    """The clusters that ``clusters`` and ``writes`` describe."""
    made = _indexed(spec.get("clusters", {}), f"{at}clusters", _cluster)
    for item, path in wording.items(spec.get("writes", []), f"{at}writes"):
        _write(made, item, bits, path)
    return made


def _cluster(item: object, path: str) -> Cluster:
    stored = record(item, path, STORED, ("data", *BYTE_KEYS, "length", "times"))
    said = mapping(item, path)
    data = b""
    if "data" in said:
        data = content(said["data"], f"{path}.data")
    elif said.keys() & set(BYTE_KEYS):
        data = content(said, path)
    return Cluster(data, **stored)


def _write(made: dict[int, Cluster], item: object, bits: int, path: str) -> None:
    """Change the clusters that one write touches."""
    stored = record(item, path, STORED, ("at", "zero", *BYTE_KEYS, "length", "times"))
    said = mapping(item, path)
    at = number(said.get("at"), f"{path}.at", 1 << 62)
    if "zero" in said:
        data, length = None, number(said["zero"], f"{path}.zero", 1 << 62)
    else:
        data = content(said, path)
        length = len(data)
    stored = {"kind": KINDS["data" if data is not None else "zero"], **stored}
    size = 1 << bits
    if length // size > MOST_CLUSTERS:
        raise wrong(path, f"a write reaches over {MOST_CLUSTERS} clusters at most")
    if data is not None and len(made) * size + length > 2 * LARGEST:
        raise wrong(path, f"from here on the image has more than {LARGEST} bytes")
    offset = at
    while offset < at + length:
        index, within = offset >> bits, offset & (size - 1)
        part = min(size - within, at + length - offset)
        old = made.get(index, Cluster())
        if data is None and part == size:
            made[index] = Cluster(**stored)
        else:
            new = bytes(part) if data is None else data[offset - at : offset - at + part]
            whole = old.data.ljust(within, b"\0")
            whole = whole[:within] + new + whole[within + part :]
            kept = stored if data is not None else {"kind": old.kind}
            made[index] = replace(old, data=whole, **kept)
        offset += part
