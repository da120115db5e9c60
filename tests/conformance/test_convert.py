"""`qcowspec convert` and `compare`: qemu-img's bytes and answers, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qcowspec.cli import qcowspec
from tests import qemu
from tests.conformance.conftest import EVERY_IMAGE
from tools.make_test_data import DATA, Image

pytestmark = pytest.mark.usefixtures("_beside")

SMALL = [image for image in EVERY_IMAGE if image.name != "v3-1tib.qcow2"]


def run(*words: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(qcowspec, [str(word) for word in words], env=environment)


def by_qemu(image: Image, out: Path) -> bytes:
    command = ["qemu-img", "convert", "-O", "raw"]
    if image.passphrase is None:
        command += ["-f", image.format, image.name]
    else:
        node = f"driver={image.format},file.driver=file,file.filename={image.name}"
        command += ["--object", f"secret,id=s,data={image.passphrase}"]
        command += ["--image-opts", f"{node},encrypt.key-secret=s"]
    subprocess.run([*command, str(out)], check=True, capture_output=True)
    return out.read_bytes()


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("image", SMALL, ids=lambda image: image.name)
def test_the_file_is_qemus(image: Image, tmp_path: Path) -> None:
    out = tmp_path / "ours.raw"
    words = ["convert", "--allow", "same-dir", "--secret", "env:KEY", image.name, str(out)]

    result = run(*words, KEY=image.passphrase or "")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert out.read_bytes() == by_qemu(image, tmp_path / "theirs.raw")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_terabyte_of_nothing_is_a_sparse_file(tmp_path: Path) -> None:
    out = tmp_path / "out.raw"

    assert run("convert", "v3-1tib.qcow2", out).exit_code == 0
    assert out.stat().st_size == 1 << 40
    assert out.stat().st_blocks * 512 < 1 << 24


@pytest.mark.usefixtures("qemu_img")
def test_a_terabyte_of_metadata_takes_little_memory(tmp_path: Path) -> None:
    image, out = tmp_path / "big.qcow2", tmp_path / "out.raw"
    qemu.create(image, "1T", options="preallocation=metadata")
    qemu.write(image, "write -P 7 512G 1M")
    measured = (
        "import re, sys; from qcowspec.cli import qcowspec;"
        "qcowspec.main(sys.argv[1:], standalone_mode=False);"
        # not getrusage's: that counts what the parent had before exec
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    command = [sys.executable, "-c", measured, "convert", str(image), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert int(done.stdout) < 256 << 10, "KiB"
    with out.open("rb") as file:
        file.seek(1 << 39)
        assert file.read(1 << 20) == bytes([7]) * (1 << 20)
    assert out.stat().st_blocks * 512 < 1 << 24


def test_a_second_file_is_not_opened_unless_it_is_allowed(tmp_path: Path) -> None:
    result = run("convert", "v3-backing.qcow2", tmp_path / "out.raw")

    assert result.exit_code == 1
    assert "v3-backing-base.qcow2" in result.stderr
    assert "--allow same-dir" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_writing_fails(tmp_path: Path) -> None:
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from qcowspec.cli import main; sys.argv = ['qcowspec', *sys.argv[1:]]; main()"
    )
    command = [sys.executable, "-c", limited, "convert", "v3-zlib.qcow2", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    assert "cannot be written: file too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        words = [sys.executable, "-m", "qcowspec", "convert", "v3-zlib.qcow2", f"{tmp_path}/o"]
        done = subprocess.run(words, capture_output=True, text=True)

        assert (done.returncode, done.stdout) == (1, "")
        expected = f"qcowspec: {tmp_path}/o: cannot be written: no space left on device"
        assert done.stderr.splitlines() == [expected]
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.usefixtures("qemu_img")
def test_opening_a_terabyte_costs_little_memory(tmp_path: Path) -> None:
    image = tmp_path / "big.qcow2"
    qemu.create(image, "1T", options="preallocation=metadata")
    measured = (
        "import re, sys, qcowspec\n"
        "STATUS = '/proc/self/status'\n"
        "def peak(): return int(re.search(r'VmHWM:\\s*(\\d+)', open(STATUS).read())[1])\n"
        "qcowspec.open(sys.argv[1]).close()\n"
        "before = peak()\n"
        "qcowspec.open(sys.argv[2]).close()\n"
        "print(peak() - before)"
    )
    small = str(DATA / "v3-empty.qcow2")
    command = [sys.executable, "-c", measured, small, str(image)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert int(done.stdout) < 20 << 10, "KiB"


def test_the_image_is_not_overwritten(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    image.write_bytes((DATA / "v3-zlib.qcow2").read_bytes())
    link = tmp_path / "link"
    os.link(image, link)

    assert run("convert", image, link).exit_code == 2
    assert image.read_bytes() == (DATA / "v3-zlib.qcow2").read_bytes()


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("v3-zlib.qcow2", "v3-zstd.qcow2"),
        ("v3-zlib.qcow2", "v3-zlib.qcow2"),
        ("v3-512.qcow2", "v3-zlib.qcow2"),
        ("v1-plain.qcow", "v1-compressed.qcow"),
        ("v3-size-0.qcow2", "v3-empty.qcow2"),
    ],
)
@pytest.mark.parametrize("strict", [[], ["-s"]], ids=["lax", "strict"])
def test_compare_says_what_qemu_says(one: str, other: str, strict: list[str]) -> None:
    theirs = qemu.run("qemu-img", "compare", *strict, one, other, check=False)
    result = run("compare", *strict, "--allow", "same-dir", one, other)

    assert result.exit_code == theirs.returncode
    assert result.stdout.splitlines()[-1] == theirs.stdout.splitlines()[-1]
