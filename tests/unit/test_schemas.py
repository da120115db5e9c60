"""The Construct schemas parse what QEMU writes and build the same bytes again."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
import qcow_schemas
from construct import ConstructError, RangeError, SizeofError, StreamError
from hypothesis import given, settings
from hypothesis import strategies as st
from qcow_schemas import (
    Schema,
    additional_fields,
    bitmap_directory,
    bitmap_directory_entry,
    bitmap_table_entry,
    bitmaps_extension,
    compressed_descriptor,
    crypto_extension,
    feature_name_entry,
    header_extension,
    header_extensions,
    l1_entry,
    l2_entry,
    luks1_header,
    probe,
    qcow1_header,
    qcow1_l1_entry,
    qcow1_l2_entry,
    qcow2_header,
    refcount_block,
    refcount_table_entry,
    snapshot,
    snapshot_table,
    standard_descriptor,
)

# Every exported schema, those that need arguments with some.
SCHEMAS: dict[str, Schema] = (
    {
        name: value
        for name in qcow_schemas.__all__
        if name != "Schema" and hasattr(value := getattr(qcow_schemas, name), "parse")
    }
    | {
        "qcow1_l2_entry(9)": qcow1_l2_entry(9),
        "qcow1_l2_entry(16)": qcow1_l2_entry(16),
        "l2_entry(9)": l2_entry(9),
        "l2_entry(21)": l2_entry(21),
        "l2_entry(14, extended)": l2_entry(14, extended=True),
        "compressed_descriptor(16)": compressed_descriptor(16),
        "snapshot_table(2)": snapshot_table(2),
        "bitmap_directory(2)": bitmap_directory(2),
    }
    | {f"refcount_block({order}, 16)": refcount_block(order, 16) for order in range(7)}
)

by_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))

V3 = {
    "version": 3,
    "cluster_bits": 16,
    "size": 1 << 30,
    "l1_size": 2,
    "l1_table_offset": 0x30000,
    "refcount_table_offset": 0x10000,
    "refcount_table_clusters": 1,
}


def parsed_again(schema: Schema, data: bytes) -> bytes:
    """Return what is built from what is parsed from `data`."""
    return schema.build(schema.parse(data))


# --- layouts: sizes, positions, bit numbers -------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        pytest.param(probe, 8, id="probe"),
        pytest.param(qcow1_header, 48, id="qcow1_header"),
        pytest.param(qcow1_l1_entry, 8, id="qcow1_l1_entry"),
        pytest.param(qcow1_l2_entry(12), 8, id="qcow1_l2_entry"),
        pytest.param(feature_name_entry, 48, id="feature_name_entry"),
        pytest.param(l1_entry, 8, id="l1_entry"),
        pytest.param(l2_entry(16), 8, id="l2_entry"),
        pytest.param(l2_entry(16, extended=True), 16, id="l2_entry, extended"),
        pytest.param(refcount_table_entry, 8, id="refcount_table_entry"),
        pytest.param(bitmap_table_entry, 8, id="bitmap_table_entry"),
        pytest.param(refcount_block(0, 512 * 8), 512, id="refcount_block, 1 bit"),
        pytest.param(refcount_block(6, 64), 512, id="refcount_block, 64 bits"),
        pytest.param(luks1_header, 592, id="luks1_header"),
    ],
)
def test_structure_of_fixed_size(schema: Schema, size: int) -> None:
    assert schema.sizeof() == size


@pytest.mark.parametrize("schema", [qcow2_header, additional_fields, header_extension, snapshot])
def test_structure_without_fixed_size(schema: Schema) -> None:
    with pytest.raises(SizeofError):
        schema.sizeof()


@pytest.mark.parametrize(
    ("schema", "bits"),
    [
        pytest.param(
            l1_entry,
            {"copied": [63], "reserved1": [56, 62], "offset_sectors": [9, 55], "reserved0": [0, 8]},
            id="l1_entry",
        ),
        pytest.param(
            refcount_table_entry,
            {"offset_sectors": [9, 63], "reserved0": [0, 8]},
            id="refcount_table_entry",
        ),
        pytest.param(
            standard_descriptor,
            {
                "copied": [63],
                "compressed": [62],
                "reserved1": [56, 61],
                "offset_sectors": [9, 55],
                "reserved0": [1, 8],
                "zero": [0],
            },
            id="standard_descriptor",
        ),
        pytest.param(
            compressed_descriptor(16),
            {"copied": [63], "compressed": [62], "nb_csectors": [54, 61], "coffset": [0, 53]},
            id="compressed_descriptor, 64 KiB",
        ),
        pytest.param(
            compressed_descriptor(9),
            {"copied": [63], "compressed": [62], "nb_csectors": [61], "coffset": [0, 60]},
            id="compressed_descriptor, 512 bytes",
        ),
        pytest.param(
            bitmap_table_entry,
            {
                "reserved1": [56, 63],
                "offset_sectors": [9, 55],
                "reserved0": [1, 8],
                "all_ones": [0],
            },
            id="bitmap_table_entry",
        ),
    ],
)
def test_bit_fields_are_where_the_document_has_them(
    schema: Schema, bits: dict[str, list[int]]
) -> None:
    for field, ends in bits.items():
        for bit in {ends[0], ends[-1]}:
            values = {name: value for name, value in parse_word(schema, 1 << bit).items() if value}
            assert values == {field: 1 << (bit - ends[0])}


def parse_word(schema: Schema, word: int) -> dict[str, int]:
    """Parse a 64-bit number."""
    return dict(schema.parse(word.to_bytes(8, "big")))


def test_l2_entry_standard() -> None:
    entry = l2_entry(16).parse((1 << 63 | 0x50000 | 1).to_bytes(8, "big"))
    assert dict(entry) == {
        "copied": 1,
        "compressed": 0,
        "reserved1": 0,
        "offset_sectors": 0x50000 >> 9,
        "reserved0": 0,
        "zero": 1,
        "nb_csectors": None,
        "coffset": None,
        "zero_bitmap": None,
        "alloc_bitmap": None,
    }


def test_l2_entry_compressed_has_no_standard_fields() -> None:
    entry = l2_entry(16).parse((1 << 62 | 3 << 54 | 0x51234).to_bytes(8, "big"))
    assert (entry.nb_csectors, entry.coffset, entry.offset_sectors) == (3, 0x51234, None)


def test_l2_entry_extended_has_the_zero_bitmap_first() -> None:
    entry = l2_entry(14, extended=True).parse(bytes(8) + b"\0\0\0\1" + b"\x80\0\0\0")
    assert (entry.zero_bitmap, entry.alloc_bitmap) == (1, 1 << 31)


def test_l2_entry_built_with_a_coffset_is_compressed() -> None:
    assert l2_entry(16).build({"coffset": 5}) == (1 << 62 | 5).to_bytes(8, "big")


def test_l2_entry_whose_flag_is_turned_gets_the_other_descriptor() -> None:
    entry = l2_entry(16).parse((0x50000).to_bytes(8, "big"))
    entry.compressed = 1
    assert l2_entry(16).build(entry) == (1 << 62).to_bytes(8, "big")


def test_qcow1_l2_entry_plain_offset_has_63_bits() -> None:
    entry = qcow1_l2_entry(12).parse(b"\x7f" + b"\xff" * 7)
    assert (entry.is_compressed, entry.offset, entry.csize) == (0, (1 << 63) - 1, None)


def test_qcow1_l2_entry_compressed_counts_bytes() -> None:
    entry = qcow1_l2_entry(12).parse((1 << 63 | 0x123 << 51 | 0x4567).to_bytes(8, "big"))
    assert (entry.csize, entry.coffset, entry.offset) == (0x123, 0x4567, None)


@pytest.mark.parametrize("cluster_bits", [-1, 0, 8, 70, 1 << 31])
def test_impossible_cluster_bits_are_refused(cluster_bits: int) -> None:
    with pytest.raises(RangeError):
        l2_entry(cluster_bits)


@pytest.mark.parametrize("cluster_bits", [-1, 0, 63, 255])
def test_impossible_qcow1_cluster_bits_are_refused(cluster_bits: int) -> None:
    with pytest.raises(RangeError):
        qcow1_l2_entry(cluster_bits)


@pytest.mark.parametrize(
    ("order", "entries"),
    [
        (0, [0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
        (1, [2, 0, 0, 2, 1, 0, 0, 0]),
        (2, [2, 8, 1, 0]),
        (3, [0x82, 0x01]),
        (4, [0x8201]),
    ],
)
def test_refcounts_smaller_than_a_byte_begin_with_the_lowest_bits(
    order: int, entries: list[int]
) -> None:
    schema = refcount_block(order, len(entries))
    assert list(schema.parse(b"\x82\x01").entries) == entries
    assert schema.build({"entries": entries}) == b"\x82\x01"


@pytest.mark.parametrize(("order", "entries"), [(7, 8), (-1, 8), (0, 7), (1, 3), (2, -2)])
def test_impossible_refcount_blocks_are_refused(order: int, entries: int) -> None:
    with pytest.raises(RangeError):
        refcount_block(order, entries)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([0] * 7 + [2], id="too large"),
        pytest.param([0] * 7 + [-1], id="negative"),
        pytest.param([0] * 7 + ["0"], id="text"),
        pytest.param([0] * 9, id="too many"),
        pytest.param([], id="too few"),
        pytest.param(None, id="none"),
    ],
)
def test_impossible_refcounts_are_refused(entries: Any) -> None:
    with pytest.raises(ConstructError):
        refcount_block(0, 8).build({"entries": entries})


# --- the header -----------------------------------------------------------------------------


def test_version_2_header_ends_after_72_bytes() -> None:
    header = qcow2_header.parse(qcow2_header.build(V3 | {"version": 2}))
    assert len(qcow2_header.build(header)) == 72
    assert header.incompatible_features is header.header_length is header.additional_fields is None


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        pytest.param(None, 104, id="none"),
        pytest.param({"compression_type": 1}, 112, id="compression_type"),
        pytest.param({"compression_type": 1, "unknown_fields": b"later..."}, 120, id="unknown"),
        pytest.param({"compression_type": 1, "padding": b""}, 105, id="no padding"),
    ],
)
def test_header_length_is_derived(fields: Any, length: int) -> None:
    built = qcow2_header.build(V3 | {"additional_fields": fields})
    assert (len(built), qcow2_header.parse(built).header_length) == (length, length)


def test_wrong_header_length_is_kept() -> None:
    built = qcow2_header.build(V3 | {"header_length": 0xFFFFFFFF})
    assert (len(built), built[100:104]) == (104, b"\xff" * 4)


def test_header_length_beyond_the_stream_takes_what_there_is() -> None:
    data = qcow2_header.build(V3 | {"header_length": 0xFFFFFFF8}) + b"\x01" + b"pad"
    header = qcow2_header.parse(data)
    assert dict(header.additional_fields) == {
        "compression_type": 1,
        "padding": b"pad",
        "unknown_fields": b"",
    }
    assert qcow2_header.build(header) == data


def test_header_length_beyond_a_stream_that_ends_at_104() -> None:
    data = qcow2_header.build(V3 | {"header_length": 112})
    assert qcow2_header.parse(data).additional_fields is None
    assert parsed_again(qcow2_header, data) == data


def test_non_zero_header_padding_is_kept() -> None:
    data = qcow2_header.build(V3 | {"additional_fields": {"compression_type": 0}})
    data = data[:105] + b"\xaa" * 7
    assert parsed_again(qcow2_header, data) == data


def test_version_3_fields_can_be_forced_into_version_2() -> None:
    header = qcow2_header.parse(qcow2_header.build(V3))
    header.version = 2
    assert len(qcow2_header.build(header)) == 104


def test_fields_behind_an_absent_field_are_refused() -> None:
    with pytest.raises(ConstructError):
        qcow2_header.build(V3 | {"additional_fields": {"unknown_fields": b"12345678"}})
    with pytest.raises(ConstructError):
        snapshot.build({"l1_table_offset": 0, "l1_size": 0, "extra_data": {"icount": 0}})


# --- header extensions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("magic", "data", "payload"),
    [
        pytest.param(0xE2792ACA, {"format": b"raw"}, b"raw", id="backing format"),
        pytest.param(0x44415441, {"data_file": b"disk.raw"}, b"disk.raw", id="data file"),
        pytest.param(
            0x6803F857,
            {"entries": [{"type": 2, "bit": 1, "name": b"raw"}], "unparsed": b"tail"},
            b"\2\1raw" + bytes(43) + b"tail",
            id="feature name table",
        ),
        pytest.param(
            0x23852875,
            {"nb_bitmaps": 1, "bitmap_directory_size": 32, "bitmap_directory_offset": 0x50000},
            struct.pack(">IIQQ", 1, 0, 32, 0x50000),
            id="bitmaps",
        ),
        pytest.param(
            0x0537BE77, {"offset": 0x30000, "length": 592}, struct.pack(">QQ", 0x30000, 592),
            id="crypto",
        ),
        pytest.param(0x12345678, b"anything", b"anything", id="unknown"),
        pytest.param(0, b"", b"", id="end"),
    ],
)  # fmt: skip
def test_extension_payloads(magic: int, data: Any, payload: bytes) -> None:
    built = header_extension.build({"magic": magic, "data": data})
    padding = bytes(-len(payload) % 8)
    assert built == struct.pack(">II", magic, len(payload)) + payload + padding
    assert parsed_again(header_extension, built) == built


def test_end_needs_no_data() -> None:
    assert header_extension.build({"magic": 0}) == bytes(8)


@pytest.mark.parametrize("magic", [0x23852875, 0x0537BE77])
def test_extension_too_short_for_its_layout_is_bytes(magic: int) -> None:
    data = struct.pack(">II", magic, 5) + b"short" + b"pad"
    assert header_extension.parse(data).data == b"short"
    assert parsed_again(header_extension, data) == data


@pytest.mark.parametrize(
    ("magic", "schema"), [(0x23852875, bitmaps_extension), (0x0537BE77, crypto_extension)]
)
def test_extension_too_long_for_its_layout_keeps_the_rest(magic: int, schema: Schema) -> None:
    data = struct.pack(">II", magic, 32) + bytes(range(32))
    extension = header_extension.parse(data)
    assert extension.data == schema.parse(bytes(range(32)))
    assert extension.data.unparsed.endswith(b"\x1e\x1f")
    assert parsed_again(header_extension, data) == data


def test_extension_padding_is_kept() -> None:
    data = struct.pack(">II", 0xE2792ACA, 3) + b"raw" + b"noise"
    assert header_extension.parse(data).padding == b"noise"
    assert parsed_again(header_extension, data) == data


def test_extension_length_beyond_the_stream_takes_what_there_is() -> None:
    data = struct.pack(">II", 0xE2792ACA, 0xFFFFFFFF) + b"raw"
    assert header_extension.parse(data).data.format == b"raw"
    assert parsed_again(header_extension, data) == data


def test_wrong_extension_length_is_kept() -> None:
    built = header_extension.build({"magic": 7, "len": 99, "data": b"12345"})
    assert built == struct.pack(">II", 7, 99) + b"12345\0\0\0"


def test_extensions_end_with_end() -> None:
    data = struct.pack(">II", 7, 3) + b"abcxxxxx" + bytes(8) + b"behind the end"
    extensions = header_extensions.parse(data)
    assert [e.magic for e in extensions.entries] == [7, 0]
    assert extensions.unparsed == b"behind the end"
    assert parsed_again(header_extensions, data) == data


def test_extensions_end_where_fewer_than_8_bytes_are_left() -> None:
    data = struct.pack(">II", 7, 0) + b"1234567"
    extensions = header_extensions.parse(data)
    assert ([e.magic for e in extensions.entries], extensions.unparsed) == ([7], b"1234567")
    assert parsed_again(header_extensions, data) == data


def test_caller_bounds_the_number_of_extensions() -> None:
    data = struct.pack(">II", 7, 0) * 100
    extensions = header_extensions.parse(data, max_entries=3)
    assert (len(extensions.entries), len(extensions.unparsed)) == (3, 97 * 8)
    assert header_extensions.build(extensions) == data


# --- snapshots and bitmaps ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "present"),
    [
        (0, []),
        (7, []),
        (8, ["vm_state_size_large"]),
        (16, ["vm_state_size_large", "disk_size"]),
        (20, ["vm_state_size_large", "disk_size"]),
        (24, ["vm_state_size_large", "disk_size", "icount"]),
        (40, ["vm_state_size_large", "disk_size", "icount"]),
    ],
)
def test_snapshot_extra_data_is_as_long_as_its_size(size: int, present: list[str]) -> None:
    extra = bytes(range(size))
    data = struct.pack(">QIHHIIQII", 0x50000, 1, 1, 4, 1, 2, 3, 4, size) + extra + b"1name"
    data += b"P" * (-len(data) % 8)
    parsed = snapshot.parse(data)
    known = {k: v for k, v in parsed.extra_data.items() if v is not None}
    assert known.pop("unknown_extra_data") == extra[8 * len(present) :]
    assert list(known) == present
    assert (parsed.id_str, parsed.name) == (b"1", b"name")
    assert parsed.padding == data[40 + size + 5 :]
    assert snapshot.build(parsed) == data


def test_snapshot_sizes_are_derived() -> None:
    built = snapshot.build(
        {
            "l1_table_offset": 0x50000,
            "l1_size": 1,
            "extra_data": {"vm_state_size_large": 0, "disk_size": 1 << 20},
            "id_str": b"1",
            "name": b"first",
        }
    )
    parsed = snapshot.parse(built)
    assert (parsed.extra_data_size, parsed.id_str_size, parsed.name_size) == (16, 1, 5)
    assert (len(built), parsed.padding) == (64, b"\0\0")


def test_wrong_snapshot_sizes_are_kept() -> None:
    fields = {"l1_table_offset": 0, "l1_size": 0, "name_size": 9, "name": b"first"}
    built = snapshot.build(fields | {"extra_data_size": 0xFFFFFFFF})
    assert built[14:16] + built[36:40] + built[40:] == b"\0\x09" + b"\xff" * 4 + b"first\0\0\0"


def test_bitmap_directory_entry_sizes_are_derived() -> None:
    built = bitmap_directory_entry.build(
        {
            "bitmap_table_offset": 0x60000,
            "bitmap_table_size": 1,
            "granularity_bits": 16,
            "extra_data": b"extra",
            "name": b"bitmap0",
        }
    )
    parsed = bitmap_directory_entry.parse(built)
    assert (parsed.name_size, parsed.extra_data_size) == (7, 5)
    assert built[24:] == b"extrabitmap0\0\0\0\0"


# --- every schema ---------------------------------------------------------------------------


@by_schema
@settings(max_examples=40)
@given(data=st.one_of(st.binary(max_size=700), st.builds(bytes, st.integers(0, 700))))
def test_whatever_parses_builds_the_same_bytes(schema: Schema, data: bytes) -> None:
    stream = io.BytesIO(data)
    try:
        parsed = schema.parse_stream(stream)
    except ConstructError:
        return
    assert schema.build(parsed) == data[: stream.tell()]


things = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=4)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)  # fmt: skip


@by_schema
@settings(max_examples=40)
@given(data=st.data())
def test_nothing_but_construct_errors_leaves_a_build(schema: Any, data: st.DataObject) -> None:
    names = [f.name for f in getattr(schema, "subcon", schema).subcons]
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(names, things))
    try:
        built = schema.build(data.draw(things | fields))
    except ConstructError:
        return
    assert isinstance(built, bytes)


@by_schema
def test_misspelt_fields_are_refused(schema: Schema) -> None:
    with pytest.raises(ConstructError):
        schema.build({"not_a_field": 1})


class _Unreadable(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def readinto(self, buffer: Any) -> int:
        raise OSError("the disk is gone")


@by_schema
def test_nothing_but_construct_errors_leaves_a_parse(schema: Schema) -> None:
    with pytest.raises(ConstructError):
        schema.parse_stream(_Unreadable())  # type: ignore[arg-type]  # a raw stream will do


class _Watched(io.BytesIO):
    """Remembers the most that it was asked for in one piece."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.most = max(self.most, size or 0)
        return super().read(size)


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        pytest.param(qcow2_header, b"\xff" * 104, id="header_length"),
        pytest.param(header_extension, b"\xff" * 8, id="len"),
        pytest.param(snapshot, b"\xff" * 40, id="extra_data_size"),
        pytest.param(bitmap_directory_entry, b"\xff" * 24, id="extra_data_size of a bitmap"),
        pytest.param(snapshot_table(0xFFFFFFFF), b"\0" * 80, id="nb_snapshots"),
    ],
)
def test_a_hostile_length_asks_for_little_at_a_time(schema: Schema, data: bytes) -> None:
    stream = _Watched(data)
    try:
        schema.parse_stream(stream)
    except StreamError:
        assert schema is not qcow2_header
    assert stream.most <= 1 << 20


@st.composite
def headers(draw: st.DrawFn) -> dict[str, Any]:
    """Headers of both versions, as one would write them by hand."""
    u4, u8 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
    header: dict[str, Any] = {"version": draw(st.sampled_from([2, 3]))}
    header |= {n: draw(u4) for n in ("cluster_bits", "l1_size", "refcount_table_clusters")}
    header |= {n: draw(u8) for n in ("size", "l1_table_offset", "refcount_table_offset")}
    if header["version"] == 3:
        header |= {n: draw(u8) for n in ("incompatible_features", "autoclear_features")}
        if draw(st.booleans()):
            unknown = draw(st.binary(max_size=40))
            fields = {"compression_type": draw(st.integers(0, 255)), "unknown_fields": unknown}
            header["additional_fields"] = fields
    return header


@given(header=headers(), behind=st.binary(max_size=20))
def test_headers_built_parse_to_the_same(header: dict[str, Any], behind: bytes) -> None:
    built = qcow2_header.build(header)
    parsed = qcow2_header.parse(built + behind)
    for name, value in header.items():
        if name == "additional_fields":
            assert parsed[name].items() >= value.items()
        else:
            assert parsed[name] == value
    assert qcow2_header.build(parsed) == built


extensions = st.fixed_dictionaries(
    {
        "magic": st.sampled_from(
            [0, 7, 0xE2792ACA, 0x6803F857, 0x23852875, 0x0537BE77, 0x44415441]
        ),
        "data": st.binary(max_size=100),
    },
    optional={"len": st.integers(0, 120), "padding": st.binary(max_size=9)},
)


@given(entries=st.lists(extensions, max_size=6), behind=st.binary(max_size=20))
def test_extension_areas_build_the_same_bytes(entries: list[Any], behind: bytes) -> None:
    area = header_extensions.build({"entries": entries, "unparsed": behind})
    assert parsed_again(header_extensions, area) == area


snapshots = st.fixed_dictionaries(
    {
        "l1_table_offset": st.integers(0, (1 << 64) - 1),
        "l1_size": st.integers(0, (1 << 32) - 1),
        "extra_data": st.integers(0, 3).flatmap(
            lambda n: st.fixed_dictionaries(
                {
                    name: st.integers(0, (1 << 64) - 1)
                    for name in ("vm_state_size_large", "disk_size", "icount")[:n]
                }
                | {"unknown_extra_data": st.binary(max_size=7 if n < 3 else 40)}
            )
        ),
        "id_str": st.binary(max_size=20),
        "name": st.binary(max_size=20),
    }
)


@given(entries=st.lists(snapshots, max_size=5), behind=st.binary(max_size=20))
def test_snapshot_tables_built_parse_to_the_same(entries: list[Any], behind: bytes) -> None:
    schema = snapshot_table(len(entries))
    built = schema.build({"entries": entries})
    parsed = schema.parse(built + behind)
    assert len(built) % 8 == 0
    for entry, expected in zip(parsed.entries, entries, strict=True):
        assert entry.items() >= {k: v for k, v in expected.items() if k != "extra_data"}.items()
        assert entry.extra_data.items() >= expected["extra_data"].items()
    assert schema.build(parsed) == built
