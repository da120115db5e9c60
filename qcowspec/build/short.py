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

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from qcow_parsers import constants as c

from qcowspec.build import wording
from qcowspec.build.description import Bitmap, Cluster, Extension, ImageSpec, Kind, Snapshot
from qcowspec.build.documents import by_name
from qcowspec.build.host import LARGEST
from qcowspec.build.layouts import structure
from qcowspec.build.wording import Plain, wrong
from qcowspec.errors import Invalid
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

NUMBERS = ("version", "size", "cluster_bits", "l2_bits", "refcount_order", "l1_size")
BYTES = ("backing_name", "backing_format", "data_file")
FLAGS = ("feature_names", "end_extension")
OTHERS = (
    *("compression_type", "features", "clusters", "writes", "extensions"),
    *("snapshots", "bitmaps", "luks", "header"),
)
KEYS = (*NUMBERS, *BYTES, *FLAGS, *OTHERS)

COMPRESSION = {
    "zlib": Packing.QCOW2_COMPRESSION_TYPE_ZLIB,
    "zstd": Packing.QCOW2_COMPRESSION_TYPE_ZSTD,
}
EXTENSIONS = {extension.id: extension for extension in c.EXTENSIONS}

LUKS_TEXTS = {"cipher_name": 32, "cipher_mode": 32, "hash_spec": 32, "uuid": 40}
LUKS_BLANK = {"master_key_digest": bytes(20), "master_key_salt": bytes(32)}
LUKS_SALT = bytes(32)
"""Bytes of the fields of a LUKS header that hold text, and what is of no matter in it."""

MOST_CLUSTERS = 1 << 20
"""Clusters that one write reaches over at most."""


def image_spec(spec: Plain, path: str = "") -> ImageSpec:
    """A description as the builder's.

    Args:
        spec: The description.
        path: Where it stands in a larger one.

    Raises:
        Invalid: It is none.
    """
    wording.mapping(spec, path, KEYS)
    at = f"{path}." if path else ""
    fields: dict[str, Any] = {}
    for name in NUMBERS:
        if name in spec:
            fields[name] = wording.number(spec[name], at + name)
    _check_geometry(fields, at)
    for name in BYTES:
        if spec.get(name) is not None:
            fields[name] = wording.content(spec[name], at + name)
    for name in FLAGS:
        if name in spec:
            fields[name] = wording.flag(spec[name], at + name)
    if "compression_type" in spec:
        fields["compression_type"] = _compression(spec["compression_type"], f"{at}compression_type")
    if "features" in spec:
        listed = wording.items(spec["features"], f"{at}features")
        fields["features"] = tuple(wording.text(item, each) for item, each in listed)
    if "extensions" in spec:
        listed = wording.items(spec["extensions"], f"{at}extensions")
        fields["extensions"] = tuple(_extension(item, each) for item, each in listed)
    if "luks" in spec:
        fields["luks"] = _luks(spec["luks"], f"{at}luks")
    if "header" in spec:
        header = wording.mapping(spec["header"], f"{at}header")
        fields["header"] = {key: by_name(v, f"{at}header.{key}") for key, v in header.items()}
    made = ImageSpec(**fields)
    bits = made.cluster_bits
    return replace(
        made,
        clusters=clusters(spec, bits, at),
        snapshots=tuple(
            _snapshot(item, bits, each)
            for item, each in wording.items(spec.get("snapshots", []), f"{at}snapshots")
        ),
        bitmaps=tuple(
            _bitmap(item, each)
            for item, each in wording.items(spec.get("bitmaps", []), f"{at}bitmaps")
        ),
    )


def clusters(spec: Plain, bits: int, at: str) -> dict[int, Cluster]:
    """The clusters that ``clusters`` and ``writes`` describe."""
    made = {
        _index(key, f"{at}clusters"): _cluster(item, f"{at}clusters.{key}")
        for key, item in _mapped(spec.get("clusters", {}), f"{at}clusters")
    }
    for item, each in wording.items(spec.get("writes", []), f"{at}writes"):
        _write(made, item, bits, each)
    return made


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


def _compression(value: object, path: str) -> int | None:
    if value in (None, "none"):
        return None
    if isinstance(value, str) and value in COMPRESSION:
        return COMPRESSION[value]
    return wording.number(value, path, 0xFF)


def _mapped(value: object, path: str) -> Iterator[tuple[Any, Any]]:
    """The items of a mapping whose keys are numbers."""
    if not isinstance(value, Mapping):
        raise wrong(path, f"a mapping is wanted, not {wording.shown(value)}")
    yield from value.items()


def _index(key: object, path: str) -> int:
    return wording.number(key, f"{path}.{wording.shown(key)}", 1 << 55)


CLUSTER_KEYS = ("kind", "data", "stored", "subclusters", "fields", *wording.BYTE_KEYS, "length")


def _kind(value: object, path: str) -> Kind:
    name = wording.text(value, path)
    if name not in KINDS:
        names = [name for name in KINDS if not name.startswith(PREFIX)]
        raise wrong(path, f"a cluster is one of {', '.join(names)}")
    return KINDS[name]


def _cluster(item: object, path: str) -> Cluster:
    said = wording.mapping(item, path, (*CLUSTER_KEYS, "times"))
    data = b""
    if "data" in said:
        data = wording.content(said["data"], f"{path}.data")
    elif said.keys() & set(wording.BYTE_KEYS):
        data = wording.content(said, path)
    return Cluster(data, **_stored(said, path))


def _stored(said: Plain, path: str) -> dict[str, Any]:
    """How a cluster is stored, where that is said."""
    fields: dict[str, Any] = {"kind": _kind(said.get("kind", "data"), f"{path}.kind")}
    if "stored" in said:
        fields["stored"] = wording.content(said["stored"], f"{path}.stored")
    if "subclusters" in said:
        fields["subclusters"] = wording.number(said["subclusters"], f"{path}.subclusters")
    if "fields" in said:
        entry = wording.mapping(said["fields"], f"{path}.fields")
        fields["fields"] = {k: wording.number(v, f"{path}.fields.{k}") for k, v in entry.items()}
    return fields


WRITE_KEYS = (
    *("at", "zero", "kind", "stored", "subclusters", "fields"),
    *("length", "times", *wording.BYTE_KEYS),
)


def _write(made: dict[int, Cluster], item: object, bits: int, path: str) -> None:
    """What one write makes of the clusters that it touches."""
    said = wording.mapping(item, path, WRITE_KEYS)
    at = wording.number(said.get("at"), f"{path}.at", 1 << 62)
    if "zero" in said:
        length = wording.number(said["zero"], f"{path}.zero", 1 << 62)
        stored = _stored({"kind": "zero", **said}, path)
        data = None
    else:
        data = wording.content({k: v for k, v in said.items() if k in BYTES_SAID}, path)
        length, stored = len(data), _stored(said, path)
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


BYTES_SAID = (*wording.BYTE_KEYS, "length", "times")


def _extension(item: object, path: str) -> Extension:
    said = wording.mapping(
        item, path, ("magic", "type", "data", "fields", "len", *wording.BYTE_KEYS, "length")
    )
    name = said.get("type", said.get("magic"))
    known = EXTENSIONS.get(name) if isinstance(name, str) else None
    magic = known.magic if known is not None else wording.number(name, f"{path}.type", 0xFFFFFFFF)
    data: Any = b""
    if "fields" in said:
        data = by_name(wording.mapping(said["fields"], f"{path}.fields"), f"{path}.fields")
    elif "data" in said:
        data = by_name(said["data"], f"{path}.data")
    elif said.keys() & set(wording.BYTE_KEYS):
        data = wording.content(said, path)
    fields = {"len": wording.number(said["len"], f"{path}.len")} if "len" in said else {}
    return Extension(magic, data, fields)


SNAPSHOT_KEYS = ("id", "name", "clusters", "writes", "size", "extra_data", "fields")


def _snapshot(item: object, bits: int, path: str) -> Snapshot:
    said = wording.mapping(item, path, SNAPSHOT_KEYS)
    fields: dict[str, Any] = {}
    for name in ("id", "name"):
        if name in said:
            fields[name] = wording.content(said[name], f"{path}.{name}")
    if said.keys() & {"clusters", "writes"}:
        fields["clusters"] = clusters(said, bits, f"{path}.")
    if "size" in said:
        fields["size"] = wording.number(said["size"], f"{path}.size")
    for name in ("extra_data", "fields"):
        if name in said:
            fields[name] = by_name(wording.mapping(said[name], f"{path}.{name}"), f"{path}.{name}")
    return Snapshot(**fields)


BITMAP_KEYS = ("name", "granularity_bits", "flags", "clusters", "fields")


def _bitmap(item: object, path: str) -> Bitmap:
    said = wording.mapping(item, path, BITMAP_KEYS)
    fields: dict[str, Any] = {}
    if "name" in said:
        fields["name"] = wording.content(said["name"], f"{path}.name")
    for name, most in (
        ("granularity_bits", c.QCOW2_BITMAP_MAX_GRANULARITY_BITS),
        ("flags", 0xFFFFFFFF),
    ):
        if name in said:
            fields[name] = wording.number(said[name], f"{path}.{name}", most)
    if "clusters" in said:
        fields["clusters"] = {
            _index(key, f"{path}.clusters"): None
            if data is None
            else wording.content(data, f"{path}.clusters.{key}")
            for key, data in _mapped(said["clusters"], f"{path}.clusters")
        }
    if "fields" in said:
        fields["fields"] = by_name(
            wording.mapping(said["fields"], f"{path}.fields"), f"{path}.fields"
        )
    return Bitmap(**fields)


def _luks(value: object, path: str) -> bytes:
    """A LUKS header by its fields, texts filled up with zeros; or bytes, verbatim."""
    if isinstance(value, Mapping) and not value.keys() & set(wording.BYTE_KEYS):
        said = by_name(wording.mapping(value, path), path)
        for name, size in LUKS_TEXTS.items():
            if isinstance(said.get(name), bytes):
                said[name] = said[name].ljust(size, b"\0")
        slots = said.get("key_slots", [])
        said["key_slots"] = [
            {"salt": LUKS_SALT, **slot} if isinstance(slot, Mapping) else slot for slot in slots
        ]
        try:
            return structure("luks1::header", {**LUKS_BLANK, **said})
        except (ValueError, KeyError) as error:
            raise wrong(path, str(error)) from error
        except Invalid as error:
            raise wrong(path, error.message) from error
    return wording.content(value, path)
