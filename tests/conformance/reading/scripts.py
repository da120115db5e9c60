"""Images that QEMU wrote, by seeded random scripts: every flavour that it can write.

In: a flavour, and chance. Out: an image on disk. Refused: nothing; what qemu-io cannot do with a
flavour (compressed writes to a data file, say) it does not do, and the script goes on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from qcowspec import build
from qcowspec.build import ImageSpec
from tests.conformance.reading.answers import WITHOUT_ZSTD

SECTOR = 512
LARGEST = 1 << 32
"""Bytes of a disk at most: what is written is little, and holes are not compared."""

BASE = "base.raw"
WORDS = [bytes(Random(i).choices(b"etaoinshrdlu", k=1 + i % 9)) for i in range(4000)]


@dataclass(frozen=True)
class Flavour:
    """A kind of image.

    Attributes:
        name: What to call it.
        format: ``qcow`` or ``qcow2``.
        cluster_bits: Binary logarithm of the cluster size.
        entries: Clusters that one L2 table maps.
        options: For ``qemu-img create -o``; empty for a version 1 image, which is built here.
        l2_bits: Of a version 1 image that is built here.
        backed: Whether a raw backing file stands behind it.
    """

    name: str
    format: str
    cluster_bits: int
    entries: int
    options: tuple[str, ...] = ()
    l2_bits: int = 0
    backed: bool = False

    @property
    def span(self) -> int:
        """Guest bytes that one L2 table maps."""
        return self.entries << self.cluster_bits


def _qcow2(bits: int, *options: str, backed: bool = False) -> Flavour:
    entries = (1 << bits) // (16 if "extended_l2=on" in options else 8)
    options = (f"cluster_size={1 << bits}", *options)
    name = ",".join(options) + ",backed" * backed
    return Flavour(name, "qcow2", bits, entries, options, backed=backed)


def _v1(bits: int, l2_bits: int, *, backed: bool = False) -> Flavour:
    name = f"v1,cluster_bits={bits},l2_bits={l2_bits}" + ",backed" * backed
    return Flavour(name, "qcow", bits, 1 << l2_bits, l2_bits=l2_bits, backed=backed)


def flavours() -> Iterator[Flavour]:
    """Every flavour: all sizes of clusters, tables and refcounts, all features of data."""
    for backed in (False, True):
        for bits in range(9, 22):
            yield _qcow2(bits, "compat=0.10", backed=backed)
            yield _qcow2(bits, "compat=1.1", backed=backed)
            yield _qcow2(bits, "compression_type=zstd", backed=backed)
            if bits >= 14:
                yield _qcow2(bits, "extended_l2=on", backed=backed)
                yield _qcow2(bits, "extended_l2=on", "compression_type=zstd", backed=backed)
        for bits in (9, 16):
            for order in range(7):
                yield _qcow2(bits, f"refcount_bits={1 << order}", backed=backed)
        for bits in range(9, 17):
            for l2_bits in range(6, 14):
                yield _v1(bits, l2_bits, backed=backed)
    for bits in (9, 12, 16, 21):
        yield _qcow2(bits, "preallocation=metadata")
        yield _qcow2(bits, "lazy_refcounts=on")
        yield _qcow2(bits, "data_file=data.raw")
        yield _qcow2(bits, "data_file=data.raw", "data_file_raw=on")
        yield _qcow2(bits, "data_file=data.raw", backed=True)
    yield _qcow2(14, "extended_l2=on", "data_file=data.raw")
    yield _qcow2(16, "extended_l2=on", "preallocation=metadata")


def sizes(random: Random, flavour: Flavour) -> int:
    """Bytes of a disk, sectors not clusters: a little, or more than one L2 table maps."""
    little = SECTOR * random.randrange(200, 5000)
    if "preallocation" in flavour.name:
        return little + (4 << flavour.cluster_bits)
    spans = random.randrange(0, 4) * flavour.span
    return min(LARGEST, spans + little)


class Unbuilt(Exception):
    """The QEMU that is run was built without zstd, which the flavour needs."""


@dataclass
class Script:
    """What a guest does to one image.

    Attributes:
        image: Where it is.
        flavour: What it is.
        random: Decides everything.
        size: Bytes of its disk, now.
        done: What was run, for whoever looks for a fault.
    """

    image: Path
    flavour: Flavour
    random: Random
    size: int
    done: list[str] = field(default_factory=list)

    def create(self, backing: tuple[str, str] | None = None) -> None:
        """Make the image, empty; with a backing file of a name and a format."""
        if not self.flavour.options:
            name = b"" if backing is None else backing[0].encode()
            spec = ImageSpec(
                version=1,
                size=self.size,
                cluster_bits=self.flavour.cluster_bits,
                l2_bits=self.flavour.l2_bits,
                backing_name=name,
            )
            self.image.write_bytes(build.image(spec))
            return
        words = ["create", "-q", "-f", self.flavour.format, "-o", ",".join(self.flavour.options)]
        if backing is not None:
            words += ["-b", backing[0], "-F", backing[1]]
        command = ["qemu-img", *words, self.image.name, str(self.size)]
        self.done.append(" ".join(command))
        made = subprocess.run(command, cwd=self.image.parent, capture_output=True, text=True)
        if any(words in made.stderr for words in WITHOUT_ZSTD):
            raise Unbuilt(self.flavour.name)
        assert made.returncode == 0, (self.done, made.stderr)

    def write(self, *, snapshots: bool) -> None:
        """A few turns of writes; between them snapshots are taken, and the disk is resized."""
        for turn in range(self.random.randrange(1, 4)):
            words = [w for _ in range(self.random.randrange(2, 12)) for w in ("-c", self._line())]
            self._run("qemu-io", "-f", self.flavour.format, *words, self.image.name)
            if self.flavour.format == "qcow":
                continue
            if snapshots and self.random.random() < 0.7:
                self._run("qemu-img", "snapshot", "-c", f"s{turn}", self.image.name)
            if snapshots and self.random.random() < 0.4:
                self._resize()

    def _resize(self) -> None:
        change = SECTOR * self.random.randrange(-3000, 3000)
        size = max(SECTOR, self.size + change)
        words = ["resize", "-q", "-f", "qcow2", "--shrink", self.image.name, str(size)]
        if self._run("qemu-img", *words) == 0:
            self.size = size

    def _line(self) -> str:
        """One command of qemu-io."""
        random, cluster = self.random, 1 << self.flavour.cluster_bits
        anywhere = [0, self.size - SECTOR, self.flavour.span, random.randrange(self.size)]
        length = SECTOR * random.randrange(1, 400)
        start = max(0, random.choice(anywhere) - random.choice((0, length // 2)))
        start = min(start, self.size - SECTOR) // SECTOR * SECTOR
        kind = random.choice(KINDS)
        if " -c" in kind:  # whole clusters only
            start -= start % cluster
            length = cluster * random.choice((1, 1, 2, max(1, 65536 // cluster)))
        elif random.random() < 0.3:  # as are most that clear something
            start, length = start - start % cluster, -(-length // cluster) * cluster
        length = min(length, self.size - start, 4 << 20)
        pattern = f"-P {random.randrange(1, 256)}"
        if kind.startswith("write") and " -z" not in kind and random.random() < 0.7:
            pattern = f"-s {random.choice(('noise', 'text'))}"
        return f"{kind.replace('PATTERN', pattern)} {start} {length}"

    def _run(self, *command: str) -> int:
        self.done.append(" ".join(command))
        done = subprocess.run(command, cwd=self.image.parent, capture_output=True)
        return done.returncode


KINDS = (
    *("write PATTERN", "write PATTERN", "write -c PATTERN", "write -c PATTERN"),
    *("write -z", "write -z -u", "discard"),
)


def sources(folder: Path, random: Random) -> None:
    """The files that scripts write from, and the backing file of a flavour that has one."""
    (folder / "noise").write_bytes(random.randbytes(1 << 16))
    (folder / "text").write_bytes(b" ".join(random.choices(WORDS, k=60_000))[: 1 << 18])
    (folder / BASE).write_bytes(random.randbytes(random.randrange(1, 3 << 20)))


def written(folder: Path, flavour: Flavour, random: Random, *, snapshots: bool = True) -> Script:
    """An image of a flavour, written at random, in a folder of its own."""
    sources(folder, random)
    size = sizes(random, flavour)
    script = Script(folder / f"disk.{flavour.format}", flavour, random, size)
    script.create((BASE, "raw") if flavour.backed else None)
    script.write(snapshots=snapshots)
    return script
