"""Whether a profile accepts an image.

In: an image, and a profile's name. Out: a `Verdict`: accepted or rejected, and why. Refuses: an
image that cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from qcowspec.errors import QcowError
from qcowspec.reader.drivers import drive
from qcowspec.reader.looked import Looked, looked
from qcowspec.reader.machine import ALL_ENTRIES, Machine, thorough
from qcowspec.reader.needs import Need
from qcowspec.reader.packed import packed
from qcowspec.sources import Target, open_source
from qcowspec.sources.gate import Gate, gate_of
from qcowspec.sources.source import Borrowed, Readable, Source
from qcowspec.spec.profiles import judges_entries, refused_by, tolerated_by
from qcowspec.spec.rules import BY_ID, Finding, Judge
from qcowspec.spec.sentences import sentence

ACCEPT, REJECT = "accept", "reject"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A profile's verdict on one image.

    Attributes:
        path: The image, as the user named it.
        format: ``qcow`` or ``qcow2``; None where no QCOW driver claims the file.
        verdict: ``accept`` or ``reject``.
        errors: The broken rules for which the profile refuses the image; the one that it reports
            is first.
        warnings: The other broken rules of the format's document and of QEMU.
        looked: How much of the image was looked at.
        profile: The profile, as the user named it.
        hint: How to read what is in it, of a compressed file or an archive; else empty.
    """

    path: str
    format: str | None
    verdict: str
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    looked: Looked
    profile: str
    hint: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the profile accepts the image."""
        return self.verdict == ACCEPT


def validate(
    target: Target | Readable,
    *,
    profile: str = "qemu",
    format: str | None = None,
    allow: str | Iterable[str] | Gate | None = None,
) -> Verdict:
    """Judge one image.

    Args:
        target: A path, ``-`` for standard input, a URL, a source spec, the image's bytes, or
            an open source: a `Source`, or any object with ``name``, ``length`` and
            ``read_at``, which the caller closes; see `qcowspec.sources.open_source`.
        profile: ``qemu``, ``qemu@VERSION``, ``librbd``, ``spec`` or ``untrusted``.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.
        allow: Which other files may be opened: none by default. The data file is one, which QEMU
            before 9.1 opens along with the image; see `qcowspec.sources.gate.gate_of`.

    Raises:
        Unreadable: The bytes cannot be had.
        ValueError: There is no such profile or format.
    """
    source = _opened(target)
    try:
        machine = Machine(
            thorough(profile),
            format=format,
            length=source.length,
            entries=ALL_ENTRIES if judges_entries(profile) else 0,
        )
        drive(machine, source)
        look_at_data_file(machine.judge, source.name, gate_of(allow))
        verdict = verdict_of(machine, source.name, profile)
        return verdict if verdict.format else replace(verdict, hint=packed(source))
    finally:
        if source is not target:
            source.close()


def _opened(target: Target | Readable) -> Source:
    """A source for an image; see `validate`."""
    if isinstance(target, Source):
        return target
    return Borrowed(target) if isinstance(target, Readable) else open_source(target)


FOUND = "backing/data-file-found"
"""The rule about the data file, which holds if the data file can be opened."""


def look_at_data_file(judge: Judge, name: str, gate: Gate) -> None:
    """Open the data file, if the gate allows it, and drop the finding that it is missing.

    Args:
        judge: The findings about an image that was read to its end.
        name: The image, as the user named it.
        gate: Decides whether the data file may be opened.
    """
    data_file = judge.image.data_file
    if FOUND in judge.counts and data_file is not None:
        with suppress(QcowError):
            open_source(gate.admit(name, data_file.name, "data file")).close()
            judge.take_back(FOUND)


def lost(verdict: Verdict, need: Need) -> Verdict:
    """The verdict on an image that needs bytes which the stream did not keep."""
    rule = BY_ID[LOST]
    message = sentence(rule, f"{need.length} bytes at {need.offset:#x}")
    finding = Finding(rule.id, rule.stage, rule.kind, need.offset, None, None, message)
    return replace(verdict, verdict=REJECT, errors=(*verdict.errors, finding))


LOST = "probe/stream"
"""The rule about images whose structures lie where a stream has passed already."""


def verdict_of(machine: Machine, path: str, profile: str) -> Verdict:
    """The verdict on the image that a machine has read to the end."""
    errors = machine.judge.in_order(profile)
    warnings = [found for found in machine.findings if found.rule in tolerated_by(profile)]
    image_format = machine.image.format
    if image_format is None:  # every profile refuses a file that is no QCOW image
        errors, warnings = machine.judge.in_order("spec"), []
    return Verdict(
        path=path,
        format=None if image_format is None else str(image_format),
        verdict=REJECT if errors or image_format is None else ACCEPT,
        errors=tuple(errors),
        warnings=tuple(warnings),
        looked=looked(machine, refused_by(profile) | tolerated_by(profile)),
        profile=profile,
    )
