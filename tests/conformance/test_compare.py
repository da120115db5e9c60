"""`qcowspec compare` says what `qemu-img compare` says, and exits as it exits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from qcowspec.cli import qcowspec
from tests import qemu
from tests.conformance.conftest import EVERY_IMAGE
from tests.conformance.random_images import written
from tools.make_test_data import DATA

pytestmark = pytest.mark.usefixtures("qemu_img")

Said = tuple[int, str]


def ours(*words: str | Path) -> Said:
    result = CliRunner().invoke(qcowspec, ["compare", "--allow", "same-dir", *map(str, words)])
    assert not isinstance(result.exception, Exception), repr(result.exception)
    return result.exit_code, result.stdout


def theirs(*words: str | Path) -> Said:
    command = ["qemu-img", "compare", "-U", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def agree(one: Path, other: Path) -> None:
    """Both orders, strict and not."""
    for words in ([one, other], [other, one], ["-s", one, other], ["-s", other, one]):
        assert (words, ours(*words)) == (words, theirs(*words))


FLAVOURS = [
    ("raw", ""),
    ("qcow", ""),
    ("qcow2", ""),
    ("qcow2", "compat=0.10,cluster_size=512"),
    ("qcow2", "cluster_size=4k,compression_type=zstd"),
    ("qcow2", "extended_l2=on,cluster_size=16k"),
    ("qcow2", "preallocation=metadata,cluster_size=2M"),
    ("qcow2", "preallocation=full,cluster_size=1k"),
]


def copied(one: Path, folder: Path, name: str, random: Random) -> Path:
    """A copy of an image in another flavour, that is changed now and then."""
    format_, options = random.choice(FLAVOURS)
    path = folder / f"{name}.{format_}"
    command = ["qemu-img", "convert", "-f", one.suffix[1:], "-O", format_]
    command += ["-o", options] if options else []
    command += ["-S", random.choice(["0", "4k", "64k"])]
    packed = ["-c"] if format_ != "raw" and "prealloc" not in options else []
    chosen = packed if random.random() < 0.3 else []
    if qemu.run(*command, *chosen, one, path, check=False).returncode:
        qemu.run(*command, one, path)  # some do not go with compression
    if random.random() < 0.5:
        size = int(random.choice((1 << 20, 2560000)))
        verb = random.choice(["write -P 7", "write -z", "write -z -u", "discard", "write -P 0"])
        at = 512 * random.randrange(size // 512)
        line = f"{verb} {at} {512 * random.randrange(1, 50)}"
        qemu.run("qemu-io", "-f", format_, "-c", line, path, check=False)
    if format_ != "qcow" and random.random() < 0.3:
        grown = f"+{512 * random.randrange(1, 3000)}"
        qemu.run("qemu-img", "resize", "-q", "-f", format_, path, grown, check=False)
        if format_ == "raw" and random.random() < 0.5:
            with path.open("ab") as file:
                file.write(bytes([random.choice((0, 0, 7))]) * random.randrange(1, 600))
    return path


@pytest.mark.parametrize("seed", range(int(os.environ.get("QCOWSPEC_PAIRS", "12"))))
def test_an_image_and_a_copy_in_another_flavour(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    format_, options = random.choice(FLAVOURS[1:])
    one = tmp_path / f"one.{format_}"
    size = 512 * random.randrange(2000, 9000)
    words = ["-o", options] if options else []
    if random.random() < 0.4:
        below = tmp_path / "below.raw"
        below.write_bytes(random.randbytes(random.choice((size, size // 2, size + 99))))
        if "prealloc" not in options:
            words += ["-b", below.name, "-F", "raw"]
    written(one, random, words, size, snapshots=False)
    other = copied(one, tmp_path, "other", random)
    another = copied(one, tmp_path, "another", random)

    agree(one, other)
    agree(other, another)


@pytest.mark.parametrize("seed", range(3))
def test_images_of_the_test_data(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)
    random = Random(seed)
    plain = [row for row in EVERY_IMAGE if row.passphrase is None]
    for _ in range(15):
        one, other = random.choice(plain), random.choice(plain)
        words = [*random.choice(([], ["-s"])), "-f", one.format, "-F", other.format]
        words += [one.name, other.name]

        assert (words, ours(*words)) == (words, theirs(*words))


def test_every_image_is_strictly_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)
    for row in EVERY_IMAGE:
        if row.passphrase is None:
            assert ours("-s", row.name, row.name) == (0, "Images are identical.\n")


def test_a_raw_file_of_odd_size(tmp_path: Path) -> None:
    for index, tail in enumerate((b"", b"\0" * 100, b"x" * 100, b"\0" * 511 + b"y")):
        (tmp_path / f"{index}.raw").write_bytes(b"a" * 1000 + tail)
    words = ("qemu-img", "convert", "-f", "raw", "-O", "qcow2")
    qemu.run(*words, tmp_path / "2.raw", tmp_path / "2.qcow2")

    names = ["0.raw", "1.raw", "2.raw", "3.raw", "2.qcow2"]
    for one in names:
        for other in names:
            agree(tmp_path / one, tmp_path / other)


def test_quiet_says_it_with_the_exit_status_alone() -> None:
    same, different = DATA / "v3-zlib.qcow2", DATA / "v3-512.qcow2"

    assert ours("-q", same, same) == (0, "")
    assert ours("-q", same, different) == (1, "") == theirs("-q", same, different)


def test_what_cannot_be_opened_is_exit_status_2(tmp_path: Path) -> None:
    same = DATA / "v3-zlib.qcow2"

    assert ours(same, tmp_path / "missing")[0] == 2 == theirs(same, tmp_path / "missing")[0]
    assert ours("-F", "qcow2", same, DATA / "v3-chain-0.raw")[0] == 2


def broken(path: Path, what: str) -> Path:
    """A copy of an image with a broken table, or a broken payload."""
    data = bytearray((DATA / "v3-zlib.qcow2").read_bytes())
    table = int.from_bytes(data[40:48])
    table = int.from_bytes(data[table + 1 : table + 8])
    entries = [int.from_bytes(data[at : at + 8]) for at in range(table, table + 800, 8)]
    if what == "table":
        index = next(index for index, entry in enumerate(entries) if entry >> 62 == 2)
        data[table + 8 * index + 6] |= 2
    else:
        entry = next(entry for entry in entries if entry >> 62 & 1)
        at = entry & ((1 << 54) - 1)
        data[at : at + 16] = b"\xff" * 16
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("what", "status"), [("table", 3), ("payload", 4)])
def test_what_cannot_be_read_is_exit_status_3_or_4(what: str, status: int, tmp_path: Path) -> None:
    path = broken(tmp_path / "broken.qcow2", what)
    same = DATA / "v3-zlib.qcow2"

    assert ours(path, same)[0] == status == theirs(path, same)[0]


def test_terabytes_of_zeros_are_not_read(tmp_path: Path) -> None:
    one, other = tmp_path / "one.qcow2", tmp_path / "other.qcow2"
    for path, options in ((one, "cluster_size=2M,preallocation=metadata"), (other, "compat=0.10")):
        qemu.create(path, "1T", options=options)
    (tmp_path / "raw").touch()
    os.truncate(tmp_path / "raw", 1 << 40)

    assert ours(one, other) == (0, "Images are identical.\n")
    assert ours(one, tmp_path / "raw") == (0, "Images are identical.\n")
    assert ours(one, DATA / "v3-1tib.qcow2")[0] in (0, 1)
