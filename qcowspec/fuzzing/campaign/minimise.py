"""The fewest changes that still show a finding.

In: changes, and a function that tries whether some of them show it. Out: fewer changes. Refuses:
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qcowspec.fuzzing.drafts import Change

TRIALS = 200
"""Tries, at most."""

LONG = 8
"""Bytes of a change above which its halves are tried."""

Shows = Callable[[Sequence[Change]], bool]


def minimised(changes: Sequence[Change], shows: Shows, trials: int = TRIALS) -> tuple[Change, ...]:
    """Leave out changes, and halves of long ones, as long as the rest shows the finding."""
    left = list(changes)
    budget = trials
    shrunk = True
    while shrunk and budget > 0:
        shrunk = False
        index = 0
        while index < len(left) and budget > 0:
            for fewer in _fewer(left, index):
                budget -= 1
                if shows(fewer):
                    left, shrunk = fewer, True
                    break
                if budget <= 0:
                    break
            else:
                index += 1
    return tuple(left)


def _fewer(changes: list[Change], index: int) -> list[list[Change]]:
    """The changes without one of them; then with a half of it."""
    before, change, after = changes[:index], changes[index], changes[index + 1 :]
    tries = [[*before, *after]]
    if len(change.new) > LONG and len(change.old) == len(change.new):
        middle = len(change.new) // 2
        for start, end in ((0, middle), (middle, len(change.new))):
            old, new = change.old[start:end], change.new[start:end]
            half = [Change(None, change.offset + start, old, new)] if old != new else []
            tries.append([*before, *half, *after])
    return tries
