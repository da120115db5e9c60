"""docs/python.md says what is so: each of its examples runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL
)

# What an installation's entry point does; a checkout on PYTHONPATH has none.
REGISTERED = """\
import fsspec
fsspec.register_implementation("qcow", "qcowspec.export.filesystem.QcowFileSystem", clobber=True)
"""


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_run(number: int) -> None:
    example = EXAMPLES[number]
    code = REGISTERED + example if "import fsspec" in example else example

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8
