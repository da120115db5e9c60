"""The rules that need more than their own structure.

In: a structure and what is known of its image. Out: whether a rule holds. Refuses: nothing.

One module a stage, one function a rule, which says what it reads; what a structure's own fields
decide is an ``ok_…`` instance of its ``.ksy``. The rule's row in formats/rules says what it means,
who enforces it and why, and when it can be judged.
"""

from __future__ import annotations

from qcowspec.spec.predicates import (
    backing,
    bitmaps,
    encryption,
    extensions,
    header,
    luks,
    probe,
    snapshots,
    tables,
)
from qcowspec.spec.predicates.binding import FACTS, FUNCTIONS, PLACES, Predicate

__all__ = [
    "FACTS",
    "FUNCTIONS",
    "PLACES",
    "Predicate",
    "backing",
    "bitmaps",
    "encryption",
    "extensions",
    "header",
    "luks",
    "probe",
    "snapshots",
    "tables",
]
