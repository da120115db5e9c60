"""The README says what is so: its examples run, and its diagram is the machine's table."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tools.readme import README, example_output, examples, mermaid

ROOT = Path(__file__).parents[2]


def test_shell_examples_show_real_output() -> None:
    for command, shown in examples(README.read_text()):
        assert shown == example_output(command), f"{command}: run python tools/readme.py"


def test_state_diagram_is_drawn_from_the_table() -> None:
    assert mermaid() in README.read_text(), "run python tools/readme.py"


def test_python_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

    for block in blocks:
        subprocess.run([sys.executable, "-c", block], cwd=ROOT, check=True, capture_output=True)

    assert len(blocks) >= 2
