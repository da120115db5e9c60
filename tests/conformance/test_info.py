"""`qcowspec info` prints what `qemu-img info` prints, character by character."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from qcowspec.cli import qcowspec
from qcowspec.report.info_text import size
from tests import qemu
from tests.conformance.conftest import EVERY_IMAGE
from tests.conformance.luks import created
from tests.conformance.random_images import mutated, seeds_once
from tools.make_test_data import DATA, Image

pytestmark = pytest.mark.usefixtures("qemu_img", "_beside")

BY_JSON = "v3-backing-json.qcow2"
"""The file behind it is named by a json: description: we show the path that was opened."""


def ours(*words: str | Path) -> Result:
    result = CliRunner().invoke(qcowspec, ["info", *map(str, words)])
    assert not isinstance(result.exception, Exception), repr(result.exception)
    return result


def theirs(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["qemu-img", "info", "-U", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("image", EVERY_IMAGE, ids=lambda image: image.name)
@pytest.mark.parametrize("output", ["human", "json"])
def test_every_image(image: Image, output: str) -> None:
    words = [f"--output={output}", "-f", image.format, image.name]

    assert ours(*words).stdout == theirs(*words).stdout


@pytest.mark.parametrize(
    "image", [image for image in EVERY_IMAGE if image.name != BY_JSON], ids=lambda image: image.name
)
@pytest.mark.parametrize("output", ["human", "json"])
def test_the_chain_of_every_image(image: Image, output: str) -> None:
    words = [f"--output={output}", "--backing-chain", "-f", image.format, image.name]

    assert ours("--allow", "same-dir", *words).stdout == theirs(*words).stdout


def test_the_file_of_a_json_description_is_shown_by_its_path() -> None:
    words = ["--output=json", "--backing-chain", BY_JSON]
    mine = json.loads(ours("--allow", "same-dir", *words).stdout)
    expected = json.loads(theirs(*words).stdout)

    assert mine[1].pop("filename") == str(DATA / expected[1].pop("filename"))
    assert mine == expected


OPTIONS = [
    "compat=0.10,backing_fmt=raw,backing_file=sub/base.raw",
    "backing_file=sub/../sub/base.raw,backing_fmt=raw,lazy_refcounts=on",
    "compression_type=zstd,extended_l2=on,refcount_bits=64,cluster_size=2M",
    "data_file=other.raw,data_file_raw=on,encrypt.format=luks,encrypt.key-secret=key",
    "encrypt.format=luks,encrypt.key-secret=key,encrypt.cipher-alg=serpent-192",
    "encrypt.format=luks,encrypt.key-secret=key,encrypt.cipher-alg=twofish-128,"
    "encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha512",
    "encrypt.format=luks,encrypt.key-secret=key,encrypt.cipher-alg=cast5-128,"
    "encrypt.cipher-mode=cbc,encrypt.ivgen-alg=plain,encrypt.hash-alg=sha1",
    "encrypt.format=aes,encrypt.key-secret=key",
]


@pytest.mark.parametrize("options", OPTIONS)
def test_images_of_other_options(
    options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.raw").write_bytes(bytes(1000))
    if "luks" in options:
        options += ",encrypt.iter-time=10"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=key,data=x"]
    created([*command, "-o", options, "disk.qcow2", "9M"])  # a header at least: see Twofish

    for words in (["disk.qcow2"], ["--output=json", str(tmp_path / "disk.qcow2")]):
        assert ours(*words).stdout == theirs(*words).stdout
    if "backing" in options:
        words = ["--backing-chain", "./disk.qcow2"]
        assert ours("--allow", "sub", *words).stdout == theirs(*words).stdout


def test_snapshots_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    qemu.create(path, "1M")
    for name in ("a", "ü" * 7, "sixteen letters.", "x" * 255, 'quote" \\u00fc \\', "😀"):
        qemu.run("qemu-img", "snapshot", "-c", name, path)

    assert ours(path).stdout == theirs(path).stdout
    assert ours("--output=json", path).stdout == theirs("--output=json", path).stdout


def test_names_end_at_a_zero_byte(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    qemu.create(path, "1M")
    qemu.run("qemu-img", "snapshot", "-c", "before-after", path)
    path.write_bytes(path.read_bytes().replace(b"before-after", b"before\0after"))

    assert ours(path).stdout == theirs(path).stdout
    assert ours("--output=json", path).stdout == theirs("--output=json", path).stdout


def test_dates_are_local() -> None:
    command = [sys.executable, "-m", "qcowspec", "info", "v3-snapshots.qcow2"]
    away = {**os.environ, "TZ": "Asia/Kathmandu"}
    mine = subprocess.run(command, env=away, capture_output=True, text=True, check=True).stdout
    command = ["qemu-img", "info", "v3-snapshots.qcow2"]

    assert mine == subprocess.run(command, env=away, capture_output=True, text=True).stdout


def test_a_chain_that_comes_back_is_an_error_with_its_rule(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{number}.qcow2" for number in (1, 2, 3))
    for path, behind in ((one, "2.qcow2"), (two, "./3.qcow2"), (three, "../x/2.qcow2")):
        qemu.create(path, "1M", "-u", "-F", "qcow2", "-b", behind)
    (tmp_path.parent / "x").unlink(missing_ok=True)
    (tmp_path.parent / "x").symlink_to(tmp_path)
    result = ours("--backing-chain", "--allow", "any", one)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "[backing/loop]" in result.stderr


def test_what_qemu_needs_for_an_image_in_use_is_taken_and_does_nothing() -> None:
    assert ours("-U", "v3-zlib.qcow2").stdout == ours("v3-zlib.qcow2").stdout


def test_no_second_file_is_opened_unless_it_is_allowed() -> None:
    result = ours("--backing-chain", "v3-backing.qcow2")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "--allow same-dir" in result.stderr


def test_names_cannot_move_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    create = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "\x1b[2J.raw"]
    subprocess.run([*create, str(path), "1M"], check=True)

    assert "backing file: \\x1b[2J.raw (actual path:" in ours(path).stdout
    assert json.loads(ours("--output=json", path).stdout) == json.loads(
        theirs("--output=json", path).stdout
    )


def test_info_needs_no_numpy_and_no_key() -> None:
    code = (
        "import sys; from qcowspec.cli import qcowspec;"
        "qcowspec.main(sys.argv[1:], standalone_mode=False); assert 'numpy' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "info", "--backing-chain", "v3-luks.qcow2"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_mutants(tmp_path: Path) -> None:
    count = int(os.environ.get("QCOWSPEC_MUTANTS", "80"))
    wrong: list[str] = []
    for number in range(count):
        random = Random(f"7/{number}")
        name, format_, places = random.choice(seeds_once())
        data = bytearray(mutated(random, places))
        for _ in range(random.randrange(3)):
            data[random.randrange(min(len(data), 120))] ^= 1 << random.randrange(8)
        path = tmp_path / f"mutant.{format_}"
        path.write_bytes(data)
        words = ["--output=json", "-f", format_, str(path)]
        try:
            done = theirs(*words)
        except subprocess.TimeoutExpired:  # of tens of thousands of snapshots
            continue
        result = ours(*words)
        expected = (int(done.returncode != 0), done.stdout)  # some make it crash
        if (result.exit_code, result.stdout) != expected:
            wrong.append(f"{number} ({name}): ours {result.stderr}; qemu-img {done.stderr}")

    assert wrong == []


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "0.977 KiB"), (1024, "1 KiB"), (1 << 40, "1 TiB"),
     ((1 << 63) - 1, "8 EiB"), (1023 << 10, "0.999 MiB"), (765, "765 B")],
)  # fmt: skip
def test_sizes_have_three_digits(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize("generator", ["plain", "plain64", "essiv"])
def test_a_hash_of_vectors_is_told_where_vectors_have_one(generator: str, tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    luks = {"format": "luks", "key-secret": "key", "iter-time": 10}
    luks |= {"ivgen-alg": generator, "ivgen-hash-alg": "md5"}
    options = ",".join(f"encrypt.{key}={value}" for key, value in luks.items())
    made = ["qemu-img", "create", "-q", "--object", "secret,id=key,data=x", "-f", "qcow2"]
    assert created([*made, "-o", options, str(path), "1M"]) == ""
    for output in ("human", "json"):
        words = [f"--output={output}", str(path)]

        assert ours(*words).stdout == theirs(*words).stdout
