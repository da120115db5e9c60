"""`convert -O qcow2`: QEMU finds the images that it writes sound, and the same disk in them."""

from __future__ import annotations

import random
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kaitaistruct import KaitaiStream
from qcow_parsers import Qcow2

import qcowspec
from qcowspec.spec import decoding, encoding
from qcowspec.transfer.new_image import NewImage, new_image
from qcowspec.transfer.qcow2 import write_qcow2
from tests import qemu
from tests.command import run

DATA = Path(__file__).parents[1] / "data"
NAMES = sorted(path.name for path in DATA.iterdir() if path.suffix in (".qcow", ".qcow2"))
WHOLE = ["v3-1tib.qcow2"]
"""Disks that are not read whole."""

OPTIONS = (
    ("", False),
    ("", True),
    ("compression_type=zstd", True),
    ("compat=0.10", True),
    ("extended_l2=on", False),
    ("cluster_size=512", False),
    ("cluster_size=2M", True),
    ("cluster_size=4k,refcount_bits=1", True),
    ("cluster_size=512,refcount_bits=64", True),
)


def secret_of(name: str) -> bytes | None:
    return b"qcowspec" if "aes" in name or "luks" in name else None


def sha_of(path: Path, name: str = "") -> str:
    from qcowspec.transfer.digests import disk_sha256

    with qcowspec.open(path, allow="same-dir", secret=secret_of(name)) as image:
        return disk_sha256(image)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(DATA, tmp_path_factory.mktemp("new") / "data"))


@pytest.mark.parametrize("name", NAMES)
def test_every_flavour_becomes_a_sound_image_of_its_disk(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # where QEMU looks for data files
    out = tmp_path / "out.qcow2"
    chosen = OPTIONS if name == "showcase.qcow2" else random.Random(name).sample(OPTIONS, 2)
    for options, compress in chosen:
        if name in WHOLE and "512" in options:
            continue
        with qcowspec.open(DATA / name, allow="same-dir", secret=secret_of(name)) as image:
            write_qcow2(image.disk(), str(out), new_image(options), compress=compress)
        assert qemu.run("qemu-img", "check", out).returncode == 0
        if secret_of(name) is None:
            assert qemu.run("qemu-img", "compare", name, out, check=False).returncode == 0
        elif name not in WHOLE:
            assert sha_of(out) == sha_of(DATA / name, name)
        assert run("check", "--strict", out).returncode == 0
        assert run("validate", "-p", "untrusted", "--hidden", "reject", out).returncode == 0


def test_equal_disks_become_equal_bytes(tmp_path: Path) -> None:
    """Whatever an image is stored in, and however many threads there are."""
    script = random.Random(22)
    raw = tmp_path / "disk.raw"
    data = bytearray(5 << 20)
    for _ in range(40):
        at, length = script.randrange(len(data)), script.choice([1, 512, 4096, 70000])
        data[at : at + length] = script.randbytes(length)[: len(data) - at]
    raw.write_bytes(data[: 5 << 20])
    sources = [raw]
    for index, words in enumerate(
        (
            ["-O", "qcow2"],
            ["-O", "qcow2", "-o", "cluster_size=512,refcount_bits=1"],
            ["-O", "qcow2", "-c"],
            ["-O", "qcow2", "-o", "extended_l2=on,preallocation=metadata"],
            ["-O", "qcow2", "-o", "compat=0.10,cluster_size=2M"],
            ["-O", "qcow"],
        )
    ):
        sources.append(tmp_path / f"{index}.img")
        qemu.run("qemu-img", "convert", *words, raw, sources[-1])
    overlay = tmp_path / "overlay.qcow2"
    qemu.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw, overlay)
    found = set()
    for source in (*sources, overlay):
        for threads in (1, 4):
            out = tmp_path / "out.qcow2"
            form = ["-f", "raw"] if source == raw else []
            words = ["-O", "qcow2", "--canonical", "-m", str(threads), "--allow", "same-dir"]
            assert run("convert", *words, *form, source, out).returncode == 0
            found.add(out.read_bytes())
    assert len(found) == 1
    assert run("convert", "-O", "qcow2", "--canonical", out, tmp_path / "again").returncode == 0
    assert (tmp_path / "again").read_bytes() == out.read_bytes()


@pytest.mark.parametrize("options", ["cluster_size=512", "cluster_size=512,refcount_bits=1"])
@pytest.mark.parametrize("compress", [False, True])
def test_many_refcount_blocks_count_themselves(
    options: str, compress: bool, tmp_path: Path
) -> None:
    chance = random.Random(5)
    raw, out = tmp_path / "disk.raw", tmp_path / "out.qcow2"
    pieces = (chance.randbytes(chance.choice([512, 90])) + bytes(512) for _ in range(3000))
    raw.write_bytes(b"".join(pieces)[: 1 << 20])

    words = ["-O", "qcow2", "-f", "raw", "-o", options, *(["-c"] if compress else [])]
    assert run("convert", *words, raw, out).returncode == 0

    assert qemu.run("qemu-img", "check", out).returncode == 0
    assert qemu.run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw, out).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["-c"],
        ["-o", "compat=1.1"],
        ["--canonical"],
        ["-O", "qcow2", "--resume"],
        ["-O", "qcow2", "-S", "0"],
        ["-O", "qcow2", "--partition", "1"],
        ["-O", "qcow2", "--canonical", "-c"],
        ["-O", "qcow2", "-o", "preallocation=full"],
        ["-O", "qcow2", "-o", "lazy_refcounts=on"],
        ["-O", "qcow2", "-o", "cluster_size=100"],
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_bad_usage(words: list[str], tmp_path: Path) -> None:
    done = run("convert", *words, DATA / "v3-zlib.qcow2", tmp_path / "out")

    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    words = ["-O", "qcow2", "-o", "cluster_size=512"]

    assert run("convert", *words, DATA / "v3-1tib.qcow2", tmp_path / "out").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_broken_source_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.qcow2"
    data = bytearray((DATA / "v3-zlib.qcow2").read_bytes())
    with qcowspec.open(DATA / "v3-zlib.qcow2") as image:
        host = next(run.host_offset for run in image.runs() if run.compressed_length)
    assert host is not None
    data[host : host + 64] = b"\xff" * 64
    broken.write_bytes(data)

    assert run("convert", "-O", "qcow2", broken, tmp_path / "out").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["broken.qcow2"]


@given(st.integers(9, 21), st.data())
def test_entries_say_what_they_were_made_of(bits: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, (1 << bits) - 1))
    offset = data.draw(st.integers(1 << bits, (1 << decoding.compressed_shift(bits)) - (1 << 22)))
    entry = encoding.compressed(offset, length, bits)
    assert decoding.is_compressed(entry)
    assert decoding.compressed_offset(entry, bits) == offset
    assert decoding.compressed_length(entry, bits) >= length
    assert decoding.compressed_length(entry, bits) - length < 512

    offset = data.draw(st.integers(1, (1 << 56 - bits) - 1)) << bits
    whole = encoding.located(offset)
    assert decoding.is_copied(whole)
    assert decoding.l1_offset(whole) == decoding.l2_offset(whole) == offset


@given(st.integers(0, 6), st.data())
def test_refcounts_are_those_of_the_generated_parser(order: int, data: st.DataObject) -> None:
    most = (1 << (1 << order)) - 1
    counts = data.draw(st.lists(st.integers(0, most), min_size=8, max_size=8))

    block = encoding.refcounts(np.array(counts, np.uint64), order)

    assert NewImage(refcount_order=order).geometry.refcount_order == order
    parsed = Qcow2.RefcountBlock(order, KaitaiStream(BytesIO(block)))
    assert [each.refcount for page in parsed.pages for each in page.entries] == counts
