"""`qcowspec measure` against `qemu-img measure`: the same sizes for every flavour and option."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.command import run
from tests.qemu import answer

DATA = Path(__file__).parents[1] / "data"
NAMES = sorted(path.name for path in DATA.iterdir() if path.suffix in (".qcow", ".qcow2"))

OPTIONS = (
    "compat=1.1",
    "compat=0.10",
    "cluster_size=512",
    "cluster_size=4k,refcount_bits=1",
    "cluster_size=2M",
    "extended_l2=on",
    "extended_l2=true,cluster_size=16k,refcount_bits=64",
    "preallocation=metadata",
    "preallocation=full",
    "backing_file=base.raw",
    "lazy_refcounts=on",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(DATA, tmp_path_factory.mktemp("measure") / "data")


@pytest.fixture(autouse=True)
def within(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def both(folder: Path, *words: str) -> tuple[tuple[int, object], tuple[int, object]]:
    """Our answer and QEMU's: the exit status, and the JSON of a success."""
    status, text = answer(folder, "qemu-img", "measure", "--output", "json", *words)
    ours = run("measure", "--json", "--allow", "same-dir", *words)
    return (
        (ours.returncode, json.loads(ours.stdout) if ours.returncode == 0 else None),
        (status, json.loads(text) if status == 0 else None),
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_flavour_has_qemus_sizes(name: str, folder: Path) -> None:
    secret = ["--object", "secret,id=s,data=qcowspec"]
    words = [name]
    if any(word in name for word in ("aes", "luks")):
        driver = "qcow" if name.endswith(".qcow") else "qcow2"
        image = f"driver={driver},encrypt.key-secret=s,file.filename={name}"
        words = [*secret, "--image-opts", image]

    for target in (["-O", "raw"], ["-O", "qcow2"], ["-O", "qcow2", "-o", "cluster_size=512"]):
        ours, theirs = both(folder, *target, *words)
        assert ours == theirs


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_has_qemus_sizes(options: str, folder: Path) -> None:
    for words in (["v3-bitmaps.qcow2"], ["--size", "10G"], ["--size", "1000000"], ["--size", "0"]):
        ours, theirs = both(folder, "-O", "qcow2", "-o", options, *words)
        assert ours == theirs


def test_a_snapshot_has_qemus_sizes(folder: Path) -> None:
    for name in ("v2-snapshots.qcow2", "showcase.qcow2"):
        ours, theirs = both(folder, "-O", "qcow2", "-l", "1", name)
        assert ours == theirs


@pytest.mark.parametrize(
    "words",
    [
        ["-O", "qcow2", "-o", "cluster_size=1000", "--size", "1G"],
        ["-O", "qcow2", "-o", "refcount_bits=3", "--size", "1G"],
        ["-O", "qcow2", "-o", "compat=4", "--size", "1G"],
        ["-O", "qcow2", "-o", "compat=0.10,refcount_bits=1", "--size", "1G"],
        ["-O", "qcow2", "-o", "nosuch=1", "--size", "1G"],
        ["-O", "qcow2", "-o", "cluster_size=512", "--size", "1T"],
        ["-O", "qcow2", "-o", "extended_l2=on,cluster_size=8k", "--size", "1G"],
        ["-O", "vmdk", "--size", "1G"],
        ["--size", "1G", "v3-empty.qcow2"],
        [],
    ],
    ids=" ".join,
)
def test_what_qemu_refuses_is_refused(words: list[str], folder: Path) -> None:
    ours, theirs = both(folder, *words)

    assert ours == theirs == (1, None)


def test_the_text_is_qemus(folder: Path) -> None:
    words = ["measure", "-O", "qcow2", "v3-bitmaps.qcow2"]

    assert answer(folder, "qemu-img", *words) == (0, run(*words).stdout)


def test_the_estimate_of_compressed_clusters_counts_payloads(folder: Path) -> None:
    """What is compressed already is about as large again; what is not counts whole."""
    for name, is_smaller in (("v3-zlib.qcow2", True), ("v3-empty.qcow2", False)):
        found = json.loads(run("measure", "--json", "-O", "qcow2", "-c", name).stdout)
        assert found["compressed"] <= found["required"]
        assert (found["compressed"] < found["required"]) == is_smaller
    assert run("measure", "-c", name).returncode == 1
