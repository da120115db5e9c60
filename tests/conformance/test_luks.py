"""LUKS images of every cipher, mode, generator and hash read as they were written."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.conformance.luks import Suite, tried

CHOSEN = [
    Suite("aes-256", "xts", "plain64", None, "sha512"),
    Suite("aes-128", "cbc", "essiv", "sha256", "sha1"),
    Suite("aes-256", "ctr", "plain", None, "sha384"),
    Suite("cast5-128", "cbc", "plain64", None, "sha256"),
    Suite("serpent-256", "xts", "plain64", None, "sha256"),
    Suite("serpent-128", "cbc", "plain", None, "sha224"),
    Suite("twofish-256", "cbc", "essiv", "sha256", "ripemd160"),
    Suite("twofish-128", "ctr", "plain64", None, "md5"),
    Suite("aes-256", "ecb", "plain", None, "sha256"),
]
"""Each cipher, mode, generator and hash at least once; `tests.conformance.luks` has the rest."""


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("suite", CHOSEN, ids=lambda suite: "-".join(filter(None, suite)))
def test_what_qemu_img_encrypts_is_read(suite: Suite, tmp_path: Path) -> None:
    assert tried(suite, tmp_path, Random(str(suite)).randbytes(1 << 16)) == ("equal", "")
