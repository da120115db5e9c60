"""Images that are small to make and large where it hurts: tables at QEMU's limits.

In: a shape's name. Out: its file, and the bytes of its tables. Refuses: nothing. Files have holes
where a table is of zeros.

``python -m tests.conformance.hostile_sizes`` prints the table of docs/limits.md: it measures the
commands on every shape.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

MIB = 1 << 20
HEADER = struct.Struct(">IIQIIQIIQQIIQQQQII")
"""A version 3 header of 104 bytes, up to and with header_length."""

PLACE = 1 << 34
"""Where no other structure lies: payloads and tables that are never written."""


@contextmanager
def image(
    path: Path,
    *,
    bits: int = 16,
    size: int = 1 << 29,
    l1: tuple[int, int] = (0, 1),
    refcounts: tuple[int, int] = (0, 1),
    snapshots: tuple[int, int] = (0, 0),
    autoclear: int = 0,
) -> Iterator[BinaryIO]:
    """A new file with a header; tables that have no place lie in the clusters after it.

    Args:
        path: The file.
        bits: Binary logarithm of the cluster size.
        size: Bytes of the disk.
        l1: Offset and entries of the L1 table.
        refcounts: Offset and clusters of the refcount table.
        snapshots: Offset of the snapshot table, and how many entries it has.
        autoclear: The autoclear features.
    """
    cluster = 1 << bits
    with path.open("wb") as file:
        table, entries = l1
        blocks, clusters = refcounts
        at, count = snapshots
        file.write(
            HEADER.pack(
                *(0x514649FB, 3, 0, 0, bits, size, 0, entries, table or cluster),
                *(blocks or 2 * cluster, clusters, count, at, 0, 0, autoclear, 4, 104),
            )
        )
        file.truncate(4 * cluster)
        yield file


def put(file: BinaryIO, offset: int, data: bytes) -> None:
    """Write at a place."""
    file.seek(offset)
    file.write(data)


def words(values: npt.NDArray[np.uint64]) -> bytes:
    """64-bit big-endian entries."""
    return values.astype(">u8").tobytes()


def apart(count: int) -> bytes:
    """Entries that all point at other clusters, far past the end of the file."""
    return words((np.arange(count, dtype=np.uint64) << np.uint64(16)) + np.uint64(PLACE))


def l1_entries(path: Path) -> int:
    """An L1 table of 32 MiB, each entry of which points elsewhere."""
    count = 1 << 22
    with image(path, size=count << 29, l1=(1 << 18, count)) as file:
        put(file, 1 << 18, apart(count))
    return count * 8


def l1_zeros(path: Path) -> int:
    """An L1 table of 32 MiB of zeros, which has no bytes on disk."""
    count = 1 << 22
    with image(path, size=count << 29, l1=(1 << 18, count)) as file:
        file.truncate((1 << 18) + count * 8)
    return count * 8


def refcount_table(path: Path) -> int:
    """A refcount table of 8 MiB, each entry of which points elsewhere."""
    count = 1 << 20
    with image(path, refcounts=(1 << 18, count * 8 >> 16)) as file:
        put(file, 1 << 18, apart(count))
    return count * 8


def snapshot_entry(index: int, *, l1: tuple[int, int], extra: bytes, number: bytes) -> bytes:
    """An entry of the snapshot table."""
    table, entries = l1
    head = struct.pack(">QIHHIIQII", table, entries, len(number), 0, index, 0, 0, index, len(extra))
    data = head + extra + number
    return data + bytes(-len(data) % 8)


def snapshots_zeros(path: Path) -> int:
    """A snapshot table of 65,536 entries of zeros, which has no bytes on disk."""
    with image(path, snapshots=(1 << 18, 1 << 16)) as file:
        file.truncate((1 << 18) + (40 << 16))
    return 40 << 16


def snapshots_apart(path: Path) -> int:
    """65,536 snapshots, no two alike, whose L1 tables overlap."""
    entries = b"".join(
        snapshot_entry(
            index,
            l1=(1 << 23 | (index & 0xFF) << 16, 16 + index),
            extra=struct.pack(">QQ", index << 16, index << 9),
            number=b"%d" % index,
        )
        for index in range(1 << 16)
    )
    with image(path, snapshots=(1 << 18, 1 << 16)) as file:
        put(file, 1 << 18, entries)
        file.truncate(1 << 25)
    return len(entries)


def extensions(path: Path) -> int:
    """262,130 header extensions without data, of types that nobody knows."""
    count = ((1 << 21) - 104) // 8
    types = np.zeros((count, 2), ">u4")
    types[:, 0] = np.arange(count) + 0x10000
    with image(path, bits=21) as file:
        put(file, 104, types.tobytes()[:-8])
    return count * 8


def bitmaps(path: Path) -> int:
    """65,535 bitmaps, the table of each of one entry."""
    count = (1 << 16) - 1
    entries = b"".join(
        struct.pack(">QIIBBHI", 1 << 24, 1, 0, 1, 16, 6, 0) + b"%06d" % index + bytes(2)
        for index in range(count)
    )
    extension = struct.pack(">IIIIQQ", 0x23852875, 24, count, 0, len(entries), 1 << 18)
    with image(path, autoclear=1) as file:
        put(file, 104, extension)
        put(file, 1 << 18, entries)
        file.truncate((1 << 24) + (1 << 16))
    return len(entries)


def payloads(path: Path) -> int:
    """A million compressed payloads in random order: tables of 8 MiB, a file of 4 GiB of holes."""
    return compressed(path, 1 << 20)


def compressed(path: Path, count: int) -> int:
    """Compressed payloads in random order."""
    tables, at = count >> 13, 1 << 20
    order = np.random.default_rng(21).permutation(count).astype(np.uint64)
    base = np.uint64(at + (tables << 16))
    entries = (base + order * np.uint64(4096)) | np.uint64(1 << 62) | np.uint64(7 << 54)
    with image(path, size=count << 16, l1=(1 << 18, tables)) as file:
        located = (np.arange(tables, dtype=np.uint64) << np.uint64(16)) + np.uint64(at)
        put(file, 1 << 18, words(located))
        put(file, at, words(entries))
        file.truncate(int(base) + count * 4096)
    return count * 8


SHAPES: Mapping[str, Callable[[Path], int]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        l1_entries,
        l1_zeros,
        refcount_table,
        snapshots_zeros,
        snapshots_apart,
        extensions,
        bitmaps,
        payloads,
    )
}
"""Each shape, by its name."""

COMMANDS = ("info", "validate", "validate -p untrusted", "dump", "check", "usage")
"""What is measured."""

HEAVY = {"check": 448, "usage": 640}
"""MiB of memory of the commands that work out who owns each cluster; of the others see `ROOM`."""

ROOM = 64
"""MiB that the other commands take at most, above the tables and above a small image."""

LAUNCHER = """
import resource, subprocess, sys
null = subprocess.DEVNULL
status = subprocess.run(sys.argv[1:], stdout=null, stderr=null).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_maxrss, used.ru_utime + used.ru_stime)
"""
"""A small process between: a child begins with its parent's peak of memory."""


class Measured(NamedTuple):
    """What a command took.

    Attributes:
        status: Its exit status.
        memory: Its peak, in MiB.
        seconds: Of processor time.
    """

    status: int
    memory: float
    seconds: float


def measure(command: str, path: Path) -> Measured:
    """Run a command of qcowspec on an image."""
    words = [sys.executable, "-m", "qcowspec", *command.split(), str(path)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, *words], capture_output=True, text=True, check=True
    )
    status, peak, seconds = done.stdout.split()
    return Measured(int(status), int(peak) / 1024, float(seconds))


def bound(command: str, tables: int, small: float) -> float:
    """MiB that a command takes at most.

    Args:
        command: Its words.
        tables: Bytes of the image's tables.
        small: MiB that it takes of a small image.
    """
    return small + (HEAVY[command] if command in HEAVY else tables / MIB + ROOM)


def main() -> None:
    """Print the table."""
    small = Path(__file__).parents[1] / "data" / "v3-snapshots.qcow2"
    floors = {command: measure(command, small).memory for command in COMMANDS}
    print("| image | tables | " + " | ".join(f"`{each}`" for each in COMMANDS) + " |")  # noqa: T201 - run by hand
    print("| --- " * (len(COMMANDS) + 2) + "|")  # noqa: T201 - run by hand
    cells = [f"{floors[each]:.0f}" for each in COMMANDS]
    print("| small | 0 | " + " | ".join(cells) + " |")  # noqa: T201 - run by hand
    with TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            path = Path(folder) / f"{name}.qcow2"
            tables = shape(path)
            found = {each: measure(each, path) for each in COMMANDS}
            cells = [f"{each.memory:.0f} ({each.seconds:.1f} s)" for each in found.values()]
            print(f"| `{name}` | {tables / MIB:.0f} | " + " | ".join(cells) + " |", flush=True)  # noqa: T201 - run by hand
            path.unlink()


if __name__ == "__main__":
    main()
