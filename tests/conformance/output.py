"""What info, map, check and compare print with --like, beside what every QEMU at hand prints.

    python -m tests.conformance.output --qemu all
    python -m tests.conformance.output --qemu 10.0,11.1 --image v3-luks.qcow2 --image made-0.qcow2

In: the images of tests/data, and some that are made here by the newest QEMU. Out: a line for each
answer that differs, and how many are equal. Text and JSON are compared as they are, but for what
docs/info.md, map.md and check.md say that differs: a file that a json: description names is shown
by its path, a table of map goes on where QEMU's gives up, leaks are looked at, no key is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from qcowspec.check import check
from qcowspec.errors import QcowError
from qcowspec.fuzzing.places import Places
from qcowspec.image import lay_open
from qcowspec.reader.verdict import FOUND
from qcowspec.report.check import FINDS_NOTHING, of_leaks, summary
from tests.command import run
from tests.conformance.conftest import EVERY_IMAGE
from tools import qemus
from tools.make_test_data import DATA, Image

ENGLISH = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
TIMEOUT = 60
WITHOUT_ZSTD = "unknown compression type: 1"
"""What a QEMU says that was built without zstd."""

GIVES_UP = "File contains external, encrypted or compressed clusters."
NO_HARM = "This means waste of disk space, but no harm to data.\n"
CLEAN = "No errors were found on the image.\n"
NO_CHECK = 63
"""Exit status of `qemu-img check` for a format without a check."""

BY_JSON = "v3-backing-json.qcow2"

SIZES = ("0", "512", "999k", "1000k", "1023k", "1000M", "1023M", "3G", "1000G", "7T")
"""Sizes of disks about those where a unit ends."""

LUKS = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10"

MADE = {
    "made-sm4.qcow2": f"{LUKS},encrypt.cipher-alg=sm4,encrypt.cipher-mode=cbc",
    "made-sm3.qcow2": f"{LUKS},encrypt.hash-alg=sm3",
    "made-twofish.qcow2": f"{LUKS},encrypt.cipher-alg=twofish-256,encrypt.cipher-mode=cbc,"
    "encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256",
    "made-aes.qcow2": "encrypt.format=aes,encrypt.key-secret=key",
    "made-data-file.qcow2": "data_file=kept.raw,data_file_raw=on,keep_data_file=on",
    "made-data-file-1.qcow2": "data_file=other.raw,cluster_size=4k",
    "made-backing.qcow2": "compat=0.10,backing_fmt=raw,backing_file=odd.raw",
    "made-large.qcow2": "compression_type=zlib,extended_l2=on,refcount_bits=64,cluster_size=2M",
    "made-full.qcow2": "preallocation=full,cluster_size=4k",
    "made-falloc.qcow2": "preallocation=falloc",
    "made-v1.qcow": "",
}
"""Options of images that the newest QEMU makes."""


class Question(NamedTuple):
    """One question about an image.

    Attributes:
        command: The command, with its options.
        image: The image.
        more: A second image, of a comparison.
    """

    command: str
    image: Image
    more: str = ""

    def words(self, *, theirs: bool) -> list[str]:
        """The command line, without the program."""
        verb, *options = self.command.split()
        if self.image.passphrase is not None and theirs and verb != "info":
            return [verb, "-U", *options, *self.image.open_options]
        names = [self.image.name, *filter(None, [self.more])]
        return [verb, "-U", *options, "-f", self.image.format, *names]

    def __str__(self) -> str:
        return f"{self.command} {self.image.name} {self.more}".rstrip()


def questions(image: Image) -> Iterator[Question]:
    """All that is asked about an image."""
    for output in ("human", "json"):
        yield Question(f"info --output={output}", image)
        yield Question(f"info --output={output} --backing-chain", image)
        yield Question(f"map --output={output}", image)
        if image.format == "qcow2":
            yield Question(f"check --output={output}", image)
    if image.passphrase is None:
        yield Question("compare -s", image, image.name)
        yield Question("compare", image, "v3-zlib.qcow2")


class Answer(NamedTuple):
    """Exit status, and what goes to stdout and stderr; a status of -1 is no answer."""

    status: int
    out: str
    err: str = ""


def theirs(qemu: qemus.Qemu, question: Question) -> Answer:
    """What a QEMU says."""
    words = [qemu.program(), *question.words(theirs=True)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=ENGLISH
        )
    except subprocess.TimeoutExpired:
        return Answer(-1, "")
    return Answer(done.returncode, done.stdout, done.stderr)


def ours(qemu: qemus.Qemu, question: Question) -> Answer:
    """What we say in its place."""
    if question.command.startswith("check"):
        return _checked(qemu, question)
    words = question.words(theirs=False)
    done = run(*words, "--allow", "same-dir", "--like", qemu.profile)
    return Answer(done.returncode, done.stdout, done.stderr)


def _checked(qemu: qemus.Qemu, question: Question) -> Answer:
    """The figures and the words of a check that QEMU has as well."""
    if question.command.endswith("json"):
        done = run(*question.words(theirs=False), "--like", qemu.profile)
        found = json.loads(done.stdout) if done.stdout else {}
        return Answer(done.returncode, _figures(found), done.stderr)
    try:
        with lay_open(question.image.name, format=question.image.format, allow="same-dir") as image:
            if FOUND in image.judge.counts:
                image.judge.take_back(FOUND)
            report = check(image, profile=qemu.profile)
    except QcowError as error:
        return Answer(1, "", str(error))
    leaks = [] if report.looked is None else list(of_leaks(report.looked))
    said = [line for line in summary(report) if line not in leaks]
    return Answer(report.status, "".join(said).replace(FINDS_NOTHING, CLEAN))


def _figures(found: dict[str, Any]) -> str:
    """What qemu-img has as well of a check's JSON, but for the name, which may have a secret's."""
    others = {"filename", "findings", "beyond-qemu", "looked-at", "notes", "data-file"}
    return json.dumps({key: found[key] for key in sorted(found.keys() - others)})


def compared(qemu: qemus.Qemu, question: Question, expected: Answer) -> tuple[str, str]:
    """``equal``, or ``unbuilt``, ``unanswered`` or ``differs``, and how."""
    if WITHOUT_ZSTD in expected.err:
        return "unbuilt", ""
    if expected.status in (-1, NO_CHECK):
        return "unanswered", ""
    got = ours(qemu, question)
    status, out = expected.status, expected.out
    if question.command.startswith("map") and GIVES_UP in expected.err:
        lines = len(out.splitlines())
        status, got = 0, got._replace(out="".join(got.out.splitlines(keepends=True)[:lines]))
    elif question.command == "check --output=json":
        out = _figures(json.loads(out) if out else {})
    elif question.command == "check --output=human":
        out = out.replace(NO_HARM, "")
    if question.image.name == BY_JSON:
        got = got._replace(out=got.out.replace(f"{os.getcwd()}/", ""))
    if (got.status, got.out) == (status, out):
        return "equal", ""
    return "differs", f"ours {got}; QEMU's {expected}"


def flavours(newest: qemus.Qemu, names: Collection[str] = ()) -> Iterator[Image]:
    """The images of tests/data, and others, made in the current folder.

    Args:
        newest: Makes the others.
        names: The images that are wanted; all where none is named.
    """
    for path in DATA.iterdir():
        shutil.copyfile(path, path.name)
    Path("odd.raw").write_bytes(b"x" * 1000)
    Path("kept.raw").write_bytes(bytes(9 << 20))
    yield from (row for row in EVERY_IMAGE if not names or row.name in names)
    like = next(row for row in EVERY_IMAGE if row.format == "qcow2" and row.passphrase is None)
    made = {f"made-{size}.qcow2": ("", size) for size in SIZES}
    made |= {name: (options, "9M") for name, options in MADE.items()}
    for name, (options, size) in made.items():
        if names and name not in names:
            continue
        form = "qcow2" if name.endswith("2") else "qcow"
        words = [newest.program(), "create", "-q", "-f", form, "--object", "secret,id=key,data=x"]
        words += ["-o", options] if options else []
        done = subprocess.run([*words, name, size], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{newest} does not make {name}: {done.stderr}")  # noqa: T201 - run by hand
            continue
        key = "x" if "encrypt" in options else None
        yield replace(like, name=name, also=(), format=form, passphrase=key)
    if not names or SNAPSHOTS in names:
        _awkward(newest)
        yield replace(like, name=SNAPSHOTS, also=())


SNAPSHOTS = "made-snapshots.qcow2"


def _awkward(newest: qemus.Qemu) -> None:
    """Make an image with snapshots of awkward names, clocks, counts and sizes."""
    name = SNAPSHOTS
    subprocess.run([newest.program(), "create", "-q", "-f", "qcow2", name, "1M"], check=True)
    tags = ("a", "ü" * 7, "sixteen letters.", "seventeen letters", "x" * 40)
    for tag in tags:
        subprocess.run([newest.program(), "snapshot", "-c", tag, name], check=True)
    places = Places(Path(name).read_bytes())
    data = bytearray(places.data)
    clocks = (0, 3600 * 99, 3600 * 100, 3600 * 9999, 3600 * 10000)
    counts = (0, (1 << 64) - 1, 1234567890, 12345678901, 1 << 62)
    for index, (clock, count) in enumerate(zip(clocks, counts, strict=True)):
        for place in places.fields:
            for field, value in (("vm_clock_nsec", clock * 10**9), ("extra_data.icount", count),
                                 ("extra_data.vm_state_size_large", count >> 3)):  # fmt: skip
                if place.path == f"snapshots[{index}].{field}":
                    data[place.offset : place.offset + place.length] = value.to_bytes(
                        place.length, "big"
                    )
    Path(name).write_bytes(data)


def asked(
    versions: Iterable[qemus.Qemu], names: Collection[str] = ()
) -> Iterator[tuple[str, str, str]]:
    """Each question to each version: which, what came of it, and how it differs.

    Args:
        versions: The QEMUs.
        names: The images; all where none is named.
    """
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        os.chdir(folder)
        try:
            images = list(flavours(qemus.at_hand()[-1], names))
            for qemu in versions:
                about = [question for image in images for question in questions(image)]
                answers = pool.map(lambda question, qemu=qemu: theirs(qemu, question), about)
                for question, answer in zip(about, answers, strict=True):
                    yield f"{qemu} {question}", *compared(qemu, question, answer)
        finally:
            os.chdir(here)


def main() -> int:
    """Compare; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qemu", default="all", help="versions, such as 5.2,11.1; or all")
    parser.add_argument("--image", action="append", default=[], help="an image; all without it")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for which, what, how in asked(qemus.choose(options.qemu), options.image):
        counts[f"{which.split()[0]} {which.split()[1]}: {what}"] += 1
        counts[what] += 1
        if what == "differs":
            print(f"{which}: {how[:1500]}\n")  # noqa: T201 - run by hand
    for name, count in counts.items():
        print(f"{count:6} {name}")  # noqa: T201 - run by hand
    return 1 if counts["differs"] else 0


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    sys.exit(main())
