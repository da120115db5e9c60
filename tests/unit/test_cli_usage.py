"""What `qcowspec usage` prints, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qcowspec.fuzzing import vectors
from tests.command import run

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["v3-leaks.qcow2"], 0),
        (["--strict", "v3-leaks.qcow2"], 1),
        (["--strict", "v3-snapshots.qcow2"], 0),
        (["v3-data-file.raw"], 2),
        (["--no-such-option", "v3-leaks.qcow2"], 2),
    ],
)
def test_exit_status(words: list[str], status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)

    assert run("usage", *words).returncode == status


@pytest.mark.parametrize("deep", [[], ["--deep"]], ids=["tables", "deep"])
def test_json_sums_up_to_the_file(deep: list[str]) -> None:
    path = DATA / "showcase.qcow2"

    found = json.loads(run("usage", "--json", *deep, path).stdout)

    sums = {kind: total["bytes"] for kind, total in found["kinds"].items()}
    assert sum(sums.values()) == found["length"] == path.stat().st_size
    for kind, total in sums.items():
        assert total == sum(tile["length"] for tile in found["tiles"] if tile["kind"] == kind)
    hidden = [tile.get("nonzero") for tile in found["tiles"] if tile.get("nonzero")]
    assert hidden == ([18] if deep else [])


def test_an_overlap_is_reported_and_counted_once(tmp_path: Path) -> None:
    overlap = next(v for v in vectors.everything() if v.id == "check/overlap/l1-table")
    (tmp_path / "disk.qcow2").write_bytes(vectors.image(overlap))

    shown = run("usage", tmp_path / "disk.qcow2").stdout
    found = json.loads(run("usage", "--json", tmp_path / "disk.qcow2").stdout)

    assert [(one["kind"], one["also"]) for one in found["overlaps"]] == [
        ("l1-table", "data"),
        ("data", "table-padding"),
    ]
    assert "of l1-table also claimed as data\n" in shown
    assert sum(tile["length"] for tile in found["tiles"]) == found["length"]


def test_a_file_that_was_cut_short_is_called_that(tmp_path: Path) -> None:
    data = (DATA / "v3-backing.qcow2").read_bytes()
    (tmp_path / "cut.qcow2").write_bytes(data[:-0x10000])

    assert "the file ends at 0x50000" in run("usage", tmp_path / "cut.qcow2").stderr
