"""A claim about every row: one test, and each row of which it is not true is listed."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.every import every


def test_each_fault_is_listed_with_its_row() -> None:
    @every("number", [1, 2, 3], ids=["one", "two", "three"])
    def claim(number: int) -> None:
        assert number == 2, "not two"

    with pytest.raises(AssertionError, match=r"2 of 3:\none: .*not two(.|\n)*\nthree: "):
        claim()


def test_an_error_is_a_fault_too() -> None:
    @every(("left", "right"), [(1, 0), pytest.param(1, 1, id="equal")])
    def claim(left: int, right: int) -> None:
        assert left // right

    with pytest.raises(AssertionError, match=r"1 of 2:\n\(1, 0\): ZeroDivisionError"):
        claim()


def test_a_row_that_a_claim_skips_is_no_fault_and_no_evidence() -> None:
    def claim(row: int) -> None:
        if row:
            pytest.skip("not about this one")

    every("row", [0, 1])(claim)()
    with pytest.raises(AssertionError, match="there are no rows"):
        every("row", [1, 2])(claim)()


def test_a_claim_about_no_row_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="there are no rows"):
        every("row", [])(lambda row: None)()


def test_two_tables_are_held_against_each_other() -> None:
    seen = []

    @every("row", "ab")
    @every("column", [1, 2])
    def claim(row: str, column: int) -> None:
        seen.append((row, column))

    claim()

    assert seen == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_fixtures_are_left_to_the_runner() -> None:
    def claim(row: str, tmp_path: Path) -> None: ...

    assert list(inspect.signature(every("row", "ab")(claim)).parameters) == ["tmp_path"]
