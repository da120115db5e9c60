"""The meaning of a field's value, or of a whole structure, in a few words.

In: a field laid open, and its image. Out: words; empty where the value needs none. Refuses:
nothing: every value of every field has words, hostile ones too.

The names of feature bits are the image's own, where its feature name table has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from qcow_parsers import constants as c

from qcowspec.report import words
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.structures import Field, Part

Words = Callable[[int, Metadata], str]
"""Puts a number into words."""

MAX_SHIFT = 63
"""The largest shift that is written out as a size."""

FEATURE_TYPES = {
    "incompatible": c.Qcow2FeatureType.QCOW2_FEAT_TYPE_INCOMPATIBLE,
    "compatible": c.Qcow2FeatureType.QCOW2_FEAT_TYPE_COMPATIBLE,
    "autoclear": c.Qcow2FeatureType.QCOW2_FEAT_TYPE_AUTOCLEAR,
}
"""The types of feature, by the words of features.toml."""

EXTENSION_NAMES = {extension.magic: extension.name for extension in c.EXTENSIONS}

COMPRESSION_NAMES: dict[int, str] = {
    c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB: "zlib (raw deflate)",
    c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD: "zstd",
}

CRYPT_NAMES: dict[int, str] = {
    c.QcowCryptMethod.QCOW_CRYPT_NONE: "none",
    c.QcowCryptMethod.QCOW_CRYPT_AES: "AES",
    c.QcowCryptMethod.QCOW_CRYPT_LUKS: "LUKS",
}


def meaning(layout: str, field: Field, image: Metadata) -> str:
    """What a field means, in a few words.

    Args:
        layout: The layout of the structure that it belongs to, such as ``qcow2::header``.
        field: The field.
        image: What is known of the image.
    """
    value = field.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return _bytes_meaning(value)
    name = field.name.partition("[")[0]
    to_words = FIELDS.get(f"{layout.rpartition('::')[2]}.{name}") or _by_suffix(name)
    return to_words(int(value), image) if to_words else ""


def title(part: Part[Any], image: Metadata) -> str:
    """What a whole structure is, in a few words."""
    parsed = part.parse()
    if part.name.startswith("header_extensions"):
        return EXTENSION_NAMES.get(int(parsed.magic), "unknown extension, kept verbatim")
    if part.name.startswith(("snapshots", "bitmaps")):
        return words.text(parsed.name)
    return ""


def in_short(field: Field) -> str:
    """A small structure in one line, in place of its fields; empty for any other."""
    values = {inner.name: inner.value for inner in field.fields}
    if field.layout == "qcow2::feature_name_entry":
        kind, name = values.get("type"), values.get("name")
        if isinstance(kind, int) and isinstance(name, bytes):
            word = next((w for w, value in FEATURE_TYPES.items() if value == kind), "unknown")
            return f"{word} bit {values['bit']!s}: {words.text(name.rstrip(bytes(1)))}"
    if field.layout == "luks1::key_slot" and values.get("active") == DISABLED_SLOT:
        return "disabled"
    return ""


DISABLED_SLOT = c.QCryptoBlockLUKSKeySlotActive.QCRYPTO_BLOCK_LUKS_KEY_SLOT_DISABLED

KEY_SLOT_STATES: dict[int, str] = {
    c.QCryptoBlockLUKSKeySlotActive.QCRYPTO_BLOCK_LUKS_KEY_SLOT_ENABLED: "enabled",
    DISABLED_SLOT: "disabled",
}


def _bytes_meaning(value: bytes) -> str:
    if not value:
        return ""
    if not any(value):
        return "zeros"
    return words.text(value.rstrip(b"\0")) if words.is_text(value) else ""


def _by_suffix(name: str) -> Words | None:
    return next((to_words for suffix, to_words in SUFFIXES.items() if name.endswith(suffix)), None)


def _power_of_two(noun: str) -> Words:
    def to_words(value: int, image: Metadata) -> str:
        return words.of_size(1 << value, noun) if value <= MAX_SHIFT else f"2^{value} bytes"

    return to_words


def _named(names: Mapping[int, str]) -> Words:
    return lambda value, image: names.get(value, "unknown")


def _count(noun: str) -> Words:
    return lambda value, image: words.plural(value, noun)


def _features(word: str) -> Words:
    def to_words(value: int, image: Metadata) -> str:
        return _set_bits(value, partial(_feature_name, word, image=image))

    return to_words


def _set_bits(value: int, name_of: Callable[[int], str | None]) -> str:
    return ", ".join(name_of(bit) or f"bit {bit}, unknown" for bit in _bits(value)) or "none"


def _feature_name(word: str, bit: int, image: Metadata) -> str | None:
    own = image.feature_names.get((FEATURE_TYPES[word], bit))
    if own is not None:
        return words.quoted(own)
    return next((row.name for row in c.FEATURES if (row.type, row.bit) == (word, bit)), None)


def _bits(value: int) -> list[int]:
    return [bit for bit in range(value.bit_length()) if value >> bit & 1]


def _bitmap_flags(value: int, image: Metadata) -> str:
    return _set_bits(value, partial(_bitmap_flag, image=image))


def _bitmap_flag(bit: int, image: Metadata) -> str | None:
    named = (flag.name or "" for flag in c.Qcow2BitmapFlags if flag.bit_length() - 1 == bit)
    return next((name.removeprefix("BME_FLAG_").lower() for name in named), None)


BITS: dict[str, Callable[[int, Metadata], str | None]] = {
    "header.incompatible_features": partial(_feature_name, "incompatible"),
    "header.compatible_features": partial(_feature_name, "compatible"),
    "header.autoclear_features": partial(_feature_name, "autoclear"),
    "bitmap_directory_entry.flags": _bitmap_flag,
}
"""What a bit of a field is called; None if it has no name. By the field's layout and name."""


def bit_names(layout: str, name: str, bits: range, image: Metadata) -> dict[int, str | None]:
    """What some bits of a field are called; empty if the field is no set of flags.

    Args:
        layout: The layout of the structure that it belongs to, such as ``qcow2::header``.
        name: The field's name.
        bits: The bits.
        image: What is known of the image.
    """
    name_of = BITS.get(f"{layout.rpartition('::')[2]}.{name}")
    return {} if name_of is None else {bit: name_of(bit, image) for bit in bits}


def _offset(value: int, image: Metadata) -> str:
    if value == 0:
        return "none"
    past = image.length is not None and value >= image.length
    return words.size(value) + (", past the end of the file" if past else "")


def _size(value: int, image: Metadata) -> str:
    return words.size(value) if value >= words.STEP else ""


def _disk_size(value: int, image: Metadata) -> str:
    odd = value % c.BDRV_SECTOR_SIZE
    return words.size(value) + (f", the last {odd} left out by QEMU" if odd else "")


def _table_entries(value: int, image: Metadata) -> str:
    return f"{1 << value:,} entries a table" if value <= MAX_SHIFT else "no size"


def _refcount_width(value: int, image: Metadata) -> str:
    return f"{1 << value}-bit refcounts" if value <= c.QCOW2_MAX_REFCOUNT_ORDER else "no width"


def _l1_entries(value: int, image: Metadata) -> str:
    span = "" if image.geometry is None else f", {words.size(image.geometry.l2_span)} each"
    return words.plural(value, "entry") + span


def _moment(value: int, image: Metadata) -> str:
    return words.moment(value) if value else ""


def _icount(value: int, image: Metadata) -> str:
    return "not counted" if value == c.QCOW2_SNAPSHOT_NO_ICOUNT else ""


def _vm_state(value: int, image: Metadata) -> str:
    return words.size(value) if value else "no VM state"


def _luks_sector(value: int, image: Metadata) -> str:
    return f"{words.size(value * c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE)} into the LUKS area"


FIELDS: dict[str, Words] = {
    "header.magic": lambda value, image: '"QFI\\xfb"' if value == c.QCOW_MAGIC else "not QCOW's",
    "header.mtime": _moment,
    "header.size": _disk_size,
    "header.cluster_bits": _power_of_two("clusters"),
    "header.l2_bits": _table_entries,
    "header.crypt_method": _named(CRYPT_NAMES),
    "header.l1_size": _l1_entries,
    "header.refcount_table_clusters": _count("cluster"),
    "header.nb_snapshots": _count("snapshot"),
    "header.incompatible_features": _features("incompatible"),
    "header.compatible_features": _features("compatible"),
    "header.autoclear_features": _features("autoclear"),
    "header.refcount_order": _refcount_width,
    "additional_fields.compression_type": _named(COMPRESSION_NAMES),
    "header_extension.magic": _named(EXTENSION_NAMES),
    "feature_name_entry.type": _named({value: word for word, value in FEATURE_TYPES.items()}),
    "bitmaps_extension.nb_bitmaps": _count("bitmap"),
    "snapshot.l1_size": _l1_entries,
    "snapshot.date_sec": _moment,
    "snapshot.vm_clock_nsec": lambda value, image: words.duration(value),
    "snapshot.vm_state_size": _vm_state,
    "snapshot_extra_data.vm_state_size_large": _vm_state,
    "snapshot_extra_data.disk_size": _disk_size,
    "snapshot_extra_data.icount": _icount,
    "bitmap_directory_entry.bitmap_table_size": _count("entry"),
    "bitmap_directory_entry.flags": _bitmap_flags,
    "bitmap_directory_entry.type": _named(
        {c.BitmapType.BT_DIRTY_TRACKING_BITMAP: "dirty tracking"}
    ),
    "bitmap_directory_entry.granularity_bits": _power_of_two("a bit"),
    "key_slot.active": _named(KEY_SLOT_STATES),
    "key_slot.key_offset_sector": _luks_sector,
    "header.payload_offset_sector": _luks_sector,
    "header.master_key_len": lambda value, image: f"{value * 8}-bit key",
}
"""The meaning of a field, by its layout and name; `SUFFIXES` has the rest, by its name's end."""

SUFFIXES: dict[str, Words] = {"offset": _offset, "size": _size}
