"""The model of a page has the numbers that the commands print, and stays small."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qcowspec.check.tiles import Kind
from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from qcowspec.image import lay_open
from qcowspec.reader.verdict import validate
from qcowspec.report.page import catalogue, disk, room, tiles
from qcowspec.report.page.document import document
from qcowspec.report.page.model import Page, page_of
from tests.command import run
from tests.every import every

DATA = Path(__file__).parents[1] / "data"
IMAGES = sorted([*DATA.glob("*.qcow2"), *DATA.glob("*.qcow")])


@cache
def page(path: Path) -> Page:
    with lay_open(str(path)) as image:
        return page_of(image)


def printed(command: str, path: Path, *words: str) -> Any:
    return json.loads(run(command, *words, path).stdout)


@every("path", IMAGES, ids=lambda path: path.name)
def test_the_file_is_tiled_as_usage_has_it(path: Path) -> None:
    found, wanted = page(path).model, printed("usage", path, "--json")

    sums = {
        kind: {"bytes": total["bytes"], "tiles": total["tiles"]}
        for kind, total in wanted["kinds"].items()
    }
    assert found["kinds"] == sums
    tiles, at = found["tiles"], 0
    shown: Counter[str] = Counter()
    for kind, length in zip(tiles["kinds"], tiles["lengths"], strict=True):
        shown[catalogue.KIND_WORDS[kind]] += length * tiles["unit"]
        at += length * tiles["unit"]
    assert at == found["file"]["length"] == path.stat().st_size
    assert shown == {kind: total["bytes"] for kind, total in sums.items()}


@every("path", IMAGES, ids=lambda path: path.name)
def test_the_disk_is_mapped_as_map_has_it(path: Path) -> None:
    (active, *_) = page(path).model["disk"]["states"]
    status = run("map", "--output", "json", path)
    if status.returncode:
        pytest.skip("map opens no such image")

    data = sum(active["sums"].get(word, 0) for word in ("data", "compressed", "data-file"))
    entries = [entry for entry in json.loads(status.stdout) if entry["depth"] == 0]
    stored = [entry for entry in entries if entry["data"]]  # zeros among them are holes of the file
    assert data == sum(entry["length"] for entry in stored)
    runs, starts = active["runs"], [0]
    for length in runs["lengths"]:
        starts.append(starts[-1] + length * runs["unit"])
    assert starts[-1] == active["size"]
    for entry in stored:
        run_ = bisect_right(starts, entry["start"]) - 1
        word = catalogue.STATE_WORDS[runs["states"][run_]]
        assert word in ("data", "compressed", "data-file")
        if "offset" in entry:
            assert entry["offset"] == runs["hosts"][run_] + entry["start"] - starts[run_]


@every("path", IMAGES, ids=lambda path: path.name)
def test_the_verdicts_are_those_of_validate(path: Path) -> None:
    for verdict in page(path).model["verdicts"]:
        wanted = printed("validate", path, "--json", "-p", verdict["profile"])

        for key in ("profile", "verdict", "judged", "not_looked_at", "truncated"):
            assert verdict[key] == wanted[key], key
        assert verdict["errors"] == len(wanted["errors"])
        assert verdict["warnings"] == len(wanted["warnings"])


@every("path", IMAGES, ids=lambda path: path.name)
def test_the_figures_are_those_of_check(path: Path) -> None:
    found, wanted = page(path).model["check"], printed("check", path, "--output", "json")

    names = {name.replace("_", "-"): number for name, number in found.items()}
    for key, number in wanted.items():
        if key in names:
            assert names[key] == number, key
    assert [key for key in ("corruptions", "leaks") if names[key] and key not in wanted] == []


@every("path", IMAGES, ids=lambda path: path.name)
def test_the_structures_are_those_of_dump(path: Path) -> None:
    found = page(path).model
    wanted = printed("dump", path, "--json")["structures"]

    def kept(node: dict[str, Any]) -> dict[str, Any]:
        return {
            **{key: node[key] for key in ("name", "offset", "length", "layout") if key in node},
            "fields": [kept(child) for child in node.get("fields", ())],
        }

    assert found["structures_left"] == 0
    assert [kept(node) for node in found["structures"]] == [kept(node) for node in wanted]


@every("vector", [v for v in vectors.everything() if v.id != "snapshots/count/65536"][::7])
def test_any_image_whose_header_parses_has_a_page(vector: vectors.Vector) -> None:
    data = vectors.image(vector)
    try:
        image = lay_open(data)
    except QcowError:
        pytest.skip("no QCOW image")
    with image:
        found = page_of(image, name="disk")

    assert sum(each["bytes"] for each in found.model["kinds"].values()) == len(data)
    for state in found.model["disk"]["states"]:
        assert sum(state["sums"].values()) == state["size"]
    for verdict in found.model["verdicts"]:
        wanted = validate(data, profile=verdict["profile"])
        assert verdict["verdict"] == wanted.verdict
        assert verdict["judged"] == wanted.looked.judged
        assert verdict["errors"] == len(wanted.errors)
    for finding in found.model["findings"]:
        assert finding["rule"] in found.catalogue["rules"]
    assert room.weight(found) < 400_000


def test_every_kind_is_in_the_catalogue() -> None:
    assert [kind.word for kind in Kind if kind.word not in catalogue.KINDS] == []
    assert set(catalogue.KINDS) == set(catalogue.KIND_WORDS)


def test_embedded_text_ends_no_script() -> None:
    text = "</script><!-- & \u2028\u2029"

    shown = room.embedded([text])

    assert not set("<>&\u2028\u2029") & set(shown)
    assert json.loads(shown) == [text]


def test_as_many_snapshots_as_there_may_be_have_a_small_page() -> None:
    (vector,) = (v for v in vectors.everything() if v.id == "snapshots/count/65536")
    with lay_open(vectors.image(vector)) as image:
        found = page_of(image, name="disk")

    states = found.model["disk"]
    assert len(states["states"]) == disk.MOST_STATES
    assert len(states["states"]) - 1 + states["states_left"] == 65536
    assert len(document(found).encode()) < 500_000


def runs(count: int, longest: int) -> tuple[tiles.Numbers, tiles.Numbers, tiles.Numbers]:
    """Many runs of random kinds and lengths, one after the other."""
    random = np.random.default_rng(5)
    lengths = random.integers(1, longest, count)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return starts, lengths, random.integers(0, 5, count)


@pytest.mark.parametrize("longest", [3, 40, 5_000])
def test_a_cell_is_of_the_kind_that_most_of_its_bytes_have(longest: int) -> None:
    starts, lengths, kinds = runs(3_000, longest)
    each = np.repeat(kinds, lengths)
    found = tiles.Collected(len(each), 5, most=200)

    for some in np.array_split(np.arange(3_000), 7):
        found.add(starts[some], lengths[some], kinds[some])

    shown = found.runs(room.TILES)
    assert not shown.exact
    assert len(shown.kinds) <= 100
    assert found.sums.tolist() == np.bincount(each, minlength=5).tolist()
    cells = np.repeat(shown.kinds, shown.lengths).tolist()
    assert len(cells) == -(-len(each) // shown.unit)
    for index, kind in enumerate(cells):
        counts = np.bincount(each[index * shown.unit : (index + 1) * shown.unit], minlength=5)
        assert counts[kind] == counts.max()


def test_few_runs_stay_as_they_are() -> None:
    starts, lengths, kinds = runs(1_000, 40)
    found = tiles.Collected(int(lengths.sum()), 5)

    found.add(starts, lengths, kinds)

    shown = found.runs(room.TILES)
    assert shown.exact
    assert (np.repeat(shown.kinds, shown.lengths * shown.unit) == np.repeat(kinds, lengths)).all()
