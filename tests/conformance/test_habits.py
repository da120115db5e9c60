"""Lines that a user of qemu-img types: outputs equal QEMU's, or one sentence says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.command import run
from tests.qemu import answer

DATA = Path(__file__).parents[1] / "data"

IMAGES = (
    "v3-snapshots.qcow2",
    "v2-snapshots.qcow2",
    "v3-vmstate.qcow2",
    "v3-zlib.qcow2",
    "v3-luks.qcow2",
    "v1-plain.qcow",
)

LUKS = "driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename=v3-luks.qcow2"
OPTIONS = "driver=qcow2,file.driver=file,file.filename=v3-snapshots.qcow2,read-only=on"

SAME = (
    "info -U v3-snapshots.qcow2",
    "info --force-share --output human v3-snapshots.qcow2",
    "info --output json v3-snapshots.qcow2",
    "info --output=json v3-snapshots.qcow2",
    f"info --image-opts {OPTIONS}",
    f"info --image-opts --output json {OPTIONS}",
    "info --image-opts file.filename=v1-plain.qcow",
    "map v3-snapshots.qcow2",
    "map -U --output json v3-snapshots.qcow2",
    "map --start-offset 64k --max-length=128k v3-snapshots.qcow2",
    f"map --image-opts --output json {OPTIONS}",
    "check v3-snapshots.qcow2",
    "check -T none v3-snapshots.qcow2",
    "check -q v3-snapshots.qcow2",
    "check -U v3-snapshots.qcow2",
    f"check --image-opts {OPTIONS}",
    "compare v3-snapshots.qcow2 v3-snapshots.qcow2",
    "compare -s -f qcow2 -F qcow2 -T none -U v3-snapshots.qcow2 v3-snapshots.qcow2",
    "compare -q v3-snapshots.qcow2 v3-zlib.qcow2",
    "compare v3-snapshots.qcow2 v3-zlib.qcow2",
    f"compare --image-opts {OPTIONS} {OPTIONS}",
    "snapshot -l v3-snapshots.qcow2",
    "snapshot -l -U v2-snapshots.qcow2",
    "snapshot -l v3-vmstate.qcow2",
    "snapshot -l v3-zlib.qcow2",
    f"snapshot -l --image-opts {OPTIONS}",
)
"""Lines to which both programs answer the same."""

BYTES = (
    "convert -O raw v3-snapshots.qcow2",
    "convert -f qcow2 -O raw -p v3-snapshots.qcow2",
    "convert -W -m 4 -U -q v3-snapshots.qcow2",
    "convert -T none -t none v3-snapshots.qcow2",
    "convert -S 64k v3-snapshots.qcow2",
    "convert -S 0 v3-snapshots.qcow2",
    "convert -C v3-snapshots.qcow2",
    "convert -l 1 v2-snapshots.qcow2",
    "convert -l snapshot.id=3 v2-snapshots.qcow2",
    "convert -l snapshot.name=third v2-snapshots.qcow2",
    "convert -l snapshot.id=3,snapshot.name=third v2-snapshots.qcow2",
    f"convert --image-opts {OPTIONS}",
    f"convert --object secret,id=s,data=qcowspec --image-opts {LUKS}",
    "convert --image-opts driver=raw,file.filename=v3-zlib.qcow2",
)
"""Lines with which both programs write the same bytes; OUT follows."""

INSTEAD = {
    "convert -O vmdk v3-zlib.qcow2 out": "convert writes raw and qcow2",
    "convert -O qcow2 -o nosuch=1 v3-zlib.qcow2 out": "'nosuch'",
    "convert -O qcow2 -o backing_file=b v3-zlib.qcow2 out": "backing_file is not offered",
    "convert -c v3-zlib.qcow2 out": "-c: ",
    "convert -o compat=v3 v3-zlib.qcow2 out": "-o: ",
    "convert -n v3-zlib.qcow2 out": "-n: ",
    "convert -B base v3-zlib.qcow2 out": "-b: ",
    "convert --bitmaps v3-zlib.qcow2 out": "--bitmaps: ",
    "bitmap --add -g 64k v3-bitmaps.qcow2 new": "never writes to an image",
    "bitmap --merge daily v3-bitmaps.qcow2 fine": "--merge: qcowspec never writes",
    "convert -r 1M v3-zlib.qcow2 out": "pv -L",
    "convert --target-image-opts v3-zlib.qcow2 out": "name the output file itself",
    "convert -l snapshot.tag=1 v3-zlib.qcow2 out": "neither snapshot.id nor snapshot.name",
    "convert -T fast v3-zlib.qcow2 out": "'fast' is not one of",
    "info --limits v3-zlib.qcow2": "qemu-img info",
    "check -r leaks v3-zlib.qcow2": "qemu-img check -r",
    "snapshot -c new v3-zlib.qcow2": "qemu-img snapshot",
    "snapshot -a 1 v3-zlib.qcow2": "qemu-img snapshot",
    "snapshot -d 1 v3-zlib.qcow2": "qemu-img snapshot",
    "info --image-opts driver=vmdk,file.filename=v3-zlib.qcow2": "has the driver 'vmdk'",
    "info --image-opts driver=qcow2": "lacks the file's name",
    "info --image-opts driver=qcow2,file.filename=v3-zlib.qcow2,nosuch=1": "'nosuch'",
    "info --image-opts file.driver=https,file.url=https://a/b": "name the image by its URL",
    "map --image-opts driver=raw,file.filename=v3-zlib.qcow2,offset=512": "'offset'",
    f"convert --image-opts {LUKS} out": "no --object secret with the id 's'",
    "amend -o compat=v3 v3-zlib.qcow2": "qemu-img amend",
    "bench v3-zlib.qcow2": "qemu-img bench",
    "commit v3-zlib.qcow2": "qemu-img commit",
    "create disk.qcow2 1G": "qemu-img create",
    "dd if=v3-zlib.qcow2 of=out": "qcowspec convert",
    "rebase -b base v3-zlib.qcow2": "qemu-img rebase",
    "resize v3-zlib.qcow2 1G": "qemu-img resize",
    "valdate v3-zlib.qcow2": "Did you mean validate?",
}
"""Lines that cannot be done here, and part of the sentence."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("habits")
    for name in IMAGES:
        shutil.copy(DATA / name, made)
    return made


@pytest.fixture(autouse=True)
def within(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("line", SAME)
def test_both_answer_the_same(line: str, folder: Path) -> None:
    words = line.split()
    expected = answer(folder, "qemu-img", *words)

    done = run(*words)

    assert (done.returncode, done.stdout) == expected


@pytest.mark.parametrize("line", BYTES)
def test_both_write_the_same(line: str, folder: Path) -> None:
    words = line.split()
    assert answer(folder, "qemu-img", *words, "theirs")[0] == 0

    done = run(*words, "ours")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()


def test_without_holes_all_is_allocated(folder: Path) -> None:
    for size, is_whole in (("0", True), ("4k", False)):
        assert run("convert", "-S", size, "v3-snapshots.qcow2", "ours").returncode == 0
        found = (folder / "ours").stat()
        assert (found.st_blocks * 512 >= found.st_size) == is_whole


@pytest.mark.parametrize(("line", "says"), INSTEAD.items())
def test_a_sentence_says_what_to_do(line: str, says: str) -> None:
    done = run(*line.split())

    assert (done.returncode in (1, 2), done.stdout) == (True, "")
    assert says in done.stderr
    assert not Path("out").exists()
