"""The rules that need more than their own structure.

In: a structure and what is known of its image. Out: whether a rule holds. Refuses: nothing.

One module a stage, and `past_end` for all rules about the file's length. Each function says what it
reads (`binding.Reads`); what a structure's own fields and parameters decide is an ``ok_…`` instance
of its ``.ksy``. The rule's row in formats/rules says what it means, who enforces it and why, and
when it can be judged.
"""

from __future__ import annotations

from qcowspec.spec.predicates import (  # noqa: F401 - each binds its functions to their rules
    areas,
    backing,
    bitmaps,
    encryption,
    extensions,
    header,
    past_end,
    probe,
    snapshots,
)
from qcowspec.spec.predicates.binding import FACTS, FUNCTIONS, PLACES, READS

__all__ = ["FACTS", "FUNCTIONS", "PLACES", "READS"]
