"""Every byte that the guest sees is the byte that qemu-img converts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from random import Random

import pytest

import qcowspec
from qcowspec.mapping import Kind
from tests.conformance.conftest import EVERY_IMAGE, QemuImg
from tests.conformance.reading import answers
from tests.conformance.reading.answers import Answer, by_version, every_state, judged
from tests.conformance.reading.chains import chain, sequences
from tests.conformance.reading.mutants import mutant, seeds
from tests.conformance.reading.scripts import Flavour, flavours, written
from tools import qemus
from tools.make_test_data import DATA, Image

PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
PLAIN = [image for image in EVERY_IMAGE if image.passphrase is None]
SECRET = [image for image in EVERY_IMAGE if image.passphrase is not None]


def ids(image: Image) -> str:
    return image.name


def snapshots(path: Path) -> list[str | None]:
    with qcowspec.open(path) as image:
        return [None, *(found.id_str.decode() for found in image.snapshots)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the images, beside which something may be written."""
    return shutil.copytree(DATA, tmp_path_factory.mktemp("reading") / "data")


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("image", PLAIN, ids=ids)
def test_every_image_and_every_snapshot_reads_as_qemu_reads_it(image: Image, folder: Path) -> None:
    assert faults(every_state(folder / image.name, image.format)) == []


@pytest.mark.usefixtures("_beside", "qemu_img")
@pytest.mark.parametrize("image", SECRET, ids=ids)
def test_encrypted_images_read_as_qemu_reads_them(image: Image, tmp_path: Path) -> None:
    for snapshot in snapshots(DATA / image.name):
        out = tmp_path / "raw"
        node = f"driver={image.format},file.driver=file,file.filename={image.name}"
        chosen = [] if snapshot is None else ["-l", snapshot]
        command = ["qemu-img", "convert", "--object", f"secret,id=s,data={PASSPHRASE}"]
        command += ["--image-opts", f"{node},encrypt.key-secret=s", "-O", "raw", *chosen, str(out)]
        subprocess.run(command, check=True, capture_output=True)
        expected = out.read_bytes()

        with qcowspec.open(
            image.name, allow="same-dir", secret=PASSPHRASE, like_qemu=True
        ) as opened:
            disk = opened.disk(snapshot)
            assert disk.pread(0, disk.size) == expected
            assert disk.pread(1000, 70_001) == expected[1000:71_001]


def test_without_a_key_or_with_a_wrong_one_nothing_is_read() -> None:
    with (
        qcowspec.open(DATA / "v3-luks.qcow2") as image,
        pytest.raises(qcowspec.QcowError, match=r"\[encryption/luks-key\]"),
    ):
        image.pread(0, 1)
    with (
        qcowspec.open(DATA / "v3-luks.qcow2", secret="wrong") as image,  # noqa: S106 - it is
        pytest.raises(qcowspec.QcowError, match=r"\[encryption/luks-unlock\]"),
    ):
        image.pread(0, 1)


SHARE = int(os.environ.get("QCOWSPEC_SHARE", "11"))
"""One of so many flavours and chains is written here; all, by `tests.conformance.reading`."""

FLAVOURS = [each for number, each in enumerate(flavours()) if number % SHARE == 0]
CHAINS = [each for number, each in enumerate(sequences()) if number % (2 * SHARE + 1) == 1]


def faults(found: Iterable[tuple[str, str]]) -> list[str]:
    """The differences among what was compared."""
    return [how for what, how in found if what == "differs"]


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)
def test_images_written_at_random(flavour: Flavour, tmp_path: Path) -> None:
    script = written(tmp_path, flavour, Random(f"1/{flavour.name}"))

    assert faults(every_state(script.image, flavour.format)) == [], script.done


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_chains_of_any_mix(kinds: tuple[str, ...], tmp_path: Path) -> None:
    script = chain(tmp_path, kinds, Random(f"1/{kinds}"))

    assert faults(every_state(script.image, script.flavour.format)) == [], script.done


@pytest.mark.usefixtures("qemu_img")
def test_there_are_all_flavours_and_all_chains() -> None:
    everything = list(flavours())
    v1 = {(each.cluster_bits, each.l2_bits) for each in everything if each.format == "qcow"}

    assert v1 == set(product(range(9, 17), range(6, 14)))
    for option, smallest in {"compat=0.10": 9, "compat=1.1": 9, "extended_l2=on": 14}.items():
        bits = {each.cluster_bits for each in everything if option in each.options}
        assert bits == set(range(smallest, 22))
    assert len(sequences()) == 4 + 5 * 4 + 5 * 4**2 + 5 * 4**3


@pytest.mark.usefixtures("qemu_img")
def test_mutants_read_as_qemu_reads_them(tmp_path: Path) -> None:
    count = int(os.environ.get("QCOWSPEC_MUTANTS", "300"))
    sources = seeds(tmp_path, 20)
    found = [mutant(sources, 1, number) for number in range(count)]

    assert faults(found) == []
    assert {"read", "refused"} <= {what for what, _ in found}


OTHERS = qemus.others()


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("qemu", OTHERS, ids=str)
def test_mutants_read_as_another_qemu_reads_them(qemu: qemus.Qemu, tmp_path: Path) -> None:
    """Few: more is `python -m tests.conformance.reading --mutants 300 --qemu all`."""
    with qemus.by_name(qemu):
        sources = seeds(tmp_path, 4)
        found = [mutant(sources, 1, number) for number in range(25)]
    assert faults(found) == []
    assert {"read", "refused"} <= {what for what, _ in found}


READS = Answer(Path("image.raw"))
"""A reader's answer that has bytes."""


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize(
    ("version", "theirs", "ours", "outcome"),
    [
        ("9.0", READS, Answer(None, rule="encryption/crypto-present"), "newer"),
        ("10.0", READS, Answer(None, rule="encryption/crypto-present"), None),
        ("9.0", READS, Answer(None, rule="header/untrusted-size"), None),
    ],
)
def test_a_newer_qemus_rule_is_no_difference(
    version: str,
    theirs: Answer,
    ours: Answer,
    outcome: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(qemus, "installed", lambda: qemus.Qemu(version, Path()))

    found = by_version(Path("image.qcow2"), "qcow2", theirs, ours)

    assert (found and found[0]) == outcome


@pytest.mark.parametrize("words", answers.WITHOUT_ZSTD)
def test_what_a_qemu_was_not_built_for_is_no_difference(words: str) -> None:
    assert judged(Answer(None, f"qemu-img: {words}"), READS) == ("unbuilt", "")


@pytest.mark.usefixtures("_beside")
def test_maps_are_qemus(qemu_img: QemuImg) -> None:
    for image in PLAIN:
        with qcowspec.open(DATA / image.name) as opened:
            if opened.backing is not None or opened.size == 0:
                continue
            ours_ = [
                (run.offset, run.length)
                for run in opened.runs()
                if run.kind in (Kind.DATA, Kind.COMPRESSED)
            ]
        command = ["qemu-img", "map", "--output=json", "-f", image.format, image.name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows = json.loads(done.stdout)
        assert joined(ours_) == joined(
            [(row["start"], row["length"]) for row in rows if row["data"] or not row["zero"]]
        ), image.name


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges, neighbours made one."""
    found: list[tuple[int, int]] = []
    for offset, length in ranges:
        if found and found[-1][0] + found[-1][1] == offset:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((offset, length))
    return found
