"""How a predicate is bound to the rule that it decides.

In: functions. Out: tables by the rule's id. Refuses: nothing.

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

Reads = Literal[
    "the file's length",
    "the header",
    "its place in its table or area",
    "the other entries of its table",
    "the extensions",
    "the tables",
    "the first cluster",
    "the LUKS header",
    "the signatures of other formats",
]
"""What a predicate reads besides its structure, which is why it is a function.

A function reads the header only where its structure's type has no parameters: a parameter would be
asked of everybody who reads the structure from its bytes.
"""

FUNCTIONS: dict[str, Predicate] = {}
"""Each rule's predicate."""

READS: dict[str, Reads] = {}
"""What it reads."""

FACTS: dict[str, Stating] = {}
"""For rules whose sentence states more than a field's value: what stands for ``{fact}`` there."""

PLACES: dict[str, Placing] = {}
"""For rules whose place is not always the field that their row names: where they are broken."""

Decides = TypeVar("Decides", bound=Predicate)
States = TypeVar("States", bound=Stating)
Places = TypeVar("Places", bound=Placing)


def decides(*rules: str, reads: Reads) -> Callable[[Decides], Decides]:
    """The function decides these rules."""

    def bind(predicate: Decides) -> Decides:
        FUNCTIONS.update(dict.fromkeys(rules, predicate))
        READS.update(dict.fromkeys(rules, reads))
        return predicate

    return bind


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
