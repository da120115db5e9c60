"""The tree that a dump shows, before it is text, JSON or YAML.

In: fields laid open and tables read. Out: `Node`s. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Value = int | bytes | None


@dataclass(frozen=True)
class Row:
    """One or several equal entries of a table.

    Attributes:
        index: Index of the first of them.
        count: How many equal entries follow each other.
        offset: Where the first of them starts in the image file, in bytes.
        value: The entry, as a number.
        bits: Width of an entry.
        fields: What it says, by QEMU's names.
        meaning: The same in a few words.
    """

    index: int
    count: int
    offset: int
    value: int
    bits: int
    fields: Mapping[str, int]
    meaning: str


@dataclass
class Node:
    """A structure, or a field of one.

    Attributes:
        name: QEMU's name, with an index where there are several.
        offset: Where it starts in the image file, in bytes.
        length: Its length in bytes.
        layout: The specification's name of its layout; None for a single value.
        raw: Its bytes; None for a table, whose entries are `rows`.
        value: Number or bytes; None where it has `children` or `rows`.
        meaning: What it says, in a few words.
        children: Its fields.
        summary: A table's figures.
        rows: Reads a table's entries, anew at each call; None for what is no table.
    """

    name: str
    offset: int
    length: int
    layout: str | None = None
    raw: bytes | None = None
    value: Value = None
    meaning: str = ""
    children: list[Node] = field(default_factory=list)
    summary: dict[str, int] = field(default_factory=dict)
    rows: Callable[[], Iterator[Row]] | None = None
