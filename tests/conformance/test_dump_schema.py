"""docs/dump.schema.json describes every key that a dump has, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from qcowspec.cli import qcowspec
from qcowspec.report.document import SCHEMA as NAME
from tests.conformance.conftest import of_every_image
from tools.make_test_data import DATA, Image

if TYPE_CHECKING:
    from tests.conformance.conftest import Dumps

Plain = dict[str, Any]

TEXT = (Path(__file__).parents[2] / "docs" / "dump.schema.json").read_text(encoding="utf-8")
SCHEMA: Plain = json.loads(TEXT)


def subschemas(schema: Plain, path: str = "") -> Iterator[tuple[str, Plain]]:
    """Every schema of a key, an item or a definition, with the way to it."""
    yield path, schema
    for group in ("properties", "$defs"):
        for name, inner in schema.get(group, {}).items():
            yield from subschemas(inner, f"{path}/{name}")
    if "items" in schema:
        yield from subschemas(schema["items"], f"{path}/[]")


def closed(schema: Plain) -> Plain:
    """The schema without the freedom to add keys, which later versions of the dump have."""
    tight = deepcopy(schema)
    for _, inner in subschemas(tight):
        if "properties" in inner:
            inner["additionalProperties"] = False
    return tight


STRICT = Draft202012Validator(closed(SCHEMA))


def complaints(document: object, validator: Draft202012Validator = STRICT) -> list[str]:
    """What a validator has against a document."""
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def part(name: str) -> Draft202012Validator:
    """The validator of one definition of the schema."""
    whole = closed(SCHEMA)
    return Draft202012Validator({"$defs": whole["$defs"], "$ref": f"#/$defs/{name}"})


# --- The schema itself ----------------------------------------------------------------------------


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_is_the_schema_that_a_dump_names() -> None:
    assert SCHEMA["properties"]["schema"]["const"] == NAME


@pytest.mark.parametrize("path", dict(subschemas(SCHEMA)))
def test_every_key_is_described_and_has_a_type(path: str) -> None:
    schema = dict(subschemas(SCHEMA))[path]
    if "$ref" not in schema:
        assert schema["description"].endswith(".")
        assert schema["type"]


def test_it_lets_later_versions_add_keys(dumps: Dumps) -> None:
    later = {**dumps("showcase.qcow2").document, "new": 1}

    assert complaints(later, Draft202012Validator(SCHEMA)) == []


# --- What dump prints -----------------------------------------------------------------------------


@pytest.mark.parametrize("tables", [True, False], ids=["with tables", "without tables"])
@of_every_image
def test_every_dump_follows_it(image: Image, dumps: Dumps, tables: bool) -> None:
    assert complaints(dumps(image.name, tables=tables).document) == []


@of_every_image
def test_only_with_tables_are_there_entries(image: Image, dumps: Dumps) -> None:
    short = dumps(image.name, tables=False)

    assert [s["name"] for s in short.structures if "entries" in s] == []


def keys(document: object) -> Iterator[str]:
    """Every key of a document, at any depth."""
    if isinstance(document, dict):
        yield from document
        for inner in document.values():
            yield from keys(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from keys(inner)


def test_it_describes_no_key_that_no_dump_has(dumps: Dumps) -> None:
    shown = [
        *(dumps(name).document for name in ("showcase.qcow2", "v3-extended-l2.qcow2")),
        dumps("v3-refcount-64.qcow2", tables=False).document,
        dict.fromkeys(SCHEMA["$defs"]["finding"]["properties"]),
        dict.fromkeys(SCHEMA["properties"]["truncated"]["properties"]),
    ]

    described = {key for _, schema in subschemas(SCHEMA) for key in schema.get("properties", {})}
    assert described - set(keys(shown)) == set()


PATHS = {
    "header": "structure",
    "header.cluster_bits": "structure",
    "snapshots[0].name": "structure",
    "l1_table": "structure",
    "l1_table[0]": "row",
    "refcount_blocks[0][3]": "row",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("notation", ["--json", "--yaml"])
def test_a_part_of_a_dump_follows_its_part_of_it(path: str, notation: str) -> None:
    words = ["dump", notation, "--path", path, str(DATA / "showcase.qcow2")]
    printed = CliRunner().invoke(qcowspec, words).stdout

    found = json.loads(printed) if notation == "--json" else yaml.safe_load(printed)
    assert complaints(found, part(PATHS[path])) == []
