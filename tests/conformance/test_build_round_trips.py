"""What `qcowspec dump` prints of an image, `qcowspec build` makes that image of again.

The guest's data come from an original in which every byte that the dump covers is spoilt: the
metadata can only have come from the dump.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from qcowspec.fuzzing.recipes import copied_from, made, parsed
from qcowspec.sources.memory import Memory
from tests.conformance.conftest import Dump, dump
from tools.make_test_data import DATA, Image


def test_a_dump_has_all_metadata(image: Image, said: Dump) -> None:
    original = (DATA / image.name).read_bytes()
    spoilt = bytearray(original)
    for start, end in covered(said.document):
        spoilt[start:end] = bytes(255 - byte for byte in spoilt[start:end])

    pieces = made(said.document, has_original=True).pieces
    again = bytearray(pieces.end)
    for offset, chunk in pieces.written(copied_from(Memory(bytes(spoilt)))):
        again[offset : offset + len(chunk)] = chunk

    assert bytes(again) == original


@pytest.mark.parametrize("name", ["v1-compressed.qcow", "v2-snapshots.qcow2", "v3-bitmaps.qcow2"])
def test_yaml_says_what_json_says(name: str) -> None:
    words = ("--tables", DATA / name)

    assert parsed(dump("--yaml", *words).encode()) == parsed(dump("--json", *words).encode())


def covered(document: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Where the structures and tables of a dump stand in the file."""
    for node in document["structures"]:
        if node.keys() & {"entries", "fields", "raw"}:
            yield node["offset"], node["offset"] + node["length"]
