"""Images that are made to be large where it hurts take no more memory than docs/limits.md says."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from tests.command import run
from tests.conformance.hostile_sizes import COMMANDS, SHAPES, Measured, bound, measure

SMALL = Path(__file__).parents[1] / "data" / "v3-snapshots.qcow2"

STATUSES = {0, 1, 2, 3}
"""A verdict, or a sentence; a traceback and a signal have others or none of them at these sizes."""


QUICK: dict[str, tuple[str, ...]] = {}
"""The commands that are run of images with which the others take a minute of processor time."""

if not os.environ.get("QCOWSPEC_HOSTILE_SIZES"):  # which runs all of them
    QUICK = dict.fromkeys(("snapshots-apart", "bitmaps"), ("validate -p untrusted", "dump"))


@cache
def of_small(command: str) -> Measured:
    """What a command takes of a small image."""
    return measure(command, SMALL)


@pytest.mark.parametrize("name", SHAPES)
def test_memory_stays_within_the_documented_bound(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.qcow2"
    tables = SHAPES[name](path)

    for command in QUICK.get(name, COMMANDS):
        found = measure(command, path)
        most = bound(command, tables, of_small(command).memory)
        assert found.status in STATUSES, command
        assert found.memory <= most, command


def test_a_bound_is_one_that_can_be_broken() -> None:
    # A process that does nothing takes some of it, and is measured without its parent's.
    assert 5 < of_small("info").memory < 64


@pytest.mark.parametrize("name", ["snapshots-zeros", "extensions", "bitmaps"])
def test_a_dump_of_many_structures_shows_some_and_says_how_many_not(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.qcow2"
    SHAPES[name](path)
    shown = run("dump", str(path)).stdout.splitlines()

    assert len(shown) < 2500
    assert [line for line in shown if "more, up to" in line and "--all shows them" in line]
