"""Finds the rules that a reader names for an image that it rejects.

In: the output of a command. Out: ids of rules. Refuses: nothing.

A reader names a rule by its id in square brackets, anywhere on stderr, ``[header/magic]``; or in a
JSON object on stdout: in the list ``rules``, or, as ``qcowspec validate --json`` does, as the
``rule`` of the objects in the lists ``errors`` and ``warnings``.
"""

from __future__ import annotations

import json
import re
from typing import Any

MOST = 1 << 20
"""Bytes of JSON that are parsed, at most."""

BRACKETS = re.compile(r"\[([a-z0-9]+(?:-[a-z0-9]+)*/[a-z0-9]+(?:-[a-z0-9]+)*)\]")


def named(stdout: bytes, stderr: str) -> tuple[str, ...]:
    """The ids that a command names, each once, in its order."""
    return tuple(dict.fromkeys([*in_json(stdout), *BRACKETS.findall(stderr)]))


def in_json(text: bytes) -> tuple[str, ...]:
    """The ids in a JSON object; empty if it is not one."""
    try:
        found = json.loads(text) if len(text) <= MOST else None
    except (ValueError, RecursionError):
        return ()
    return in_object(found)


def in_object(found: Any) -> tuple[str, ...]:
    """The ids in an answer, parsed from JSON or made by Python."""
    if not isinstance(found, dict):
        return ()
    ids = list(_listed(found, "rules"))
    findings = (*_listed(found, "errors"), *_listed(found, "warnings"))
    ids += [each.get("rule") for each in findings if isinstance(each, dict)]
    return tuple(each for each in ids if isinstance(each, str))


def _listed(found: dict[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    return list(value) if isinstance(value, list | tuple) else []
