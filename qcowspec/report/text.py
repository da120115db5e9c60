"""A dump for people: the tree as aligned text.

In: an image and its nodes. Out: lines. Refuses: to print bytes from an image raw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from qcowspec.image import Image
from qcowspec.reader.looked import summary, truncated, unseen
from qcowspec.report import words
from qcowspec.report.nodes import Node, Row
from qcowspec.report.style import Style, plain_style
from qcowspec.spec.rules import Finding

HEX_BYTES = 16
"""Bytes of a field that --hex shows."""

OFFSET_WIDTH, LENGTH_WIDTH, NAME_WIDTH, VALUE_WIDTH = 10, 6, 24, 18


def lines(
    image: Image,
    nodes: Iterable[Node],
    *,
    whole: bool,
    hexadecimal: bool,
    style: Style = plain_style,
) -> Iterator[str]:
    """The whole dump.

    Args:
        image: The image.
        nodes: Its structures.
        whole: Whether the entries of the tables are shown.
        hexadecimal: Whether each field's bytes are shown.
        style: Paints the parts of a line.
    """
    yield style(headline(image), "title")
    if image.metadata.reach:
        yield style(truncated(image.metadata), "bad")
    for node in nodes:
        yield ""
        yield from structure(node, whole=whole, hexadecimal=hexadecimal, style=style)
    yield ""
    yield from _findings(image, style)


def headline(image: Image) -> str:
    """What the image is, in one line."""
    name = words.printable(image.source.name)
    facts = [f"QCOW v{image.header.version}"]
    facts.append(f"{words.size(image.size)} disk in a {words.size(image.source.length)} file")
    if image.metadata.geometry is not None:
        facts.append(words.of_size(image.geometry.cluster_size, "clusters"))
    return f"{name}: {' · '.join(facts)}"


def structure(
    node: Node, *, whole: bool, hexadecimal: bool, style: Style = plain_style, depth: int = 0
) -> Iterator[str]:
    """A structure with all that is in it."""
    indent = "  " * depth
    end = f"{node.offset:#x} + {node.length:#x}"
    heading = f"{indent}{style(node.name, 'title')}  {style(node.layout or '', 'layout')}  {end}"
    yield heading.rstrip() + (f"  {style(node.meaning, 'meaning')}" if node.meaning else "")
    if not node.children and node.rows is None and node.raw is not None:
        yield _field(node, hexadecimal=hexadecimal, style=style, depth=depth + 1)
    for child in node.children:
        in_one_line = not child.children or (child.meaning and not hexadecimal)
        if not in_one_line:
            yield from structure(
                child, whole=whole, hexadecimal=hexadecimal, style=style, depth=depth + 1
            )
        elif child.length:
            yield _field(child, hexadecimal=hexadecimal, style=style, depth=depth + 1)
    if node.rows is not None and whole:
        for row in node.rows():
            yield _row(row, style, depth + 1)


def value_words(node: Node) -> str:
    """A field's value, as its column shows it."""
    if isinstance(node.value, bytes):
        if not node.value:
            return "(empty)"
        return words.hexadecimal(node.value, VALUE_BYTES)
    if node.value is None:
        return ""
    return _number(node, node.value)


def bare(node: Node) -> str:
    """A value alone, for scripts: numbers in the base of the dump's column, bytes as text."""
    if isinstance(node.value, bytes):
        return words.quoted(node.value)
    return _number(node, node.value or 0)


def _number(node: Node, value: int) -> str:
    in_hexadecimal = any(node.name.endswith(word) for word in HEXADECIMAL)
    return f"{value:#x}" if in_hexadecimal else str(int(value))


HEXADECIMAL = ("offset", "magic", "features", "flags")
"""Fields that are read in hexadecimal, by the end of their names."""

VALUE_BYTES = 6
"""Bytes that the column of values shows of a field that is not a number."""


def _field(node: Node, *, hexadecimal: bool, style: Style, depth: int) -> str:
    columns = [
        "  " * depth + style(f"{node.offset:#0{OFFSET_WIDTH}x}", "offset"),
        f"{node.length:>{LENGTH_WIDTH}}",
        style(f"{node.name:<{NAME_WIDTH}}", "name"),
    ]
    if hexadecimal:
        raw = words.hexadecimal(node.raw or b"", HEX_BYTES)
        columns.append(style(f"{raw:<{HEX_WIDTH}}", "offset"))
    columns.append(style(f"{value_words(node):<{VALUE_WIDTH}}", "value"))
    columns.append(style(node.meaning, "meaning"))
    return "  ".join(columns).rstrip()


HEX_WIDTH = 8 * 3 - 1
"""Columns for the bytes of most fields; longer ones push the rest to the right."""


def _row(row: Row, style: Style, depth: int) -> str:
    last = row.index + row.count - 1
    index = f"[{row.index}]" if row.count == 1 else f"[{row.index}…{last}]"
    columns = [
        "  " * depth + style(f"{row.offset:#0{OFFSET_WIDTH}x}", "offset"),
        f"{index:<{INDEX_WIDTH}}",
        style(f"{row.value:#0{max(row.bits // 4, 1) + 2}x}", "value"),
        style(row.meaning, "meaning"),
    ]
    return "  ".join(columns).rstrip()


INDEX_WIDTH = 14


def _findings(image: Image, style: Style) -> Iterator[str]:
    refused, findings, found = image.judge.first("qemu"), image.findings, image.looked
    verdict = "QEMU opens this image" if refused is None else "QEMU refuses this image"
    kept = Counter(finding.rule for finding in findings)
    end = ":" if findings else "."
    yield style(f"{verdict}. {summary(found)}{end}", "title" if findings else "good")
    for finding in findings:
        yield "  " + style(finding_words(finding), "bad")
    for rule, shown in kept.items():
        if left := image.judge.counts[rule] - shown:
            yield f"  … and {left:,} more of {rule}"
    yield unseen(found)


def finding_words(finding: Finding) -> str:
    """A broken rule in one line."""
    where = "" if finding.offset is None else f"at {finding.offset:#x}: "
    return f"{where}{finding.message} [{finding.rule}]"
