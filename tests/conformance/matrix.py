"""Every rule, measured with every QEMU: what each says of each vector, held against the rows.

    python -m tests.conformance.matrix                    every QEMU that is here
    python -m tests.conformance.matrix --qemu 5.2,11.1

In: the vectors. Out: how many agree, and each that does not. `qemu-img info` is asked about all of
them; where the rule is judged later, the command that looks at it is asked as well. Exit status: 0
those that do not are those of differences.toml, 1 they are not, 2 bad usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qcow_parsers.catalogue import Rule

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS, Vector
from qcowspec.spec.profiles import key_of, notices
from qcowspec.spec.rules import BY_ID
from tests.qemu import answer
from tools import qemus

DIFFERENCES = Path(__file__).with_name("differences.toml")

NAME, BESIDE = "image", "data.raw"
"""The image's file name, and that of the data file which the bases name."""

DISK = 1 << 20
"""Bytes of the disk of the bases."""

UNASKED = {
    "bitmaps/in-use-bits/2-41": "QEMU asks for 256 GiB of memory, and dies where there is less"
}
"""Vectors that QEMU is not asked about, and why."""

ALL = [vector for vector in vectors.everything() if vector.id not in UNASKED]

LATER = [v for v in ALL if v.judged and BY_ID[v.rule].qemu.verdict == "rejects"]

SECRET = ("--object", "secret,id=key,data=no-key", "--image-opts")
WITH_KEY = f"driver=qcow2,file.filename={NAME},encrypt.key-secret=key"

WITHOUT_ZSTD = "unknown compression type: 1"
"""What a QEMU that was built without zstd says of an image that needs it: Debian's 5.2 is one."""


@dataclass(frozen=True)
class Difference:
    """What a QEMU does otherwise than the rows say.

    Attributes:
        qemu: Its version.
        vector: The image.
        rule: The first rule that the rows have broken; the vector's own where none is.
        key: What identifies the message that the rows expect; None where they expect none.
        status: The exit status; negative where QEMU died.
        said: All that it printed.
    """

    qemu: str
    vector: str
    rule: str
    key: str | None
    status: int
    said: str

    def __str__(self) -> str:
        rows = "nothing" if self.key is None else repr(self.key)
        return (
            f"QEMU {self.qemu}, {self.vector}: {self.rule}: the rows expect {rows}; "
            f"exit status {self.status}: {self.message}"
        )

    @property
    def message(self) -> str:
        """The first line that it printed."""
        return self.said.partition("\n")[0]


def opened(vector: Vector, qemu: qemus.Qemu, folder: Path) -> Iterator[Difference]:
    """Whether `qemu-img info` opens a vector, and if not, with which message."""
    data, driver = vectors.image(vector), vectors.format_of(vector)
    (folder / NAME).write_bytes(data)
    status, said = answer(folder, qemu.program(), "info", "-f", driver, NAME)
    ours = judge(data, driver)
    expected, first = ours.verdict(qemu.profile), ours.first(qemu.profile)
    key = None if first is None else key_of(BY_ID[first], qemu.profile)
    # A QEMU that dies says nothing.
    if (REJECTS if status else ACCEPTS) != expected or (status > 0 and (key or "") not in said):
        yield Difference(qemu.version, vector.id, first or vector.rule, key, status, said)


def met_later(vector: Vector, qemu: qemus.Qemu, folder: Path) -> Iterator[Difference]:
    """Whether the command that looks at what a vector is about reports its rule."""
    rule = BY_ID[vector.rule]
    (folder / NAME).write_bytes(vectors.image(vector))
    if vector.stage == "l2":  # what the tables say shows only where there is a data file
        (folder / BESIDE).write_bytes(bytes(DISK))
    status, said = answer(folder, *looks(rule, vectors.format_of(vector), qemu))
    key = key_of(rule, qemu.profile)
    expected = vector.breaks and notices(rule, qemu.profile) is not None
    if (key in said) != expected:
        shown = key if expected else None
        yield Difference(qemu.version, vector.id, rule.id, shown, status, said)


def looks(rule: Rule, driver: str, qemu: qemus.Qemu) -> tuple[str, ...]:
    """The command that looks at what a rule is about."""
    program = qemu.program()
    match rule.qemu.when:
        case "data" if rule.id == "encryption/luks-unlock":
            return (program, "convert", *SECRET, WITH_KEY, "-O", "raw", "out")
        case "data":
            return (program, "convert", "-f", driver, "-O", "raw", NAME, "out")
        case "check":
            return (program, "check", "-f", driver, NAME)
        case "write":
            return (qemu.program("qemu-io"), "-f", driver, "-c", "quit", NAME)
        case "chain":
            return (program, "info", "--backing-chain", "-f", driver, NAME)
    raise AssertionError(f"{rule.id} is judged at open")


def differences(qemu: qemus.Qemu, chosen: Iterable[Vector] = ALL) -> list[Difference]:
    """All that a QEMU does with vectors otherwise than the rows say of its profile."""
    with ThreadPoolExecutor(2) as pool:
        return [each for found in pool.map(partial(_both, qemu=qemu), chosen) for each in found]


def _both(vector: Vector, qemu: qemus.Qemu) -> list[Difference]:
    found: list[Difference] = []
    for look in (opened, met_later):
        if look is opened or vector in LATER:
            with tempfile.TemporaryDirectory() as name:  # some have 64 MiB
                found += look(vector, qemu, Path(name))
    return [each for each in found if WITHOUT_ZSTD not in each.said]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.matrix")
    parser.add_argument("--qemu", default="all", help="versions, such as 5.2,11.1 (default: all)")
    arguments = parser.parse_args()
    try:
        chosen = qemus.choose(arguments.qemu)
    except LookupError as error:
        parser.error(str(error))
    agreed = True
    for qemu in chosen:
        found, asked = differences(qemu), len(ALL) + len(LATER)
        print(f"== QEMU {qemu}: {asked - len(found)} of {asked} agree", *found, sep="\n")  # noqa: T201
        agreed = agreed and {each.vector for each in found} == known(qemu.series)
    return int(not agreed)


def known(series: str) -> set[str]:
    """The vectors that differences.toml has of a series of QEMU."""
    rows = tomllib.loads(DIFFERENCES.read_text("utf-8"))["difference"]
    return {row["vector"] for row in rows if row["qemu"] == series and "vector" in row}


if __name__ == "__main__":
    sys.exit(main())
