"""LUKS images of every kind that qemu-img makes, read here and compared with `qemu-img convert`.

    python -m tests.conformance.luks [--pairs] [--sample N] [--seed S] [--true-clock]

The whole product of ciphers, modes, generators, their hashes and the hashes of the keys; with
`--pairs`, so many that each two words that can stand together do. Each image is made by qemu-img
and written by qemu-io. What is printed: how many qemu-img made, and of these how many were read
equal, refused here, or read wrong; and why it did not make the others.

qemu-img takes seconds to find out how fast it hashes. Where there is a C compiler, it is told a
time that goes faster (fast_clock.c), unless `--true-clock` is said.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import qcowspec

CIPHERS = (
    *("aes-128", "aes-192", "aes-256", "cast5-128"),
    *("serpent-128", "serpent-192", "serpent-256"),
    *("twofish-128", "twofish-192", "twofish-256"),
)
MODES = ("ecb", "cbc", "xts", "ctr")
GENERATORS = ("plain", "plain64", "essiv")
HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160")

PASSPHRASE = "Grüße"  # noqa: S105 - of test images
SIZE, CLUSTER = 1 << 20, 4096
WRITTEN = 24 << 10
"""Bytes of the disk, of a cluster, and of what is written at one place."""

UNLUCKY, TRIES = "Unable to get accurate CPU usage", 5
"""What qemu-img says where its hash was too quick for its clock, and how often it is asked."""


class Suite(NamedTuple):
    """The words of one image, as qemu-img's options have them."""

    cipher: str
    mode: str
    generator: str
    generator_hash: str | None
    hash: str

    def options(self) -> str:
        """As ``-o`` takes them."""
        words = {
            "format": "luks",
            "key-secret": "key",
            "iter-time": "10",
            "cipher-alg": self.cipher,
            "cipher-mode": self.mode,
            "ivgen-alg": self.generator,
            "ivgen-hash-alg": self.generator_hash,
            "hash-alg": self.hash,
        }
        said = ",".join(f"encrypt.{name}={word}" for name, word in words.items() if word)
        return f"cluster_size={CLUSTER},{said}"

    @property
    def is_makeable(self) -> bool:
        """Whether qemu-img 7.2 makes it, as a whole run showed."""
        key = int(self.cipher.rpartition("-")[2])
        essiv = {"aes": {128, 192, 256}, "serpent": {128, 192, 256}, "twofish": {128, 192, 256}}
        family = self.cipher.partition("-")[0]
        length = {"md5": 128, None: 256, "sha256": 256}.get(self.generator_hash)
        return (
            (self.mode != "xts" or family != "cast5")
            # 4000 stripes of 24 bytes are no whole sectors, and an assertion says so.
            and (self.mode == "xts" or key != 192)
            and (self.generator != "essiv" or length in essiv.get(family, {key}))
        )


def suites() -> Iterator[Suite]:
    """The whole product."""
    words = (CIPHERS, MODES, GENERATORS, (None, *HASHES), HASHES)
    yield from (Suite(*chosen) for chosen in itertools.product(*words))


def pairs(of: Iterable[Suite]) -> list[Suite]:
    """A few suites in which all two words stand together that do in any."""
    left = {suite: _pairs(suite) for suite in of}
    missing = set().union(*left.values())
    chosen = []
    while missing:
        best = max(left, key=lambda suite: len(left[suite] & missing))
        missing -= left.pop(best)
        chosen.append(best)
    return chosen


def _pairs(suite: Suite) -> set[tuple[tuple[int, str | None], ...]]:
    return set(itertools.combinations(enumerate(suite), 2))


@cache
def fast_clock() -> Path | None:
    """The library that has time go faster for qemu-img; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = Path(tempfile.mkdtemp()) / "fast_clock.so"
    source = Path(__file__).with_name("fast_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def created(command: Sequence[str | Path], *, true_clock: bool = False) -> str:
    """Have qemu-img do what makes a key slot; what it says where it fails, else nothing."""
    clock = None if true_clock else fast_clock()
    environment = dict(os.environ) if clock is None else {**os.environ, "LD_PRELOAD": str(clock)}
    for _ in range(TRIES):
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if UNLUCKY not in done.stderr:
            break
    return (done.stderr.strip() or f"status {done.returncode}") if done.returncode else ""


def node(image: Path, driver: str = "qcow2") -> list[str]:
    """The arguments by which QEMU's programs open an encrypted image."""
    return ["--image-opts", f"driver={driver},encrypt.key-secret=key,file.filename={image}"]


def filled(image: Path, secret: Sequence[str], random: Random, driver: str = "qcow2") -> None:
    """Write random bytes, by qemu-io: whole clusters, parts of some, from the last to the first."""
    content = image.with_name("content")
    content.write_bytes(random.randbytes(WRITTEN))
    places = [SIZE - WRITTEN, 700_416, 262_144 + 512, 0]
    words = [word for at in places for word in ("-c", f"write -s {content} {at} {WRITTEN}")]
    done = subprocess.run(
        ["qemu-io", *secret, *words, *node(image, driver)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def converted(image: Path, secret: Sequence[str], driver: str = "qcow2") -> bytes:
    """The guest's bytes by qemu-img."""
    raw = image.with_name("raw")
    command = ["qemu-img", "convert", *secret, *node(image, driver), "-O", "raw", str(raw)]
    subprocess.run(command, check=True, capture_output=True)
    return raw.read_bytes()


def tried(
    suite: Suite, folder: Path, random: Random, *, true_clock: bool = False
) -> tuple[str, str]:
    """What came of a suite: ``equal``, ``refused``, ``wrong`` or ``not made``; and why."""
    image, key = folder / "image.qcow2", folder / "key"
    key.write_text(PASSPHRASE)
    secret = ["--object", f"secret,id=key,file={key}"]
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *secret, "-o", suite.options()]
    why = created([*command, str(image), str(SIZE)], true_clock=true_clock)
    if why:
        return "not made", why.rpartition(": ")[2]
    filled(image, secret, random)
    expected = converted(image, secret)
    try:
        with qcowspec.open(image, secret=PASSPHRASE) as opened:
            data = opened.pread(0, opened.size)
            middle = opened.pread(SIZE - 777, 555)
    except qcowspec.QcowError as error:
        return "refused", str(error)
    same = data == expected and middle == expected[SIZE - 777 :][:555]
    return ("equal", "") if same else ("wrong", "")


def main() -> int:
    """Try suites; 1 if one that qemu-img made is not read equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--true-clock", action="store_true")
    options = parser.parse_args()
    random = Random(options.seed)
    chosen = pairs(filter(lambda s: s.is_makeable, suites())) if options.pairs else list(suites())
    if options.sample is not None:
        chosen = random.sample(chosen, min(options.sample, len(chosen)))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for suite in chosen:
            what, why = tried(suite, Path(folder), random, true_clock=options.true_clock)
            counts[what] += 1
            if what == "not made":
                reasons[why] += 1
            if what in ("refused", "wrong") or (what == "not made") == suite.is_makeable:
                print(f"{what}: {suite}: {why}", flush=True)  # noqa: T201 - run by hand
    print(f"{len(chosen)} suites: {dict(counts)}")  # noqa: T201 - run by hand
    for why, count in reasons.most_common():
        print(f"  not made, {count}: {why}")  # noqa: T201 - run by hand
    return 1 if counts["wrong"] or counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
