"""Whose verdict is asked for, and which rules count for it.

In: the name of a profile. Out: the rules whose breach makes it refuse an image. Refuses: a name
that no profile has.
"""

from __future__ import annotations

import re
from functools import cache

from qcow_parsers.catalogue import RULES, Rule

PROFILES = ("qemu", "librbd", "spec", "untrusted")
"""QEMU's verdict, librbd's reader's, the format's document's, an operator's."""

Version = tuple[int, ...]

AT_INFO = (None, "info")
"""When QEMU looks, as far as `qemu-img info` is concerned: it reads no guest data, opens no other
file, writes nothing and checks nothing."""

AT_CHECK = (None, "data")
"""When QEMU looks on opening an image for `qemu-img check`: guest data could be asked for."""

READING = 2000
"""The order from which on QEMU meets a rule only while it reads data."""


def check_profile(profile: str) -> tuple[str, Version | None]:
    """A profile's name in its parts: ``qemu@7.2`` is QEMU's, of that version.

    Returns:
        The profile, and the version of QEMU; None for the newest.

    Raises:
        ValueError: There is no such profile.
    """
    name, at, version = profile.partition("@")
    if name not in PROFILES:
        raise ValueError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    if not at:
        return name, None
    if name != "qemu" or not re.fullmatch(r"[0-9]+(\.[0-9]+){0,3}", version):
        raise ValueError(f"{profile!r} is no profile; a version reads as in qemu@7.2")
    return name, _version(version)


@cache
def refused_by(profile: str) -> frozenset[str]:
    """The ids of the rules whose breach makes a profile refuse an image."""
    name, version = check_profile(profile)
    return frozenset(rule.id for rule in RULES if _counts(rule, name, version))


@cache
def refused_for_data() -> frozenset[str]:
    """The ids of the rules whose breach makes QEMU refuse an image only where it reads its data.

    Of some, a structure that is read anyway shows that they are broken; the others are found when
    the data are read.
    """
    return frozenset(
        rule.id
        for rule in RULES
        if rule.qemu.verdict == "rejects" and rule.qemu.when == "data" and _stands(rule, None)
    )


@cache
def refused_for_check(profile: str) -> frozenset[str]:
    """The ids of the rules whose breach makes QEMU refuse to open an image for a check.

    Args:
        profile: ``qemu``, or ``qemu@7.2`` for a version of it.
    """
    _, version = check_profile(profile)
    return frozenset(
        rule.id
        for rule in RULES
        if rule.qemu.verdict == "rejects"
        and rule.qemu.when in AT_CHECK
        and (rule.qemu.order or 0) < READING
        and _stands(rule, version)
    )


@cache
def reported_by(profile: str) -> frozenset[str]:
    """The ids of the rules of its own whose breach a profile only reports."""
    if check_profile(profile)[0] != "untrusted":
        return frozenset()
    return frozenset(rule.id for rule in RULES if rule.untrusted == "reports")


@cache
def tolerated_by(profile: str) -> frozenset[str]:
    """The ids of the rules whose breach a profile is warned of: QEMU's, the document's, its own."""
    known = refused_by("qemu") | refused_by("spec") | reported_by(profile)
    return known - refused_by(profile)


def refuses(rule: Rule, profile: str) -> bool:
    """Whether a profile refuses an image that breaks this rule."""
    return rule.id in refused_by(profile)


def _counts(rule: Rule, name: str, version: Version | None) -> bool:
    if name == "qemu":
        return (
            rule.qemu.verdict == "rejects" and rule.qemu.when in AT_INFO and _stands(rule, version)
        )
    if name == "librbd":
        return rule.librbd == "rejects"
    return rule.spec or (name == "untrusted" and rule.untrusted == "rejects")


def _stands(rule: Rule, version: Version | None) -> bool:
    """Whether QEMU of a version, or the newest, has a rule."""
    since, until = rule.qemu.since, rule.qemu.until
    if version is None:
        return until is None
    return (since is None or _version(since) <= version) and (
        until is None or version < _version(until)
    )


def _version(text: str) -> Version:
    return tuple(map(int, text.split(".")))
