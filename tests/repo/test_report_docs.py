"""docs/report.md shows what `qcowspec report` does, and documents show pictures that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.report.page import disk, judged, room, structures, svg, tiles
from tests.command import run
from tools.docs import KIT, PICTURES

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
PAGE = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")


def test_the_example_shows_real_output(tmp_path: Path) -> None:
    ((arguments, shown),) = re.findall(r"```\n\$ qcowspec report (.*)\n(.*\n)```", PAGE)
    *options, name, flag, output = arguments.split()

    done = run("report", *options, DATA / name, flag, tmp_path / output)

    assert done.stdout == f"{tmp_path}/{shown}"
    drawn = (tmp_path / output).read_bytes()
    assert drawn == (ROOT / "docs" / "pictures" / output).read_bytes()


def test_python_examples_run() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    subprocess.run([sys.executable, "-c", block], cwd=DATA, check=True)


@pytest.mark.parametrize(
    "limit",
    [
        *(tiles.MOST_RUNS, tiles.MOST_CELLS, disk.MOST_STATES, disk.WORK, svg.MOST_CELLS),
        *(structures.MOST_NODES, judged.MOST_FINDINGS),
    ],
)
def test_limits_are_those_of_the_code(limit: int) -> None:
    assert f"{limit:,}" in PAGE


def test_the_room_for_bytes_is_that_of_the_code() -> None:
    assert f"| {room.BYTES >> 10} KiB |" in PAGE


def test_each_picture_is_shown_and_each_that_is_shown_is_drawn() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)

    shown = set(re.findall(r"!\[[^]]+\]\((?:docs/)?pictures/(\S+)\.svg\)", text))

    assert shown == {Path(name).stem for name in (*PICTURES, *KIT)}
