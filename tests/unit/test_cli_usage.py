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


def test_what_is_not_followed_is_a_kind_of_its_own(tmp_path: Path) -> None:
    """It is no cavity, and the exit status says that there is some."""
    path = tmp_path / "cut.qcow2"
    path.write_bytes((DATA / "showcase.qcow2").read_bytes()[:500000])

    shown, found = run("usage", "--strict", path), run("usage", "--json", path)

    assert (shown.returncode, found.returncode) == (3, 3)
    said = json.loads(found.stdout)
    assert f"\nNot followed: {'; '.join(said['not_followed'])}.\n" in shown.stdout
    assert [why.partition(" (")[0] for why in said["not_followed"]] == [
        "the bitmaps after the broken one", "snapshots, bitmaps", "1 of the L2 tables",
    ]  # fmt: skip
    assert not {"free", "leaked", "tail"} & said["kinds"].keys()
    assert sum(total["bytes"] for total in said["kinds"].values()) == 500000
    padding = [said["kinds"][kind]["bytes"] for kind in ("header-padding", "table-padding")]
    assert said["cavities"]["bytes"] == sum(padding)


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        ("header/cluster-bits", "all that follows the header"),
        ("snapshots/extra-data-size", "the snapshots after the broken one"),
        ("refcounts/order", "the refcount table"),
        ("l1/table-offset", "the L1 table"),
        ("extensions/len", "the header extensions after the broken one"),
        ("l1/v1-size", "the L1 table"),
    ],
)
def test_a_refused_image_is_followed_as_far_as_can_be(
    vector: str, why: str, tmp_path: Path
) -> None:
    """The first thing that is named is what the rule is about."""
    broken = next(v for v in vectors.everything() if v.id.startswith(f"{vector}/"))
    path = tmp_path / "disk.qcow2"
    path.write_bytes(vectors.image(broken))

    done = run("usage", "--json", path)

    assert done.returncode == 3
    assert json.loads(done.stdout)["not_followed"][0].startswith(f"{why} (")


def test_a_header_before_an_ocean_of_holes_is_answered_at_once(tmp_path: Path) -> None:
    """A file may claim any length, and its header any cluster size."""
    for name, bits in (("v1-backing.qcow", 9), ("v3-leaks.qcow2", 5)):
        data = bytearray((DATA / name).read_bytes())
        data[32 if bits == 9 else 23] = bits
        path = tmp_path / name
        path.write_bytes(data)
        with path.open("r+b") as file:
            file.truncate(8 << 40)

        found = json.loads(run("usage", "--json", path).stdout)

        assert sum(tile["length"] for tile in found["tiles"]) == 8 << 40


def test_a_file_that_was_cut_short_is_called_that(tmp_path: Path) -> None:
    data = (DATA / "v3-backing.qcow2").read_bytes()
    (tmp_path / "cut.qcow2").write_bytes(data[:-0x10000])

    assert "the file ends at 0x50000" in run("usage", tmp_path / "cut.qcow2").stderr
