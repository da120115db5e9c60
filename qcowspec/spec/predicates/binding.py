"""How a predicate is bound to the rule that it decides.

In: functions. Out: four tables, by the rule's id. Refuses: nothing.

A predicate is a function of a structure and of what is known of its image by then; it says whether
the rule holds, and it holds where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from qcowspec.errors import Value
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.structures import Part, Place

Predicate = Callable[[Any, Metadata], bool]
Stating = Callable[[Any, Metadata], Value]
Placing = Callable[[Part[Any], Any, Metadata], Place]
After = Literal["extensions", "snapshots", "bitmaps", "clusters", "backing"]
"""A stage that has to be done before a rule about what came earlier can be decided."""

FUNCTIONS: dict[str, Predicate] = {}
"""Each rule's predicate."""

AFTER: dict[str, After] = {}
"""For rules that need more than their structure and what came before: the stage that reads it."""

FACTS: dict[str, Stating] = {}
"""For rules whose sentence states more than a field's value: what stands for ``{fact}`` there."""

PLACES: dict[str, Placing] = {}
"""For rules whose place is not always the field that their row names: where they are broken."""

Decides = TypeVar("Decides", bound=Predicate)
States = TypeVar("States", bound=Stating)
Places = TypeVar("Places", bound=Placing)


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


def states(*rules: str) -> Callable[[States], States]:
    """The function finds what the sentences of these rules state as their ``{fact}``."""

    def bind(stating: States) -> States:
        FACTS.update(dict.fromkeys(rules, stating))
        return stating

    return bind


def places(*rules: str) -> Callable[[Places], Places]:
    """The function finds where these rules are broken: a field, or a whole structure."""

    def bind(placing: Places) -> Places:
        PLACES.update(dict.fromkeys(rules, placing))
        return placing

    return bind
