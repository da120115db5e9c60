"""`qcowspec map --bitmap` and `qcowspec bitmap` against what qemu-nbd serves of a bitmap.

200 scripts: ``python -m tests.conformance.bitmaps --scripts 200``.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import qcowspec
from tests.command import run as ours
from tests.conformance import bitmaps
from tests.qemu import answer, create, run, write

DATA = Path(__file__).parents[1] / "data"


def ranges(*words: object) -> list[bitmaps.Range]:
    """What `qcowspec map --json` prints of a bitmap."""
    done = ours("map", "--json", *words)
    assert done.returncode == 0, done.stderr
    return [(each["start"], each["length"], each["dirty"]) for each in json.loads(done.stdout)]


@pytest.mark.parametrize("seed", range(1001, 1011))
def test_ranges_are_those_that_qemu_serves(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    bitmaps.made(path, Random(seed))

    assert [says for says in bitmaps.compared(path) if says] == []


def test_the_scripts_make_bitmaps(tmp_path: Path) -> None:
    """What the test above compares is not nothing."""
    count = 0
    for seed in range(1001, 1006):
        path = tmp_path / f"{seed}.qcow2"
        bitmaps.made(path, Random(seed))
        count += len(list(bitmaps.compared(path)))

    assert count > 5


@pytest.mark.parametrize("name", ["v3-bitmaps.qcow2", "showcase.qcow2"])
def test_real_bitmaps_are_read_as_qemu_reads_them(name: str, tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")

    found = list(bitmaps.compared(tmp_path / "data" / name))

    assert found
    assert [says for says in found if says] == []


def test_a_part_is_cut_out_of_the_whole(tmp_path: Path) -> None:
    path = DATA / "v3-bitmaps.qcow2"
    whole = ranges("--bitmap", "fine", path)
    for start, length in ((0, 512), (100, 4096), (41_943_000, 90_000), (67_108_863, 5), (1, 1)):
        part = ranges("--bitmap", "fine", "-s", start, "-l", length, path)
        end = min(start + length, 64 << 20)
        expected = [
            (max(start, at), min(end, at + size) - max(start, at), dirty)
            for at, size, dirty in whole
            if at < end and at + size > start
        ]

        assert part == expected


def test_allocation_is_maps_own(tmp_path: Path) -> None:
    """Joined where only the bitmap cuts them, the ranges are those of `qemu-img map`."""
    create(tmp_path / "base.qcow2", "4M")
    write(tmp_path / "base.qcow2", "write 1M 1M")
    path = tmp_path / "disk.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", path)
    run("qemu-img", "bitmap", "--add", "-g", "4k", path, "daily")
    write(path, "write 64k 8k", "discard 1M 64k", "write -z 2M 128k", "write 3M 300k")
    words = ("--bitmap", "daily", "--allocation", "--allow", "same-dir", path)

    found = json.loads(ours("map", "--json", *words).stdout)

    assert [
        (start, length, dirty)
        for start, length, dirty in joined(
            (each["start"], each["length"], each["dirty"]) for each in found
        )
    ] == bitmaps.by_qemu(path, "daily")
    _, text = answer(tmp_path, "qemu-img", "map", "--output=json", path)
    keys = ("depth", "present", "zero", "data")
    assert list(joined((e["start"], e["length"], [e[k] for k in keys]) for e in found)) == list(
        joined((e["start"], e["length"], [e[k] for k in keys]) for e in json.loads(text))
    )
    table = ours("map", *words).stdout.splitlines()
    assert table[0] == "Bitmap daily: 4 KiB a bit"
    assert len(table) == 2 + sum(each["dirty"] for each in found)


def joined(rows: Iterable[tuple[int, int, Any]]) -> Iterator[tuple[int, int, Any]]:
    """Neighbours that say the same, as one."""
    held: tuple[int, int, Any] | None = None
    for start, length, says in rows:
        if held is not None and held[2] == says:
            held = (held[0], held[1] + length, says)
            continue
        if held is not None:
            yield held
        held = (start, length, says)
    if held is not None:
        yield held


def test_a_bitmap_in_use_is_shown_with_a_warning() -> None:
    path = DATA / "v3-bitmaps-in-use.qcow2"

    table = ours("map", "--bitmap", "one", path)
    found = ours("map", "--bitmap", "one", "--json", path)

    assert table.returncode == found.returncode == 0
    assert "in use: it was not saved" in table.stderr
    assert table.stdout.startswith("Bitmap one: 4 KiB a bit; in use, not to be trusted\n")
    assert "do not trust it" in found.stderr
    assert all(each["in-use"] for each in json.loads(found.stdout))


def test_a_broken_table_has_its_rules_sentence(tmp_path: Path) -> None:
    for name, bitmap, entry, says in (
        ("v3-bitmaps.qcow2", "daily", 1 << 60, "has reserved bits"),
        ("v3-bitmaps-in-use.qcow2", "one", 1 << 60, "has reserved bits"),
        ("v3-bitmaps-in-use.qcow2", "one", 0x5200, "not aligned to a cluster"),
        ("v3-bitmaps-in-use.qcow2", "one", 0x5001, "has reserved bits"),
    ):
        path = tmp_path / name
        shutil.copy(DATA / name, path)
        with qcowspec.open(path) as image:
            (entry_,) = [each for each in image.bitmaps if each.name == bitmap.encode()]
        with path.open("r+b") as file:
            file.seek(entry_.bitmap_table_offset)
            file.write(entry.to_bytes(8, "big"))

        done = ours("map", "--bitmap", bitmap, path)

        assert done.returncode == 1
        assert says in done.stderr


def test_a_table_in_use_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    create(path, "64M", options="cluster_size=4k")
    run("qemu-img", "bitmap", "--add", "-g", "512", path, "a")
    with qcowspec.open(path) as image:
        (part,) = image.bitmaps.parts
    with path.open("r+b") as file:
        file.seek(part.offset + 8)
        file.write(struct.pack(">II", 1, 1))  # entries of the table, of which 4 are needed; in use

    done = ours("bitmap", path)

    assert (done.returncode, "the size of the disk makes it" in done.stderr) == (1, True)
    assert "unknown" in done.stdout


def test_no_such_bitmap() -> None:
    assert ours("map", "--bitmap", "none", DATA / "v3-bitmaps.qcow2").returncode == 1
    assert ours("bitmap", DATA / "v3-bitmaps.qcow2", "none").returncode == 1
    assert "has no bitmap 'x'" in ours("map", "--bitmap", "x", DATA / "v1-plain.qcow").stderr


def test_bitmaps_that_the_image_does_not_vouch_for_are_named_stale(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    shutil.copy(DATA / "v3-bitmaps.qcow2", path)
    with path.open("r+b") as file:
        file.seek(88)
        file.write(bytes(8))  # autoclear_features

    listed = ours("bitmap", path)

    assert (listed.stdout, listed.returncode) == ("", 0)
    assert "out of date" in listed.stderr
    assert "out of date" in ours("map", "--bitmap", "daily", path).stderr


def test_bitmaps_that_share_their_clusters_cost_no_more_than_the_file(tmp_path: Path) -> None:
    """Tables of one cluster again and again: what would take more than the file is not counted."""
    path = tmp_path / "disk.qcow2"
    create(path, 1 << 40, options="cluster_size=2M")
    for name in ("a", "b"):
        run("qemu-img", "bitmap", "--add", "-g", "512", path, name)
    with qcowspec.open(path) as image:
        tables = [(each.bitmap_table_offset, each.bitmap_table_size) for each in image.bitmaps]
    at = -(-path.stat().st_size // (2 << 20)) * (2 << 20)
    with path.open("r+b") as file:
        for offset, count in tables:
            file.seek(offset)
            file.write(at.to_bytes(8, "big") * count)
        file.seek(at)
        file.write(b"\xff" * (2 << 20))

    done = ours("bitmap", "--json", path)

    assert done.returncode == 1
    assert ["share clusters" in row["error"] for row in json.loads(done.stdout)] == [True, True]
    assert ranges("--bitmap", "a", path) == [(0, 1 << 40, True)]


def test_many_clusters_of_ones_or_zeros_are_one_range(tmp_path: Path) -> None:
    """The cost follows the table, not the disk: 64 TiB of ones have no bits in the file."""
    path = tmp_path / "disk.qcow2"
    create(path, 64 << 40, options="cluster_size=2M")
    run("qemu-img", "bitmap", "--add", "-g", "64k", path, "a")
    with qcowspec.open(path) as image:
        (bitmap,) = image.bitmaps
    with path.open("r+b") as file:
        file.seek(bitmap.bitmap_table_offset)
        file.write((1).to_bytes(8, "big") * bitmap.bitmap_table_size)

    assert ranges("--bitmap", "a", path) == [(0, 64 << 40, True)]
    assert [says for says in bitmaps.compared(path) if says] == []


def test_the_pages_examples_show_real_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)
    page = (DATA.parents[1] / "docs" / "bitmaps.md").read_text()
    shown = "".join(re.findall(r"```\n(\$ .*?)```", page, re.DOTALL))

    printed = ""
    for line in re.findall(r"^\$ qcowspec (.*)$", shown, re.MULTILINE):
        done = ours(*line.split())
        printed += f"$ qcowspec {line}\n{done.stderr}{done.stdout}"

    assert printed == shown
