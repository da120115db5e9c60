"""The ``.ksy`` files with QEMU's numbers in place of their names.

Comes in: ``.ksy`` files in which a constant of ``constants.toml`` stands by its name, such as
``l1_table_bytes <= QCOW_MAX_L1_SIZE``; Kaitai's own names have no capital letters. Goes out: the
same text with the constants' values, which Kaitai reads. Comments, docs and line breaks stay.
Refuses: a name that is no constant.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from .compiler import InputError
from .literals import hexadecimal
from .tables import Tables

NAME = re.compile(r"\b[A-Z][A-Z0-9_]+\b")
_PROSE = {"meta", "doc", "doc-ref"}


def declarations(formats: Path) -> dict[str, str]:
    """Every ``.ksy`` file by its name, as Kaitai reads it.

    Args:
        formats: the folder that holds ``kaitai/`` and the tables.
    """
    numbers = _written(Tables(formats))
    return {
        path.name: _filled(path.name, path.read_text("utf-8"), numbers)
        for path in sorted((formats / "kaitai").glob("*.ksy"))
    }


def _written(tables: Tables) -> dict[str, str]:
    """The constants in Kaitai's language, where texts are read as bytes."""
    written = {}
    for name, value in tables.values.items():
        if isinstance(value, int):
            is_counted = tables.units.get(name, "number") not in {"number", "mask"}
            written[name] = str(value) if is_counted or value < 1024 else hexadecimal(value)
        else:
            found = value.encode() if isinstance(value, str) else value
            written[name] = f"[{', '.join(f'{byte:#04x}' for byte in found)}]"
    return written


def _filled(file: str, text: str, numbers: Mapping[str, str]) -> str:
    def number(match: re.Match[str]) -> str:
        if match[0] not in numbers:
            raise InputError(f"{file}: constants.toml has no {match[0]}")
        return numbers[match[0]]

    made, done = "", 0
    for node in _scalars(yaml.compose(text)):
        start, end = node.start_mark.index, node.end_mark.index
        made += text[done:start] + NAME.sub(number, text[start:end])
        done = end
    return made + text[done:]


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """The scalars of a document that are no prose, keys among them, in order."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            if key.value not in _PROSE:
                yield from _scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _scalars(each)
    elif isinstance(node, yaml.ScalarNode):
        yield node
