"""Legacy AES: the passphrase's first 16 bytes are the key, whatever it is."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from random import Random

import pytest

import qcowspec
from tests.conformance.luks import converted, filled

PASSPHRASES = {
    "empty": "",
    "short": "a",
    "15": "0123456789abcde",
    "16": "0123456789abcdef",
    "17": "0123456789abcdefg",
    "long": "0123456789abcdef" * 40,
    "umlauts": "Grüße",
    "cut-inside-a-character": "0123456789abcdeü!",
    "wide": "\U0001f511" * 5,
    "line-feed": "secret\n",
}
FORMATS = {"v1": ("qcow", ""), "v2": ("qcow2", "compat=0.10,"), "v3": ("qcow2", "compat=1.1,")}

pytestmark = pytest.mark.usefixtures("qemu_img")


def written(folder: Path, version: str, passphrase: str) -> tuple[Path, list[str]]:
    """An image that QEMU encrypted, and the arguments that name its key."""
    driver, options = FORMATS[version]
    image, file = folder / f"image.{driver}", folder / "key"
    file.write_text(passphrase)
    key = ["--object", f"secret,id=key,file={file}"]
    options += "encrypt.format=aes,encrypt.key-secret=key"
    command = ["qemu-img", "create", "-q", "-f", driver, *key, "-o", options, str(image), "1M"]
    subprocess.run(command, check=True, capture_output=True)
    filled(image, key, Random(passphrase), driver)
    return image, key


@pytest.mark.parametrize("name", PASSPHRASES)
@pytest.mark.parametrize("version", FORMATS)
def test_every_passphrase_is_cut_or_filled_as_qemu_does(
    version: str, name: str, tmp_path: Path
) -> None:
    image, key = written(tmp_path, version, PASSPHRASES[name])
    expected = converted(image, key, FORMATS[version][0])

    with qcowspec.open(image, secret=PASSPHRASES[name]) as opened:
        assert opened.pread(0, opened.size) == expected
        for offset, length in itertools.product((0, 511, 700_416 + 100), (1, 512, 5000)):
            assert opened.pread(offset, length) == expected[offset : offset + length]


@pytest.mark.parametrize("version", FORMATS)
def test_a_wrong_passphrase_gives_the_noise_that_qemu_gives(version: str, tmp_path: Path) -> None:
    image, _ = written(tmp_path, version, "right")
    (tmp_path / "key").write_text("wrong")
    key = ["--object", f"secret,id=key,file={tmp_path / 'key'}"]
    expected = converted(image, key, FORMATS[version][0])

    with qcowspec.open(image, secret="wrong") as opened:  # noqa: S106 - it is
        assert opened.pread(0, opened.size) == expected
