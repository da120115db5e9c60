"""The data files of formats/ agree with themselves and with each other.

What comes in: constants.toml, features.toml and extensions.toml. What is claimed: every row is well
formed, every number that can be computed from others is what the computation gives, and the files
name the same things both ways.
"""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.every import every

Row = dict[str, Any]

FORMATS = Path(__file__).parents[2] / "formats"
FILES = {stem: (FORMATS / f"{stem}.toml") for stem in ("constants", "features", "extensions")}
DATA = {stem: tomllib.loads(path.read_text("utf-8")) for stem, path in FILES.items()}

CONSTANTS: list[Row] = DATA["constants"]["constant"]
ENUMS: list[Row] = DATA["constants"]["enum"]
FEATURES: list[Row] = DATA["features"]["feature"]
EXTENSIONS: list[Row] = DATA["extensions"]["extension"]

FORMS = ("value", "bit", "bits", "bitranges", "text", "bytes")
UNITS = {
    "bytes", "bits", "sectors", "entries", "clusters", "count",
    "mask", "number", "seconds", "milliseconds", "name",
}  # fmt: skip
WORD = (1 << 64) - 1
MAX_TOML_INTEGER = (1 << 63) - 1


def number(row: Row) -> int | str | bytes:
    """What a row's value form stands for."""
    if "bytes" in row:
        return bytes(row["bytes"])
    if "bit" in row:
        return 1 << int(row["bit"])
    if "bits" in row or "bitranges" in row:
        ranges: list[list[int]] = row["bitranges"] if "bitranges" in row else [row["bits"]]
        return sum((1 << (last + 1)) - (1 << first) for first, last in ranges)
    value: int | str = row["value"] if "value" in row else row["text"]
    return value


def members(enum: Row) -> dict[str, int]:
    """The members of an enum by name, unions resolved in the order of the file."""
    values: dict[str, int] = {}
    for member in enum["member"]:
        if "of" in member:
            values[member["name"]] = 0
            for part in member["of"]:
                values[member["name"]] |= values[part]
        else:
            values[member["name"]] = int(number(member))
    return values


ENUM = {enum["name"]: members(enum) for enum in ENUMS}
NUMBER = {row["name"]: number(row) for row in CONSTANTS}
N: dict[str, int] = {name: value for name, value in NUMBER.items() if isinstance(value, int)}
N |= {name: value for values in ENUM.values() for name, value in values.items()}


def named(rows: list[Row]) -> list[Any]:
    """The rows as parameters whose test ids are their names."""
    return [pytest.param(row, id=row.get("id", row["name"])) for row in rows]


# ---- every row is well formed


@every("row", named(CONSTANTS))
def test_a_constant_has_the_keys_of_the_schema(row: Row) -> None:
    required = {"name", "unit", "limit", "meaning", "source"}
    forms = set(FORMS) & row.keys()
    assert len(forms) == 1
    assert required <= row.keys() <= required | forms | {"seed", "seed_name"}
    assert row["unit"] in UNITS
    assert row["limit"] in {"format", "qemu", "librbd", "policy"}


@every("row", named(CONSTANTS))
def test_a_constant_is_written_in_the_form_that_fits_it(row: Row) -> None:
    assert ("text" in row) == (row["unit"] == "name")
    if row["unit"] == "mask":
        assert {"bit", "bits", "bitranges"} & row.keys()
    if "value" in row:
        assert 0 <= row["value"] <= MAX_TOML_INTEGER
    if "bit" in row:
        assert 0 <= row["bit"] <= 63
    ranges = row.get("bitranges", [row["bits"]] if "bits" in row else [])
    for first, last in ranges:
        assert 0 <= first < last <= 63
    for (_, before), (after, _) in pairwise(ranges):
        assert before + 1 < after  # else one range says it


@every("row", named(CONSTANTS))
def test_a_seed_name_is_given_only_where_the_seed_differs(row: Row) -> None:
    if "seed_name" in row:
        assert row.get("seed") is True
        assert row["seed_name"] != row["name"]


@every("enum", named(ENUMS))
def test_an_enum_has_the_keys_of_the_schema(enum: Row) -> None:
    required = {"name", "kind", "meaning", "source", "member"}
    assert required <= enum.keys() <= required | {"seed"}
    assert enum["kind"] in {"enum", "flags"}
    for member in enum["member"]:
        (form,) = member.keys() - {"name", "meaning"}
        assert form in ({"value"} if enum["kind"] == "enum" else {"value", "bit", "of"})


@every("enum", named(ENUMS))
def test_an_enum_gives_no_number_two_names(enum: Row) -> None:
    single = [member for member in enum["member"] if "of" not in member]
    values = [number(member) for member in single]
    assert len(set(values)) == len(values)
    if enum["kind"] == "flags":
        assert [m["name"] for m in single if m.get("value", 0) != 0] == []


@every("row", named(CONSTANTS + ENUMS + [m for enum in ENUMS for m in enum["member"]]))
def test_a_meaning_is_a_sentence(row: Row) -> None:
    assert row["meaning"].endswith(".")
    assert " should " not in row["meaning"]


def test_no_two_rows_share_a_name() -> None:
    names = [row["name"] for row in CONSTANTS + ENUMS]
    names += [member["name"] for enum in ENUMS for member in enum["member"]]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not name.isidentifier()] == []


def test_no_two_rows_share_a_name_in_the_seed() -> None:
    names = [str(row.get("seed_name", row["name"])) for row in CONSTANTS if "seed" in row]
    assert sorted(set(names)) == sorted(names)


@every("stem", FILES)
def test_lines_stay_readable(stem: str) -> None:
    long = [line for line in FILES[stem].read_text("utf-8").splitlines() if len(line) > 118]
    assert long == []


# ---- bit numbers, flags and masks say the same

PAIRS = [
    ("Qcow2IncompatibleBitnr", "Qcow2IncompatibleFeatures"),
    ("Qcow2CompatibleBitnr", "Qcow2CompatibleFeatures"),
    ("Qcow2AutoclearBitnr", "Qcow2AutoclearFeatures"),
    ("QCow2MetadataOverlapBitnr", "QCow2MetadataOverlap"),
]


def single_bits(enum_name: str) -> dict[str, int]:
    """The members of a flags enum that are one bit, by name."""
    (enum,) = (enum for enum in ENUMS if enum["name"] == enum_name)
    return {m["name"]: 1 << m["bit"] for m in enum["member"] if "bit" in m}


@every(("bitnrs", "flags"), PAIRS)
def test_a_flag_is_one_shifted_by_its_bit_number(bitnrs: str, flags: str) -> None:
    shifted = {
        name.removesuffix("_BITNR"): 1 << value
        for name, value in ENUM[bitnrs].items()
        if name != "QCOW2_OL_MAX_BITNR"
    }
    assert single_bits(flags) == shifted


def test_the_highest_bit_number_counts_the_sorts_of_metadata() -> None:
    assert N["QCOW2_OL_MAX_BITNR"] == len(single_bits("QCow2MetadataOverlap"))


@every(
    ("mask", "flags"),
    [
        ("QCOW2_INCOMPAT_MASK", "Qcow2IncompatibleFeatures"),
        ("QCOW2_COMPAT_FEAT_MASK", "Qcow2CompatibleFeatures"),
        ("QCOW2_AUTOCLEAR_MASK", "Qcow2AutoclearFeatures"),
        ("QCOW2_OL_ALL", "QCow2MetadataOverlap"),
    ],
)
def test_a_mask_is_the_union_of_every_flag(mask: str, flags: str) -> None:
    assert N[mask] == sum(single_bits(flags).values())


def test_each_overlap_template_contains_the_one_before() -> None:
    templates = [N[f"QCOW2_OL_{name}"] for name in ("NONE", "CONSTANT", "CACHED", "ALL")]
    for smaller, larger in pairwise(templates):
        assert smaller & larger == smaller != larger


def test_every_overlap_template_has_its_mode_and_its_word() -> None:
    modes = [name.rsplit("_", 1)[1] for name in ENUM["Qcow2OverlapCheckMode"]]
    words = [NUMBER[f"QCOW2_OVERLAP_TEMPLATE_{mode}"] for mode in modes]
    assert words == [mode.lower() for mode in modes]
    assert {f"QCOW2_OL_{mode}" for mode in modes} <= N.keys()


# ---- the fields of a word share no bit and leave none out

WORDS = {
    "L1 entry": ["L1E_RESERVED_MASK", "L1E_OFFSET_MASK", "QCOW_OFLAG_COPIED"],
    "standard L2 entry": [
        "QCOW_OFLAG_ZERO",
        "L2E_STD_RESERVED_MASK",
        "L2E_OFFSET_MASK",
        "QCOW_OFLAG_COMPRESSED",
        "QCOW_OFLAG_COPIED",
    ],
    "compressed L2 entry": [
        "L2E_COMPRESSED_OFFSET_SIZE_MASK",
        "QCOW_OFLAG_COMPRESSED",
        "QCOW_OFLAG_COPIED",
    ],
    "subcluster bitmap": ["QCOW_L2_BITMAP_ALL_ALLOC", "QCOW_L2_BITMAP_ALL_ZEROES"],
    "refcount table entry": ["REFT_RESERVED_MASK", "REFT_OFFSET_MASK"],
    "bitmap table entry": [
        "BME_TABLE_ENTRY_FLAG_ALL_ONES",
        "BME_TABLE_ENTRY_RESERVED_MASK",
        "BME_TABLE_ENTRY_OFFSET_MASK",
    ],
}


@every("word", WORDS)
def test_the_fields_of_a_table_entry_are_disjoint_and_complete(word: str) -> None:
    fields = [N[name] for name in WORDS[word]]
    union = 0
    for field in fields:
        assert union & field == 0
        union |= field
    assert union == WORD


def test_the_bitmap_flags_qemu_knows_and_refuses_are_disjoint_and_complete() -> None:
    known = N["BME_FLAG_IN_USE"] | N["BME_FLAG_AUTO"]
    assert known ^ N["BME_RESERVED_FLAGS"] == known | N["BME_RESERVED_FLAGS"] == (1 << 32) - 1


# ---- numbers that follow from others

LUKS = "QCRYPTO_BLOCK_LUKS_"
SAME = {
    "the magic is QFI and 0xfb": (N["QCOW_MAGIC"], int.from_bytes(b"QFI\xfb")),
    "LUKS's magic is LUKS, 0xba and 0xbe": (
        (NUMBER[LUKS + "MAGIC"], N[LUKS + "MAGIC_LEN"]),
        (b"LUKS\xba\xbe", len(b"LUKS\xba\xbe")),
    ),
    "the data file magic reads DATA": (
        N["QCOW2_EXT_MAGIC_DATA_FILE"],
        int.from_bytes(b"DATA"),
    ),
    "a snapshot table has 1024 bytes an entry": (
        N["QCOW_MAX_SNAPSHOTS_SIZE"],
        1024 * N["QCOW_MAX_SNAPSHOTS"],
    ),
    "a bitmap directory has 1024 bytes an entry": (
        N["QCOW2_MAX_BITMAP_DIRECTORY_SIZE"],
        1024 * N["QCOW2_MAX_BITMAPS"],
    ),
    "a sector is 2^9 bytes": (N["BDRV_SECTOR_SIZE"], 1 << N["BDRV_SECTOR_BITS"]),
    "a request is an int of bytes in whole sectors": (
        N["BDRV_REQUEST_MAX_SECTORS"],
        ((1 << 31) - 1) >> N["BDRV_SECTOR_BITS"],
    ),
    "a request is as long in bytes as in sectors": (
        N["BDRV_REQUEST_MAX_BYTES"],
        N["BDRV_REQUEST_MAX_SECTORS"] * N["BDRV_SECTOR_SIZE"],
    ),
    "the maximum length is the last aligned 64-bit offset": (
        N["BDRV_MAX_LENGTH"],
        N["QCOW2_MAX_TABLE_END"] & ~(N["BDRV_MAX_ALIGNMENT"] - 1),
    ),
    "version 1 reads its L1 table in one request": (
        N["QCOW1_MAX_READ_L1_ENTRIES"],
        N["BDRV_REQUEST_MAX_BYTES"] // N["QCOW1_TABLE_ENTRY_SIZE"],
    ),
    "version 1 counts its L1 table's bytes in an int": (
        N["QCOW1_MAX_L1_ENTRIES"],
        ((1 << 31) - 1) // N["QCOW1_TABLE_ENTRY_SIZE"],
    ),
    "version 1's smallest L2 table is its smallest cluster": (
        N["QCOW1_TABLE_ENTRY_SIZE"] << N["QCOW1_MIN_L2_BITS"],
        1 << N["QCOW1_MIN_CLUSTER_BITS"],
    ),
    "version 1's largest L2 table is its largest cluster": (
        N["QCOW1_TABLE_ENTRY_SIZE"] << N["QCOW1_MAX_L2_BITS"],
        1 << N["QCOW1_MAX_CLUSTER_BITS"],
    ),
    "version 1's compressed size ends below its flag": (
        1 << N["QCOW1_CSIZE_END_BIT"],
        N["QCOW1_OFLAG_COMPRESSED"],
    ),
    "a compressed sector count ends below its flag": (
        1 << N["QCOW2_CSIZE_END_BIT"],
        N["QCOW_OFLAG_COMPRESSED"],
    ),
    "a compressed sector mask clears what is below a sector": (
        N["QCOW2_COMPRESSED_SECTOR_MASK"],
        WORD ^ (N["QCOW2_COMPRESSED_SECTOR_SIZE"] - 1),
    ),
    "the last cluster offset fills the offset field": (
        N["QCOW_MAX_CLUSTER_OFFSET"] & N["QCOW2_COMPRESSED_SECTOR_MASK"],
        N["L2E_OFFSET_MASK"],
    ),
    "an extended L2 entry is two words": (N["L2E_SIZE_EXTENDED"], 2 * N["L2E_SIZE_NORMAL"]),
    "the smallest subcluster is the smallest cluster": (
        1 << N["QCOW2_EXTL2_MIN_CLUSTER_BITS"],
        N["QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER"] << N["MIN_CLUSTER_BITS"],
    ),
    "a subcluster's zero bit is 32 above its allocation bit": (
        N["QCOW_OFLAG_SUB_ZERO"],
        N["QCOW_OFLAG_SUB_ALLOC"] << N["QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER"],
    ),
    "the full allocation span is every allocation bit": (
        N["QCOW_OFLAG_SUB_ALLOC_RANGE"],
        N["QCOW_L2_BITMAP_ALL_ALLOC"],
    ),
    "the full zero span is every zero bit": (
        N["QCOW_OFLAG_SUB_ZERO_RANGE"],
        N["QCOW_L2_BITMAP_ALL_ZEROES"],
    ),
    "a default refcount is version 2's": (
        N["QCOW2_DEFAULT_REFCOUNT_BITS"],
        1 << N["QCOW2_V2_REFCOUNT_ORDER"],
    ),
    "the widest refcount is a word": (1 << N["QCOW2_MAX_REFCOUNT_ORDER"], 64),
    "a feature name fills its entry behind type and bit": (
        N["QCOW2_FEATURE_ENTRY_SIZE"],
        2 + N["QCOW2_FEATURE_NAME_SIZE"],
    ),
    "the two limits of bitmap names agree": (
        N["BME_MAX_NAME_SIZE"],
        N["BDRV_BITMAP_MAX_NAME_SIZE"],
    ),
    "a LUKS key slot is the sum of its fields": (
        N[LUKS + "KEY_SLOT_SIZE"],
        4 + 4 + N[LUKS + "SALT_LEN"] + 4 + 4,
    ),
    "a LUKS header is the sum of its fields": (
        N[LUKS + "HEADER_SIZE"],
        sum(N[LUKS + field] for field in ("MAGIC_LEN", "CIPHER_NAME_LEN", "CIPHER_MODE_LEN"))
        + sum(N[LUKS + field] for field in ("HASH_SPEC_LEN", "DIGEST_LEN", "SALT_LEN", "UUID_LEN"))
        + 2 + 4 + 4 + 4
        + N[LUKS + "NUM_KEY_SLOTS"] * N[LUKS + "KEY_SLOT_SIZE"],
    ),
}  # fmt: skip


@every("claim", SAME)
def test_what_can_be_computed_is_what_the_row_says(claim: str) -> None:
    actual, expected = SAME[claim]
    assert expected == actual


ORDERED = {
    "headers grow": [
        "QCOW1_HEADER_SIZE",
        "QCOW2_V2_HEADER_LENGTH",
        "QCOW2_V3_MIN_HEADER_LENGTH",
        "QCOW2_HEADER_SIZE",
        "BLOCK_PROBE_BUF_SIZE",
    ],
    "versions rise": ["QCOW_VERSION", "QCOW2_MIN_VERSION", "QCOW2_MAX_VERSION"],
    "granularities rise": [
        "BME_MIN_GRANULARITY_BITS",
        "BME_MAX_GRANULARITY_BITS",
        "QCOW2_BITMAP_MAX_GRANULARITY_BITS",
    ],
    "extra data grows field by field": [
        "QCOW2_SNAPSHOT_EXTRA_VM_STATE_SIZE",
        "QCOW2_SNAPSHOT_EXTRA_DISK_SIZE",
        "QCOW2_SNAPSHOT_EXTRA_ICOUNT_SIZE",
        "QCOW_MAX_SNAPSHOT_EXTRA_DATA",
    ],
    "version 1's L1 table fits a count before it fits a read": [
        "QCOW1_MAX_READ_L1_ENTRIES",
        "QCOW1_MAX_L1_ENTRIES",
    ],
    "cluster sizes rise": [
        "MIN_CLUSTER_BITS",
        "QCOW2_EXTL2_MIN_CLUSTER_BITS",
        "MAX_CLUSTER_BITS",
    ],
}


@every("claim", ORDERED)
def test_limits_come_in_order(claim: str) -> None:
    values = [N[name] for name in ORDERED[claim]]
    assert sorted(set(values)) == values


@every(
    ("size", "alignment"),
    [
        ("QCOW2_V2_HEADER_LENGTH", "QCOW2_HEADER_ALIGNMENT"),
        ("QCOW2_V3_MIN_HEADER_LENGTH", "QCOW2_HEADER_ALIGNMENT"),
        ("QCOW2_HEADER_SIZE", "QCOW2_HEADER_ALIGNMENT"),
        ("QCOW2_EXT_HEADER_SIZE", "QCOW2_EXT_ALIGNMENT"),
        ("QCOW2_SNAPSHOT_HEADER_SIZE", "QCOW2_SNAPSHOT_ALIGNMENT"),
        ("QCOW2_BITMAP_DIR_ENTRY_SIZE", "QCOW2_BITMAP_DIR_ALIGNMENT"),
        ("QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET", "QCRYPTO_BLOCK_LUKS_SECTOR_SIZE"),
        ("BDRV_MAX_LENGTH", "BDRV_MAX_ALIGNMENT"),
    ],
)
def test_sizes_are_aligned(size: str, alignment: str) -> None:
    assert N[size] % N[alignment] == 0


# ---- features.toml

WORD_OF_TYPE = {
    "incompatible": "Qcow2IncompatibleFeatures",
    "compatible": "Qcow2CompatibleFeatures",
    "autoclear": "Qcow2AutoclearFeatures",
}


@every("row", named(FEATURES))
def test_a_feature_has_the_keys_of_the_schema(row: Row) -> None:
    assert row.keys() == {
        "id", "type", "name", "constant", "since", "versions", "obliges", "source",
    }  # fmt: skip
    assert row["versions"] == [3]  # version 2 has no feature words
    assert len(row["name"].encode()) <= N["QCOW2_FEATURE_NAME_SIZE"]


@every("kind", WORD_OF_TYPE)
def test_the_features_of_a_word_are_the_flags_of_its_enum(kind: str) -> None:
    rows = {row["constant"] for row in FEATURES if row["type"] == kind}
    assert rows == single_bits(WORD_OF_TYPE[kind]).keys()


def test_features_stand_in_the_order_of_the_feature_name_table() -> None:
    order = {kind: place for place, kind in enumerate(WORD_OF_TYPE)}
    keys = [(order[row["type"]], N[row["constant"]]) for row in FEATURES]
    assert sorted(set(keys)) == keys
    assert len({row["id"] for row in FEATURES}) == len(FEATURES)


def test_every_type_of_feature_has_its_number() -> None:
    names = [name.removeprefix("QCOW2_FEAT_TYPE_").lower() for name in ENUM["Qcow2FeatureType"]]
    assert names == list(WORD_OF_TYPE)


# ---- extensions.toml


@every("row", named(EXTENSIONS))
def test_an_extension_has_the_keys_of_the_schema(row: Row) -> None:
    required = {"id", "name", "versions", "once", "constant", "source"}
    with_data = {"layout"} if row["id"] != "end" else set()
    assert row.keys() == required | with_data
    assert row["versions"] in ([2, 3], [3])
    assert row.get("layout", "qcow2::").startswith("qcow2::")


def test_the_extensions_are_the_magic_numbers() -> None:
    magics = {name: value for name, value in N.items() if name.startswith("QCOW2_EXT_MAGIC_")}
    assert {row["constant"] for row in EXTENSIONS} == magics.keys()
    assert len(set(magics.values())) == len(magics)


def test_no_two_extensions_share_an_id_a_magic_or_a_layout() -> None:
    for key in ("id", "name", "layout", "constant"):
        assert len({row.get(key) for row in EXTENSIONS}) == len(EXTENSIONS)
