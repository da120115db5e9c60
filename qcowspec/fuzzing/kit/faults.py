"""Images that open, and whose disk cannot be read: a reader must fail, and not give wrong bytes.

In: nothing. Out: `Case`s. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcowspec.fuzzing.kit.case import Case, raw
from qcowspec.fuzzing.kit.encrypting import Luks

L2_ENTRY = "(l1_table[0] & 0xfffffffffffe00)"
"""The offset of the first L2 entry in versions 2 and 3."""

V1_ENTRY = "l1_table[0]"

DATA: dict[str, Any] = {"size": "16K", "writes": [{"at": 0, "text": "data", "times": 100}]}
V1 = {"version": 1, "l2_bits": 9, **DATA}
PACKED: dict[str, Any] = {
    "size": "16K",
    "writes": [{"at": 0, "text": "data", "times": 100, "kind": "compressed"}],
}
EXTENDED: dict[str, Any] = {
    "size": "64K",
    "cluster_bits": 14,
    "features": ["extended_l2"],
    "writes": [{"at": 0, "text": "data", "times": 100}],
}
NORMAL = "(1 << 63) | "


def _entry(value: str, at: str = L2_ENTRY) -> list[dict[str, Any]]:
    return [{"at": at, "u64": value}]


def _stored(hexadecimal: str, **more: Any) -> dict[str, Any]:
    return {
        "size": "16K",
        "clusters": {1: {"kind": "compressed", "stored": {"hex": hexadecimal}}},
        **more,
    }


SPECS: tuple[tuple[str, str, str | None, dict[str, Any]], ...] = (
    ("l2-table-unaligned", "An L2 table begins a sector behind a cluster boundary.",
     "l2/table-offset", DATA | {"patch": [{"field": "l1_table[0]", "value": "old + 512"}]}),
    ("cluster-unaligned", "A data cluster begins a sector behind a cluster boundary.",
     "l2/cluster-offset", DATA | {"patch": _entry(NORMAL + "(5 * 4096 + 512)")}),
    ("zero-cluster-unaligned", "A zero cluster with a place begins behind a cluster boundary.",
     "l2/cluster-offset", DATA | {"patch": _entry(NORMAL + "(5 * 4096 + 512) | 1")}),
    ("zero-in-v2", "A cluster of version 2 has the zero flag.",
     "l2/zero-in-v2", DATA | {"version": 2, "patch": _entry(NORMAL + "(4 * 4096) | 1")}),
    ("zero-plain-in-v2", "A cluster of version 2 without a place has the zero flag.",
     "l2/zero-in-v2", DATA | {"version": 2, "patch": _entry("1")}),
    ("subcluster-both", "A subcluster is data and zeros at once.",
     "l2/subcluster-bitmap",
     EXTENDED | {"clusters": {0: {"text": "x", "subclusters": 1 << 32 | 1}}, "writes": []}),
    ("subcluster-without-a-place", "A subcluster is data, and its cluster has no place.",
     "l2/subcluster-bitmap",
     EXTENDED | {"clusters": {0: {"kind": "unallocated", "subclusters": 1}}, "writes": []}),
    ("deflate-garbage", "The payload of a compressed cluster is no deflate stream.",
     "l2/compressed-data", _stored("ff" * 100)),
    ("deflate-empty", "The payload gives no bytes.",
     "l2/compressed-data", _stored("010000ffff")),
    ("deflate-short", "The payload gives fewer bytes than a cluster has.",
     "l2/compressed-data", _stored("01" + "6400" + "9bff" + "61" * 100)),
    ("deflate-cut", "The payload ends in the middle of a block.",
     "l2/compressed-data", _stored("01" + "0010" + "ffef" + "61" * 400)),
    ("deflate-wrong-complement", "A stored block's length and its complement disagree.",
     "l2/compressed-data", _stored("01" + "0010" + "0000" + "61" * 4000)),
    ("deflate-past-the-file", "The payload lies past the end of the file.",
     "l2/compressed-data", PACKED | {"patch": _entry("(1 << 62) | (1 << 40)")}),
    ("zstd-garbage", "The payload of a compressed cluster is no zstd frame.",
     "l2/compressed-data", _stored("ff" * 100, compression_type="zstd")),
    ("zstd-short", "The frame gives fewer bytes than a cluster has.",
     "l2/compressed-data",
     _stored("28b52ffd" + "20" + "05" + "290000" + "68656c6c6f", compression_type="zstd")),
    ("zstd-holds-deflate", "The header says zstd, the payload is a deflate stream.",
     "l2/compressed-data", _stored("01" + "0005" + "fffa" + "61" * 1280, compression_type="zstd")),
    ("v1-deflate-garbage", "The payload of a compressed cluster is no deflate stream.",
     "l2/v1-compressed-data", _stored("ff" * 100, version=1, l2_bits=9)),
    ("v1-cluster-past-the-end-of-offsets", "A data cluster lies where no file reaches.",
     "l2/v1-cluster-read",
     V1 | {"patch": _entry("0x7fffffffffff0000", V1_ENTRY)}),
    ("v1-cluster-unaligned", "A data cluster begins within a sector.",
     "l2/v1-cluster-offset", V1 | {"patch": _entry("4 * 4096 + 100", V1_ENTRY)}),
    ("v1-l2-table-nowhere", "An L2 table lies where no file reaches.",
     "l2/v1-table-read",
     V1 | {"patch": [{"field": "l1_table[0]", "value": "0x7ffffffffffff000"}]}),
    ("data-file-elsewhere", "A cluster in a data file lies at another offset than the guest's.",
     "l2/data-file-offset",
     {"size": "16K", "data_file": "data.raw", "features": ["data_file_raw"],
      "writes": [{"at": 0, "text": "data"}], "patch": _entry(NORMAL + "8192")}),
    ("data-file-unaligned", "A cluster in a data file begins within a cluster.",
     "l2/cluster-offset",
     {"size": "16K", "data_file": "data.raw",
      "writes": [{"at": 0, "text": "data"}], "patch": _entry(NORMAL + "512")}),
    ("data-file-compressed", "A cluster is compressed, and there is a data file.",
     "l2/compressed-data-file",
     {"size": "16K", "data_file": "data.raw",
      "clusters": {0: {"kind": "compressed", "text": "data"}}}),
    ("backing-file-missing", "The backing file does not exist.",
     "backing/file-opens", {"size": "16K", "backing_name": "missing.raw",
                            "backing_format": "raw"}),
    ("v1-backing-file-missing", "The backing file does not exist.",
     "backing/v1-file-opens", {"version": 1, "size": "16K", "backing_name": "missing.raw"}),
    ("backing-format-unknown", "The backing file's format is one that nobody knows.",
     "backing/format-known", {"size": "16K", "backing_name": "base.raw",
                              "backing_format": "odd"}),
    ("backing-loop", "The image is its own backing file.",
     "backing/loop", {"size": "16K", "backing_name": "image.qcow2", "backing_format": "qcow2"}),
    ("v1-backing-loop", "The image is its own backing file.",
     "backing/v1-loop", {"version": 1, "size": "16K", "backing_name": "image.qcow"}),
    ("data-file-missing", "The data file does not exist.",
     "backing/data-file-opens",
     {"base": {"size": "16K", "data_file": "data.raw"}, "patch": []}),
)  # fmt: skip
"""Name, statement, rule and spec of each."""


LOOP = "QEMU opens the loop again and again when it reads, until something runs out."


def cases() -> Iterator[Case]:
    """All cases."""
    yield Case(
        "faults/luks-other-passphrase",
        "The passphrase that the kit has opens none of the key slots.",
        "faults at reading",
        DATA,
        rule="encryption/luks-unlock",
        luks=Luks(b"another one", 32),
        fails="It cannot be decrypted.",
    )
    for name, says, rule, spec in SPECS:
        version = spec.get("version", 3)
        yield Case(
            f"faults/{name}",
            says,
            "faults at reading",
            spec,
            rule=rule,
            format="qcow" if version == 1 else "qcow2",
            fails=says,
            differs=LOOP if name.endswith("backing-loop") else None,
            files={"base.raw": raw(16384)} if spec.get("backing_name") == "base.raw" else {},
        )
