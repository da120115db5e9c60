"""What `qcowspec build` makes of a spec, and what it says of one that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

import qcowspec
from qcowspec.errors import Invalid
from qcowspec.fuzzing.recipes import made, parsed

MERGE = b"z: &z {a: 1}\n" + b"".join(
    b"b%d: &b%d {<<: [%s]}\n" % (n, n, b",".join([b"*b%d" % (n - 1) if n else b"*z"] * 9))
    for n in range(30)
)
"""YAML that a reader who follows its merges never comes to the end of."""


def image(text: bytes) -> bytes:
    return made(parsed(text)).pieces.image()


def disk(text: bytes) -> bytes:
    with qcowspec.open(image(text)) as opened:
        return opened.pread(0, opened.size)


def said_of(text: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        made(parsed(text)).pieces.image()
    return caught.value.message


def test_everything_has_a_default() -> None:
    with qcowspec.open(image(b"{}")) as opened:
        found = (opened.header.version, opened.size, 1 << opened.header.cluster_bits)

    assert found == (3, 1 << 20, 4096)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_guest_reads_what_was_written(version: int) -> None:
    writes = b"[{at: 1K, text: hello}, {at: 8191, hex: 'abcd'}, {at: 64K, fill: 7, length: 4K}]"

    found = disk(b"{version: %d, size: 128K, writes: %s}" % (version, writes))

    expected = bytearray(128 << 10)
    expected[1024:1029], expected[8191:8193] = b"hello", b"\xab\xcd"
    expected[64 << 10 : 68 << 10] = b"\7" * 4096
    assert found == expected


@pytest.mark.parametrize("kind", ["compressed", "zero_alloc", "data"])
@pytest.mark.parametrize("packing", ["zlib", "zstd"])
def test_a_write_may_say_how_it_is_stored(kind: str, packing: str) -> None:
    write = f"{{at: 4K, fill: 9, length: 4K, kind: {kind}}}"

    found = disk(f"{{size: 12K, compression_type: {packing}, writes: [{write}]}}".encode())

    written = bytes(4096) if kind == "zero_alloc" else b"\t" * 4096
    assert found == bytes(4096) + written + bytes(4096)


def test_a_snapshot_has_writes_of_its_own() -> None:
    snapshot = b"{name: then, size: 8K, writes: [{at: 0, text: old}]}"
    text = b"{size: 4K, writes: [{at: 0, text: new}], snapshots: [%s]}" % snapshot

    with qcowspec.open(image(text)) as opened:
        found = opened.pread(0, 8 << 10, snapshot="then")

    assert found == b"old" + bytes((8 << 10) - 3)


def test_the_header_may_contradict_the_rest() -> None:
    verdict = qcowspec.validate(image(b"{header: {cluster_bits: 22}}"))

    assert [finding.rule for finding in verdict.errors][:1] == ["header/cluster-bits"]


def test_equal_specs_make_equal_images() -> None:
    text = b"{writes: [{at: 0, noise: 5, length: 64K}, {at: 64K, fill: 1, length: 4K}]}"

    assert image(text) == image(text)


def test_a_base_and_a_patch_make_an_image() -> None:
    text = b"{base: v3, patch: [{field: header.size, value: 'old + 512'}]}"

    with qcowspec.open(image(text)) as opened:
        assert opened.size == (1 << 20) + 512


def test_a_description_may_be_patched() -> None:
    text = b"{size: 4K, patch: [{at: end, text: tail}, {truncate: 'end + 2'}]}"

    assert image(text)[-2:] == b"ta"


def test_a_dump_may_be_edited_by_value() -> None:
    field = {"name": "size", "offset": 24, "length": 8, "raw": "00" * 8, "value": 512}
    spec: dict[str, Any] = {"structures": [{"name": "header", "offset": 24, "fields": [field]}]}

    assert made(spec).pieces.image()[24:32] == (512).to_bytes(8, "big")


def test_a_value_that_its_raw_bytes_say_too_changes_nothing() -> None:
    field = {"name": "name", "raw": "ff00", "value": "\\xff\0"}
    spec: dict[str, Any] = {"structures": [{"name": "x", "offset": 0, "fields": [field]}]}

    assert made(spec).pieces.image() == b"\xff\0"


def test_another_cluster_size_leaves_the_tables_as_they_are() -> None:
    bits = {"name": "cluster_bits", "offset": 20, "length": 4, "raw": "00000010", "value": 17}
    row = {"index": 0, "raw": "4000000000050000", "fields": {"compressed": 1, "coffset": 0x50000}}
    table = {"name": "t", "layout": "qcow2::l2_table", "offset": 512, "entries": [row]}
    header = {"name": "header", "offset": 20, "fields": [bits]}

    built = made({"structures": [header, table]}).pieces.image()

    assert (built[20:24].hex(), built[512:].hex()) == ("00000011", "4000000000050000")


def test_data_may_stand_in_a_dump() -> None:
    spec = {"file": {"length": 16}, "structures": [], "data": [{"at": 4, "text": "here"}]}

    assert made(spec).pieces.image() == bytes(4) + b"here" + bytes(8)


def test_a_table_whose_entries_were_left_out_is_said() -> None:
    node = {"name": "l1_table", "offset": 512, "length": 8, "summary": {"entries": 1}}

    with pytest.raises(Invalid) as caught:
        made({"structures": [node]})

    assert caught.value.message == (
        "l1_table: its entries are missing: `qcowspec dump --tables` shows them"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"5", "a mapping is wanted, not 5"),
        (b"{sise: 1}", "sise: nobody knows this key; known are version, size"),
        (b"{size: big}", "size: a number is wanted, not 'big'"),
        (b"{size: 0x" + b"f" * 9999 + b"}", "size: a number of 39996 bits is not within 0 and"),
        (b"{size: 2P}", "size: the image would be larger than 268435456 bytes"),
        (b"{version: 4}", "version: an image is laid out with 1 to 3, not 4"),
        (b"{header: {siz: 1}}", "header: qcow2::header cannot be built: not a field"),
        (b"{header: {size: abc}}", "header: qcow2::header cannot be built: size: b'abc' does"),
        (b"{header: {size: -1}}", "header.size: -1 is not within 0 and 18446744073709551615"),
        (b"{header: {magic: {fill: 0, length: 1G}}}", "header.magic.length: 1073741824 is not"),
        (b"{writes: [{at: 0}]}", "writes[0]: bytes are wanted, by one of text, hex, base64,"),
        (b"{writes: [{at: 0, hex: 'f'}]}", "writes[0].hex: pairs of hexadecimal digits are"),
        (b"{writes: [{at: 0, zero: 1P}]}", "writes[0]: a write reaches over 1048576 clusters"),
        (b"{writes: [{at: 0, fill: 1, length: 1T}]}", "writes[0].length: 1099511627776 is not"),
        (b"{writes: [{at: 0, text: a, kind: odd}]}", "writes[0].kind: a cluster is one of data"),
        (b"{version: 1, writes: [{at: 0, zero: 4K}]}", "clusters: guest cluster 0: version 1 has"),
        (b"{clusters: {x: {}}}", "clusters.'x': a number is wanted, not 'x'"),
        (b"{features: [odd]}", "features: no such feature: ['odd']"),
        (b"{bitmaps: [{clusters: {9: a}}]}", "bitmaps: its table has 1 entries"),
        (b"{snapshots: [{fields: {id_str_size: 70000}}]}", "snapshots: qcow2::snapshot cannot be"),
        (b"{luks: {cipher_name: aes}}", "luks: luks1::header cannot be built: not given"),
        (b"{base: odd}", "base: there is no 'odd'; there are v1, v1-plain, v1-backing"),
        (b"{base: {file: /etc/passwd}}", "base.file: a spec that comes from elsewhere may name"),
        (b"{base: v3, patch: [{field: header.odd, value: 1}]}", "patch[0]: the image has no"),
        (b"{base: v3, patch: [{value: 1}]}", "patch[0]: {'value': 1} is no operation"),
        (b"{base: v3, patch: [{at: 0, u8: 'old +'}]}", "patch[0]: 'old +' is no expression"),
        (b"{base: v3, patch: [{at: 0, u8: '1" + b"+1" * 999 + b"'}]}", "patch[0]: an expression"),
        (b"{base: v3, patch: [{field: header.size, set: [99999999999]}]}", "patch[0]: header.size"),
        (b"{base: v3, patch: [{at: 0, u8: 0, repeat: 1M}]}", "patch[0].repeat: 1048576 is not"),
        (b"{structures: [{name: a, raw: '00'}]}", "a.offset: a number is wanted, not None"),
        (b"{structures: [{name: a, offset: 8E, raw: '00'}]}", "a.offset: 9223372036854775808 is"),
        (b"{schema: other}", "schema: qcowspec.dump/1 is wanted, not 'other'"),
        (b"[" * 99999, "the spec has too many levels"),
        (b"a: " + b"[" * 9999, "the spec is neither YAML nor JSON: "),
        (MERGE, "the spec is neither YAML nor JSON: "),
        (b"&a {header: *a}", "the spec holds too many values, or too many levels of them"),
        (b"size: !!python/object/apply:os.getpid []", "the spec is neither YAML nor JSON: "),
        (b"\0", "the spec is neither YAML nor JSON: "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_wrong_spec_is_a_sentence_that_says_where(text: bytes, says: str) -> None:
    found = said_of(text)

    assert found.startswith(says)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([{"index": 0}], "t.entries[0]: a row says its entries by raw, value or fields"),
        ([{"index": 0, "raw": "1" * 33}], "t.entries[0].raw: "),
        ([{"index": 0, "fields": {"odd": 1}}], "t.entries[0].fields.odd: such an entry has no"),
        ([{"index": 0, "fields": {"copied": 2}}], "t.entries[0].fields.copied: 0x2 does not fit"),
        ([{"index": 0, "value": 1}] * 2, "t.entries: two rows say something of one entry"),
        ([{"index": 1 << 61, "value": 1}], "t.entries[0]: these entries would stand past the end"),
        ([{"index": 0, "count": 1 << 40, "value": 1}], "t.entries[0]: from here on the table has"),
        ([{"index": 0, "offset": 0, "value": 1}, {"index": 1, "offset": 0, "value": 1}],
         "t.entries[1].offset: a row's place follows from its index, and this is another"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_a_sentence_that_says_where(entries: list[Any], says: str) -> None:
    node = {"name": "t", "layout": "qcow2::l1_table", "offset": 512, "entries": entries}

    with pytest.raises(Invalid) as caught:
        made({"structures": [node]})

    assert caught.value.message.startswith(says)
