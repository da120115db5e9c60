"""A finding written down for `qcowspec build`: an image by name, and the patch that breaks it.

In: a seed's name and changes. Out: YAML. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from qcowspec.fuzzing.drafts import Change


def spec_of(seed: str, changes: Iterable[Change], *, own: bool) -> str:
    """A build spec, as YAML, that gives the seed with the changes, byte for byte.

    Args:
        seed: The name of a base of the test vectors, or the path of a user's image.
        changes: What is changed, in order.
        own: Whether the seed is such a base.
    """
    base: Any = seed if own else {"file": seed}
    spec = {"base": base, "patch": [_operation(change) for change in changes]}
    text: str = yaml.safe_dump(spec, sort_keys=False, width=100)
    return text


def _operation(change: Change) -> dict[str, Any]:
    """A change as an operation of `qcowspec.fuzzing.patches`; a field's name is a remark."""
    if not change.new:
        return {"truncate": change.offset}
    operation: dict[str, Any] = {"at": change.offset, "hex": change.new.hex()}
    return operation if change.path is None else {**operation, "is": change.path}
