"""What a profile makes of an image.

In: an image, and whose verdict is asked for. Out: a `Verdict`: accepted or rejected, and why.
Refuses: nothing but what cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qcowspec.drivers import drive
from qcowspec.looked import Looked, looked
from qcowspec.machine import ALL_ENTRIES, Machine, thorough
from qcowspec.metadata import Format
from qcowspec.needs import Need
from qcowspec.profiles import judges_entries, refused_by, tolerated_by
from qcowspec.rules import BY_ID, Finding, sentence
from qcowspec.source import Source
from qcowspec.sources import Target, open_source

ACCEPT, REJECT = "accept", "reject"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a profile makes of one image.

    Attributes:
        path: The image, as the user named it.
        format: ``qcow`` or ``qcow2``; None where no QCOW driver claims the file.
        verdict: ``accept`` or ``reject``.
        errors: The broken rules for which the profile refuses the image, the one that it reports
            first in front.
        warnings: The other broken rules of the format's document and of QEMU.
        looked: How much of the image was looked at.
    """

    path: str
    format: str | None
    verdict: str
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    looked: Looked

    @property
    def accepted(self) -> bool:
        """Whether the profile accepts the image."""
        return self.verdict == ACCEPT


def validate(
    target: Target | Source,
    *,
    profile: str = "qemu",
    format: str | None = None,
) -> Verdict:
    """Judge one image.

    Args:
        target: A path, ``-`` for standard input, a URL, a source spec, the image's bytes, or
            an open `Source`; see `qcowspec.sources.open_source`.
        profile: ``qemu``, ``qemu@VERSION``, ``librbd``, ``spec`` or ``untrusted``.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.

    Raises:
        Unreadable: The bytes cannot be had.
        ValueError: There is no such profile or format.
    """
    source: Any = target if hasattr(target, "read_at") else open_source(target)
    try:
        chosen = None if format is None else Format(format)
        machine = Machine(
            thorough(profile),
            format=chosen,
            length=source.length,
            entries=ALL_ENTRIES if judges_entries(profile) else 0,
        )
        return of(drive(machine, source), source.name, profile)
    finally:
        if source is not target:
            source.close()


def lost(verdict: Verdict, need: Need) -> Verdict:
    """The verdict on an image of which a stream did not keep all that has to be judged."""
    rule = BY_ID[LOST]
    message = sentence(rule, f"{need.length} bytes at {need.offset:#x}")
    finding = Finding(rule.id, rule.stage, rule.kind, need.offset, None, None, message)
    return replace(verdict, verdict=REJECT, errors=(*verdict.errors, finding))


LOST = "probe/stream"
"""The rule about images whose structures lie where a stream has gone by."""


def of(machine: Machine, path: str, profile: str) -> Verdict:
    """The verdict on the image that a machine has read to the end."""
    errors = machine.judge.in_order(profile)
    warnings = [found for found in machine.findings if found.rule in tolerated_by(profile)]
    image_format = machine.image.format
    if image_format is None:  # whoever asks for a QCOW image refuses what is none
        errors, warnings = machine.judge.in_order("spec"), []
    return Verdict(
        path=path,
        format=None if image_format is None else str(image_format),
        verdict=REJECT if errors or image_format is None else ACCEPT,
        errors=tuple(errors),
        warnings=tuple(warnings),
        looked=looked(machine, refused_by(profile) | tolerated_by(profile)),
    )
