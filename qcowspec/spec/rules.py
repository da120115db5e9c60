"""Runs the rules of the catalogue over one structure.

In: a structure, as bytes and as parsed, and what is known of the image. Out: `Finding`s.
Refuses: nothing itself; a profile says what a finding means.

A rule's predicate stands once: as the value instance ``ok_…`` of the structure's ``.ksy``, or,
where it needs other bytes, as a function of `qcowspec.spec.predicates`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES, After, Rule

from qcowspec.errors import BY_KIND, QcowError, Value
from qcowspec.spec.entry_rules import HOLDS
from qcowspec.spec.metadata import Format, Metadata, Turn
from qcowspec.spec.predicates import FACTS, FUNCTIONS, PLACES
from qcowspec.spec.profiles import refused_by, refused_for_loading
from qcowspec.spec.sentences import sentence
from qcowspec.spec.structures import Field, Part, lay_open, layout_name, place

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}

KEPT_PER_RULE = 32
"""Findings kept of one rule; the rest are counted, so that a hostile table cannot fill memory."""

Holds = Callable[[Any, Metadata], bool]


class Finding(NamedTuple):
    """One rule, broken at one place.

    Attributes:
        rule: The rule's id.
        stage: The stage that judged it.
        kind: malformed, invalid or unsupported.
        offset: Where the field at fault starts in the image file, in bytes.
        field: Its path, as a dump has it, such as ``header.cluster_bits``.
        value: What stands there; None for what is made of several fields.
        message: One sentence.
        place: Where QEMU meets it while it opens the image: findings in the order of their places
            are in QEMU's order. Empty where QEMU has no such rule.
    """

    rule: str
    stage: str
    kind: str
    offset: int | None
    field: str | None
    value: Value
    message: str
    place: tuple[int, ...] = ()

    def error(self) -> QcowError:
        """The finding as an exception."""
        return BY_KIND[self.kind](
            self.message,
            rule=self.rule,
            stage=self.stage,
            offset=self.offset,
            field=self.field,
            value=self.value,
        )


def error_of(
    rule: str,
    value: Value,
    *,
    offset: int | None,
    field: str,
    path: str | None = None,
    message: str | None = None,
) -> QcowError:
    """The error for a rule that is checked while data are read or other files opened.

    Args:
        rule: The rule's id.
        value: The value at fault.
        offset: Where it stands in the image file, in bytes.
        field: Its path.
        path: The image, as the user named it.
        message: One sentence; the rule's own, with the value, where it is left out.
    """
    row = BY_ID[rule]
    said = sentence(row, value) if message is None else message
    error = Finding(rule, row.stage, row.kind, offset, field, value, said).error()
    error.path = path
    return error


def holds(rule: Rule, parsed: object, image: Metadata) -> bool:
    """Whether a structure keeps a rule that is judged while an image is opened."""
    function = FUNCTIONS.get(rule.id)
    if function is None:
        return bool(getattr(parsed, rule.predicate_name))
    return function(parsed, image)


class Judge:
    """Applies the rules about structures to them, and keeps the findings.

    Attributes:
        findings: The broken rules, in the order in which they were found.
        counts: How often each rule was found broken.
        stopped: The stages with a broken rule that stops: what they locate has no known place.
        met: The layouts whose structures were judged, each with the stage that was done by then.
    """

    def __init__(self, image: Metadata, *, brief: bool = False) -> None:
        """Begin.

        Args:
            image: What is known of the image.
            brief: Whether findings hold no more than their rule, which takes a third of the time.
        """
        self.image = image
        self.brief = brief
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.stopped: set[str] = set()
        self.met: set[tuple[Any, After | None]] = set()
        self._shown: tuple[Part[Any], Field] | None = None

    def __call__(self, part: Part[Any], parsed: object, after: After | None = None) -> bool:
        """Judge one structure.

        Args:
            part: Its bytes and its place.
            parsed: The same, read.
            after: The stage that is done, for the rules that wait for it.

        Returns:
            Whether what depends on the structure can be located: no rule that stops is broken.
        """
        image, sound = self.image, True
        layout: Any = part.layout  # a class, whose hash mypy does not see
        self.met.add((layout, after))
        for rule, instance, function in _rules_on(layout, image.format, image.version, after):
            if instance(parsed) if function is None else function(parsed, image):
                continue
            self.counts[rule.id] += 1
            if rule.stops:
                sound = False
                self.stopped.add(rule.stage)
            if self.counts[rule.id] <= KEPT_PER_RULE:
                self.findings.append(self._finding(rule, part, parsed))
        return sound

    def _laid_open(self, part: Part[Any]) -> Field:
        """A structure laid open; the header is judged in every stage, and laid open once."""
        if self._shown is None or self._shown[0] is not part:
            self._shown = part, lay_open(part)
        return self._shown[1]

    def sound(self, layout: Any, parsed: object) -> bool:
        """Whether a structure breaks no rule, for those of which an image has many."""
        image = self.image
        return all(
            instance(parsed) if function is None else function(parsed, image)
            for _, instance, function in _rules_on(layout, image.format, image.version, None)
        )

    def entries(self, layout: str, view: Any, named: Callable[[int], tuple[int, str]]) -> None:
        """Judge table entries, one or an array of them, by the rules about their layout.

        Args:
            layout: The layout's name, such as ``qcow2::l2_entry``.
            view: The entries, decoded as `qcowspec.spec.entries.KINDS` says.
            named: From an entry's place in the array to its host offset and its path.
        """
        self.meets(layout)
        for rule, holds in _rules_on_entries(layout, self.image.format, self.image.version):
            kept = holds(view)
            if kept is True or (kept is not False and kept.all()):
                continue
            broken = [0] if kept is False else (~kept).nonzero()[0]
            room = max(0, KEPT_PER_RULE - self.counts[rule.id])
            self.counts[rule.id] += len(broken)
            for index in broken[:room]:
                self.findings.append(self._entry_finding(rule, view, int(index), named))

    def meets(self, layout: str) -> None:
        """Note that entries of a layout were looked at; none of them breaks a rule."""
        self.met.add((layout, None))

    def _entry_finding(
        self, rule: Rule, view: Any, index: int, named: Callable[[int], tuple[int, str]]
    ) -> Finding:
        """The finding about one entry; its value is the word that the rule is about."""
        offset, path = named(index)
        words = view.words
        if rule.field == BITMAP:
            words, offset = view.bitmap, offset + c.L2E_SIZE_NORMAL
        value = words if isinstance(words, int) else int(words[index])
        order, message = _place(rule, self.image), sentence(rule, value)
        return Finding(rule.id, rule.stage, rule.kind, offset, path, value, message, order)

    def judged(self) -> frozenset[str]:
        """The ids of the rules that were applied to something."""
        known = self.image.format, self.image.version
        found: set[str] = set()
        for layout, after in self.met:
            if isinstance(layout, str):
                found.update(rule.id for rule, _ in _rules_on_entries(layout, *known))
            else:
                found.update(rule.id for rule, _, _ in _rules_on(layout, *known, after))
        return frozenset(found)

    def header(self, after: After | None = None) -> None:
        """Judge the header by the rules of all stages: the bounds of most tables stand there.

        Args:
            after: The stage that is done, for the rules that need more than the header.
        """
        part = self.image.header_part
        if part is not None:
            self(part, self.image.header, after)

    def take_back(self, rule: str) -> None:
        """Drop the findings of a rule that turns out to hold."""
        del self.counts[rule]
        self.findings[:] = [finding for finding in self.findings if finding.rule != rule]

    def first(self, profile: str) -> Finding | None:
        """The finding that a profile reports: the first in QEMU's own order, if QEMU has one."""
        return self.first_among(refused_by(profile))

    def in_order(self, profile: str) -> list[Finding]:
        """The findings for which a profile refuses the image, in QEMU's own order."""
        return self._among(refused_by(profile))

    def first_for_loading(self, index: int) -> Finding | None:
        """The finding for which QEMU does not load a snapshot, by its index in the table.

        The entry is judged anew: of many broken ones not all findings are kept.
        """
        part = self.image.snapshots.part(index)
        again = Judge(self.image)
        with self.image.at(Turn(index, part.offset)):
            again(part, part.parse())
        return again.first_among(refused_for_loading())

    def first_among(self, rules: frozenset[str]) -> Finding | None:
        """The first finding of some rules, by their ids, in QEMU's own order."""
        return next(iter(self._among(rules)), None)

    def _among(self, rules: frozenset[str]) -> list[Finding]:
        found = [finding for finding in self.findings if finding.rule in rules]
        return sorted(found, key=lambda finding: finding.place or _LAST)

    def _finding(self, rule: Rule, part: Part[Any], parsed: object) -> Finding:
        if self.brief:
            order = _place(rule, self.image)
            return Finding(rule.id, rule.stage, rule.kind, None, None, None, rule.says, order)
        if rule.id in PLACES:
            at = PLACES[rule.id](part, parsed, self.image)
        else:
            at = place(part, rule.field or "", self._laid_open(part))
        fact = FACTS[rule.id](parsed, self.image) if rule.id in FACTS else None
        return Finding(
            rule=rule.id,
            stage=rule.stage,
            kind=rule.kind,
            offset=at.offset,
            field=at.field,
            value=at.value,
            message=sentence(rule, at.value, fact),
            place=_place(rule, self.image),
        )


_LAST = (10_000_000,)
"""After every place in QEMU's order."""

LOOP_STARTS: Mapping[str, int] = {
    loop: min(rule.qemu.order or 0 for rule in RULES if loop in rule.qemu.loops)
    for loop in {loop for rule in RULES for loop in rule.qemu.loops}
}
"""Where each loop of QEMU's open function stands: the order of its first rule."""


def _place(rule: Rule, image: Metadata) -> tuple[int, ...]:
    """Where QEMU meets a broken rule: for each loop where it is and which turn, then the order."""
    order = rule.qemu.order
    if order is None:
        return ()
    starts = [LOOP_STARTS[loop] for loop in rule.qemu.loops]
    turns = [turn.index for turn in image.turns]
    loops = [number for pair in zip(starts, turns, strict=False) for number in pair]
    return (*loops, order)


BITMAP = "alloc_bitmap"
"""The field of an extended L2 entry that follows the first word."""


@cache
def _rules_on_entries(
    layout: str, image_format: Format | None, version: int | None
) -> tuple[tuple[Rule, Callable[[Any], Any]], ...]:
    """The rules about the entries of a table, in images of one version."""
    return tuple(
        (rule, HOLDS[rule.id])
        for rule in RULES
        if rule.on == layout
        and rule.judged == "entries"
        and image_format in rule.formats
        and version in rule.versions
    )


@cache
def met_when_located(layout: str, version: int) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """The rules for which QEMU cannot locate data by an entry, in the order in which it meets them.

    Those after them are about the payload of a compressed cluster.

    Args:
        layout: ``qcow2::l2_entry``.
        version: The image's.
    """
    before = BY_ID["l2/compressed-data"].qemu.order or 0
    met = {
        rule.qemu.order: (rule.id, holds)
        for rule, holds in _rules_on_entries(layout, Format.QCOW2, version)
        if rule.qemu.when == "data" and rule.qemu.order is not None and rule.qemu.order < before
    }
    return tuple(met[order] for order in sorted(met))


@cache
def _rules_on(
    layout: Any, image_format: Format | None, version: int | None, after: After | None
) -> tuple[tuple[Rule, Callable[[Any], bool], Holds | None], ...]:
    """The rules about a structure, in images of one version, that can be decided at one time.

    A version that the format does not have is judged by the probe's rules alone.
    """
    name = layout_name(layout)
    return tuple(
        (rule, attrgetter(rule.predicate_name), FUNCTIONS.get(rule.id))
        for rule in RULES
        if rule.on == name
        and (image_format is None or image_format in rule.formats)
        and (version in rule.versions or rule.stage == "probe")
        and (rule.predicate == "instance" or rule.id in FUNCTIONS)
        and rule.after == after
    )
