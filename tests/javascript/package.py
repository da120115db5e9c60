"""The package for npm, made and put where Node finds it; and what it answers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.generator import compiler, javascript

ROOT = Path(__file__).parents[2]
READER = Path(__file__).with_name("read.js")

Request = Mapping[str, Any]


def make(folder: Path) -> Path:
    """Write the package into a folder that Node can be pointed at, beside its runtime library."""
    try:
        files = javascript.build(ROOT)
    except compiler.NoCompilerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    package = folder / javascript.NAME
    package.mkdir()
    for name, text in files.items():
        (package / name).write_text(text, "utf-8")
    (folder / "kaitai-struct").symlink_to(compiler.KSC / "node_modules" / "kaitai-struct")
    return folder


def run(modules: Path, script: Path, *words: str, said: str = "") -> str:
    """What a script prints."""
    done = subprocess.run(
        [compiler.find_node(), "--preserve-symlinks", str(script), *words],
        input=said,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=300,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    return done.stdout


def ask(modules: Path, requests: Iterable[Request]) -> list[Any]:
    """The answers to some requests, in order; see read.js."""
    said = "".join(json.dumps(request) + "\n" for request in requests)
    return [json.loads(line) for line in run(modules, READER, said=said).splitlines()]
