"""Puts real output into the README: its examples' and the machine's diagram.

    python tools/readme.py

A test compares what stands there with what the commands print.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

EXAMPLE = re.compile(
    r"(<!-- example: (?P<command>.*?) -->\n```text\n)(?P<shown>.*?)(```)", re.DOTALL
)
STATES = re.compile(r"(<!-- states -->\n)(```mermaid\n.*?```\n)", re.DOTALL)


def examples(text: str) -> Iterator[tuple[str, str]]:
    """The examples of a document: command, and the output that it shows."""
    for found in EXAMPLE.finditer(text):
        yield found["command"], found["shown"]


def example_output(command: str) -> str:
    """What an example's command prints now."""
    program, *arguments = shlex.split(command)
    if program != "qcowspec":
        raise ValueError(f"{command}: only qcowspec's own commands are examples")
    done = subprocess.run(
        [sys.executable, "-m", "qcowspec", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,  # a rejected image is an example too
    )
    if done.returncode > 1:
        raise ValueError(f"{command}: {done.stderr}")
    return done.stdout + done.stderr


def mermaid() -> str:
    """The machine's transitions as a diagram."""
    from qcowspec.reader.machine import NEXT, State

    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.PROBE}"]
    for state, row in NEXT.items():
        by_target: dict[State, list[str]] = {}
        for event, target in row.items():
            by_target.setdefault(target, []).append(event)
        for target, events in by_target.items():
            lines.append(f"    {state} --> {target}: {', '.join(events)}")
    lines += [f"    {state} --> [*]" for state in State if state not in NEXT]
    return "\n".join([*lines, "```", ""])


def main() -> None:
    """Rewrite the README."""
    text = EXAMPLE.sub(lambda m: m[1] + example_output(m["command"]) + m[4], README.read_text())
    README.write_text(STATES.sub(lambda m: m[1] + mermaid(), text))


if __name__ == "__main__":
    main()
