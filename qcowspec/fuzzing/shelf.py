"""Where the vectors and the descriptions of their bases stand.

In: ``tests/vectors``, or the copy of it in the installed package. Out: a folder, and the bases'
descriptions. Refuses: nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

HOMES = (Path(__file__).parents[1] / "vectors", Path(__file__).parents[2] / "tests" / "vectors")
"""Where the data stand: in an installed package, and in a checkout."""

BASES = "bases"
"""The file, among those named after stages, that describes the bases."""


@cache
def folder() -> Path:
    """Where the data stand."""
    return next((home for home in HOMES if home.is_dir()), HOMES[-1])


@cache
def bases() -> Mapping[str, Mapping[str, Any]]:
    """The descriptions of the bases, by name."""
    text = (folder() / f"{BASES}.toml").read_text(encoding="utf-8")
    described: dict[str, dict[str, Any]] = tomllib.loads(text)["base"]
    return described
