"""The inspector's feeder, run by Node; and its models in the shape of `expected`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.inspector import expected
from tools.generator import compiler
from tools.inspector import bundle
from tools.inspector.page import feeder_facts

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("inspect.js")
BUDGET = 512 << 10


class Feeder:
    """A folder with the feeder's modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = feeder_facts()
        self.kinds = [one["name"] for one in facts["kinds"]]
        self.states = list(facts["states"])

    @classmethod
    def made(cls, folder: Path) -> Feeder:
        """Write the modules into a folder."""
        try:
            bundle.write(ROOT, folder, feeder_facts())
        except compiler.NoCompilerError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        return cls(folder)

    def models(self, paths: Iterable[Path], rounds: int = 1, budget: int = BUDGET) -> list[Any]:
        """The models of some files; None of one that is no QCOW image."""
        asked = ({"path": str(path), "budget": budget, "rounds": rounds} for path in paths)
        done = subprocess.run(
            [compiler.find_node(), str(SCRIPT), str(self.folder)],
            input="".join(json.dumps(each) + "\n" for each in asked),
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=300,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def findings(self, model: Any) -> expected.Rows:
        """See `expected.findings`."""
        found = [
            (each["rule"],)
            if each["rule"] in expected.FREE_TEXT
            else (each["rule"], each["offset"], each["field"], each["message"])
            for each in model["findings"]
        ]
        return sorted(found, key=repr)

    def structures(self, model: Any) -> expected.Rows:
        """See `expected.structures`."""
        found: expected.Rows = []

        def flat(node: Any, path: str) -> None:
            path = f"{path}.{node['name']}" if path else node["name"]
            row = [path, node["offset"], node["length"], node.get("layout")]
            if "raw" in node:
                row += [node["raw"], node["value"]]
            found.append([*row, node.get("summary")])
            for child in node.get("fields", ()):
                flat(child, path)

        for node in model["structures"]:
            flat(node, "")
        return found

    def tiles(self, model: Any) -> tuple[expected.Rows, dict[str, tuple[int, int]]]:
        """See `expected.tiles`."""
        tiles = model["tiles"]
        assert tiles["exact"]
        runs = zip(tiles["kinds"], tiles["lengths"], strict=True)
        sums = {name: (one["bytes"], one["tiles"]) for name, one in model["kinds"].items()}
        return [[self.kinds[kind], length] for kind, length in runs], sums

    def runs(self, state: Any, *, data_file: bool) -> expected.Rows:
        """See `expected.runs`."""
        runs = state["runs"]
        assert runs["exact"]
        found: expected.Rows = []
        columns = (runs[name] for name in ("states", "lengths", "hosts"))
        for number, length, host in zip(*columns, strict=True):
            name = self.states[number]
            if data_file and name == "data-file":
                name = "data"
            expected.push(found, name, length, None if host < 0 else host)
        return found
