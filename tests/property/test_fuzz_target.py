"""What the coverage-guided fuzzer does to an input hurts none of the inputs it begins with."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import qcowspec
from qcowspec.fuzzing import vectors
from qcowspec.mapping import Kind
from tests.property.real_images import SMALL_IMAGES
from tools.fuzz import corpus, ordeal

RUN = Path(__file__).parents[2] / "tools" / "fuzz" / "run.py"


@pytest.mark.parametrize("asked", ordeal.ASKED, ids=lambda asked: asked.__name__)
def test_real_images_hurt_nothing(asked: ordeal.Ordeal) -> None:
    for path in SMALL_IMAGES:
        ordeal.undergo(asked, path.read_bytes(), len(path.name))


def test_vectors_hurt_nothing() -> None:
    for vector in vectors.everything():
        ordeal.ordeal(vectors.image(vector))


def test_words_are_bytes_of_the_formats() -> None:
    assert corpus.dictionary().splitlines()[0] == r'"\x51\x46\x49\xfb"'


def test_inputs_to_begin_with_are_small_and_of_every_version(tmp_path: Path) -> None:
    small, large = corpus.write(tmp_path / "small", tmp_path / "large")
    written = [path.read_bytes() for path in (tmp_path / "small").iterdir()]

    assert len(written) == small > 400
    assert large > 400
    assert max(map(len, written)) <= corpus.SMALL
    assert {int.from_bytes(data[4:8], "big") for data in written} >= {1, 2, 3}


def test_an_image_with_subclusters_is_sound_and_small() -> None:
    data = corpus._with_subclusters()

    with qcowspec.open(data) as image:
        kinds = {run.kind for run in image.runs()}

    assert len(data) <= corpus.SMALL
    assert kinds == {Kind.ZERO, Kind.DATA, Kind.UNALLOCATED}


@pytest.mark.parametrize(("count", "tamed"), [(0, 0), (512, 512), (513, 1), (0xFFFFFFFF, 511)])
def test_a_count_of_snapshots_is_tamed(count: int, tamed: int) -> None:
    before = vectors.image(vectors.everything()[0]).ljust(104, b"\0")
    data = before[:60] + count.to_bytes(4, "big") + before[64:]

    assert corpus.tame(data) == before[:60] + tamed.to_bytes(4, "big") + before[64:]


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_a_run_counts(tmp_path: Path) -> None:
    line = [sys.executable, str(RUN), "-o", str(tmp_path), "--runs", "500"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "executions.json").read_text())["executions"] >= 500
