"""Whether a profile accepts an image, and whether the image hides bytes.

In: an image, a profile's name, and what hidden bytes are to a verdict. Out: a `Verdict`. Refuses:
an image that cannot be read.

The machine that opens images reads their metadata alone. Which bytes belong to nothing is known
when all tables were followed, and whether they are zero when they were read: that is `Usage`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qcowspec.check.usage import Usage
from qcowspec.errors import Invalid
from qcowspec.image import Image
from qcowspec.reader import opening
from qcowspec.reader import verdict as machine
from qcowspec.reader.looked import HIDDEN, HIDDEN_BYTES
from qcowspec.reader.verdict import REJECT, Verdict
from qcowspec.sources import Target, open_source
from qcowspec.sources.gate import Gate
from qcowspec.sources.source import Borrowed, Readable, Source
from qcowspec.spec.profiles import reported_by
from qcowspec.spec.rules import BY_ID, Finding
from qcowspec.spec.sentences import sentence

REPORTS, REJECTS = "report", "reject"
CHOICES = REPORTS, REJECTS
"""What hidden bytes are to a verdict: a warning, or an error."""


def validate(
    target: Target | Readable,
    *,
    profile: str = "qemu",
    format: str | None = None,
    allow: str | Iterable[str] | Gate | None = None,
    hidden: str | None = None,
) -> Verdict:
    """Judge one image; see `qcowspec.reader.verdict.validate`.

    Args:
        target: The image.
        profile: ``qemu``, ``qemu@VERSION``, ``librbd``, ``spec`` or ``untrusted``.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.
        allow: Which other files may be opened.
        hidden: Read all bytes that no reader looks at: ``report`` those that are not zero, as a
            warning, or ``reject`` an image that has any. Of the profile ``untrusted`` only.

    Raises:
        Unreadable: The bytes cannot be had.
        ValueError: There is no such profile, format or choice; or the profile has no rule about
            hidden bytes.
    """
    if hidden is None:
        return machine.validate(target, profile=profile, format=format, allow=allow)
    check_hidden(hidden, profile)
    source = target if isinstance(target, Source) else _opened(target)
    try:
        found = machine.validate(source, profile=profile, format=format, allow=allow)
        return found if found.format is None else _with_hidden(found, source, format, hidden)
    finally:
        if source is not target:
            source.close()


def check_hidden(hidden: str, profile: str) -> None:
    """Refuse a choice, or a profile, that there is not.

    Raises:
        ValueError: See `validate`.
    """
    if hidden not in CHOICES:
        raise ValueError(f"hidden is {hidden!r}; it is one of {', '.join(CHOICES)}")
    if HIDDEN_BYTES not in reported_by(profile):
        raise ValueError(f"the profile {profile} has no rule about hidden bytes; untrusted has")


def _opened(target: Target | Readable) -> Source:
    return Borrowed(target) if isinstance(target, Readable) else open_source(target)


def _with_hidden(found: Verdict, source: Source, format: str | None, hidden: str) -> Verdict:
    """A verdict, and what the image hides."""
    rule = BY_ID[HIDDEN_BYTES]
    try:
        usage = Usage(Image(source, opening.laid_open(source, format)), deep=True)
    except Invalid:  # its header cannot be read
        return found
    firsts = [
        int(batch.hidden.firsts[batch.hidden.counts > 0].min())
        for batch in usage.arrays()
        if batch.hidden is not None and (batch.hidden.counts > 0).any()
    ]
    unseen = tuple(each for each in found.looked.unseen if each != HIDDEN)
    if usage.not_followed:
        unseen += ("hidden bytes where structures were not followed",)
    judged, broken = found.looked.judged + 1, found.looked.broken + bool(firsts)
    looked = found.looked._replace(judged=judged, broken=broken, unseen=unseen)
    found = replace(found, looked=looked)
    if not firsts:
        return found
    count = usage.cavities.nonzero
    message = sentence(rule, count, firsts[0])
    finding = Finding(rule.id, rule.stage, rule.kind, firsts[0], None, count, message)
    if hidden == REPORTS:
        return replace(found, warnings=(*found.warnings, finding))
    return replace(found, verdict=REJECT, errors=(*found.errors, finding))
