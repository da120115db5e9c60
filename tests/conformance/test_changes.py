"""Outside of the ranges that are listed, two snapshots have the same bytes, by qemu-img's word."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

import qcowspec
from qcowspec import cli
from qcowspec.guest.differences import differences
from tests.conformance.random_images import written
from tests.conformance.reading.answers import theirs
from tools.make_test_data import DATA

FLAVOURS = [
    "cluster_size=512",
    "cluster_size=4096,compression_type=zstd",
    "compat=0.10",
    "extended_l2=on,cluster_size=16k",
    "preallocation=metadata,cluster_size=8k",
    "backed,cluster_size=4k",
    "backed,extended_l2=on",
]


def made(options: str, folder: Path, random: Random) -> Path:
    """An image with snapshots, and sometimes a backing file shorter than it."""
    path = folder / "disk.qcow2"
    size = 512 * random.randrange(2000, 5000)
    words = ["-o", options.removeprefix("backed,")]
    if options.startswith("backed,"):
        (folder / "base.raw").write_bytes(random.randbytes(size // 2))
        words += ["-b", "base.raw", "-F", "raw"]
    written(path, random, words, size, snapshots=True)
    return path


def outside(length: int, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The gaps between ranges."""
    ends = [0, *(start + size for start, size in ranges)]
    starts = [*(start for start, _ in ranges), length]
    return [(end, start) for end, start in zip(ends, starts, strict=True) if end < start]


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("options", FLAVOURS)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_listed_is_the_same(options: str, seed: int, tmp_path: Path) -> None:
    path = made(options, tmp_path, Random(f"{options}{seed}"))
    with qcowspec.open(path, allow="same-dir") as image:
        states = [None, *(found.id_str.decode() for found in image.snapshots)]
        disks = {}
        for state in states:
            answer = theirs(path, "qcow2", tmp_path / "raw", state)
            assert answer is not None
            assert answer.raw is not None
            disks[state] = answer.raw.read_bytes()
        for since, until in itertools.permutations(states, 2):
            listed = [pair for batch in image.changes(since, until) for pair in batch.pairs()]
            for start, end in outside(len(disks[until]), listed):
                assert disks[since][start:end] == disks[until][start:end]

            found = differences(image.disk(since), image.disk(until), image.changes(since, until))
            exact = {
                at
                for batch in found
                for start, size in batch.pairs()
                for at in range(start, start + size, 512)
            }
            assert exact == {
                at
                for at in range(0, len(disks[until]), 512)
                if disks[since][at : at + 512] != disks[until][at : at + 512]
            }


def ours(*words: str) -> list[dict[str, Any]]:
    path = str(DATA / "v3-snapshots.qcow2")
    result = CliRunner().invoke(cli.qcowspec, ["map", "--output", "json", *words, path])
    assert (result.exit_code, result.stderr) == (0, "")
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_a_state_has_not_changed_since_itself() -> None:
    assert ours("--since", "2", "--snapshot", "2") == []


def test_the_entries_are_those_of_the_map_in_changed_ranges() -> None:
    rows = ours("--since", "2")
    whole = ours()

    assert [(row["start"], row["length"]) for row in rows] == [
        (0, 4096),
        (8192, 4096),
        (9 << 20, 512),
    ]
    assert [row["zero"] for row in rows] == [True, False, False]
    for row in rows:
        assert any(
            row["start"] >= other["start"] and row["zero"] == other["zero"] for other in whole
        )


def test_exact_reads_the_bytes() -> None:
    assert [row["length"] for row in ours("--since", "2", "--exact")] == [4096, 1024, 512]


def test_what_grew_counts_as_zeros_before() -> None:
    rows = ours("--since", "1", "--snapshot", "2")

    assert [row["start"] for row in rows] == [4096, 4 << 20]


def test_ranges_are_cut_at_the_bounds_that_are_asked_for() -> None:
    rows = ours("--since", "2", "--start-offset", "1k", "--max-length", "8k")

    assert [(row["start"], row["length"]) for row in rows] == [(1024, 3072), (8192, 1024)]


def test_no_second_file_is_opened_to_list_changes(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    command = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "no.raw"]
    subprocess.run([*command, str(path), "1M"], check=True)
    with qcowspec.open(path) as image:
        assert list(image.changes(None)) == []


def test_exact_without_since_is_bad_usage() -> None:
    result = CliRunner().invoke(cli.qcowspec, ["map", "--exact", str(DATA / "v3-snapshots.qcow2")])

    assert result.exit_code == 2
