"""What a profile makes of an image.

In: an image, and whose verdict is asked for. Out: a `Verdict`: accepted or rejected, and why.
Refuses: nothing but what cannot be read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from qcowspec.drivers import drive
from qcowspec.machine import Machine, thorough
from qcowspec.metadata import Format
from qcowspec.rules import BY_ID, Finding, refuses
from qcowspec.source import Source
from qcowspec.sources import open_source

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
        warnings: The other broken rules.
    """

    path: str
    format: str | None
    verdict: str
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether the profile accepts the image."""
        return self.verdict == ACCEPT


def validate(
    target: str | os.PathLike[str] | bytes | Source,
    *,
    profile: str = "qemu",
    format: str | None = None,
) -> Verdict:
    """Judge one image.

    Args:
        target: A path, ``-`` for standard input, the image's bytes, or an open `Source`.
        profile: ``qemu``, ``qemu@VERSION``, ``librbd``, ``spec`` or ``untrusted``.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.

    Raises:
        Unreadable: The bytes cannot be had.
        ValueError: There is no such profile or format.
    """
    source: Any = target if hasattr(target, "read_at") else open_source(target)  # type: ignore[arg-type]
    try:
        chosen = None if format is None else Format(format)
        machine = Machine(thorough(profile), format=chosen, length=source.length)
        return of(drive(machine, source), source.name, profile)
    finally:
        if source is not target:
            source.close()


def of(machine: Machine, path: str, profile: str) -> Verdict:
    """The verdict on the image that a machine has read to the end."""
    errors = [found for found in machine.findings if refuses(BY_ID[found.rule], profile)]
    first = machine.judge.first(profile)
    if first is not None:
        errors.remove(first)
        errors.insert(0, first)
    warnings = [found for found in machine.findings if found not in errors]
    image_format = machine.image.format
    refused = bool(errors) or image_format is None
    return Verdict(
        path=path,
        format=None if image_format is None else str(image_format),
        verdict=REJECT if refused else ACCEPT,
        errors=tuple(errors),
        warnings=tuple(warnings),
    )
