"""Where a passphrase comes from, and that no message shows it."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

import qcowspec
from qcowspec.crypto import read_secret
from tests.command import run
from tools.make_test_data import DATA

SECRET = "correct horse battery staple"  # noqa: S105 - of the tests


@pytest.mark.parametrize("data", [b"a", b"a\n", b"a\r\n", b"\n", b"", "ü ".encode(), b"\xff"])
def test_every_byte_of_a_file_and_of_a_variable_counts(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key:with colon"
    path.write_bytes(data)
    monkeypatch.setitem(os.environb, b"KEY", data)

    assert read_secret(f"file:{path}") == data
    assert read_secret("env:KEY") == data


@pytest.mark.parametrize(("data", "expected"), [(b"a\n", b"a"), (b"a", b"a"), (b"a\n\n", b"a\n")])
def test_standard_input_ends_with_its_line_feed(
    data: bytes, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    assert read_secret("-") == expected


def test_a_pipe_of_the_shell_is_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)

    assert read_secret(f"file:/dev/fd/{reading}") == b"piped"
    os.close(reading)


@pytest.mark.parametrize("spec", [SECRET, "", "file:", "env:", f"pass:{SECRET}", "FILE:x", "--"])
def test_anything_else_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(ValueError, match="a secret is given as") as caught:
        read_secret(spec)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("spec", ["file:/nowhere/at all", "file:/", "file:a\0b", "env:NO_SUCH_KEY"])
def test_what_cannot_be_had_is_unreadable(spec: str) -> None:
    with pytest.raises(qcowspec.QcowError) as caught:
        read_secret(spec)

    assert caught.value.kind == "unreadable"


def test_a_file_without_end_is_no_passphrase() -> None:
    with pytest.raises(qcowspec.QcowError, match="more than the 8388608 bytes"):
        read_secret("file:/dev/zero")


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET + "\n", SECRET + "\0", SECRET + "\udcff", SECRET.encode() + b"\xff"]
)
@pytest.mark.parametrize("name", ["v3-luks.qcow2", "v1-aes.qcow"])
def test_no_error_shows_the_passphrase(secret: str | bytes, name: str) -> None:
    with qcowspec.open(DATA / name, secret=secret) as image:
        try:
            image.pread(0, 1)
        except qcowspec.QcowError as error:
            shown = [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
            assert SECRET not in " ".join(shown)
        assert SECRET not in repr(image)


@pytest.mark.parametrize("secret", ["a\0b", "a\udcff", b"\xff\xfe"])
@pytest.mark.parametrize(
    ("name", "rule"), [("v3-luks", "luks"), ("v3-aes", "aes"), ("v2-aes", "aes"), ("v1-aes", "v1")]
)
def test_what_qemu_takes_for_no_text_is_no_passphrase(
    name: str, rule: str, secret: str | bytes
) -> None:
    [path] = DATA.glob(f"{name}.qcow*")
    with (
        qcowspec.open(path, allow="same-dir", secret=secret) as image,
        pytest.raises(qcowspec.QcowError, match=rf"no UTF-8 text.*\[encryption/{rule}-key\]"),
    ):
        image.pread(0, 1)


@pytest.mark.parametrize(
    ("name", "rule"), [("v3-luks", "luks"), ("v3-aes", "aes"), ("v2-aes", "aes"), ("v1-aes", "v1")]
)
def test_a_missing_passphrase_is_the_formats_rule_and_says_how_one_is_given(
    name: str, rule: str
) -> None:
    [path] = DATA.glob(f"{name}.qcow*")
    with (
        qcowspec.open(path, allow="same-dir") as image,
        pytest.raises(qcowspec.QcowError, match=rf"--secret.*\[encryption/{rule}-key\]"),
    ):
        image.pread(0, 1)


def test_a_line_feed_at_the_end_of_a_wrong_passphrase_is_pointed_out() -> None:
    with (
        qcowspec.open(DATA / "v3-luks.qcow2", secret="qcowspec\n") as image,  # noqa: S106
        pytest.raises(qcowspec.QcowError, match=r"line feed.*\[encryption/luks-unlock\]"),
    ):
        image.pread(0, 1)


def test_the_command_takes_no_passphrase_from_its_own_line(tmp_path: Path) -> None:
    words = ["convert", "--secret", SECRET, str(DATA / "v3-luks.qcow2"), str(tmp_path / "out")]
    done = run(*words)

    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr


def test_a_passphrase_is_tried_once_for_all_snapshots_of_an_image() -> None:
    with qcowspec.open(DATA / "v3-luks.qcow2", secret="qcowspec") as image:  # noqa: S106
        active, before = image.disk(), image.disk("before")

        assert active.layers[0].decryptor is before.layers[0].decryptor
        assert active.pread(4096, 512) == b"\xcb" * 512
        assert before.pread(4096, 512) == b"\xc9" * 512
