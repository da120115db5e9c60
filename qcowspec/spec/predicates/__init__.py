"""The rules that need more than their own structure.

In: a structure and what is known of its image. Out: whether a rule holds. Refuses: nothing.

One module a stage, one function a rule; the rule's row in formats/rules says what it means, who
enforces it and why, and when it can be judged.
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
