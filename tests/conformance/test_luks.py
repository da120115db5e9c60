"""LUKS images of every cipher, mode, generator and hash read as they were written."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import qcowspec
from tests.conformance.luks import (
    PASSPHRASE,
    Suite,
    converted,
    created,
    fast_clock,
    filled,
    node,
    pairs,
    suites,
    tried,
)

FEW = [
    Suite("aes-256", "xts", "plain64", None, "sha512"),
    Suite("aes-128", "cbc", "essiv", "sha256", "sha1"),
    Suite("aes-192", "xts", "plain", None, "sha384"),
    Suite("cast5-128", "ctr", "plain64", None, "sha256"),
    Suite("serpent-128", "cbc", "plain", None, "sha224"),
    Suite("twofish-256", "ecb", "essiv", "sha256", "ripemd160"),
    Suite("twofish-128", "ctr", "plain64", None, "md5"),
]
"""For machines without a C compiler, where each image takes qemu-img seconds."""

SLOTS = {0: "first", 1: "zweiter ä", 4: "x" * 300, 7: "with\nline\nfeeds\n"}
"""Key slots, and what opens them."""

pytestmark = pytest.mark.usefixtures("qemu_img")


def test_what_qemu_img_encrypts_is_read(tmp_path: Path) -> None:
    """Each two words of a suite stand together in one of these; the product is run by hand."""
    makeable = (suite for suite in suites() if suite.is_makeable)
    chosen = FEW if fast_clock() is None else pairs(makeable)
    found = {suite: tried(suite, tmp_path, Random(str(suite))) for suite in chosen}

    assert {suite: what for suite, what in found.items() if what != ("equal", "")} == {}


@pytest.fixture(scope="module")
def slotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with several key slots, made by `qemu-img amend`."""
    folder = tmp_path_factory.mktemp("slots")
    image = folder / "slots.qcow2"
    for slot, passphrase in SLOTS.items():
        (folder / str(slot)).write_text(passphrase)
    key = ["--object", f"secret,id=key,file={folder / '0'}"]
    options = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10"
    words = ["qemu-img", "create", "-q", "-f", "qcow2", *key, "-o", options, str(image), "1M"]
    assert created(words) == ""
    filled(image, key, Random(1))
    for slot in list(SLOTS)[1:]:
        new = ["--object", f"secret,id=new,file={folder / str(slot)}"]
        state = "encrypt.state=active,encrypt.new-secret=new,encrypt.iter-time=10"
        change = ["-o", f"{state},encrypt.keyslot={slot}"]
        assert created(["qemu-img", "amend", *key, *new, *change, *node(image)]) == ""
    return image


@pytest.mark.parametrize("slot", SLOTS)
def test_every_key_slot_opens(slot: int, slotted: Path) -> None:
    key = ["--object", f"secret,id=key,file={slotted.with_name(str(slot))}"]
    with qcowspec.open(slotted, secret=SLOTS[slot]) as image:
        assert image.pread(0, image.size) == converted(slotted, key)


@pytest.mark.parametrize("wrong", ["", "First", "first ", "x" * 299, "x" * 301, "zweiter a\u0308"])
def test_a_passphrase_of_no_slot_opens_nothing(wrong: str, slotted: Path) -> None:
    with (
        qcowspec.open(slotted, secret=wrong) as image,
        pytest.raises(qcowspec.QcowError, match=r"4 enabled key slots.*\[encryption/luks-unlock\]"),
    ):
        image.pread(0, 1)


def test_an_erased_slot_opens_no_more(slotted: Path, tmp_path: Path) -> None:
    image = tmp_path / "erased.qcow2"
    image.write_bytes(slotted.read_bytes())
    key = ["--object", f"secret,id=key,file={slotted.with_name('1')}"]
    change = ["-o", "encrypt.state=inactive,encrypt.keyslot=0"]
    assert created(["qemu-img", "amend", *key, *change, *node(image)]) == ""

    with qcowspec.open(image, secret=SLOTS[1]) as opened:
        assert opened.pread(0, opened.size) == converted(image, key)
    with (
        qcowspec.open(image, secret=SLOTS[0]) as opened,
        pytest.raises(qcowspec.QcowError, match="3 enabled key slots"),
    ):
        opened.pread(0, 1)


@pytest.mark.parametrize("passphrase", [PASSPHRASE, "", "k", "\U0010ffff" * 20, "a" * 5000])
def test_passphrases_of_any_length_open(passphrase: str, tmp_path: Path) -> None:
    image, file = tmp_path / "image.qcow2", tmp_path / "key"
    file.write_text(passphrase)
    key = ["--object", f"secret,id=key,file={file}"]
    options = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10"
    words = ["qemu-img", "create", "-q", "-f", "qcow2", *key, "-o", options, str(image), "1M"]
    assert created(words) == ""
    filled(image, key, Random(passphrase))

    with qcowspec.open(image, secret=passphrase) as opened:
        assert opened.pread(0, opened.size) == converted(image, key)
