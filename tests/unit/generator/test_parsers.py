"""Stubs and parsers: that both say the same, absent fields included."""

import ast
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tools.generator import parsers
from tools.generator.compiler import InputError
from tools.generator.inference import Inference
from tools.generator.layouts import Layout
from tools.generator.literals import hexadecimal, literal
from tools.generator.stubs import Stub

Load = Callable[[str], ModuleType]


def test_a_stub_says_what_each_field_is(layouts: dict[str, Layout], java: dict[str, str]) -> None:
    inference = Inference(java, layouts)
    stub = Stub(layouts["disk"], layouts, inference).text("# header")
    lines = [line.strip() for line in stub.splitlines()]
    for line in (
        "from .vault import Vault",
        "header: Disk.Header",
        "version: int",
        "kind: Disk.Kind | int",
        "flags: int | None",
        "extra: Disk.Extra | None",
        "_raw_extra: bytes | None",
        "body: Disk.Extra | Vault.Slot | None",
        "rest: list[int]",
        "low: bool",
        "high: int",
        "name: bytes",
        "def ok_version(self) -> bool: ...",
        "def same(self) -> int | None: ...",
        "def twice(self) -> int:",
        '"""Two times."""',
        "def lock(self) -> Vault | None: ...",
        '"""A "header" with \\\\ and three quotes. More of it.',
    ):
        assert line in lines
    extra = stub[stub.index("class Extra") :].partition("_root: Disk\n")[0]
    assert "def __init__(self, width: int, _io: KaitaiStream" in extra
    assert "from_bytes" not in extra
    ast.parse(stub)


def test_absent_fields_and_imports_are_mended_in_the_compiled_python(
    layouts: dict[str, Layout], load: Load
) -> None:
    compiled = textwrap.dedent(
        '''\
        # This is a generated file! Please edit source .ksy file
        # type: ignore
        import vault
        import os
        class Disk:
            """A disk."""
            class Header:
                """A header

                of two lines."""
                def __init__(self):   \n\
                    pass

            class Extra:
                def __init__(self):
                    pass
        '''
    )
    text = parsers.module(compiled, layouts["disk"], {"disk", "vault"}, "# header")
    assert text.splitlines()[:4] == [
        "# header",
        "# type: ignore",
        "from . import vault",
        "import os",
    ]
    disk = load(text.replace("from . import vault\n", "")).Disk
    absent = {name for name, value in vars(disk.Header).items() if value is None}
    assert absent == {"flags", "extra", "_raw_extra", "body"}
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_a_class_that_was_not_compiled_is_noticed(layouts: dict[str, Layout]) -> None:
    with pytest.raises(
        InputError, match=r"^disk::header: the compiler wrote no class Disk\.Header$"
    ):
        parsers.module("class Disk:\n    pass\n", layouts["disk"], set(), "#")


@pytest.mark.parametrize("value", ['"', "\\", "\u2028", "é", ("a",), (), [1, 2], True, None, -1])
def test_a_literal_reads_back_as_the_value(value: Any) -> None:
    expected = tuple(value) if isinstance(value, list) else value
    assert ast.literal_eval(literal(value)) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "0x1"), (0x1FFFF, "0x0001ffff"), (1 << 32, "0x0000000100000000")],
)
def test_hexadecimal_is_as_wide_as_its_word(value: int, text: str) -> None:
    assert hexadecimal(value) == text
