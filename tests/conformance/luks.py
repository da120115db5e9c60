"""LUKS images of every kind that qemu-img makes, read here and compared with what was written.

    python -m tests.conformance.luks [--all] [--sample N] [--seed S]

Without `--all`: every cipher with every mode and generator; every hash; every hash of essiv. With
it: the whole product. What is printed: how many qemu-img made, and of these how many were read
equal, refused here, or read wrong.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
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
SIZE = 1 << 20

UNLUCKY, TRIES = "Unable to get accurate CPU usage", 5
"""What qemu-img says where its hash was too quick for its clock, and how often it is asked."""


class Suite(NamedTuple):
    """The words of one image, as qemu-img's options have them; no hash but with essiv."""

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
        return ",".join(f"encrypt.{name}={word}" for name, word in words.items() if word)


def suites(*, whole: bool) -> Iterator[Suite]:
    """The suites to try."""
    for cipher, mode, generator in itertools.product(CIPHERS, MODES, GENERATORS):
        hashed = HASHES if generator == "essiv" else (None,)
        for generator_hash, hash_ in itertools.product(hashed, HASHES):
            chosen = generator_hash in (None, "sha256") and hash_ == "sha256"
            plainest = (cipher, mode) == ("aes-256", "cbc")
            if whole or chosen or (plainest and "sha256" in (generator_hash or "sha256", hash_)):
                yield Suite(cipher, mode, generator, generator_hash, hash_)


def tried(suite: Suite, folder: Path, content: bytes) -> tuple[str, str]:
    """What came of a suite: ``equal``, ``refused``, ``wrong`` or ``not made``; and why."""
    raw, image, key = folder / "raw", folder / "image.qcow2", folder / "key"
    raw.write_bytes(content)
    key.write_text(PASSPHRASE)
    secret = ["--object", f"secret,id=key,file={key}"]
    words = ["-O", "qcow2", "-o", suite.options(), str(raw), str(image)]
    command = ["qemu-img", "convert", *secret, *words]
    for _ in range(TRIES):
        made = subprocess.run(command, capture_output=True, text=True)
        if UNLUCKY not in made.stderr:
            break
    if made.returncode:
        return "not made", made.stderr.strip().rpartition(": ")[2]
    try:
        with qcowspec.open(image, secret=PASSPHRASE) as opened:
            data = opened.pread(0, opened.size)
    except qcowspec.QcowError as error:
        return "refused", str(error)
    return ("equal", "") if data == content else ("wrong", "")


def main() -> int:
    """Try suites; 1 if one that qemu-img made is not read equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    chosen = list(suites(whole=options.all))
    if options.sample is not None:
        chosen = random.sample(chosen, min(options.sample, len(chosen)))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for suite in chosen:
            what, why = tried(suite, Path(folder), random.randbytes(SIZE))
            counts[what] += 1
            if what == "not made":
                reasons[why] += 1
            elif what != "equal":
                print(f"{what}: {suite}: {why}", flush=True)  # noqa: T201 - run by hand
    print(f"{len(chosen)} suites: {dict(counts)}")  # noqa: T201 - run by hand
    for why, count in reasons.most_common():
        print(f"  not made, {count}: {why}")  # noqa: T201 - run by hand
    return 1 if counts["wrong"] or counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
