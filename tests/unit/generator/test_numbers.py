"""The .ksy files with the constants' numbers in place of their names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.generator.compiler import InputError
from tools.generator.numbers import declarations

Edit = Callable[[str, str, str], None]


def test_numbers_stand_in_expressions_and_enums_and_names_in_prose(formats: Path) -> None:
    source = (formats / "kaitai/disk.ksy").read_text("utf-8")

    assert declarations(formats)["disk.ksy"] == source.replace(
        "flags <= HIGH + FLAG and word != WORD",
        "flags <= 0x0000000200000000 + 0x8000000000000000 and word != [0x61, 0x62]",
    ).replace("LOW: {id: one", "1: {id: one")


def test_a_file_without_constants_stays_as_it_is(formats: Path) -> None:
    source = (formats / "kaitai/vault.ksy").read_text("utf-8")

    assert declarations(formats)["vault.ksy"] == source


def test_a_name_that_is_no_constant_is_refused(formats: Path, edit: Edit) -> None:
    edit("kaitai/disk.ksy", "!= WORD", "!= WORDS")

    with pytest.raises(InputError, match=r"^disk\.ksy: constants\.toml has no WORDS$"):
        declarations(formats)
