"""Derives the files that the gallery of Kaitai Struct formats would take; see --help.

In: ``generated/kaitai``, where fields have QEMU's names. Out: the same layouts under the gallery's
names (``num_`` for counts, ``ofs_`` for offsets, ``len_`` for sizes), with QEMU's name beside each
as ``-orig-id``. Refuses: a table of names that does not fit the files any more.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]

WIDTH = 80
"""Columns of a line, by the gallery's style guide."""

RULE = "ok_"
"""How the instances begin that state rules."""

NAMES = {
    # Counts.
    "bitmap_table_size": "num_bitmap_table_entries",
    "iterations": "num_iterations",
    "l1_size": "num_l1_entries",
    "l2_entries": "num_l2_entries",
    "l2_size": "num_l2_entries",
    "master_key_iterations": "num_master_key_iterations",
    "nb_bitmaps": "num_bitmaps",
    "nb_csectors": "num_additional_sectors",
    "nb_snapshots": "num_snapshots",
    "refcount_block_entries": "num_refcount_block_entries",
    "refcount_table_clusters": "num_refcount_table_clusters",
    "stripes": "num_stripes",
    # Offsets.
    "backing_file_offset": "ofs_backing_file_name",
    "bitmap_directory_offset": "ofs_bitmap_directory",
    "bitmap_table_offset": "ofs_bitmap_table",
    "coffset": "ofs_compressed",
    "extensions_end": "ofs_extensions_end",
    "key_offset": "ofs_key_material",
    "key_offset_sector": "ofs_key_material_in_sectors",
    "l1_table_offset": "ofs_l1_table",
    "l2_table_offset": "ofs_l2_table",
    "offset": "ofs_start",
    "offset_high": "ofs_high",
    "offset_low": "ofs_low",
    "offset_sectors": "ofs_in_sectors",
    "payload_offset": "ofs_payload",
    "payload_offset_sector": "ofs_payload_in_sectors",
    "refcount_block_offset": "ofs_refcount_block",
    "refcount_table_offset": "ofs_refcount_table",
    "snapshots_offset": "ofs_snapshot_table",
    # Sizes. `size`, that of the disk, keeps its name: it is also what a stream and bytes have.
    "backing_file_size": "len_backing_file_name",
    "bitmap_directory_size": "len_bitmap_directory",
    "bitmap_table_bytes": "len_bitmap_table",
    "cluster_size": "len_cluster",
    "csize": "len_compressed",
    "disk_size": "len_disk",
    "effective_header_length": "len_effective_header",
    "effective_vm_state_size": "len_effective_vm_state",
    "entry_size": "len_entry",
    "extra_data_size": "len_extra_data",
    "header_length": "len_header",
    "id_str_size": "len_id_str",
    "l1_table_bytes": "len_l1_table",
    "l2_entry_size": "len_l2_entry",
    "len": "len_data",
    "len_data": "len_data_present",
    "len_extra_data": "len_extra_data_present",
    "length": "len_total",
    "master_key_len": "len_master_key",
    "name_size": "len_name",
    "refcount_table_bytes": "len_refcount_table",
    "subcluster_size": "len_subcluster",
    "unpadded_size": "len_unpadded",
    "vm_state_size": "len_vm_state",
    "vm_state_size_large": "len_vm_state_large",
    # Flags.
    "all_ones": "is_all_ones",
    "compressed": "is_compressed",
    "copied": "is_copied",
    "extended": "is_extended",
    "in_use": "is_in_use",
    "zero": "is_zero",
}
"""QEMU's name of a field, or ours in its manner, and the gallery's."""

EXPRESSIONS = {
    "if",
    "io",
    "pos",
    "repeat-expr",
    "repeat-until",
    "size",
    "switch-on",
    "type",
    "value",
}
"""Keys whose values are expressions, or, in a type, may have them for arguments."""

METHODS = {"first", "last", "length", "max", "min", "pos", "size"}
"""Names that mean the language's own when they follow a dot."""

# An identifier that is neither an enum's member nor its scope.
_IDENTIFIER = re.compile(r"(?<![:\w])([a-z_][a-z0-9_]*)(?![\w]|::)")


LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""The one in C is not in every build of PyYAML."""


class StaleNamesError(Exception):
    """The table of names and the files part; the message says where."""


def load(text: str) -> Any:
    """A piece of YAML, every scalar as text."""
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - a loader that makes nothing but text


def read(path: Path) -> dict[str, Any]:
    """One ``.ksy``, every scalar as the text that stands there: 0x stays 0x."""
    spec: dict[str, Any] = load(path.read_text("utf-8"))
    return spec


def types(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A type and all that are declared inside it."""
    yield spec
    for inner in spec.get("types", {}).values():
        yield from types(inner)


# --- Names ----------------------------------------------------------------------------------------


def rename_expression(text: str) -> str:
    """An expression of the language, its fields under the gallery's names."""

    def name(match: re.Match[str]) -> str:
        after_dot = match.string[: match.start()].endswith(".")
        return match[1] if after_dot and match[1] in METHODS else NAMES.get(match[1], match[1])

    return _IDENTIFIER.sub(name, text)


def rename_prose(text: str) -> str:
    """A doc under the gallery's names. A name without an underscore may be plain English."""
    return _IDENTIFIER.sub(
        lambda match: NAMES.get(match[1], match[1]) if "_" in match[1] else match[1], text
    )


def _rename_field(field: dict[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for key, value in field.items():
        if key == "doc":
            renamed[key] = rename_prose(value)
        elif key == "type" and isinstance(value, dict):
            renamed[key] = {**value, "switch-on": rename_expression(value["switch-on"])}
        elif key in EXPRESSIONS:
            renamed[key] = rename_expression(value)
        else:
            renamed[key] = value
    return renamed


def _rename_listed(field: dict[str, Any], *, mark: bool) -> dict[str, Any]:
    old = field["id"]
    rest = {key: value for key, value in _rename_field(field).items() if key != "id"}
    original = {"-orig-id": old} if mark and old in NAMES else {}
    return {"id": NAMES.get(old, old), **original, **rest}


def _rename_instance(name: str, field: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    original = {"-orig-id": name} if name in NAMES else {}
    return NAMES.get(name, name), {**original, **_rename_field(field)}


def rename_type(spec: dict[str, Any]) -> dict[str, Any]:
    """A type under the gallery's names.

    Raises:
        StaleNamesError: two fields of the type would have the same name.
    """
    renamed: dict[str, Any] = {}
    for key, value in spec.items():
        if key == "doc":
            renamed[key] = rename_prose(value)
        elif key == "-webide-representation":
            renamed[key] = rename_expression(value)
        elif key == "params":
            # A parameter has no place in the file, so no name there.
            renamed[key] = [_rename_listed(each, mark=False) for each in value]
        elif key == "seq":
            renamed[key] = [_rename_listed(each, mark=True) for each in value]
        elif key == "instances":
            pairs = [_rename_instance(name, each) for name, each in value.items()]
            if len(dict(pairs)) < len(pairs):
                raise StaleNamesError(f"two instances get one name among {[n for n, _ in pairs]}")
            renamed[key] = dict(pairs)
        elif key == "types":
            renamed[key] = {name: rename_type(each) for name, each in value.items()}
        else:
            renamed[key] = value
    names = field_names(renamed)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StaleNamesError(f"more than one field would be called {', '.join(twice)}")
    return renamed


def field_names(spec: dict[str, Any]) -> list[str]:
    """The names of a type's parameters, fields and instances."""
    listed = [each["id"] for key in ("params", "seq") for each in spec.get(key, [])]
    return [*listed, *spec.get("instances", {})]


# --- Rules ----------------------------------------------------------------------------------------


def _expressions(node: Any, key: str = "") -> Iterator[str]:
    """All expressions in a part of a ``.ksy``."""
    if isinstance(node, dict):
        for inner, value in node.items():
            yield from _expressions(value, inner)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value, key)
    elif key in EXPRESSIONS:
        yield node


def drop_rules(spec: dict[str, Any]) -> None:
    """Removes the rules, except those that other fields are computed from."""
    while True:
        used = set()
        for text in _expressions(spec):
            used |= set(_IDENTIFIER.findall(text))
        doomed = [
            (each["instances"], name)
            for each in types(spec)
            for name in each.get("instances", {})
            if name.startswith(RULE) and name not in used
        ]
        if not doomed:
            break
        for instances, name in doomed:
            del instances[name]
    for each in types(spec):
        if not each.get("instances", True):
            del each["instances"]


# --- Text -----------------------------------------------------------------------------------------


def _scalar(value: str) -> str:
    """A scalar on one line: plain where YAML reads it back, else in quotes."""
    try:
        plain = load(f"a: {value}") == {"a": value}
    except yaml.YAMLError:
        plain = False
    return value if plain else "'" + value.replace("'", "''") + "'"


def _block(mark: str, text: str, indent: str) -> Iterator[str]:
    yield mark
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ""
        yield from textwrap.wrap(
            " ".join(paragraph.split()),
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    """The lines of one key, the first without its indent."""
    if isinstance(value, dict):
        yield f"{key}:"
        yield from _mapping(value, indent + "  ")
    elif isinstance(value, list):
        yield f"{key}:"
        for item in value:
            inner = indent + "    "
            lines = _mapping(item, inner) if isinstance(item, dict) else iter([_scalar(item)])
            yield f"{indent}  - {next(lines).strip()}"
            yield from lines
    elif "\n\n" in value.strip() or len(f"{indent}{key}: {_scalar(value.strip())}") > WIDTH:
        mark = "|" if key == "doc" else ">-"
        yield from _block(f"{key}: {mark}", value, indent + "  ")
    else:
        yield f"{key}: {_scalar(' '.join(value.split()))}"


def _mapping(mapping: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        lines = _entry(_scalar(key), value, indent)
        yield indent + next(lines)
        yield from lines


def text_of(spec: dict[str, Any]) -> str:
    """The text of a ``.ksy``, in the gallery's style."""
    return "\n".join(_mapping(spec, "")) + "\n"


def derive(folder: Path, *, rules: bool = True) -> dict[str, str]:
    """The gallery's files.

    Args:
        folder: holds the ``.ksy`` files with QEMU's names.
        rules: whether the rules stay.

    Returns:
        The text of each file by its name.

    Raises:
        StaleNamesError: the table of names does not fit the files.
    """
    specs = {path.name: read(path) for path in sorted(folder.glob("*.ksy"))}
    known = {name for spec in specs.values() for each in types(spec) for name in field_names(each)}
    if unknown := sorted(NAMES.keys() - known):
        raise StaleNamesError(f"nothing is called {', '.join(unknown)}")
    files = {}
    for name, spec in specs.items():
        if not rules:
            drop_rules(spec)
        files[name] = text_of(rename_type(spec))
    return files


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="tools/gallery.py",
        description="Derives the files that the gallery of Kaitai Struct formats would take.",
    )
    parser.add_argument("outdir", metavar="OUTDIR", type=Path, help="where the .ksy files go")
    parser.add_argument(
        "--without-rules", action="store_true", help="leave out the instances that state rules"
    )
    arguments = parser.parse_args()
    try:
        files = derive(ROOT / "generated/kaitai", rules=not arguments.without_rules)
    except StaleNamesError as error:
        print(f"tools/gallery.py: the table of names is stale: {error}", file=sys.stderr)
        return 1
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (arguments.outdir / name).write_text(text, "utf-8")
        print(arguments.outdir / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
