"""The VM state of a snapshot, against what qemu-io reads once the snapshot is the active state.

A real one is in tests/data. Others are written by qemu-io into the active state, and kept by
qemu-img in a snapshot, whose ``vm_state_size`` is then set as a running QEMU sets it.
"""

from __future__ import annotations

import io
import re
import shutil
import struct
from pathlib import Path
from random import Random

import pytest

import qcowspec
from tests.command import run as ours
from tests.qemu import create, run

DATA = Path(__file__).parents[1] / "data"
SECTOR = 512


def image_of(path: Path, secret: str | None) -> list[str]:
    """How QEMU's programs are given an image: its options, and the object that they refer to."""
    options = f"driver=qcow2,file.filename={path}"
    if secret is None:
        return ["--image-opts", options]
    key = f"encrypt.format={secret},encrypt.key-secret=s"
    return ["--object", "secret,id=s,data=word", "--image-opts", f"{options},{key}"]


def by_qemu(path: Path, snapshot: str, length: int, secret: str | None = None) -> bytes:
    """The state that QEMU reads; the image is changed by it."""
    run("qemu-img", "snapshot", "-a", snapshot, *image_of(path, secret))
    rounded = -(-length // SECTOR) * SECTOR
    done = run("qemu-io", *image_of(path, secret), "-c", f"read -b -v 0 {rounded}")
    rows = re.findall(r"^[0-9a-f]{8,}:  ((?:[0-9a-f]{2} ){1,16})", done.stdout, re.MULTILINE)
    return b"".join(map(bytes.fromhex, rows))[:length]


def written(path: Path, random: Random, secret: str | None, options: str) -> int:
    """An image with a snapshot ``s`` that has a VM state; returns its length."""
    size = random.choice((1 << 20, 5_000_704, 100 << 20))
    chosen = options
    more = []
    if secret is not None:
        chosen += f",encrypt.format={secret},encrypt.key-secret=s"
        more = ["--object", "secret,id=s,data=word"]
        if not secret.startswith("aes"):
            chosen += ",encrypt.iter-time=10"
    create(path, size, *more, options=chosen)
    length = random.randrange(1, 90_000)
    lines = [f"write -q -P {random.randrange(1, 256)} {SECTOR * n} 4k" for n in range(9)]
    lines += [
        f"write -q -b -P {random.randrange(1, 256)} {at} 8192"
        for at in range(0, length, 8192)
        if at == 0 or at + 8192 >= length or random.random() < 0.8  # some of it is not allocated
    ]
    run("qemu-io", *image_of(path, secret), *(word for line in lines for word in ("-c", line)))
    run("qemu-img", "snapshot", "-c", "s", *image_of(path, secret))
    state(path, length)
    lines = ["write -q -P 7 0 64k", "write -q -b -P 8 0 64k"]  # the active state has others
    run("qemu-io", *image_of(path, secret), *(word for line in lines for word in ("-c", line)))
    return length


def state(path: Path, length: int, more: int = 0) -> None:
    """Set how long the VM state of the first snapshot is."""
    with qcowspec.open(path) as image:
        at = next(iter(image.snapshots.parts)).offset
    with path.open("r+b") as file:
        file.seek(at + 32)
        file.write(struct.pack(">I", length))
        file.seek(at + 40)
        file.write(struct.pack(">Q", length + more))


FLAVOURS = (
    ("cluster_size=512", None),
    ("cluster_size=4k,compat=0.10", None),
    ("cluster_size=64k", None),
    ("cluster_size=64k,extended_l2=on", None),
    ("cluster_size=2M", None),
    ("cluster_size=4k", "luks"),
    ("cluster_size=4k", "aes"),
)


@pytest.mark.parametrize(("options", "secret"), FLAVOURS)
@pytest.mark.parametrize("seed", range(2))
def test_the_state_is_what_qemu_reads(
    options: str, secret: str | None, seed: int, tmp_path: Path
) -> None:
    path, out = tmp_path / "disk.qcow2", tmp_path / "out"
    length = written(path, Random(f"{options} {secret} {seed}"), secret, options)
    if seed == 1 and secret is None and "compat" not in options:
        run("qemu-img", "resize", "-q", "-f", "qcow2", path, "+9M")
    (tmp_path / "key").write_text("word")
    key = [] if secret is None else ["--secret", f"file:{tmp_path / 'key'}"]

    done = ours("convert", "-q", *key, "--vm-state", "s", path, out)

    assert (done.returncode, done.stderr) == (0, "")
    assert out.read_bytes() == by_qemu(path, "s", length, secret)


def test_a_real_state(tmp_path: Path) -> None:
    path, out = tmp_path / "v3-vmstate.qcow2", tmp_path / "out"
    shutil.copy(DATA / "v3-vmstate.qcow2", path)

    assert ours("convert", "-q", "--vm-state", "suspended", path, out).returncode == 0
    with qcowspec.open(path) as image, image.vm_state("suspended") as file:
        assert file.read() == out.read_bytes()
        assert file.seek(-3, io.SEEK_END) == len(out.read_bytes()) - 3
        assert file.read(99) == b"]}]}"[-3:]
        assert file.read() == b""
        assert file.seek(4) == 4
        assert file.read(4) == (3).to_bytes(4, "big")  # QEMU_VM_FILE_VERSION
    assert out.read_bytes().startswith(b"QEVM")
    assert out.read_bytes() == by_qemu(path, "suspended", out.stat().st_size)


def test_no_backing_file_is_opened(tmp_path: Path) -> None:
    path, base = tmp_path / "disk.qcow2", tmp_path / "base.qcow2"
    create(base, "4M")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, path)
    run("qemu-io", "-f", "qcow2", "-c", "write -b -P 5 0 4k", path)
    run("qemu-img", "snapshot", "-c", "s", path)
    state(path, 4096)

    assert ours("convert", "-q", "--vm-state", "s", path, tmp_path / "out").returncode == 0
    assert (tmp_path / "out").read_bytes() == b"\5" * 4096


def test_what_cannot_be_written(tmp_path: Path) -> None:
    path, out = DATA / "v3-vmstate.qcow2", tmp_path / "out"
    huge = tmp_path / "huge.qcow2"
    shutil.copy(path, huge)
    state(huge, 765, more=1 << 63)
    for name, words, status, says in (
        (path, ["--vm-state", "disk only"], 1, "has no VM state in the snapshot 'disk only'"),
        (path, ["--vm-state", "9"], 1, "has no snapshot '9'"),
        (huge, ["--vm-state", "1"], 1, "an L1 table that maps"),
        (DATA / "v1-plain.qcow", ["--vm-state", "1"], 1, "has no snapshot '1'"),
        (path, ["-f", "raw", "--vm-state", "1"], 2, "a raw file has no snapshots"),
        (path, ["--vm-state", "1", "--snapshot", "1"], 2, "does not go with --snapshot"),
        (path, ["--vm-state", "1", "--salvage"], 2, "does not go with --salvage"),
    ):
        done = ours("convert", "-q", *words, name, out)

        assert (done.returncode, says in done.stderr) == (status, True), done.stderr
        assert not out.exists()
