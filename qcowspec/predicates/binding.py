"""How a predicate is bound to the rule that it decides.

In: functions. Out: three tables, by the rule's id. Refuses: nothing.

A predicate is a function of a structure and of what is known of its image by then; it says whether
the rule holds, and it holds where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from qcowspec.errors import Value
from qcowspec.metadata import Metadata

Predicate = Callable[[Any, Metadata], bool]
Showing = Callable[[Any, Metadata], Value]
After = Literal["extensions", "snapshots", "bitmaps", "backing"]
"""A stage that has to be done before a rule about what came earlier can be decided."""

FUNCTIONS: dict[str, Predicate] = {}
"""Each rule's predicate."""

AFTER: dict[str, After] = {}
"""For rules that need more than their structure and what came before: the stage that reads it."""

VALUES: dict[str, Showing] = {}
"""For rules whose sentence tells no field's value: what it tells."""

Decides = TypeVar("Decides", bound=Predicate)
Shows = TypeVar("Shows", bound=Showing)


def decides(*rules: str, after: After | None = None) -> Callable[[Decides], Decides]:
    """The function decides these rules.

    Args:
        rules: Their ids.
        after: The stage that reads what they need, where it comes after their structure's own.
    """

    def bind(predicate: Decides) -> Decides:
        FUNCTIONS.update(dict.fromkeys(rules, predicate))
        if after is not None:
            waits(*rules, after=after)
        return predicate

    return bind


def waits(*rules: str, after: After) -> None:
    """These rules are decided after a stage, by their instances where they have no function."""
    AFTER.update(dict.fromkeys(rules, after))


def tells(*rules: str) -> Callable[[Shows], Shows]:
    """The function finds the value that the sentences of these rules tell."""

    def bind(showing: Shows) -> Shows:
        VALUES.update(dict.fromkeys(rules, showing))
        return showing

    return bind
