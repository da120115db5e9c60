"""`explain --guest` leads where `qemu-img map` says that a guest byte is, and back.

``EXPLAIN_MUTANTS=2000`` compares more: see tests/property/test_explain.py.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from qcowspec.errors import QcowError
from qcowspec.image import lay_open
from tests import qemu
from tests.conformance.conftest import EVERY_IMAGE
from tests.every import every
from tests.property.explaining import against_map
from tests.property.test_explain import LONG, mutants
from tools.make_test_data import DATA, Image

pytestmark = pytest.mark.usefixtures("qemu_img")

GUESTS = 400 if LONG else 8
"""Guest offsets of an image that are compared."""


def mapped(*options: str, folder: Path) -> list[dict[str, Any]]:
    """What `qemu-img map` says; nothing where it fails, or goes on for a minute."""
    words = "qemu-img", "map", "-U", "--output=json", *options
    try:
        done = qemu.run(*words, cwd=folder, check=False)
    except subprocess.TimeoutExpired:
        return []
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return found


def compare(path: Path, options: Sequence[str], random: Random, most: int) -> tuple[int, set[str]]:
    """How many guest bytes were compared, and the disagreements."""
    extents = mapped(*options, folder=path.parent)
    size = sum(each["length"] for each in extents)
    if not size:
        return 0, set()
    ends = [0, *(each["start"] + each["length"] for each in extents)]
    edges = {at for each in ends for at in (each - 1, each, each + 1) if 0 <= at < size}
    edges.update(random.randrange(size) for _ in range(most // 2))
    offsets = random.sample(sorted(edges), min(most, len(edges)))
    with lay_open(path, allow="same-dir") as image:
        said = ((offset, against_map(image, extents, offset)) for offset in offsets)
        return len(offsets), {f"{offset:#x}: {what}" for offset, what in said if what}


@every("image", EVERY_IMAGE, ids=lambda image: image.name)
def test_of_real_images(image: Image) -> None:
    compared, found = compare(DATA / image.name, image.open_options, Random(image.name), GUESTS)

    assert found == set()
    assert compared > 0 or image.name == "v3-size-0.qcow2"


def test_of_mutants(tmp_path: Path) -> None:
    """Of those that both open."""
    folder = shutil.copytree(DATA, tmp_path / "images")  # with their backing files
    compared, found = 0, dict[tuple[str, int], set[str]]()
    for name, number, data in mutants():
        path = folder / f"mutant{Path(name).suffix}"
        path.write_bytes(data)
        try:
            count, wrong = compare(path, ("-f", path.suffix[1:], path.name), Random(number), 4)
        except QcowError as error:
            count, wrong = 0, {f"not opened: {error}"}
        compared += count
        found |= {(name, number): wrong} if wrong else {}

    assert found == {}
    assert compared > 50
