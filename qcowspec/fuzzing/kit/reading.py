"""Valid images, one feature each: a reader gives the bytes of their disks, or lacks the feature.

In: nothing. Out: `Case`s. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcow_parsers import constants as c

from qcowspec.fuzzing.kit import chains, packed
from qcowspec.fuzzing.kit.case import Case, raw, scattered, sound
from qcowspec.fuzzing.kit.encrypting import Luks

VERSIONS = (1, 2, 3)
K = 1 << 10


def cases() -> Iterator[Case]:
    """All cases."""
    yield from plain()
    yield from cluster_sizes()
    yield from packed.cases()
    yield from zeros()
    yield from extended()
    yield from snapshots()
    yield from chains.cases()
    yield from encrypted()
    yield from shapes()
    yield from refcounts()


def plain() -> Iterator[Case]:
    """Data, and nothing else."""
    for version in VERSIONS:
        base = {"version": version, "size": "64K"}
        yield sound("plain", f"v{version}-empty", "Nothing was ever written.", base)
        yield sound(
            "plain",
            f"v{version}-data",
            "Clusters are written whole, in part, and out of order with their places.",
            base | {"writes": scattered(4096)},
        )
        yield sound(
            "plain",
            f"v{version}-several-l2-tables",
            "The disk needs several L2 tables, of which one is missing.",
            {
                "version": version,
                "size": "5M",
                "l2_bits": 9,
                "writes": [{"at": at, "text": f"at {at}"} for at in (0, 2 << 20, (5 << 20) - 512)]
                + [{"at": (2 << 20) - 4, "text": "across two tables"}],
            },
        )
    yield sound(
        "plain",
        "v3-header-of-104-bytes",
        "The header ends before the compression type.",
        {"size": "64K", "compression_type": "none", "writes": scattered(4096)},
    )
    yield sound(
        "plain",
        "v3-unknown-extension",
        "An extension of a type that nobody knows stands before the others.",
        {
            "size": "64K",
            "extensions": [{"magic": 0x12345678, "text": "what?"}],
            "writes": scattered(4096),
        },
    )
    yield sound(
        "plain",
        "v3-unknown-compatible-bits",
        "Compatible and autoclear bits that nobody knows are set.",
        {
            "size": "64K",
            "header": {"compatible_features": 1 << 40, "autoclear_features": 1 << 41},
            "writes": scattered(4096),
        },
    )
    yield sound(
        "plain",
        "v3-dirty",
        "The dirty bit is set: refcounts may be wrong, the data are not.",
        {"size": "64K", "features": ["dirty"], "writes": scattered(4096)},
    )


def cluster_sizes() -> Iterator[Case]:
    """Every cluster size with which images are small."""
    for version in VERSIONS:
        for bits in range(c.MIN_CLUSTER_BITS, 17 if version == 1 else 18):
            size = 10 << bits
            yield sound(
                "cluster sizes",
                f"v{version}-{1 << bits}",
                f"Clusters have {1 << bits} bytes.",
                {
                    "version": version,
                    "size": size,
                    "cluster_bits": bits,
                    "writes": scattered(1 << bits),
                },
            )
    for bits in (18, 19, 20, 21):
        yield sound(
            "cluster sizes",
            f"v3-{1 << bits}",
            f"Clusters have {1 << bits} bytes.",
            {
                "size": 2 << bits,
                "cluster_bits": bits,
                "writes": [{"at": (1 << bits) - 3, "text": "across a boundary"}],
            },
        )
    for l2_bits in (6, 8, 10, 12):
        yield sound(
            "cluster sizes",
            f"v1-l2-bits-{l2_bits}",
            f"An L2 table has {1 << l2_bits} entries.",
            {
                "version": 1,
                "size": 200 * K,
                "cluster_bits": 9,
                "l2_bits": l2_bits,
                "writes": [{"at": n * 30011, "text": f"write {n}"} for n in range(6)],
            },
        )


def zeros() -> Iterator[Case]:
    """Zero clusters."""
    below = {"base.raw": raw(64 * K, at_0="below", at_4100="below", at_9000="below", at_20000="b")}
    for name, files, more in (
        ("alone", {}, {}),
        ("over-a-backing-file", below, {"backing_name": "base.raw", "backing_format": "raw"}),
    ):
        yield sound(
            "zero clusters",
            name,
            "Zero clusters with and without a place in the file; old bytes still stand there.",
            {
                "size": "64K",
                "clusters": {
                    0: {"kind": "zero_plain"},
                    1: {"kind": "zero_alloc", "text": "old bytes that nobody reads any more"},
                    2: {"text": "data"},
                },
                **more,
            },
            files=files,
        )


def extended() -> Iterator[Case]:
    """Extended L2 entries, by patterns of subclusters."""
    patterns = {
        "all-data": (1 << 32) - 1,
        "first-data": 1,
        "last-data": 1 << 31,
        "every-other-data": 0x55555555,
        "every-other-zero": 0x55555555 << 32,
        "data-and-zero": 0x0F0F0F0F | 0xF0F0F0F0 << 32,
        "data-zero-and-neither": 0x11111111 | 0x44444444 << 32,
        "all-zero": ((1 << 32) - 1) << 32,
        "nothing": 0,
    }
    below = {"base.raw": raw(160 * K, **{f"at_{n}": f"below {n}" for n in range(0, 163000, 300)})}
    for name, bitmap in patterns.items():
        cluster = {"noise": 9, "length": 16384, "subclusters": bitmap}
        spec = {
            "size": "64K",
            "cluster_bits": 14,
            "features": ["extended_l2"],
            "clusters": {1: cluster},
        }
        yield sound("extended l2", name, f"The subcluster bitmap is {bitmap:#018x}.", spec)
        yield sound(
            "extended l2",
            f"{name}-over-a-backing-file",
            f"The subcluster bitmap is {bitmap:#018x}, and there is a backing file.",
            spec | {"backing_name": "base.raw", "backing_format": "raw"},
            files=below,
        )
    yield sound(
        "extended l2",
        "zeros-without-a-place",
        "Subclusters of a cluster without a place in the file read as zeros.",
        {
            "size": "64K",
            "cluster_bits": 14,
            "features": ["extended_l2"],
            "clusters": {1: {"kind": "unallocated", "subclusters": 0x5555 << 32}},
            "backing_name": "base.raw",
            "backing_format": "raw",
        },
        files=below,
    )
    yield sound(
        "extended l2",
        "compressed",
        "A compressed cluster has no subclusters.",
        {
            "size": "64K",
            "cluster_bits": 14,
            "features": ["extended_l2"],
            "clusters": {
                0: {"kind": "compressed", "noise": 5, "length": 9000},
                2: {"noise": 6, "length": 16384},
            },
        },
    )


def snapshots() -> Iterator[Case]:
    """Internal snapshots: the active disk is what is read."""
    for version in (2, 3):
        for name, size in (("larger", 128 * K), ("smaller", 8 * K), ("as-large", 64 * K)):
            yield sound(
                "snapshots",
                f"v{version}-{name}",
                f"A snapshot's disk has {size} bytes, the active one 65536.",
                {
                    "version": version,
                    "size": "64K",
                    "writes": [{"at": 0, "text": "now"}],
                    "snapshots": [
                        {"id": "1", "name": "then", "size": size, "writes": [
                            {"at": 0, "text": "then"}, {"at": size - 10, "text": "the end"}]}
                    ],
                },
            )  # fmt: skip
        yield sound(
            "snapshots",
            f"v{version}-shared",
            "Two snapshots share all clusters with the active disk.",
            {
                "version": version,
                "size": "64K",
                "writes": scattered(4096),
                "snapshots": [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}],
            },
        )


def encrypted() -> Iterator[Case]:
    """Encrypted images; without the passphrase a reader gives nothing."""
    for version in VERSIONS:
        yield sound(
            "encryption aes",
            f"v{version}",
            "Data are encrypted by AES-128 in CBC, the key being the passphrase.",
            {
                "version": version,
                "size": "64K",
                "writes": scattered(4096),
                "header": {"crypt_method": 1},
            },
            aes=True,
        )
    kinds = {
        "aes-256-xts-plain64-sha256": Luks(b"kit secret"),
        "aes-128-xts-plain64-sha1": Luks(b"kit secret", 32, digest="sha1"),
        "aes-256-cbc-plain64-sha512": Luks(b"kit secret", 32, "cbc-plain64", "sha512"),
        "aes-256-cbc-essiv-sha256": Luks(b"kit secret", 32, "cbc-essiv:sha256"),
        "second-key-slot": Luks(b"kit secret", 32, slot=1),
    }
    for name, luks in kinds.items():
        yield sound(
            "encryption luks",
            f"v3-{name}",
            f"The mode is {luks.mode} with a key of {luks.key_size} bytes, the hash {luks.digest}.",
            {"size": "64K", "writes": scattered(4096)},
            luks=luks,
        )
    yield sound(
        "encryption luks",
        "v2",
        "Version 2 has LUKS as well.",
        {"version": 2, "size": "64K", "writes": scattered(4096)},
        luks=Luks(b"kit secret", 32),
    )


def shapes() -> Iterator[Case]:
    """Disks and files that end within a cluster, and other sizes."""
    for version in VERSIONS:
        yield sound(
            "sizes",
            f"v{version}-disk-ends-within-a-cluster",
            "The disk ends in the middle of its last cluster.",
            {
                "version": version,
                "size": 9 * 4096 + 1536,
                "writes": [{"at": 9 * 4096, "noise": 1, "length": 1536}],
            },
        )
        yield sound(
            "sizes",
            f"v{version}-file-ends-within-a-cluster",
            "The file ends in the middle of the last data cluster: what is missing is zeros.",
            {
                "version": version,
                "size": "8K",
                "writes": [{"at": 0, "noise": 1, "length": 8192}],
                "patch": _end_within_data(version),
            },
        )
    yield sound("sizes", "v3-no-bytes", "The disk has no bytes.", {"size": 0})
    yield sound(
        "sizes",
        "v3-l1-longer-than-needed",
        "The L1 table has more entries than the disk needs.",
        {"size": "64K", "l1_size": 40, "writes": scattered(4096)},
    )
    yield sound(
        "sizes",
        "v3-clusters-past-the-end",
        "Clusters are allocated past the end of the disk.",
        {"size": "8K", "writes": [{"at": 0, "text": "in"}, {"at": 12288, "text": "past"}]},
    )
    yield sound(
        "sizes",
        "v3-mostly-unallocated",
        "The disk has 32 MiB, and two clusters of data.",
        {
            "size": "32M",
            "cluster_bits": 16,
            "writes": [{"at": 512, "text": "first"}, {"at": (32 << 20) - 65536, "text": "last"}],
        },
    )


def _end_within_data(version: int) -> list[dict[str, Any]]:
    """Moves a data cluster to the end of the file, and keeps only 700 bytes of it."""
    mask = "l1_table[0]" if version == 1 else "(l1_table[0] & 0xfffffffffffe00)"
    entry = "end" if version == 1 else "(1 << 63) | end"
    return [
        {"at": "end", "text": "A", "times": 700},
        {"at": f"{mask} + 8", "u64": entry},
    ]


def refcounts() -> Iterator[Case]:
    """Widths of reference counts, which need not be read."""
    for order in range(7):
        yield sound(
            "refcount widths",
            f"{1 << order}-bits",
            f"Reference counts have {1 << order} bits.",
            {"size": "64K", "refcount_order": order, "writes": scattered(4096)},
        )
