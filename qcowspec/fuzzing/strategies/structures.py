"""Headers, extensions, snapshots, bitmap directories, LUKS headers.

In: which of them. Out: strategies of `Structure`s. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from qcow_parsers import constants as c

from qcowspec.fuzzing.strategies.entries import (
    bitmap_table_entries,
    l1_entries,
    l2_entries,
    refcount_blocks,
    refcount_table_entries,
    v1_l1_entries,
    v1_l2_entries,
)
from qcowspec.fuzzing.strategies.values import (
    CLUSTER_BITS,
    Structure,
    fields,
    numbers,
    offsets,
    structure,
    texts,
)

MAGIC = st.just(c.QCOW_MAGIC)

SHORT = 64
"""Bytes of a text that stands among others."""


def probes() -> SearchStrategy[Structure]:
    """The first fields of every image."""
    said = {"magic": numbers(32, MAGIC), "version": numbers(32, st.integers(0, 4))}
    return structure("qcow::probe", said)


def headers(version: int | None = None) -> SearchStrategy[Structure]:
    """Headers of a version; None for any that exists, and some that do not."""
    if version is None:
        return st.one_of(v1_headers(), v2_headers(2), v2_headers(3), v2_headers())
    return v1_headers() if version == c.QCOW_VERSION else v2_headers(version)


def v1_headers() -> SearchStrategy[Structure]:
    """Headers of version 1."""
    said = {
        "magic": numbers(32, MAGIC, MAGIC),
        "backing_file_offset": offsets(),
        "backing_file_size": numbers(32, st.integers(0, 1023)),
        "mtime": numbers(32),
        "size": numbers(64, st.integers(0, 1 << 32)),
        "cluster_bits": numbers(8, st.integers(9, 16)),
        "l2_bits": numbers(8, st.integers(6, 13)),
        "padding": numbers(16, st.just(0)),
        "crypt_method": numbers(32, st.integers(0, 2)),
        "l1_table_offset": offsets(),
    }
    version = numbers(32, st.just(c.QCOW_VERSION))
    return structure("qcow1::header", fields(said, version=version))


def v2_headers(version: int | None = None) -> SearchStrategy[Structure]:
    """Headers of version 2, 3 or one that does not exist; None for any."""
    chosen = numbers(32, st.integers(0, 5)) if version is None else st.just(version)
    return chosen.flatmap(_v2_header)


def _v2_header(version: int) -> SearchStrategy[Structure]:
    said = {
        "magic": numbers(32, MAGIC, MAGIC),
        "version": st.just(version),
        "backing_file_offset": offsets(),
        "backing_file_size": numbers(32, st.integers(0, 1023)),
        "cluster_bits": numbers(32, st.sampled_from(CLUSTER_BITS)),
        "size": numbers(64, st.integers(0, 1 << 40)),
        "crypt_method": numbers(32, st.integers(0, 3)),
        "l1_size": numbers(32, st.integers(0, 64)),
        "l1_table_offset": offsets(),
        "refcount_table_offset": offsets(),
        "refcount_table_clusters": numbers(32, st.integers(0, 4)),
        "nb_snapshots": numbers(32, st.integers(0, 3)),
        "snapshots_offset": offsets(),
    }
    lies: dict[str, SearchStrategy[Any]] = {}
    if version > c.QCOW2_MIN_VERSION:
        said |= {
            "incompatible_features": numbers(64, st.integers(0, 31)),
            "compatible_features": numbers(64, st.integers(0, 1)),
            "autoclear_features": numbers(64, st.integers(0, 3)),
            "refcount_order": numbers(32, st.integers(0, 6)),
        }
        lies["header_length"] = numbers(32, st.integers(96, 136))
        lies["additional_fields"] = _additional_fields()
    return structure("qcow2::header", fields(said, **lies))


def _additional_fields() -> SearchStrategy[dict[str, Any]]:
    said = {
        "compression_type": numbers(8, st.integers(0, 1)),
        "unknown_fields": st.binary(max_size=24),
    }
    return fields(said, padding=st.binary(min_size=7, max_size=7))


def extensions() -> SearchStrategy[Structure]:
    """Single header extensions: known ones, unknown ones, and ones of a wrong length."""
    return structure("qcow2::header_extension", _extension_fields())


def header_extensions(most: int = 6) -> SearchStrategy[Structure]:
    """Areas of at most `most` header extensions, some without an END or with leftovers."""
    listed = {"entries": st.lists(_extension_fields(), max_size=most)}
    return structure("qcow2::header_extensions", fields(listed, unparsed=st.binary(max_size=16)))


def _extension_fields() -> SearchStrategy[dict[str, Any]]:
    return st.one_of(
        _extension(c.QCOW2_EXT_MAGIC_BACKING_FORMAT, st.fixed_dictionaries({"format": texts(20)})),
        _extension(c.QCOW2_EXT_MAGIC_DATA_FILE, st.fixed_dictionaries({"data_file": texts(SHORT)})),
        _extension(c.QCOW2_EXT_MAGIC_FEATURE_TABLE, _feature_name_table()),
        _extension(c.QCOW2_EXT_MAGIC_BITMAPS, _bitmaps_extension()),
        _extension(c.QCOW2_EXT_MAGIC_CRYPTO_HEADER, _crypto_extension()),
        _extension(c.QCOW2_EXT_MAGIC_END, st.just(b"")),
        numbers(32).flatmap(lambda magic: _extension(magic, st.binary(max_size=SHORT))),
    )


def _extension(magic: int, data: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    either = st.one_of(data, data, st.binary(max_size=SHORT))
    said = {"magic": st.just(magic), "data": either}
    return fields(said, len=numbers(32, st.integers(0, 2 * SHORT)), padding=st.binary(max_size=8))


def feature_name_tables() -> SearchStrategy[Structure]:
    """Feature name tables, as an extension holds them."""
    return structure("qcow2::feature_name_table", _feature_name_table())


def _feature_name_table() -> SearchStrategy[dict[str, Any]]:
    entry = st.fixed_dictionaries(
        {
            "type": numbers(8, st.integers(0, 2)),
            "bit": numbers(8, st.integers(0, 63)),
            "name": texts(c.QCOW2_FEATURE_NAME_SIZE),
        }
    )
    leftover = st.binary(max_size=c.QCOW2_FEATURE_ENTRY_SIZE - 1)
    return fields({"entries": st.lists(entry, max_size=3)}, unparsed=leftover)


def _bitmaps_extension() -> SearchStrategy[dict[str, Any]]:
    said = {
        "nb_bitmaps": numbers(32, st.integers(0, 3)),
        "reserved32": numbers(32, st.just(0)),
        "bitmap_directory_size": numbers(64, st.integers(0, 256)),
        "bitmap_directory_offset": offsets(),
    }
    return fields(said, unparsed=st.binary(max_size=16))


def _crypto_extension() -> SearchStrategy[dict[str, Any]]:
    return fields({"offset": offsets(), "length": numbers(64)}, unparsed=st.binary(max_size=16))


def snapshots() -> SearchStrategy[Structure]:
    """Single entries of the snapshot table."""
    return structure("qcow2::snapshot", _snapshot())


def snapshot_tables(most: int = 4) -> SearchStrategy[Structure]:
    """Snapshot tables of at most `most` entries."""
    return _listed(
        "qcow2::snapshot_table", st.lists(_snapshot(lies=False), max_size=most), lambda n: (n,)
    )


def _snapshot(*, lies: bool = True) -> SearchStrategy[dict[str, Any]]:
    said = {
        "l1_table_offset": offsets(),
        "l1_size": numbers(32, st.integers(0, 64)),
        "date_sec": numbers(32),
        "date_nsec": numbers(32),
        "vm_clock_nsec": numbers(64),
        "vm_state_size": numbers(32, st.just(0)),
        "extra_data": _snapshot_extra_data(),
        "id_str": texts(SHORT),
        "name": texts(2 * SHORT),
    }
    sizes: dict[str, SearchStrategy[Any]] = {
        "id_str_size": numbers(16, st.integers(0, SHORT)),
        "name_size": numbers(16, st.integers(0, 2 * SHORT)),
        "extra_data_size": numbers(32, st.integers(0, 40)),
    }
    return fields(said, **(sizes if lies else {}))


def _snapshot_extra_data() -> SearchStrategy[dict[str, Any]]:
    """The first of the known fields, or all of them, and unknown ones after them."""
    known: dict[str, SearchStrategy[Any]] = {
        "vm_state_size_large": numbers(64, st.just(0)),
        "disk_size": numbers(64, st.integers(0, 1 << 40)),
        "icount": numbers(64, st.just(c.QCOW2_SNAPSHOT_NO_ICOUNT)),
    }
    first = [dict(list(known.items())[:count]) for count in range(len(known) + 1)]
    some = st.one_of(*(st.fixed_dictionaries(named) for named in first))
    unknown = {"unknown_extra_data": st.binary(max_size=24)}
    # Unknown fields come after the last known one, or where the first ends too early.
    return st.one_of(
        some,
        st.fixed_dictionaries(known | unknown),
        st.fixed_dictionaries({"unknown_extra_data": st.binary(max_size=7)}),
    )


def bitmap_directory_entries() -> SearchStrategy[Structure]:
    """Single entries of the bitmap directory."""
    return st.builds(
        lambda said, *header: Structure("qcow2::bitmap_directory_entry", said, header),
        _bitmap(),
        st.sampled_from(CLUSTER_BITS),
        numbers(64),
    )


def bitmap_directories(most: int = 4) -> SearchStrategy[Structure]:
    """Bitmap directories of at most `most` entries."""
    return st.tuples(st.sampled_from(CLUSTER_BITS), numbers(64)).flatmap(
        lambda header: _listed(
            "qcow2::bitmap_directory",
            st.lists(_bitmap(lies=False), max_size=most),
            lambda count: (count, *header),
        )
    )


def _bitmap(*, lies: bool = True) -> SearchStrategy[dict[str, Any]]:
    said = {
        "bitmap_table_offset": offsets(),
        "bitmap_table_size": numbers(32, st.integers(0, 8)),
        "flags": numbers(32, st.integers(0, 7)),
        "type": numbers(8, st.just(1)),
        "granularity_bits": numbers(8, st.integers(9, 31)),
        "extra_data": st.binary(max_size=16),
        "name": texts(SHORT),
    }
    sizes: dict[str, SearchStrategy[Any]] = {
        "name_size": numbers(16, st.integers(0, SHORT)),
        "extra_data_size": numbers(32, st.integers(0, 32)),
    }
    return fields(said, **(sizes if lies else {}))


def luks_headers() -> SearchStrategy[Structure]:
    """LUKS headers, without the key material."""
    slot = st.fixed_dictionaries(
        {
            "active": numbers(32, st.sampled_from(sorted(c.QCryptoBlockLUKSKeySlotActive))),
            "iterations": numbers(32),
            "salt": st.binary(max_size=c.QCRYPTO_BLOCK_LUKS_SALT_LEN),
            "key_offset_sector": numbers(32, st.integers(0, 4096)),
            "stripes": numbers(32, st.just(c.QCRYPTO_BLOCK_LUKS_STRIPES)),
        }
    )
    slots = c.QCRYPTO_BLOCK_LUKS_NUM_KEY_SLOTS
    said = {
        "cipher_name": texts(c.QCRYPTO_BLOCK_LUKS_CIPHER_NAME_LEN),
        "cipher_mode": texts(c.QCRYPTO_BLOCK_LUKS_CIPHER_MODE_LEN),
        "hash_spec": texts(c.QCRYPTO_BLOCK_LUKS_HASH_SPEC_LEN),
        "payload_offset_sector": numbers(32, st.integers(0, 4096)),
        "master_key_len": numbers(32, st.sampled_from([16, 32, 64])),
        "master_key_digest": st.binary(max_size=c.QCRYPTO_BLOCK_LUKS_DIGEST_LEN),
        "master_key_salt": st.binary(max_size=c.QCRYPTO_BLOCK_LUKS_SALT_LEN),
        "master_key_iterations": numbers(32),
        "uuid": texts(c.QCRYPTO_BLOCK_LUKS_UUID_LEN),
        "key_slots": st.lists(slot, min_size=slots, max_size=slots),
    }
    magic = st.binary(min_size=6, max_size=6)
    return structure("luks1::header", fields(said, magic=magic, version=numbers(16)))


def structures() -> SearchStrategy[Structure]:
    """Structures of every layout."""
    return st.one_of(
        probes(),
        headers(),
        extensions(),
        header_extensions(),
        feature_name_tables(),
        luks_headers(),
        snapshots(),
        snapshot_tables(),
        bitmap_directory_entries(),
        bitmap_directories(),
        v1_l1_entries(),
        v1_l2_entries(),
        l1_entries(),
        l2_entries(),
        refcount_table_entries(),
        refcount_blocks(),
        bitmap_table_entries(),
    )


def _listed(
    layout: str,
    entries: SearchStrategy[list[dict[str, Any]]],
    arguments: Callable[[int], tuple[int, ...]],
) -> SearchStrategy[Structure]:
    """Structures that are a list of entries; `arguments` takes their number."""
    return entries.map(
        lambda listed: Structure(layout, {"entries": listed}, arguments(len(listed)))
    )
