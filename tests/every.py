"""A claim about every row of a table, as one test that lists each row of which it is not true."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import pytest

Test = Callable[..., None]


def every(
    names: str | Sequence[str],
    rows: Iterable[Any],
    ids: Callable[[Any], str] | Sequence[str] | None = None,
) -> Callable[[Test], Test]:
    """Hold a claim against all rows in one test: as `pytest.mark.parametrize`, without a case each.

    Args:
        names: The parameters that a row gives, with commas between them.
        rows: A value each, or as many as there are names; `pytest.param` may give an id.
        ids: What a fault calls its row: names in order, or a function of the row.

    A row of which the claim calls `pytest.skip` is passed over; at least one row has to be left.
    """
    parameters = names.replace(" ", "").split(",") if isinstance(names, str) else list(names)
    found = [_row(len(parameters), row, ids, number) for number, row in enumerate(rows)]

    def decorate(claim: Test) -> Test:
        @wraps(claim)
        def test(**fixtures: Any) -> None:
            faults, skipped = [], 0
            for name, values in found:
                try:
                    claim(**fixtures, **dict(zip(parameters, values, strict=True)))
                except pytest.skip.Exception:
                    skipped += 1
                except Exception as error:  # each fault is listed, and the other rows are looked at
                    faults.append(f"{name}: {type(error).__name__}: {error}")
            assert len(found) > skipped, "there are no rows"
            assert not faults, f"{len(faults)} of {len(found)}:\n" + "\n".join(faults)

        signature = inspect.signature(claim)
        left = [each for name, each in signature.parameters.items() if name not in parameters]
        vars(test)["__signature__"] = signature.replace(parameters=left)
        return test

    return decorate


def _row(
    count: int, row: Any, ids: Callable[[Any], str] | Sequence[str] | None, number: int
) -> tuple[str, tuple[Any, ...]]:
    """What a fault calls a row, and its values."""
    name, values = getattr(row, "id", None), getattr(row, "values", None)
    if isinstance(values, tuple):  # pytest.param
        return str(name or values), values
    if callable(ids):
        return ids(row), (row,) if count == 1 else tuple(row)
    said = str(row) if ids is None else ids[number]
    return said, (row,) if count == 1 else tuple(row)
