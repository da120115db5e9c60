"""Images that name a second file: backing chains, and external data files.

In: nothing. Out: `Case`s, the other files with them. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcowspec.fuzzing.kit.case import Case, raw, sound

VERSIONS = (1, 2, 3)
K = 1 << 10


def cases() -> Iterator[Case]:
    """All cases."""
    yield from backing()
    yield from data_files()


def backing() -> Iterator[Case]:
    """Backing chains: formats of the backing file, longer and shorter disks."""
    written: list[dict[str, Any]] = [
        {"at": 4090, "text": "on top, across"},
        {"at": 40960, "text": "on top"},
    ]
    below: list[dict[str, Any]] = [
        {"at": 0, "text": "below"},
        {"at": 4096, "noise": 1, "length": 20000},
    ]
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "raw": ("raw", {"raw": 0}),
        "v1": ("qcow", {"version": 1}),
        "v2": ("qcow2", {"version": 2}),
        "v3": ("qcow2", {"version": 3}),
    }
    for version in VERSIONS:
        for kind, (driver, base) in kinds.items():
            for length, size in (("as-long", 64 * K), ("shorter", 26 * K), ("longer", 96 * K)):
                name = f"base.{driver}"
                if kind == "raw":
                    odd = size - 300 if length == "shorter" else size
                    file = raw(odd, at_0="below", at_4096="below too", at_26000="near an end")
                else:
                    file = {**base, "size": size, "writes": below}
                spec: dict[str, Any] = {
                    "version": version,
                    "size": "64K",
                    "backing_name": name,
                    "writes": written,
                }
                if version != 1:
                    spec["backing_format"] = driver
                yield sound(
                    "backing files",
                    f"v{version}-on-{kind}-{length}",
                    f"The backing file is {kind}, and {length.replace('-', ' ')}.",
                    spec,
                    files={name: file},
                )
    yield sound(
        "backing files",
        "v3-chain-of-three",
        "A short disk in the middle hides what lies below it.",
        {
            "size": "64K",
            "backing_name": "middle.qcow2",
            "backing_format": "qcow2",
            "writes": [{"at": 8192, "text": "top"}],
        },
        files={
            "middle.qcow2": {
                "size": "20K",
                "backing_name": "bottom.raw",
                "backing_format": "raw",
                "writes": [{"at": 4096, "text": "middle"}, {"at": 12288, "zero": "4K"}],
            },
            "bottom.raw": raw(64 * K, at_0="bottom", at_12300="hidden", at_30000="hidden too"),
        },
    )


def data_files() -> Iterator[Case]:
    """External data files."""
    for name, features in (("plain", []), ("raw", ["data_file_raw"])):
        yield sound(
            "data files",
            name,
            "The guest's data stand in a file of their own.",
            {
                "size": "64K",
                "data_file": "data.raw",
                "features": features,
                "writes": [
                    {"at": 100, "text": "in the data file"},
                    {"at": 8192, "noise": 2, "length": 9000},
                ],
            },
        )
    yield sound(
        "data files",
        "unallocated-over-old-bytes",
        "Clusters without allocation read as zeros, whatever the data file has there.",
        {"size": "64K", "data_file": "data.raw", "writes": [{"at": 4096, "text": "seen"}]},
        files={"data.raw": raw(64 * K, at_0="not seen", at_4096="seen")},
    )
