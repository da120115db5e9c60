"""QEMU says of every vector what the vector says that it does.

In: the vectors. Out: nothing. `qemu-img info` is asked about all of them, in the version that is
installed: its verdict is ours, and its message has the key of the rule that we say it reports. Of
vectors whose rule is judged later, the command that looks at it is asked as well. Refused: to pass
without `qemu-img` where ``CI`` is set.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from qcow_parsers.catalogue import Rule

import qcowspec
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.vectors import ACCEPTS, REJECTS, Vector
from qcowspec.spec.rules import BY_ID

ALL = vectors.everything()

TIMEOUT = 60
"""Seconds: longer than QEMU takes for any of them."""

NAME, BESIDE = "image", "data.raw"
"""The image's file name, and that of the data file which the bases name."""

DISK = 1 << 20
"""Bytes of the disk of the bases."""

UNASKED = {
    "bitmaps/in-use-bits/2-41": "QEMU asks for 256 GiB of memory, and dies where there is less"
}
"""Vectors that QEMU is not asked about, and why."""

LATER = [v for v in ALL if v.judged and BY_ID[v.rule].qemu.verdict == "rejects"]

SECRET = ("--object", "secret,id=key,data=no-key", "--image-opts")
WITH_KEY = f"driver=qcow2,file.filename={NAME},encrypt.key-secret=key"


def by_id(vector: Vector) -> str:
    return vector.id


def run(folder: Path, *command: str) -> tuple[int, str]:
    """Run a program of QEMU's; its exit status, negative where it died, and all that it says."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


@cache
def profile() -> str:
    """The profile of the QEMU that is installed."""
    said = subprocess.run(["qemu-img", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version ([0-9]+\.[0-9]+)", said.stdout)
    assert found is not None
    return f"qemu@{found[1]}"


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("vector", [v for v in ALL if v.id not in UNASKED], ids=by_id)
def test_qemu_says_what_the_vector_says(vector: Vector, tmp_path: Path) -> None:
    data, driver = vectors.image(vector), vectors.format_of(vector)
    (tmp_path / NAME).write_bytes(data)

    status, said = run(tmp_path, "qemu-img", "info", "-f", driver, NAME)

    ours = judge(data, driver)
    assert (REJECTS if status else ACCEPTS) == ours.verdict(profile()), said
    first = ours.first(profile())
    if first is not None and status > 0:  # a QEMU that dies says nothing
        assert (BY_ID[first].qemu.key or "") in said
    (tmp_path / NAME).unlink()  # some have 64 MiB


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("vector", LATER, ids=by_id)
def test_qemu_meets_later_what_the_vector_says(vector: Vector, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(vectors.image(vector))
    if vector.stage == "l2":  # what the tables say shows only where there is a data file
        (tmp_path / BESIDE).write_bytes(bytes(DISK))
    rule = BY_ID[vector.rule]

    _, said = run(tmp_path, *looks(rule, vectors.format_of(vector)))

    assert ((rule.qemu.key or "") in said) == vector.breaks, said


def looks(rule: Rule, driver: str) -> tuple[str, ...]:
    """The command that looks at what a rule is about."""
    match rule.qemu.when:
        case "data" if rule.id == "encryption/luks-unlock":
            return ("qemu-img", "convert", *SECRET, WITH_KEY, "-O", "raw", "out")
        case "data":
            return ("qemu-img", "convert", "-f", driver, "-O", "raw", NAME, "out")
        case "check":
            return ("qemu-img", "check", "-f", driver, NAME)
        case "write":
            return ("qemu-io", "-f", driver, "-c", "quit", NAME)
        case "chain":
            return ("qemu-img", "info", "--backing-chain", "-f", driver, NAME)
    raise AssertionError(f"{rule.id} is judged at open")


LOADED = [vector for vector in ALL if BY_ID[vector.rule].qemu.load is not None]


@pytest.mark.parametrize("vector", LOADED, ids=by_id)
def test_a_snapshot_that_qemu_does_not_load_is_not_read(vector: Vector, tmp_path: Path) -> None:
    data, key = vectors.image(vector), BY_ID[vector.rule].qemu.load
    (tmp_path / NAME).write_bytes(data)
    refused = []
    with qcowspec.open(data) as image:
        for name in [snapshot.id_str.decode() for snapshot in image.snapshots]:
            # Where QEMU does not load what it finds by the id alone, it looks for a name.
            words = ("-l", f"snapshot.id={name}", "-O", "raw", NAME, "out")
            status, said = run(tmp_path, "qemu-img", "convert", *words)
            try:
                image.pread(0, 1, snapshot=name)
            except qcowspec.QcowError as error:
                refused.append((error.rule, status, str(key) in said))
            else:
                assert status == 0, said

    assert refused == [(vector.rule, 1, True)] * vector.breaks
