"""The rules that a reader names for what it turns down.

In: what a command wrote. Out: ids of rules. Refuses: nothing: what names no rule gives no ids.

A reader names a rule by its id in square brackets on stderr, wherever it likes, ``[header/magic]``;
or it writes a JSON object to stdout, with the ids as a list under ``rules``, or as ``qcowspec
validate --json`` has them: lists of objects under ``errors`` and ``warnings``, each with its
``rule``.
"""

from __future__ import annotations

import json
import re
from typing import Any

MOST = 1 << 20
"""Bytes of JSON that are looked at."""

BRACKETS = re.compile(r"\[([a-z0-9]+(?:-[a-z0-9]+)*/[a-z0-9]+(?:-[a-z0-9]+)*)\]")


def named(stdout: bytes, stderr: str) -> tuple[str, ...]:
    """The ids that a command names, each once, in its order.

    Args:
        stdout: What it wrote there.
        stderr: The end of what it wrote there.
    """
    return tuple(dict.fromkeys([*in_json(stdout), *BRACKETS.findall(stderr)]))


def in_json(text: bytes) -> tuple[str, ...]:
    """The ids in a JSON object; none where it is something else."""
    try:
        found = json.loads(text) if len(text) <= MOST else None
    except (ValueError, RecursionError):
        return ()
    return in_object(found)


def in_object(found: Any) -> tuple[str, ...]:
    """The ids in an answer, as JSON or Python has it."""
    if not isinstance(found, dict):
        return ()
    ids = list(_listed(found, "rules"))
    findings = (*_listed(found, "errors"), *_listed(found, "warnings"))
    ids += [each.get("rule") for each in findings if isinstance(each, dict)]
    return tuple(each for each in ids if isinstance(each, str))


def _listed(found: dict[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    return list(value) if isinstance(value, list | tuple) else []
