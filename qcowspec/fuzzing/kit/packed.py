"""Cases of compressed clusters: stored, coded, side by side, across clusters of the file.

In: nothing. Out: `Case`s. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_256
from typing import Any

from qcowspec.build.compression import deflated, zstd_frame
from qcowspec.fuzzing.kit.case import Case, sound

VERSIONS = (1, 2, 3)


def cases() -> Iterator[Case]:
    """Compressed clusters: stored, coded, side by side, across clusters of the file."""
    kinds = [(version, "zlib") for version in VERSIONS] + [(3, "zstd")]
    for version, packing in kinds:
        base: dict[str, Any] = {"version": version, "size": "64K"}
        if version == 3:
            base["compression_type"] = packing
        feature = f"compressed {packing}"
        packed = [
            {"at": n * 4096, "text": f"cluster {n}, ", "times": 60 + n, "kind": "compressed"}
            for n in range(16)
        ]
        yield sound(feature, f"v{version}-side-by-side", "Many share a cluster of the file.",
                    base | {"writes": packed})  # fmt: skip
        yield sound(
            feature,
            f"v{version}-crossing-clusters",
            "Large ones cross from one cluster of the file into the next.",
            base
            | {
                "writes": [
                    {"at": n * 4096, "noise": n, "length": 3000, "kind": "compressed"}
                    for n in range(9)
                ]
            },
        )
        yield sound(
            feature,
            f"v{version}-among-others",
            "Compressed, plain and unallocated clusters take turns.",
            base
            | {
                "writes": [
                    {"at": 0, "noise": 1, "length": 2000, "kind": "compressed"},
                    {"at": 4096, "noise": 2, "length": 4096},
                    {"at": 12288, "noise": 3, "length": 1, "kind": "compressed"},
                    {"at": 16384, "fill": 0, "length": 4096, "kind": "compressed"},
                ]
            },
        )
        yield sound(
            feature,
            f"v{version}-last-in-the-file",
            "The file ends with the last byte of a compressed cluster, short of the sectors that"
            " its entry counts.",
            base
            | {
                "writes": [{"at": 0, "noise": 4, "length": 1500, "kind": "compressed"}],
                "patch": _ends_with_payload(version, packing),
            },
        )
        for bits in (9, 16) if version != 1 else (9, 12, 16):
            yield sound(
                feature,
                f"v{version}-clusters-of-{1 << bits}",
                f"Clusters have {1 << bits} bytes.",
                base
                | {
                    "cluster_bits": bits,
                    "size": 8 << bits,
                    "writes": [
                        {"at": n << bits, "fill": 65 + n, "length": 1 << bits, "kind": "compressed"}
                        for n in range(6)
                    ],
                },
            )
    yield sound(
        "compressed zlib",
        "v3-several-blocks",
        "The stream has a stored block, an empty one, and one with fixed codes.",
        {
            "size": "16K",
            "clusters": {
                1: {
                    "kind": "compressed",
                    "stored": {"hex": "000500faff68656c6c6f" + "000000ffff" + _ZEROS_4091},
                }
            },
        },
    )
    yield sound(
        "compressed zlib",
        "v3-no-last-block",
        "The stream gives the whole cluster, and does not say that it ends.",
        {
            "size": "16K",
            "clusters": {1: {"kind": "compressed", "stored": {"hex": _RUN_WITHOUT_END}}},
        },
    )
    yield sound(
        "compressed zlib",
        "v3-dynamic-codes",
        "The stream has codes of its own.",
        {"size": "16K", "clusters": {1: {"kind": "compressed", "stored": {"hex": DYNAMIC}}}},
    )
    yield sound(
        "compressed zstd",
        "v3-entropy-coded",
        "The frame has literals and sequences in codes of its own.",
        {
            "size": "16K",
            "compression_type": "zstd",
            "clusters": {1: {"kind": "compressed", "stored": {"hex": ENTROPY}}},
        },
    )
    yield sound(
        "compressed zlib",
        "v3-offset-within-a-sector",
        "Payloads begin and end anywhere in a sector.",
        {
            "size": "64K",
            "writes": [
                {"at": n * 4096, "noise": n, "length": 101 + 37 * n, "kind": "compressed"}
                for n in range(12)
            ],
        },
    )


DYNAMIC = (
    "ed565b92db300cbb8a8f103bafcd71cca9a7db996cbb33cd174fdf9800283207e857be5a652d81804840ebfd"
    "fb733d4cb63dd679dabefffebafff9bd4c3fd7afaff518bf9eb0384fcfff5fa61fdbfdb15ef1d387bebf4d8f"
    "cf7dff413fcc79d4bc4cbeffe938ad3bd07cda8f99cff8f1b22f0e386cc619cbfe133f3e01ed8cd505ff5ca3"
    "a8028ddd64307319c73c41e38099149eb0aaea02b451f0a0eeb5806d87f760be15deb1f936813388cdc45ab8"
    "1e840d8c07741c22c96341d671c2d01b1b58ea55eb42dd7b015bc053eeadf1c6fd506f7c0f34969b842d1827"
    "74ec97e4b1106bb02d7a93de9158a7fca552f75a405c37e4ae7d16fba9777cf901b01bf70dc206c6031ac5a4"
    "e45892350a4ebdb187d566b185bad702e2ba2977ef33b095dea8ec4c30b66c123634b8a0e308491e0bb28edd"
    "436fd23b10abced6a0eebd005c37e4ae7d164750eff896b5e67491b0a1c1131a7453722cc51a6c8bded8a682"
    "c76c2575af05c47543eeda67e929c119c416628de9126163830b9aa602c96967014a4f91def8fe0ab4325b83"
    "baf70270dd94bbf7993c65e71c9fb3dc9c2e123634b8a0692a905c760650794aeacdaa4e54a7ce5652f75a40"
    "5c37e4ae7d264fd939c79737628de91261638327b44c8592d3ce02949e22bdb185c596d94aea5e0bc07553ee"
    "de67e929c11995318c72ba48d8d0e082a6a94072da5980d25352ef4c2e60d5d91ad4bd1710d70db96b9fc953"
    "4a763137395d246cafa12953a1e4b23380ca53a4b7924bb9a9d94aea5e0b88eb86dcadcfd2535a762937355d"
    "226c3d34692a909c7616a0f414e9ade4526ee66c0deade0bc07553eed667f294925dcc4d4e17095b0f4d9a0a"
    "25979d01549e927a6772656e6ab692bad702e2ba2177ed33794acd2ee5a6a64b84ed3534652a56df48014a4f"
    "91de4a2ee5a6662ba97b2b00d74db97b9fa5a7d4ec626e72ba48d87a68d254acbe9102549e927a6772656ee6"
    "6c0deade0a88ebf6f136246f794ac92ee626a74b84ed3534652ad6df4800a5a7486f25977253b395d4bd1610"
    "d7ede56d28dee9292dbb949b9aaef5fd167fbfc5df6ff1f75bfc3fbec5ff01"
)
"""Words, as zlib 1.2.13 writes them at its best, within QEMU's window."""

ENTROPY = (
    "28b52ffd60000f7d130022c81611b03de3b00aaa917926c42a853da9333a11feeccffeecfc618bf32183fd0d"
    "8bc0bfa0103f867bfa0fe1cf61f514a261b990111614a263556c4f7f0dbb607bfa9a7a0cf76c9eb4f4742543"
    "b473ad343cd8988caedbd391825eb1758180a811afd4c9b26761540151c4a9a70d1280e0308d4313e2f5ffff"
    "37713cae6a61f95bffaf3f572c79afe5a6b890bcdf3d16ad3c224fe568e7bbf955d7d361809d2539ffd91b5a"
    "798499ffa9543babd8784e6a7ebf8c31f39f343eaae632ee655f9233760809383fd971ceefd270e921693e71"
    "3efd9f04edac85395c89cfecaf4d9bebc33b9b8c35e7e3900784b573b0829f338df7b7699bf6243955021602"
    "871f02de5947267ce3ff8cd1079c49ff277167e19ae71ce76b0f472efc3dfe3fe39d15698e366fcbd3ce212a"
    "7c16e9378a3cb77f0cda4ce6290495ff7125bc2d26cc09cebf16f67b9b361e5fc799ebb8c17d21a7c9174195"
    "b2d618efd258a1d96da3808f379ffe342c115ece596e6f7997c63871546648cd58e71c07f200b34328f1e37d"
    "8b361c4ff68e5c97b88690fa0b65dad6ffbcbdd29a1f1c9e5e99c3d772717313db6fa30ccbd67368fc5a6c2e"
    "2f76de956897e446fe08d1f7cbedcca2a5e392bc8eb0fa1fadb4b7c5c4397150796879fa49e3189230ef9cb9"
    "8a6bdc17e4a404e12bcb7e77d3264f9567e729b87ed440462f8b5c5fe12fff96b52110fca0cbed1531fedce2"
    "9c87603b5ee77f1917339e722e33feed2db922911421cd5f1c13fdbaed449b9119bf70805e7e5e5ee7c27acf"
    "d37d33e63fffa331c5d8cc33f330889dc623cb2c8ec1b65f8821b326058598096a9fc51d01d0f280040c0831"
    "5276df89e6a4afe65490a582fc44e6932a"
)
"""The same words, as zstd writes them at level 19."""


def _fixed(data: bytes, *, last: bool) -> str:
    """A block with fixed codes that gives some bytes, as the last or not."""
    block = bytearray(deflated(data))
    if not last:
        block[0] &= 0xFE
    return block.hex()


_ZEROS_4091 = _fixed(bytes(4091), last=True)
_RUN_WITHOUT_END = _fixed(b"Z" * 4096, last=False)


def _ends_with_payload(version: int, packing: str) -> list[dict[str, Any]]:
    """Moves the only payload to the end of the file, and cuts the file after it."""
    data = shake_256(b"4").digest(1500).ljust(4096, b"\0")
    payload = zstd_frame(data) if packing == "zstd" else deflated(data)
    write: dict[str, Any] = {"at": "end", "hex": payload.hex()}
    if version == 1:
        entry = f"(1 << 63) | ({len(payload)} << 51) | end"
        table = "l1_table[0]"
    else:
        entry = f"(1 << 62) | ({(len(payload) - 1) // 512} << 58) | end"
        table = "l1_table[0] & 0xfffffffffffe00"
    return [write, {"at": table, "u64": entry}]
