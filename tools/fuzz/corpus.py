"""The inputs that the coverage-guided fuzzer begins with.

Comes in: the test vectors and the small images of tests/data. Goes out: two folders of files, and a
dictionary of what stands in images. Refuses: nothing.

The small inputs are the vectors again, made from the same bases in the smallest clusters that there
are: a flipped byte then hits a structure, and not one of the thousands of zeros between them. The
large ones are the vectors and the images as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

from qcow_parsers import constants as c

from qcowspec import build, lay_open
from qcowspec.build.short import image_spec
from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.patches import apply
from qcowspec.fuzzing.places import Places, Unfit

DATA = Path(__file__).parents[2] / "tests" / "data"

SMALL, LARGEST = 17 << 10, 32 << 10
"""Bytes of a small input, and of any: of what is larger most bytes are guest data."""

MANY = 512
"""Records of an image that is begun with."""

SMALLEST_L2_BITS = 6
"""Of a v1 image: one cluster for a table, as in v2 and v3."""

SUBCLUSTERS = 0x0000_0003_0000_000C
"""Two subclusters of zeros, then two of data."""

COUNT = "header.nb_snapshots"
"""A count of records that are read one by one, which need no room in the file."""


def write(small: Path, large: Path) -> tuple[int, int]:
    """Write the inputs into two folders, each under a name made from its bytes; how many."""
    images = map(vectors.image, vectors.everything())
    as_they_are = {data for data in images if len(data) <= LARGEST}  # of the others, some are huge
    as_they_are |= {
        path.read_bytes() for path in DATA.glob("*.qcow*") if path.stat().st_size <= LARGEST
    }
    shrunken = {*_shrunken(), _with_subclusters()}
    return _write(small, shrunken, SMALL), _write(large, as_they_are, LARGEST)


def _write(folder: Path, inputs: Iterable[bytes], most: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    kept = [data for data in inputs if len(data) <= most and _is_quick(data)]
    for data in kept:
        (folder / sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return len(kept)


def _shrunken() -> Iterator[bytes]:
    """The vectors, made from the smallest bases, where their patches fit these."""
    for vector in vectors.everything():
        try:
            draft = Draft(_smallest(vector.base))
            apply(draft, vector.patch)
        except (QcowError, Unfit):
            continue
        yield bytes(draft.data)


@cache
def _smallest(name: str) -> Places:
    """A base, in the smallest clusters.

    Raises:
        QcowError: Its structures do not fit them.
    """
    described: dict[str, Any] = dict(vectors.bases()[name])
    if described.get("version") == 1:
        described |= {"cluster_bits": c.QCOW1_MIN_CLUSTER_BITS, "l2_bits": SMALLEST_L2_BITS}
    elif "features" not in described:
        described |= {"cluster_bits": c.MIN_CLUSTER_BITS}
    return Places(build.image(image_spec(described)))


def _with_subclusters() -> bytes:
    """An image with subclusters whose tables are one: they lie in the second of its clusters."""
    cluster = 1 << c.QCOW2_EXTL2_MIN_CLUSTER_BITS
    tables = {"l1_table_offset": cluster, "refcount_table_offset": cluster}
    spec = {"cluster_bits": c.QCOW2_EXTL2_MIN_CLUSTER_BITS, "features": ["extended_l2"]}
    header = build.image(image_spec(spec | {"header": tables}))[:cluster]
    entry = (cluster | c.QCOW_OFLAG_COPIED).to_bytes(8, "big")
    return header + entry + SUBCLUSTERS.to_bytes(8, "big") + entry * 2


def _is_quick(data: bytes) -> bool:
    """Whether an image claims no thousands of records, which are read one by one."""
    try:
        with lay_open(data) as image:
            return len(image.snapshots) + len(image.bitmaps) + len(image.extensions) <= MANY
    except QcowError:
        return True


def tame(data: bytes) -> bytes:
    """An input with a small count of snapshots, if it has a large one.

    A table of 65,536 snapshots, all zeros, needs no room and takes a thousand times as long as
    another; the fuzzer would breed from these.
    """
    at, length = _count()
    count = int.from_bytes(data[at : at + length], "big")
    if count <= MANY:
        return data
    return data[:at] + (count % MANY).to_bytes(length, "big") + data[at + length :]


@cache
def _count() -> tuple[int, int]:
    """Where the count of snapshots stands in an image, in bytes, and its length."""
    place = _smallest("v3").find(COUNT)
    return place.offset, place.length


def dictionary() -> str:
    """Words of the formats, in libFuzzer's notation."""
    magics = [value for name, value in vars(c).items() if name.startswith("QCOW2_EXT_MAGIC_")]
    words = [c.QCOW_MAGIC.to_bytes(4, "big")] + [int(each).to_bytes(4, "big") for each in magics]
    words += [(1 << bit).to_bytes(8, "big") for bit in (0, 61, 62, 63)]
    return "".join(f"{_quoted(word)}\n" for word in words)


def _quoted(word: bytes) -> str:
    return chr(34) + "".join(f"\\x{byte:02x}" for byte in word) + chr(34)
