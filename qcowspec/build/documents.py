"""A dump, edited or not, back to the bytes of an image.

In: what `qcowspec dump --json --tables` prints, read; see docs/dump.schema.json. Out: `Pieces`.
Refuses, as `Invalid`, with the path as `qcowspec dump --path` has it: what is no dump, a value that
does not fit its field, a table without entries.

Nothing is judged, and nothing is derived: what is wrong on purpose is written as it is. Where a
field has `raw` and `value`, and they differ, `value` counts, because it is what people edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qcow_parsers import constants as c

from qcowspec.build import rows, wording
from qcowspec.build.layouts import LAYOUTS, Argument, structure
from qcowspec.build.pieces import FILE_END, Pieces
from qcowspec.build.wording import Plain, wrong
from qcowspec.errors import Invalid

SCHEMA = "qcowspec.dump/1"

SAID = ("findings", "judged", "not_looked_at", "truncated")
"""Keys of a dump from which nothing is built."""

KEYS = ("schema", "file", "format", "version", "state", "structures", *SAID, "data")
NODE_KEYS = (
    *("name", "offset", "length", "layout", "arguments", "raw", "value", "meaning"),
    *("fields", "summary", "entries", "bits"),
)
MISSING = object()

MOST_OF_A_FIELD = 1 << c.MAX_CLUSTER_BITS
"""Bytes of a field that is written by hand, at most: a structure of fields fits a cluster."""


def is_document(spec: Plain) -> bool:
    """Whether a spec is a dump, and not a description."""
    return "structures" in spec or "schema" in spec


def pieces(spec: Plain, *, has_original: bool = False) -> Pieces:
    """The file that a dump describes.

    Args:
        spec: The dump. Besides its own keys it may have ``data``: a list of bytes to be put
            somewhere, each with ``at`` and what `qcowspec.build.wording.content` takes.
        has_original: Whether what no structure covers comes from another file: a table whose
            entries were not dumped comes from there too.

    Raises:
        Invalid: It is not a dump, or has values that cannot be written.
    """
    wording.mapping(spec, "", KEYS)
    schema = spec.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise wrong("schema", f"{SCHEMA} is wanted, not {wording.shown(schema)}")
    file = wording.mapping(spec.get("file", {}), "file", ("name", "length"))
    made = Pieces()
    if "length" in file:
        made.length = wording.number(file["length"], "file.length", FILE_END)
    nodes = [
        wording.mapping(item, at, NODE_KEYS)
        for item, at in wording.items(spec.get("structures", []), "structures")
    ]
    cluster_bits = _cluster_bits(nodes)
    for index, node in enumerate(nodes):
        _top(made, node, _name(node, f"structures[{index}]"), cluster_bits, has_original)
    for item, at in wording.items(spec.get("data", []), "data"):
        said = wording.mapping(item, at, ("at", "length", "times", *wording.BYTE_KEYS))
        made.add(wording.number(said.get("at"), f"{at}.at"), wording.content(said, at), at)
    return made


def _top(
    made: Pieces, node: Plain, path: str, cluster_bits: int | None, has_original: bool
) -> None:
    """Lay one structure, table or lone field down."""
    if "entries" in node:
        made.lay(rows.table(node, path, cluster_bits), path)
    elif node.keys() & {"fields", "raw", "value"}:
        if node.get("length") != 0 or node.get("value") is not None:
            offset = wording.number(node.get("offset"), f"{path}.offset", FILE_END)
            made.add(offset, _bytes(node, path), path)
    elif "summary" in node and not has_original:
        raise wrong(path, "its entries are missing: `qcowspec dump --tables` shows them")


def _bytes(node: Plain, path: str) -> bytes:
    """The bytes of a structure or a field."""
    if "fields" not in node:
        return _leaf(node, path)
    fields = node["fields"]
    if isinstance(fields, Mapping):
        return _by_schema(node, fields, path)
    data = b""
    start, moved = 0, None
    for item, at in wording.items(fields, f"{path}.fields"):
        child = wording.mapping(item, at, NODE_KEYS)
        name = f"{path}.{_name(child, at)}"
        if "offset" in child:
            start = wording.number(child["offset"], f"{name}.offset") - len(data)
            if moved not in (None, start):
                raise wrong(
                    f"{name}.offset",
                    "fields stand side by side, and this one would stand somewhere else",
                )
            moved = start
        data += _bytes(child, name)
    return data


def _by_schema(node: Plain, fields: Plain, path: str) -> bytes:
    """A structure that is written by hand: its fields by name, what is left out derived."""
    layout = wording.text(node.get("layout"), f"{path}.layout")
    if layout not in LAYOUTS:
        raise wrong(f"{path}.layout", f"known are {', '.join(LAYOUTS)}")
    arguments = [
        item if isinstance(item, bool) else wording.number(item, at)
        for item, at in wording.items(node.get("arguments", []), f"{path}.arguments")
    ]
    named = wording.mapping(fields, f"{path}.fields")
    values = {name: by_name(value, f"{path}.{name}") for name, value in named.items()}
    return built(layout, values, path, *arguments)


def built(layout: str, values: Plain, path: str, *arguments: Argument) -> bytes:
    """The bytes of a structure that stands at a path of the spec.

    Raises:
        Invalid: Its values do not fit.
    """
    try:
        return structure(layout, values, *arguments)
    except (ValueError, KeyError) as error:
        raise wrong(path, str(error)) from error
    except Invalid as error:
        raise wrong(path, error.message) from error


def by_name(value: Any, path: str) -> Any:
    """A value of a structure that is written by hand, as `structure` wants it.

    Text, and mappings such as ``{hex: 00ff}``, become bytes.
    """
    if isinstance(value, str):
        return wording.content(value, path, MOST_OF_A_FIELD)
    if isinstance(value, Mapping):
        if len(value.keys() & set(wording.BYTE_KEYS)) == 1:
            return wording.content(value, path, MOST_OF_A_FIELD)
        wording.mapping(value, path)
        return {name: by_name(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [by_name(item, at) for item, at in wording.items(value, path)]
    return wording.number(value, path)


def _leaf(node: Plain, path: str) -> bytes:
    """The bytes of one field."""
    raw = wording.digits(node["raw"], f"{path}.raw") if "raw" in node else None
    value = node.get("value", MISSING)
    if raw is not None and (value is MISSING or value is None or _says(raw, value)):
        return raw
    length = len(raw) if raw is not None else None
    if "length" in node:
        length = wording.number(node["length"], f"{path}.length", FILE_END)
    if isinstance(value, str):
        data = wording.encoded(value, path)
        if length is not None and len(data) > length:
            raise wrong(path, f"{len(data)} bytes do not fit its length of {length}")
        return data + wording.repeated(b"\0", (length or len(data)) - len(data), path)
    found = wording.number(value, path, (1 << 64) - 1)
    if length is None:
        raise wrong(path, "a number wants a length, in bytes")
    if length < 8 and found >> length * 8:
        raise wrong(path, f"{wording.shown(found)} does not fit its length of {length} bytes")
    return wording.repeated(b"\0", max(length - 8, 0), path) + found.to_bytes(min(length, 8), "big")


def _says(raw: bytes, value: object) -> bool:
    """Whether a value is what a dump says of these bytes."""
    if isinstance(value, str):
        return raw.decode("utf-8", "backslashreplace") == value
    return value is not True and value is not False and int.from_bytes(raw, "big") == value


def _name(node: Plain, path: str) -> str:
    name = node.get("name", path)
    return name if isinstance(name, str) and name else path


def _cluster_bits(nodes: list[Plain]) -> int | None:
    """The cluster size that the entries of compressed clusters were laid out for.

    A dump's is that of the dumped image, in ``raw``, even where another value was written beside
    it: an edit of the header leaves the tables as they are.
    """
    for node in nodes:
        if node.get("name") != "header":
            continue
        fields = node.get("fields")
        if isinstance(fields, Mapping):
            found = fields.get("cluster_bits")
            return found if isinstance(found, int) else None
        for each in fields if isinstance(fields, list) else []:
            if isinstance(each, Mapping) and each.get("name") == "cluster_bits":
                if "raw" in each:
                    return int.from_bytes(wording.digits(each["raw"], "header.cluster_bits.raw"))
                return each["value"] if isinstance(each.get("value"), int) else None
    return None
