"""The inputs that the coverage-guided fuzzer begins with.

Comes in: the test vectors and the small images of tests/data. Goes out: a folder of files, and a
dictionary of what stands in images. Refuses: nothing.
"""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from qcow_parsers import constants as c

from qcowspec import lay_open
from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors

DATA = Path(__file__).parents[2] / "tests" / "data"

LARGEST = 32 << 10
"""Bytes of an input: large ones are slow, and show nothing that small ones do not."""

MANY = 512
"""Records of an image that is begun with."""


def write(folder: Path) -> int:
    """Write the inputs into a folder, each under a name made from its bytes; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {path.read_bytes() for path in DATA.glob("*.qcow*") if path.stat().st_size <= LARGEST}
    inputs |= {vectors.image(vector) for vector in vectors.everything()}
    small = [data for data in inputs if len(data) <= LARGEST and _is_quick(data)]
    for data in small:
        (folder / sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return len(small)


def _is_quick(data: bytes) -> bool:
    """Whether an image claims no thousands of records, which are read one by one."""
    try:
        with lay_open(data) as image:
            return len(image.snapshots) + len(image.bitmaps) + len(image.extensions) <= MANY
    except QcowError:
        return True


def dictionary() -> str:
    """Words of the formats, in libFuzzer's notation."""
    magics = [value for name, value in vars(c).items() if name.startswith("QCOW2_EXT_MAGIC_")]
    words = [c.QCOW_MAGIC.to_bytes(4, "big")] + [int(each).to_bytes(4, "big") for each in magics]
    words += [(1 << bit).to_bytes(8, "big") for bit in (0, 61, 62, 63)]
    return "".join(f"{_quoted(word)}\n" for word in words)


def _quoted(word: bytes) -> str:
    return chr(34) + "".join(f"\\x{byte:02x}" for byte in word) + chr(34)
