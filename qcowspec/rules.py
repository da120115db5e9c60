"""Runs the rules of the catalogue over one structure.

In: a structure, as bytes and as parsed, and what is known of the image. Out: `Finding`s.
Refuses: nothing itself; a finding says what a profile makes of it.

A rule's predicate stands once: as the value instance ``ok_…`` of the structure's ``.ksy``, or,
where it needs other bytes, as a function of `qcowspec.predicates`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from qcow_parsers.catalogue import RULES, Rule

from qcowspec.errors import BY_KIND, QcowError, Value
from qcowspec.metadata import Metadata
from qcowspec.predicates import FUNCTIONS
from qcowspec.structures import Field, Part, lay_open, layout_name

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}

PROFILES = ("qemu", "librbd", "spec", "untrusted")
"""Whose verdict is asked for: QEMU's, librbd's reader's, the format's document's, an operator's."""

KEPT_PER_RULE = 32
"""Findings kept of one rule; the rest are counted, so that a hostile table cannot fill memory."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule, broken at one place.

    Attributes:
        rule: The rule's id.
        stage: The stage that judged it.
        kind: malformed, invalid or unsupported.
        offset: Where the field at fault starts in the image file, in bytes.
        field: Its path, such as ``header.cluster_bits``.
        value: What stands there.
        message: One sentence.
    """

    rule: str
    stage: str
    kind: str
    offset: int | None
    field: str | None
    value: Value
    message: str

    def error(self) -> QcowError:
        """The finding as an exception."""
        facts = asdict(self)
        return BY_KIND[facts.pop("kind")](facts.pop("message"), **facts)


def refuses(rule: Rule, profile: str) -> bool:
    """Whether a profile refuses an image that breaks this rule."""
    if profile == "qemu":
        return rule.qemu.verdict == "rejects" and rule.qemu.until is None and rule.qemu.when is None
    if profile == "librbd":
        return rule.librbd == "rejects"
    if profile == "spec":
        return rule.spec
    return rule.spec or rule.untrusted == "rejects"


class Judge:
    """Holds structures against the rules that stand for them, and keeps what it finds."""

    def __init__(self, image: Metadata) -> None:
        self.image = image
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def __call__(self, stage: str, part: Part[Any], parsed: object) -> bool:
        """Judge one structure by the rules of one stage.

        Returns:
            Whether what depends on the structure can be located: no rule that stops is broken.
        """
        sound = True
        laid_open: Field | None = None
        for rule in _RULES_ON.get((stage, layout_name(part.layout)), ()):
            if not self._stands(rule) or _holds(rule, parsed, self.image):
                continue
            sound = sound and not rule.stops
            self.counts[rule.id] += 1
            if self.counts[rule.id] <= KEPT_PER_RULE:
                laid_open = laid_open or lay_open(part)
                self.findings.append(_finding(rule, part, parsed, laid_open))
        return sound

    def header(self, stage: str) -> bool:
        """Judge the header by the rules of one stage: many a later stage's bounds stand there."""
        part = self.image.header_part
        return part is None or self(stage, part, self.image.header)

    def _stands(self, rule: Rule) -> bool:
        """Whether the rule is about images of this format and version."""
        image = self.image
        if image.format is not None and image.format not in rule.formats:
            return False
        return image.geometry is None or image.geometry.version in rule.versions

    def first(self, profile: str) -> Finding | None:
        """The finding that a profile reports: the first in QEMU's own order."""
        refused = [f for f in self.findings if refuses(BY_ID[f.rule], profile)]
        return min(refused, key=lambda f: BY_ID[f.rule].qemu.order or 0, default=None)


_RULES_ON: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
for _rule in RULES:
    _RULES_ON[_rule.stage, _rule.on].append(_rule)


def _holds(rule: Rule, parsed: object, image: Metadata) -> bool:
    if rule.predicate == "instance":
        return bool(getattr(parsed, rule.predicate_name))
    return FUNCTIONS[rule.id](parsed, image)


def _finding(rule: Rule, part: Part[Any], parsed: object, laid_open: Field) -> Finding:
    at = next((f for f in laid_open.walk() if f.name == rule.field), laid_open)
    value = getattr(parsed, rule.field, None)
    shown = value if isinstance(value, (int, bytes, str)) else at.value
    return Finding(
        rule=rule.id,
        stage=rule.stage,
        kind=rule.kind,
        offset=at.offset,
        field=f"{part.name}.{rule.field}",
        value=shown,
        message=rule.message.format(value=_shown(shown)),
    )


def _shown(value: Value) -> str:
    """A value as it stands in a sentence; bytes from an image are never printed raw."""
    if isinstance(value, bytes):
        return ascii(value[:64].decode("utf-8", "backslashreplace"))
    return str(value)
