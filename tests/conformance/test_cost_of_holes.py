"""What an operation costs follows the metadata that an image has, not the size of its disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from click.testing import CliRunner

from qcowspec.cli import qcowspec as cli
from tests import qemu

pytestmark = pytest.mark.usefixtures("qemu_img")

SMALL, LARGE = "1T", "64T"

Make = Callable[[str], Path]


def calls(work: Callable[[], object]) -> int:
    """How many functions of Python are called."""
    count = 0

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


FLAVOURS = {
    "preallocated": ["-o", "cluster_size=2M,preallocation=metadata"],
    "extended": ["-o", "cluster_size=2M,extended_l2=on"],
    "zeros": ["-o", "cluster_size=2M"],
    "backed": ["-o", "cluster_size=2M", "-b", "base.raw", "-F", "raw"],
}


@pytest.fixture(params=FLAVOURS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes an image of a size, which has a snapshot, and the same metadata at every size."""

    def made(size: str) -> Path:
        (tmp_path / "base.raw").touch()
        (tmp_path / "base.raw").open("r+b").truncate(8 << 40)
        path = tmp_path / f"{size}.qcow2"
        # Where a disk grows beyond its backing file, QEMU writes tables of zeros.
        first = size if request.param == "backed" else "64M"
        qemu.create(path, first, *FLAVOURS[request.param])
        if request.param == "zeros":
            qemu.write(path, "write -z 0 64M")
        if request.param == "extended":
            qemu.write(path, "write 63M 1M")
        qemu.run("qemu-img", "snapshot", "-c", "before", path)
        qemu.run("qemu-img", "resize", "-q", path, size)
        qemu.write(path, "write 512G 4k")
        return path

    return made


COMMANDS = [
    ["map", "--output", "json", "{0}"],
    ["map", "--output", "json", "--snapshot", "before", "{0}"],
    ["map", "--output", "json", "--since", "before", "{0}"],
    ["compare", "--strict", "{0}", "{0}"],
]


def test_sixty_four_times_the_disk_costs_no_more(make: Make) -> None:
    images = make(SMALL), make(LARGE)
    for command in COMMANDS:
        costs = []
        for image in images:
            words = [*(word.format(image) for word in command), "--allow", "same-dir"]
            CliRunner().invoke(cli, words)  # what is imported and remembered counts once

            def work(words: list[str] = words) -> None:
                assert CliRunner().invoke(cli, words).exit_code == 0

            costs.append(calls(work))

        # Each entry of the L1 table may cost a few calls, and nothing that it leaves unmapped.
        assert costs[1] < costs[0] * 1.2 + 2000, command
