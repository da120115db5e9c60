"""docs/readers.md shows what an author sees who types what it says, from nothing on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "readers.md").read_text(encoding="utf-8")

HOME = "/home/me/reader"
"""Stands in the page for the folder of the author."""

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+)\n")
SECONDS = re.compile(r"in \d+\.\d+s( \([\d:]+\))?")


class Author:
    """Does in a folder what the page says: writes files, changes them, types commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "reader"
        self.folder.mkdir()
        program = folder / "bin" / "qcowspec"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m qcowspec "$@"\n')
        program.chmod(0o755)
        paths = [program.parent, Path(sys.executable).parent, "/usr/bin", "/bin"]
        self.environment = os.environ | {
            "PATH": ":".join(map(str, paths)),
            "PYTHONPATH": f"{ROOT}:{ROOT}/generated:{ROOT}/formats",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_ADDOPTS": "-p no:cacheprovider",
        }

    def follow(self, block: re.Match[str]) -> str:
        """Do what a block says; the block as it should be."""
        language, text = block.groups()
        if language == "python":
            name = FILE.match(text)
            assert name is not None
            (self.folder / name[1]).write_text(text)
        elif language == "diff":
            self.change("reader.py", text)
        else:
            text = self.typed(re.findall(r"^\$ .*\n", text, re.MULTILINE))
        return f"```{language}\n{text}```"

    def change(self, name: str, diff: str) -> None:
        """Apply a change: lines that stay, lines that go (-), lines that come (+)."""
        lines = diff.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        text = (self.folder / name).read_text()
        assert text.count(old) == 1
        (self.folder / name).write_text(text.replace(old, new))

    def typed(self, lines: list[str]) -> str:
        """The lines with what they print, to either stream."""
        script = "".join(f"printf '%s' {_quoted(line)}\n{line[2:]}" for line in lines)
        done = subprocess.run(
            ["sh", "-c", f"exec 2>&1\n{script}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.replace(str(self.folder), HOME)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_the_page_shows_what_its_reader_sees(tmp_path: Path) -> None:
    author = Author(tmp_path)

    seen = BLOCK.sub(author.follow, PAGE)

    assert SECONDS.sub("in 1.00s", seen) == SECONDS.sub("in 1.00s", PAGE)


def test_there_is_something_to_type() -> None:
    assert len(re.findall(r"^\$ ", PAGE, re.MULTILINE)) == 9


@pytest.mark.parametrize("page", ["fuzz.md", "kit.md", "README.md", "../README.md"])
def test_other_pages_lead_to_it(page: str) -> None:
    assert "readers.md)" in (ROOT / "docs" / page).read_text(encoding="utf-8")
