"""The inspector's feeder says of an image what Python says, as far as it looked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from tests.inspector import expected
from tests.inspector.expected import Tiled
from tests.inspector.feeder import Feeder
from tests.property.real_images import DATA, IMAGES

PIECE = 65536
"""Bytes of the largest refcount block that is read whole, however short the file is."""


@pytest.fixture(scope="module")
def feeder(tmp_path_factory: pytest.TempPathFactory) -> Feeder:
    """The feeder, ready to be run by Node."""
    return Feeder.made(tmp_path_factory.mktemp("feeder"))


UNKNOWN = {"not-followed", "not-looked-at"}


def assert_tiled(found: Tiled, wanted: Tiled, exactly: bool) -> None:
    """The runs and sums are Python's; of a broken image, some may be called unknown instead."""
    if exactly:
        assert found == wanted
        return
    (mine, _), (theirs, _) = found, wanted
    assert sum(length for _, length in mine) == sum(length for _, length in theirs)
    at, rest = 0, iter(theirs)
    kind, left = next(rest)
    for name, length in mine:
        while length:
            part = min(length, left)
            # `usage` takes an L1 entry without an offset, but with other bits, for one of offset 0.
            at_zero = name == "header-padding" and kind.endswith("l2-table")
            assert name == kind or name in UNKNOWN or at_zero, (hex(at), name, kind)
            at, length, left = at + part, length - part, left - part
            if not left:
                kind, left = next(rest, ("", 1))


def compared(model: dict[str, Any], data: bytes, feeder: Feeder, *, exactly: bool = True) -> None:
    """Compare all that stands in a model of which nothing was left out."""
    image, machine = expected.opened(data), expected.machine(data)
    found, wanted = feeder.findings(model), expected.findings(machine)
    if {each.rule for each in machine.findings} & expected.STOPPING:
        # Python reads no further, the inspector does: it finds no less.
        assert [each for each in wanted if each not in found] == []
        return
    if any("before a directory does" in each for each in model["left_out"]):
        # Python reads entries of zeros past the end of the file.
        assert [each for each in found if each not in wanted] == []
        return
    assert found == wanted
    laid_open = expected.structures(image, PIECE)
    if model["structures_left"]:
        laid_open = [each for each in laid_open if each in feeder.structures(model)]
    assert feeder.structures(model) == laid_open
    assert_tiled(feeder.tiles(model), expected.tiles(image), exactly)
    for state in model["disk"]["states"]:
        runs = expected.runs(image, state["id"])
        if runs is not None:
            assert feeder.runs(state, data_file=image.has_data_file) == runs


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_of_every_real_image(path: Path, feeder: Feeder) -> None:
    (model,) = feeder.models([path], rounds=1000)

    assert not model["has_more"]
    compared(model, path.read_bytes(), feeder)


def is_qcow(data: bytes) -> bool:
    try:
        expected.opened(data)
    except QcowError:
        return False
    return True


KNOWN = {
    "l1/v1-librbd-past-end/7-bytes": "an entry of which the file has a part is counted",
    "l1/v1-untrusted-past-end/7-bytes": "the same",
}
"""Vectors of which the inspector says something else, and what."""


def test_of_vectors(tmp_path: Path, feeder: Feeder) -> None:
    step = 1 if os.environ.get("QCOWSPEC_EVERY_VECTOR") else 6
    found = {vector.line: vectors.image(vector) for vector in vectors.everything()[::step]}
    paths = []
    for number, data in enumerate(found.values()):
        paths.append(tmp_path / f"{number}.qcow2")
        paths[-1].write_bytes(data)
    models = feeder.models(paths, rounds=1000)
    wrong = {}
    for line, data, model in zip(found, found.values(), models, strict=True):
        if line.partition(":")[0] in KNOWN:
            continue
        if not is_qcow(data):
            assert model is None, line
            continue
        try:
            assert not model.get("failed"), model["failed"]
            compared(model, data, feeder, exactly=False)
        except AssertionError as error:
            wrong[line] = str(error)[:300]

    assert wrong == {}


SURE = {"free", "leaked", "tail", "preallocated", "beyond-disk", "compressed-padding"}
"""Kinds of what a table that was not read may use."""


@pytest.mark.parametrize("name", ["showcase.qcow2", "v3-leaks.qcow2", "v3-1tib.qcow2"])
def test_nothing_is_called_free_before_all_tables_were_read(name: str, feeder: Feeder) -> None:
    (model,) = feeder.models([DATA / name], budget=1)
    tiles, sums = feeder.tiles(model)

    assert model["has_more"]
    assert not SURE & sums.keys()
    assert "not-looked-at" in sums
    assert sum(length for _, length in tiles) == model["file"]["length"]
    assert "not-looked-at" in model["disk"]["states"][0]["sums"]
    assert any("not looked at, never as free or leaked" in each for each in model["left_out"])


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_little_is_read_of_a_dropped_file(path: Path, feeder: Feeder) -> None:
    (model,) = feeder.models([path])

    assert model["spent"] < 1 << 20
    assert "accept" not in [verdict["verdict"] for verdict in model["verdicts"]]
