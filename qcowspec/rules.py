"""Runs the rules of the catalogue over one structure.

In: a structure, as bytes and as parsed, and what is known of the image. Out: `Finding`s.
Refuses: nothing itself; a profile says what a finding means.

A rule's predicate stands once: as the value instance ``ok_…`` of the structure's ``.ksy``, or,
where it needs other bytes, as a function of `qcowspec.predicates`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from qcow_parsers.catalogue import RULES, Rule

from qcowspec.errors import BY_KIND, QcowError, Value
from qcowspec.metadata import Format, Metadata
from qcowspec.predicates import AFTER, FUNCTIONS, VALUES
from qcowspec.predicates.binding import After
from qcowspec.profiles import (
    PROFILES,
    check_profile,
    refused_by,
    refused_for_check,
    refused_for_data,
    refuses,
)
from qcowspec.structures import Field, Part, lay_open, layout_name

__all__ = [
    "BY_ID",
    "KEPT_PER_RULE",
    "PROFILES",
    "Finding",
    "Judge",
    "check_profile",
    "error_of",
    "refuses",
]

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
        field: Its path, such as ``header.cluster_bits``.
        value: What stands there.
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
    """The error of a rule that no judge finds: data are read, or other files opened, by then.

    Args:
        rule: The rule's id.
        value: What stands at fault.
        offset: Where it stands in the image file, in bytes.
        field: Its path.
        path: The image, as the user named it.
        message: One sentence; the rule's own, with the value, where it is left out.
    """
    row = BY_ID[rule]
    return BY_KIND[row.kind](
        row.message.format(value=value) if message is None else message,
        rule=rule,
        stage=row.stage,
        offset=offset,
        field=field,
        value=value,
        path=path,
    )


class Judge:
    """Holds structures against the rules that stand for them, and keeps what it finds.

    Attributes:
        findings: The broken rules, in the order in which they were found.
        counts: How often each rule was found broken.
        stopped: The stages with a broken rule that stops: what they locate has no known place.
    """

    def __init__(self, image: Metadata, *, brief: bool = False) -> None:
        """Begin.

        Args:
            image: What is known of the image.
            brief: Whether findings say no more than their rule, which takes a third of the time.
        """
        self.image = image
        self.brief = brief
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.stopped: set[str] = set()
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

    def header(self, after: After | None = None) -> None:
        """Judge the header by the rules of all stages: the bounds of most tables stand there.

        Args:
            after: The stage that is done, for the rules that need more than the header.
        """
        part = self.image.header_part
        if part is not None:
            self(part, self.image.header, after)

    def first(self, profile: str) -> Finding | None:
        """The finding that a profile reports: the first in QEMU's own order, if QEMU has one."""
        return next(iter(self.in_order(profile)), None)

    def in_order(self, profile: str) -> list[Finding]:
        """The findings for which a profile refuses the image, in QEMU's own order."""
        return self._among(refused_by(profile))

    def first_for_data(self) -> Finding | None:
        """The finding for which QEMU opens the image for `qemu-img info`, and not for its data."""
        return next(iter(self._among(refused_for_data())), None)

    def first_for_check(self, profile: str, also: frozenset[str]) -> Finding | None:
        """The finding for which QEMU does not check the image.

        Args:
            profile: ``qemu``, or ``qemu@7.2`` for a version of it.
            also: Rules that QEMU meets only when the image is open.
        """
        return next(iter(self._among(refused_for_check(profile) | also)), None)

    def _among(self, rules: frozenset[str]) -> list[Finding]:
        found = [finding for finding in self.findings if finding.rule in rules]
        return sorted(found, key=lambda finding: finding.place or _LAST)

    def _finding(self, rule: Rule, part: Part[Any], parsed: object) -> Finding:
        if self.brief:
            place = _place(rule, self.image)
            return Finding(rule.id, rule.stage, rule.kind, None, None, None, rule.says, place)
        laid_open = self._laid_open(part)
        at = laid_open.named(rule.field)
        if rule.id in VALUES:
            value = VALUES[rule.id](parsed, self.image)
        else:
            found = getattr(parsed, rule.field, None)
            value = found if isinstance(found, (int, bytes, str)) else at.value
        if isinstance(value, int):
            value = int(value)  # an enum's member is a number to whoever reads the report
        return Finding(
            rule=rule.id,
            stage=rule.stage,
            kind=rule.kind,
            offset=at.offset,
            field=f"{part.name}.{rule.field}",
            value=value,
            message=rule.message.format(value=_shown(value)),
            place=_place(rule, self.image),
        )


_LAST = (10_000_000,)
"""Behind every place that QEMU has."""

WALKS = (
    ("extensions/area-remainder", "bitmaps/bitmap-directory-size"),
    ("encryption/luks-slot-stripes", "encryption/luks-slot-overlap"),
    ("snapshots/table-read", "snapshots/table-size"),
    ("bitmaps/entry-header", "bitmaps/coverage"),
    ("bitmaps/name-unique", "bitmaps/table-size-exact"),
    ("bitmaps/reserved", "bitmaps/cluster-offset"),
)
"""The first and the last rule of each loop in QEMU's open function, an outer loop before an inner.

QEMU takes all these rules on one structure before it goes to the next (block/qcow2.c:
qcow2_read_extensions, in it crypto/block-luks.c: qcrypto_block_luks_check_header;
block/qcow2-snapshot.c: qcow2_do_read_snapshots; block/qcow2-bitmap.c: bitmap_list_load,
qcow2_load_dirty_bitmaps, in it bitmap_table_load).
"""


@cache
def _walks(rule: Rule) -> tuple[int, ...]:
    """The order of the first rule of each loop that a rule stands in, the outermost first."""
    order = rule.qemu.order
    if order is None or "qcow2" not in rule.formats:
        return ()
    spans = [(BY_ID[first].qemu.order or 0, BY_ID[last].qemu.order or 0) for first, last in WALKS]
    return tuple(first for first, last in spans if first <= order <= last)


def _place(rule: Rule, image: Metadata) -> tuple[int, ...]:
    """Where QEMU meets a broken rule: for each loop where it is and which turn, then the order."""
    order = rule.qemu.order
    if order is None:
        return ()
    turns = [turn.index for turn in image.turns]
    loops = [number for pair in zip(_walks(rule), turns, strict=False) for number in pair]
    return (*loops, order)


@cache
def _rules_on(
    layout: Any, image_format: Format | None, version: int | None, after: After | None
) -> tuple[tuple[Rule, Callable[[Any], bool], Holds | None], ...]:
    """The rules about a structure, in images of one version, that can be decided at one time.

    Of a version that the format does not have nothing is known but that.
    """
    name = layout_name(layout)
    return tuple(
        (rule, attrgetter(rule.predicate_name), FUNCTIONS.get(rule.id))
        for rule in RULES
        if rule.on == name
        and (image_format is None or image_format in rule.formats)
        and (version in rule.versions or rule.stage == "probe")
        and (rule.predicate == "instance" or rule.id in FUNCTIONS)
        and AFTER.get(rule.id) == after
    )


def _shown(value: Value) -> str:
    """A value as it stands in a sentence; bytes from an image are never printed raw."""
    if isinstance(value, bytes):
        return ascii(value[:64].decode("utf-8", "backslashreplace"))
    return str(value)
