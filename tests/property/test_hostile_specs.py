"""No spec hurts: whatever stands in it, `build` makes an image or says in a sentence what is wrong.

A longer run: ``QCOWSPEC_SPECS=20000 python -m pytest tests/property/test_hostile_specs.py``.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.recipes import made
from tests.conformance.conftest import dump
from tools.make_test_data import DATA

COUNT = int(os.environ.get("QCOWSPEC_SPECS", "400"))
STRETCH = 50

DUMPED = ("v1-compressed.qcow", "v3-snapshots.qcow2", "v3-bitmaps.qcow2", "v3-size-0.qcow2")
WRITTEN: tuple[dict[str, Any], ...] = (
    {
        "size": "1M",
        "writes": [{"at": 0, "text": "a"}, {"at": "64K", "zero": "64K"}],
        "snapshots": [{"name": "s", "writes": [{"at": 0, "text": "x"}]}],
        "header": {"size": 5},
    },
    {
        "base": "v3",
        "patch": [
            {"field": "header.size", "value": "old + 5", "set": [3]},
            {"at": "end", "hex": "00ff", "times": 3},
            {"extension": "data_file", "text": "x"},
            {"at": "end", "structure": "qcow2::snapshot", "fields": {"l1_size": 1}},
        ],
    },
)
JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 20000, 1.5, float("nan")),
    *("", "x", "0x", "9" * 5000, "\ud800", "\\xff", "1K", "9E", [], [[]], {}, {"a": 1}, {1: 2}),
    *({"hex": "zz"}, {"fill": 1, "length": 1 << 40}, {"text": 5}, "qcow2::header", "header"),
)
KEYS = (
    *("kind", "fields", "length", "offset", "entries", "count", "index", "bits", "layout", "at"),
    *("arguments", "summary", "times", "repeat", "patch", "base", "writes", "header", "raw"),
)


def seeds() -> list[Any]:
    """Specs that are sound."""
    dumped = [json.loads(dump("--json", "--tables", DATA / name)) for name in DUMPED]
    small = [each for name, each in vectors.bases().items() if name not in ("v3-2m", "v3-luks")]
    return [*dumped, *small, *WRITTEN]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield (*path, key)
        yield from paths(value[key], (*path, key))


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def spoilt(spec: Any, random: Random) -> Any:
    """A spec with up to three of its values replaced, taken away or added."""
    spec = copy.deepcopy(spec)
    for _ in range(random.randint(1, 3)):
        places = list(paths(spec))
        if not places:
            return spec
        *above, last = random.choice(places)
        node = spec
        for key in above:
            node = node[key]
        junk = copy.deepcopy(random.choice(JUNK))
        match random.choice("rrrda"):
            case "r":
                node[last] = junk
            case "d":
                del node[last]
            case "a" if isinstance(node, dict):
                node[random.choice(KEYS)] = junk
            case _:
                node.append(junk)
    return spec


@pytest.fixture(scope="module")
def sound() -> list[Any]:
    return seeds()


@pytest.mark.parametrize("first", range(0, COUNT, STRETCH))
def test_a_spoilt_spec_is_built_or_refused_in_a_sentence(first: int, sound: list[Any]) -> None:
    said: list[str] = []
    for number in range(first, first + STRETCH):
        random = Random(number)
        spec = spoilt(random.choice(sound), random)
        try:
            pieces = made(spec, has_original=random.random() < 0.5).pieces
            ends = [offset + len(chunk) for offset, chunk in pieces.written()]
        except QcowError as error:
            said.append(error.message)
        else:
            assert max(ends, default=0) <= pieces.end, number
    assert [message for message in said if not message or "\n" in message] == []
