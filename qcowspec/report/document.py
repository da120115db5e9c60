"""A dump for machines: JSON and YAML of one schema, written as it is made.

In: an image and its nodes. Out: text, in pieces. Refuses: nothing.

The schema is `SCHEMA`; docs/dump.md describes it. A whole dump of a large image is larger than
memory, so each structure is written when it has been read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from qcowspec.image import Image
from qcowspec.report.nodes import Node, Row
from qcowspec.spec.rules import Finding

SCHEMA = "qcowspec.dump/1"
"""Changes its number when a key changes its meaning or goes away; new keys may come."""

Plain = dict[str, Any]


def head(image: Image) -> Plain:
    """What comes before the structures."""
    return {
        "schema": SCHEMA,
        "file": {"name": plain(os.fsencode(image.source.name)), "length": image.source.length},
        "format": str(image.format),
        "version": getattr(image.header, "version", None),
        "state": str(image.state),
    }


def end(image: Image) -> Plain:
    """What comes after the structures: the broken rules, and what was not looked at."""
    broken = [finding(found) for found in image.findings]
    return {"findings": broken, **image.looked.as_json()}


def finding(found: Finding) -> Plain:
    """A broken rule, with the keys that `validate` uses."""
    return {key: plain(getattr(found, key)) for key in FINDING_KEYS}


FINDING_KEYS = ("rule", "stage", "kind", "offset", "field", "value", "message")


def node(item: Node) -> Plain:
    """A structure or a field, but for a table's entries."""
    data: Plain = {"name": item.name, "offset": item.offset, "length": item.length}
    if item.layout is not None:
        data["layout"] = item.layout
    if item.raw is not None and not item.children:
        data["raw"] = item.raw.hex()
        data["value"] = plain(item.value)
    if item.meaning:
        data["meaning"] = item.meaning
    if item.children:
        data["fields"] = [node(child) for child in item.children]
    if item.summary:
        data["summary"] = item.summary
    return data


def row(entry: Row) -> Plain:
    """One or several equal entries of a table."""
    return {
        "index": entry.index,
        "count": entry.count,
        "offset": entry.offset,
        "raw": f"{entry.value:0{max(entry.bits // 4, 1)}x}",
        "fields": dict(entry.fields),
        "meaning": entry.meaning,
    }


def plain(value: object) -> object:
    """A value that JSON has: bytes become text, what is no text in them escaped."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def as_json(image: Image, nodes: Iterable[Node], *, whole: bool) -> Iterator[str]:
    """The dump as one JSON document."""
    opening = _dumps(head(image), indent=2)
    yield opening.removesuffix("\n}") + ',\n  "structures": ['
    separator = "\n"
    for item in nodes:
        yield from _json(item, whole=whole, indent=4, before=separator)
        separator = ",\n"
    closing = _dumps(end(image), indent=2)
    yield "\n  ]," + closing.removeprefix("{") + "\n"


def _json(item: Node, *, whole: bool, indent: int, before: str) -> Iterator[str]:
    """A structure; a table's entries one a line, as they are read."""
    data = before + _indented(_dumps(node(item), indent=2), indent)
    if item.rows is None or not whole:
        yield data
        return
    margin = " " * indent
    yield data.removesuffix(f"\n{margin}}}") + f',\n{margin}  "entries": ['
    separator = "\n"
    for entry in item.rows():
        yield f"{separator}{margin}    {_dumps(row(entry))}"
        separator = ",\n"
    yield f"\n{margin}  ]\n{margin}}}"


def as_yaml(image: Image, nodes: Iterable[Node], *, whole: bool) -> Iterator[str]:
    """The dump as one YAML document with the keys of the JSON one."""
    yield _yaml(head(image))
    yield "structures:\n"
    for item in nodes:
        yield _yaml([node(item)])
        if item.rows is not None and whole:
            yield "  entries:\n"
            for entry in item.rows():  # a line of JSON is YAML too
                yield f"  - {_dumps(row(entry))}\n"
    yield _yaml(end(image))


def one(item: Node | Row, *, yaml: bool, whole: bool) -> Iterator[str]:
    """One structure, field or entry as a document of its own."""
    if isinstance(item, Row):
        data = row(item)
    else:
        entries = item.rows() if whole and item.rows is not None else None
        data = node(item) | ({} if entries is None else {"entries": [row(e) for e in entries]})
    yield _yaml(data) if yaml else _dumps(data, indent=2) + "\n"


def _dumps(item: object, indent: int | None = None) -> str:
    import json  # text does without

    return json.dumps(item, indent=indent)


def _yaml(item: object) -> str:
    import yaml  # slow to import, and no other output needs it

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(item, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))


def _indented(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in text.split("\n"))
