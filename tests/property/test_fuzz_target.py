"""What the coverage-guided fuzzer does to an input hurts none of the inputs it begins with."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.fuzzing import vectors
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


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_a_run_counts(tmp_path: Path) -> None:
    line = [sys.executable, str(RUN), "-o", str(tmp_path), "--runs", "500"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "executions.json").read_text())["executions"] >= 500
