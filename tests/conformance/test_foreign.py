"""A file that QEMU's probe gives to another driver is not read as raw, whoever names it.

In: disks of the formats that qemu-img can make, and beginnings of those that it cannot; images that
name them. What is claimed: where no format is stated, QEMU reads another disk than the file's own
bytes, and we refuse and name the format; where raw is stated, both read the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from qcow_parsers import constants as c

import qcowspec
from qcowspec import build
from qcowspec.build import ImageSpec
from qcowspec.cli import qcowspec as cli
from qcowspec.errors import NotQcow, Refused, Unsupported
from qcowspec.reader.foreign import DRIVERS, claimant
from tests import qemu
from tests.conformance.luks import created

pytestmark = pytest.mark.usefixtures("qemu_img")

SIZE = 1 << 20
KEY = ("--object", "secret,id=key,data=a key of the tests")

MADE = {
    "luks": [*KEY, "-f", "luks", "-o", "key-secret=key,iter-time=10"],
    "parallels": ["-f", "parallels"],
    "qed": ["-f", "qed"],
    "vdi": ["-f", "vdi"],
    "vhdx": ["-f", "vhdx"],
    "vmdk": ["-f", "vmdk"],
    "vmdk-descriptor": ["-f", "vmdk", "-o", "subformat=monolithicFlat"],
    "vmdk-streamed": ["-f", "vmdk", "-o", "subformat=streamOptimized"],
    "vpc": ["-f", "vpc"],
}
"""What qemu-img makes: how."""

BOCHS = (
    b"Bochs Virtual HD Image".ljust(32, b"\0")
    + b"Redolog".ljust(16, b"\0")
    + b"Growing".ljust(16, b"\0")
)
CLOOP = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"
BEGINNINGS = {
    "bochs-1": BOCHS + b"\0\0\1\0",
    "bochs-2": BOCHS + b"\0\0\2\0",
    "bochs-3": BOCHS + b"\0\0\3\0",
    "bochs-name-goes-on": BOCHS.replace(b"Image\0", b"Images") + b"\0\0\2\0",
    "cloop": CLOOP,
    "cloop-without-its-end": CLOOP[:-1],
    "luks-2": b"LUKS\xba\xbe\0\2",
    "parallels-1": b"WithoutFreeSpace\1\0\0\0",
    "parallels-2": b"WithoutFreeSpace\2\0\0\0",
    "parallels-ext": b"WithouFreSpacExt\2\0\0\0",
    "qed-without-its-end": b"QEDx",
    "vdi": bytes(64) + b"\x7f\x10\xda\xbe",
    "vdi-elsewhere": bytes(60) + b"\x7f\x10\xda\xbe",
    "vhd-elsewhere": bytes(512) + b"conectix",
    "vhdx-without-its-end": b"vhdxfil",
    "vmdk-3": b"COWD",
    "vmdk-text": b"version=1\n",
    "vmdk-text-crlf": b"# of a disk\r\n  \r\n \nversion=3\r\n",
    "vmdk-text-empty-line": b"\nversion=1\n",
    "vmdk-text-two-ends": b"version=1\r\r\n",
    "vmdk-text-space": b" version=1\n",
    "vmdk-text-4": b"version=4\n",
    "vmdk-text-0": b"version=0\n",
    "vmdk-text-up-to-the-end": b"#" * 501 + b"\nversion=1",
    "vmdk-text-at-the-end": b"#" * 501 + b"\nversion=2\n",
    "vmdk-text-behind-the-end": b"#" * 502 + b"\nversion=2\n",
    "comments": b"# only\n# comments\n",
    "spaces": b" " * 512,
    "nothing": b"\0",
}


def probed(path: Path) -> str:
    """The driver that QEMU's probe finds, as far as it says: of what does not open, its words."""
    done = qemu.run("qemu-img", "info", "--output=json", path, check=False)
    return str(json.loads(done.stdout)["format"]) if done.returncode == 0 else done.stderr


@pytest.fixture(params=MADE)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A disk of another format, with a letter in its first sectors."""
    how = MADE[request.param]
    path = tmp_path / f"disk.{request.param}"
    assert created(["qemu-img", "create", "-q", *how, path, str(SIZE)]) == ""
    driver = how[how.index("-f") + 1]
    if driver != "luks" and request.param != "vmdk-streamed":
        qemu.write(path, "write -P 65 0 4k", format=driver)
    return path


def overlay(base: Path, *, version: int = 3, format: str = "", name: str | None = None) -> Path:
    path = base.with_name("overlay.qcow" if version == 1 else "overlay.qcow2")
    named = (base.name if name is None else name).encode()
    spec = ImageSpec(version=version, size=SIZE, backing_name=named, backing_format=format.encode())
    path.write_bytes(build.image(spec))
    return path


def theirs(image: Path) -> bytes | None:
    """The disk as QEMU reads it; None where it does not."""
    out = image.with_name("theirs.raw")
    out.unlink(missing_ok=True)
    driver = "qcow" if image.suffix == ".qcow" else "qcow2"
    words = ("qemu-img", "convert", "-f", driver, "-O", "raw", image.name, out.name)
    done = qemu.run(*words, cwd=image.parent, check=False)
    return None if done.returncode else out.read_bytes()


def ours(image: Path) -> bytes:
    with qcowspec.open(image, allow="same-dir") as opened:
        return opened.pread(0, SIZE)


def driver_of(disk: Path) -> str:
    return disk.suffix[1:].partition("-")[0]


@pytest.mark.parametrize("version", [1, 3])
def test_a_backing_file_of_another_format_is_refused_by_its_name(disk: Path, version: int) -> None:
    image = overlay(disk, version=version)
    driver = driver_of(disk)

    # LUKS wants its key, which an image cannot name.
    assert theirs(image) != disk.read_bytes()[:SIZE].ljust(SIZE, b"\0")
    assert probed(disk) == driver
    with pytest.raises(Unsupported, match=f"reads as {driver}, .*convert it") as caught:
        ours(image)
    assert caught.value.offset == int.from_bytes(image.read_bytes()[8:16])


def test_a_backing_file_of_which_raw_is_stated_is_read_as_raw(disk: Path) -> None:
    image = overlay(disk, format="raw")

    assert ours(image) == theirs(image) == disk.read_bytes()[:SIZE].ljust(SIZE, b"\0")


def test_a_backing_file_whose_own_format_is_stated_is_refused_by_that(disk: Path) -> None:
    driver = driver_of(disk)

    with pytest.raises(Unsupported, match=f"given as {driver}, .*convert it"):
        ours(overlay(disk, format=driver))


def test_info_refuses_it_too_and_compare_does(disk: Path) -> None:
    image = overlay(disk)
    chain = CliRunner().invoke(cli, ["info", "--backing-chain", "--allow", "any", str(image)])
    compare = CliRunner().invoke(cli, ["compare", str(disk), str(disk)])
    as_raw = CliRunner().invoke(cli, ["compare", "-f", "raw", "-F", "raw", *[str(disk)] * 2])

    assert (chain.exit_code, compare.exit_code, as_raw.exit_code) == (1, 2, 0)
    for said in (chain.stderr, compare.stderr):
        assert f"as {driver_of(disk)}" in said


def test_it_is_named_where_an_image_is_wanted(disk: Path) -> None:
    with pytest.raises(NotQcow, match=f"QEMU reads it as {driver_of(disk)}"):
        qcowspec.open(disk)


@pytest.mark.parametrize("what", ["vmdk", "vpc"])
def test_files_of_such_disks_that_are_raw_by_the_probe_are_read(what: str, tmp_path: Path) -> None:
    kind = {"vmdk": "monolithicFlat", "vpc": "fixed"}[what]
    qemu.create(tmp_path / "disk", "1M", options=f"subformat={kind}", format=what)
    base = next(p for p in tmp_path.iterdir() if p.stat().st_size >= SIZE)
    image = overlay(base)

    assert probed(base) == "raw"
    assert ours(image) == theirs(image)


@pytest.mark.parametrize("name", BEGINNINGS)
def test_beginnings_are_told_apart_as_qemu_tells_them(name: str, tmp_path: Path) -> None:
    """QEMU names the driver of what opens; of these only raw files do."""
    path = tmp_path / "disk"
    path.write_bytes(BEGINNINGS[name].ljust(4096, b"\0"))

    found = claimant(path.read_bytes()[: c.BLOCK_PROBE_BUF_SIZE], path.name)

    assert (found is None) == (probed(path) == "raw")
    assert found is None or found in DRIVERS


@pytest.mark.parametrize("name", ["disk.dmg", "link.dmg", "file:disk.dmg", "disk.raw", "dmg"])
def test_a_name_alone_makes_a_dmg(name: str, tmp_path: Path) -> None:
    for there in ("disk.dmg", "disk.raw", "dmg"):
        (tmp_path / there).write_bytes(b"raw".ljust(SIZE, b"\0"))
    (tmp_path / "link.dmg").symlink_to("disk.raw")
    image = overlay(tmp_path / "base", name=name)
    expected = theirs(image)

    if name.endswith(".dmg"):
        assert expected is None
        with pytest.raises(Unsupported, match="reads as dmg"):
            ours(image)
    else:
        assert ours(image) == expected


def test_an_empty_file_is_raw_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "disk.dmg").touch()
    image = overlay(tmp_path / "disk.dmg")

    assert ours(image) == theirs(image) == bytes(SIZE)


# --- Formats in json: descriptions ----------------------------------------------------------------

FILE = {"driver": "file", "filename": "base"}
STATED = {
    "raw": ({"driver": "raw", "file": FILE}, ""),
    "raw-on-raw": ({"driver": "raw", "file": {"driver": "raw", "file": FILE}}, ""),
    "qcow2-on-raw": ({"driver": "qcow2", "file": {"driver": "raw", "file": FILE}}, ""),
    "plain": (FILE, ""),
    "nothing": ({"file": FILE}, ""),
    "dotted": ({"file.filename": "base"}, ""),
    "dotted-raw": ({"driver": "raw", "file.driver": "file", "file.filename": "base"}, ""),
    "dotted-deep": ({"file.driver": "raw", "file.file.filename": "base"}, ""),
    "read-only": ({"driver": "raw", "file": FILE, "read-only": True, "cache.direct": False}, ""),
    "null": ({"driver": None, "file": FILE}, ""),
    "raw-says-qcow2": ({"driver": "raw", "file": FILE}, "qcow2"),
    "qcow2-says-raw": ({"driver": "qcow2", "file": FILE}, "raw"),
}  # fmt: skip
"""Descriptions of a file that holds a qcow2 image, and the format that the overlay states."""

NOT_READ = {
    "offset": {"driver": "raw", "file": FILE, "offset": 512},
    "size": {"driver": "raw", "file": FILE, "size": 512},
    "below": {"driver": "qcow2", "file": {"driver": "raw", "file": FILE, "offset": 0}},
    "no-backing": {"driver": "qcow2", "file": FILE, "backing": None},
    "twice": {"driver": "qcow2", "file": FILE, "file.filename": "base"},
    "two-formats": {"driver": "qcow2", "file": {"driver": "qcow2", "file": FILE}},
    "no-format": {"filename": "base"},
    "surrogate": {"file": {"filename": "\ud800"}},
}


@pytest.fixture
def inner(tmp_path: Path) -> Path:
    """A qcow2 image whose disk is another than its own bytes."""
    path = tmp_path / "base"
    qemu.create(path, "64k")
    qemu.write(path, "write -P 7 0 64k")
    return path


@pytest.mark.parametrize("case", STATED)
def test_a_description_states_the_format(case: str, inner: Path) -> None:
    node, stated = STATED[case]
    image = overlay(inner, name=f"json:{json.dumps(node)}", format=stated)

    assert ours(image) == theirs(image)


@pytest.mark.parametrize("case", NOT_READ)
def test_a_description_that_says_more_is_refused(case: str, inner: Path) -> None:
    image = overlay(inner, name=f"json:{json.dumps(NOT_READ[case])}")

    with pytest.raises(Refused):
        ours(image)


def test_a_key_twice_is_refused_as_qemu_refuses_it(inner: Path) -> None:
    name = 'json:{"driver":"qcow2","driver":"raw","file.filename":"base"}'
    image = overlay(inner, name=name)

    assert theirs(image) is None
    with pytest.raises(Refused):
        ours(image)


@pytest.mark.parametrize("name", ["base", f"json:{json.dumps(FILE)}"])
def test_a_plain_file_for_a_format_is_raw(name: str, inner: Path) -> None:
    with inner.open("ab") as file:
        file.write(b"an odd end")
    image = overlay(inner, name=name, format="file")

    assert ours(image) == theirs(image)


@pytest.mark.parametrize(
    ("node", "stated"), [(FILE, "qcow2"), (FILE, "raw"), ({"file": FILE}, "file")]
)
def test_a_format_over_a_description_that_does_not_fit_fails_as_in_qemu(
    node: dict[str, Any], stated: str, inner: Path
) -> None:
    image = overlay(inner, name=f"json:{json.dumps(node)}", format=stated)

    assert theirs(image) is None
    with pytest.raises(Unsupported, match=r"\[backing/file-opens\]"):
        ours(image)


# --- What is two images at once -------------------------------------------------------------------


def test_a_qcow_image_that_is_a_vdi_image_too_is_read_where_its_format_is_stated(
    tmp_path: Path,
) -> None:
    path = tmp_path / "both.qcow"
    qemu.create(path, "64M", format="qcow")
    data = bytearray(path.read_bytes())
    data[64:68] = b"\x7f\x10\xda\xbe"
    path.write_bytes(data)

    assert "VDI" in probed(path)
    with pytest.raises(Unsupported, match="reads it as vdi"):
        qcowspec.open(path)
    with pytest.raises(Unsupported, match="reads it as vdi"):
        ours(overlay(path))
    with qcowspec.open(path, format="qcow") as image:
        assert image.size == 64 << 20
