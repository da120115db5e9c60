"""The rules that need more than their own structure.

In: a structure and what is known of its image. Out: whether the rule holds. Refuses: nothing.

One function a rule, found by the rule's id; the rule's row says what it means and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qcowspec.metadata import Metadata

Predicate = Callable[[Any, Metadata], bool]

FUNCTIONS: Mapping[str, Predicate] = {}
"""Each rule's predicate, by the rule's id."""
