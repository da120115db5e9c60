"""The profiles, and the rules for which each refuses an image.

In: the name of a profile. Out: the rules whose breach makes it refuse an image. Refuses: a name
that no profile has.
"""

from __future__ import annotations

import math
import re
from functools import cache

from qcow_parsers.catalogue import RULES, Before, Qemu, Rule
from qcow_parsers.versions import CHANGES, MEASURED

from qcowspec.errors import offered

PROFILES = ("qemu", "librbd", "librbd-v1", "spec", "untrusted")
"""QEMU, librbd's reader today and in 2021, the format's document, a cloud operator."""

VERSIONS = tuple(f"qemu@{'.'.join(each.split('.')[:2])}" for each in reversed(MEASURED))
"""The profile of each measured QEMU's series, newest first."""

Version = tuple[float, ...]
"""The numbers of a release, such as (7, 2, 13)."""

OUTPUT = "qemu@7.2"
"""The QEMU whose output `info` and `map` give where no other is asked for."""

NEWEST: Version = tuple(map(int, MEASURED[-1].split(".")))
"""The version that the profile ``qemu`` speaks for: the newest that was measured."""

AT_INFO = ("open", "info")
"""When QEMU looks, as far as `qemu-img info` is concerned: it reads no guest data, opens no other
file, writes nothing and checks nothing."""

AT_CHECK = (None, "data")
"""When QEMU looks on opening an image for `qemu-img check`: guest data could be asked for."""

READING = 2000
"""The order from which on QEMU meets a rule only while it reads data."""


def check_profile(profile: str) -> tuple[str, Version]:
    """A profile's name in its parts: ``qemu@7.2`` is QEMU's, of that version.

    Returns:
        The profile, and the version of QEMU. Where a release has no third number, all fixes of
        its series are taken to be in it, as distributions have it.

    Raises:
        ValueError: There is no such profile.
    """
    name, at, version = profile.partition("@")
    if name not in PROFILES:
        near = offered(name, PROFILES)
        raise ValueError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}.{near}")
    if not at:
        return name, NEWEST
    if name != "qemu" or not re.fullmatch(r"[0-9]+(\.[0-9]+){0,3}", version):
        raise ValueError(f"{profile!r} is no profile; a version reads as in qemu@7.2")
    return name, (*_version(version), math.inf)


@cache
def refused_by(profile: str) -> frozenset[str]:
    """The ids of the rules whose breach makes a profile refuse an image."""
    name, version = check_profile(profile)
    return frozenset(rule.id for rule in RULES if _counts(rule, name, version))


@cache
def refused_for_data() -> frozenset[str]:
    """The ids of the rules whose breach makes QEMU refuse an image only where it reads its data.

    Those that are judged when the image is opened: the others are found when the data are read.
    """
    return frozenset(
        rule.id
        for rule in RULES
        if rule.qemu.verdict == "rejects"
        and rule.qemu.when == "data"
        and not rule.qemu.until
        and rule.judged != "entries"  # an entry is judged when it is read
    )


@cache
def refused_for_loading() -> frozenset[str]:
    """The ids of the rules whose breach makes QEMU refuse to load a snapshot, and not the image."""
    return frozenset(
        rule.id for rule in RULES if rule.qemu.load is not None and not rule.qemu.until
    )


@cache
def refused_for_check(profile: str) -> frozenset[str]:
    """The ids of the rules whose breach makes QEMU refuse to open an image for a check.

    Among them are those that it meets when the image is open, and that end the check.

    Args:
        profile: ``qemu``, or ``qemu@7.2`` for a version of it.
    """
    _, version = check_profile(profile)
    return frozenset(
        rule.id
        for rule in RULES
        if (rule.check is not None and rule.check.effect == "gives-up")
        or (
            rule.qemu.verdict == "rejects"
            and rule.qemu.when in AT_CHECK
            and (rule.qemu.order or 0) < READING
            and _stands(rule.qemu, version)
        )
    )


@cache
def reported_by(profile: str) -> frozenset[str]:
    """The ids of the rules of its own whose breach a profile only reports."""
    if check_profile(profile)[0] != "untrusted":
        return frozenset()
    return frozenset(rule.id for rule in RULES if rule.untrusted == "reports")


@cache
def tolerated_by(profile: str) -> frozenset[str]:
    """The ids of the rules whose breach is a warning: QEMU's, the document's, the profile's own."""
    known = refused_by("qemu") | refused_by("spec") | reported_by(profile)
    return known - refused_by(profile)


@cache
def judges_entries(profile: str) -> bool:
    """Whether a profile refuses an image for what an entry of a table says."""
    refused = refused_by(profile)
    return any(rule.judged == "entries" and rule.id in refused for rule in RULES)


def verdict(rule: Rule, profile: str) -> str:
    """What a profile does with an image that breaks a rule: ``rejects``, ``reports``, ``accepts``.

    The profile ``qemu`` is `qemu-img info`: it accepts what QEMU refuses only later.
    """
    if refuses(rule, profile):
        return "rejects"
    return "reports" if rule.id in reported_by(profile) else "accepts"


def refuses(rule: Rule, profile: str) -> bool:
    """Whether a profile refuses an image that breaks this rule."""
    return rule.id in refused_by(profile)


def key_of(rule: Rule, profile: str) -> str:
    """What identifies the message with which the QEMU of a profile refuses an image."""
    older = _older(rule.qemu, check_profile(profile)[1])
    return (older and older.key) or rule.qemu.key or ""


def _older(qemu: Qemu, version: Version) -> Before | None:
    """What is different in QEMU of a version that is older than the row; None in others."""
    older = qemu.before
    return None if older is None or _has(version, older.change) else older


def notices(rule: Rule, profile: str) -> str | None:
    """When the QEMU of a profile refuses an image for a rule, or reports it; None: never.

    Returns:
        ``open``, which is every open, or ``info``, ``data``, ``write``, ``check``, ``chain``.
    """
    return _notices(rule.qemu, check_profile(profile)[1])


def _notices(qemu: Qemu, version: Version) -> str | None:
    if qemu.verdict != "rejects" or not _stands(qemu, version):
        return None
    older = _older(qemu, version)
    return (older and older.when) or qemu.when or "open"


def _counts(rule: Rule, name: str, version: Version) -> bool:
    if name == "qemu":
        return _notices(rule.qemu, version) in AT_INFO
    if name in ("librbd", "librbd-v1"):
        first = name == "librbd-v1" and rule.librbd_v1 == "rejects"
        return rule.librbd == "rejects" or first
    return rule.spec or (name == "untrusted" and rule.untrusted == "rejects")


def _stands(qemu: Qemu, version: Version) -> bool:
    """Whether QEMU has a rule in a version."""
    since, until = qemu.since, qemu.until
    return (since is None or _has(version, since)) and (until is None or not _has(version, until))


def has(profile: str, change: str) -> bool:
    """Whether the QEMU of a profile has a change: see `qcow_parsers.versions.CHANGES`."""
    return _has(check_profile(profile)[1], change)


def _has(version: Version, change: str) -> bool:
    """Whether a version has a change: it is in its own series' release, or in the main line's."""
    marks = [_version(release) for release in CHANGES[change].releases]
    own = next((mark for mark in marks if mark[:2] == version[:2]), marks[-1])
    return version >= own


def _version(text: str) -> Version:
    return tuple(map(int, text.split(".")))


def measured(profile: str) -> str | None:
    """The measured QEMU that a profile speaks for: ``7.2.22`` for ``qemu@7.2``; None: none.

    Raises:
        ValueError: There is no such profile.
    """
    name, version = check_profile(profile)
    numbers = tuple(number for number in version if number != math.inf)
    if name != "qemu" or len(numbers) < 2:  # qemu@7 is no series
        return None
    return next((each for each in MEASURED if _version(each)[: len(numbers)] == numbers), None)


def full_name(profile: str) -> str:
    """A profile with the version that it speaks for: ``qemu@7.2.22`` for ``qemu@7.2``."""
    version = measured(profile)
    return profile if version is None else f"qemu@{version}"


def measured_as(profile: str) -> str:
    """How a profile of QEMU's was measured, in words: ``measured with 7.2.22``.

    Between two measured versions, and outside them, the rows go by the releases that QEMU's own
    changes name; nobody asked that version.
    """
    asked = measured(profile)
    if asked is not None:
        return f"measured with {asked}"
    _, version = check_profile(profile)
    series = [each for each in MEASURED if _version(each)[:2] == version[:2]]
    if series:
        return f"not measured: {series[0]} of its series was"
    older = [each for each in MEASURED if _version(each) < version]
    newer = [each for each in MEASURED if _version(each) > version]
    if older and newer:
        where = f"between {older[-1]} and {newer[0]}"
    else:
        where = f"newer than {older[-1]}" if older else f"older than {newer[0]}"
    return f"not measured: {where}, by the releases that QEMU's changes name"


def between(change: str) -> tuple[str | None, str | None]:
    """The newest measured QEMU without a change, and the oldest with it; None: there is none."""
    without = [each for each in MEASURED if not _has(_version(each), change)]
    having = [each for each in MEASURED if _has(_version(each), change)]
    return (without[-1] if without else None), (having[0] if having else None)
