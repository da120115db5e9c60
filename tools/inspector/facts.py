"""What the inspector's JavaScript has from Python: rules, kinds, constants.

Comes in: the catalogue of rules and the modules that own the names. Goes out: plain data, which
the page holds as JSON. Refuses: nothing.

Nothing of it is written twice: a rule, a kind or a number that changes here changes in the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES, Rule

import qcowspec
from qcowspec.check.tiles import FAMILIES, SHARED, UNCLAIMED, Kind
from qcowspec.spec.predicates import FACTS, PLACES
from qcowspec.spec.profiles import full_name, measured, refused_by
from qcowspec.spec.rules import BITMAP
from tools.generator.javascript import instance_name

PROFILES = ("qemu", "spec", "untrusted")
"""The profiles whose rules are judged."""

CONSTANTS = (
    "BDRV_SECTOR_SIZE", "BME_MAX_PHYS_SIZE", "BME_TABLE_ENTRY_SIZE", "L1E_SIZE",
    "QCOW1_HEADER_SIZE", "QCOW1_TABLE_ENTRY_SIZE", "QCOW2_BITMAP_DIR_ENTRY_SIZE",
    "QCOW2_EXT_HEADER_SIZE", "QCOW2_FEATURE_ENTRY_SIZE", "QCOW2_HEADER_SIZE",
    "QCOW2_SNAPSHOT_HEADER_SIZE",
    "QCOW2_V2_HEADER_LENGTH", "QCOW2_V3_MIN_HEADER_LENGTH", "QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER",
    "QCOW_L2_BITMAP_ALL_ALLOC", "QCOW_MAX_L1_SIZE", "QCRYPTO_BLOCK_LUKS_HEADER_SIZE",
    "QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE", "REFTABLE_ENTRY_SIZE",
)  # fmt: skip
"""QEMU's numbers that the feeder uses."""


def facts(kinds: list[Mapping[str, Any]], states: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What the feeder knows.

    Args:
        kinds: What a byte of the file may be; the viewer's catalogue has them.
        states: What a stretch of the guest's disk may be.
    """
    return {
        "made_by": f"qcowspec {qcowspec.__version__}",
        "kinds": [{"name": one["name"], "cavity": bool(one.get("cavity"))} for one in kinds],
        "states": [one["name"] for one in states],
        "overlaps": {
            "families": [_mask(family) for family in FAMILIES],
            "shared": [[kind, *states] for kind, states in SHARED.items()],
            "unclaimed": _mask(UNCLAIMED) | 1 << len(Kind),
        },
        "constants": {name: getattr(c, name) for name in CONSTANTS},
        "rules": [_rule(rule) for rule in judged()],
        "every": [{"id": rule.id, "versions": rule.versions} for rule in RULES],
        "profiles": [
            {"profile": full_name(name), "label": _label(name), "rules": sorted(refused_by(name))}
            for name in PROFILES
        ],
    }


def judged() -> Iterator[Rule]:
    """The rules whose predicates the generated parsers carry, in the order of the catalogue."""
    wanted = frozenset[str]().union(*map(refused_by, PROFILES))
    for rule in RULES:
        if rule.predicate == "instance" and rule.id in wanted:
            yield rule


def _mask(kinds: set[Kind]) -> int:
    return sum(1 << kind for kind in kinds)


def _label(profile: str) -> str:
    version = measured(profile)
    labels = {"spec": "The format's document", "untrusted": "The profile for untrusted images"}
    return labels.get(profile, f"QEMU {version}")


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "stage": rule.stage,
        "formats": rule.formats,
        "versions": rule.versions,
        "on": rule.on,
        "field": rule.field if rule.id not in PLACES else None,
        "instance": instance_name(rule.predicate_name),
        "after": rule.after,
        "stops": rule.stops,
        "kind": rule.kind,
        "says": rule.says,
        "message": rule.message,
        # A message that states a second value, which the feeder does not have.
        "fact": rule.id in FACTS or rule.id in PLACES,
        # Of an entry's two words, the one that the rule is about.
        "at": c.L2E_SIZE_NORMAL if rule.field == BITMAP else 0,
    }
