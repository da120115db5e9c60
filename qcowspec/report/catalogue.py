"""The rules for people: as a list, one by one, and as docs/rules.md.

In: the catalogue. Out: lines. Refuses: nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qcow_parsers.catalogue import RULES, Qemu, Rule
from qcow_parsers.versions import CHANGES, MEASURED

from qcowspec.report.style import Style, plain_style
from qcowspec.spec.profiles import PROFILES, between, notices, refuses, verdict

ID_WIDTH = 34


def listing(rules: Iterable[Rule], style: Style = plain_style) -> Iterator[str]:
    """A line a rule: who refuses an image that breaks it, its id, what it says.

    The marks: Q the newest QEMU that was measured, S the format's document, L librbd, U an operator
    of untrusted images, u one who only reports it.
    """
    for rule in rules:
        yield f"{marks(rule)}  {style(f'{rule.id:<{ID_WIDTH}}', 'name')}  {rule.says}"


def marks(rule: Rule) -> str:
    """Who refuses an image that breaks the rule, a letter each."""
    operator = {"rejects": "U", "reports": "u", "accepts": "·"}[verdict(rule, "untrusted")]
    who = {"Q": notices(rule, "qemu"), "S": rule.spec, "L": refuses(rule, "librbd")}
    return "".join(letter if refused else "·" for letter, refused in who.items()) + operator


def as_json(rule: Rule) -> dict[str, Any]:
    """A rule's row, and under ``verdicts`` what each profile does with an image that breaks it."""
    verdicts = {profile: verdict(rule, profile) for profile in PROFILES}
    check = None if rule.check is None else rule.check._asdict()
    tables = {"qemu": rule.qemu._asdict(), "check": check}
    row = rule._asdict() | tables | {"untrusted": verdicts["untrusted"]}
    return row | {"verdicts": verdicts}


def page(
    rule: Rule, style: Style = plain_style, *, examples: Mapping[str, str] | None = None
) -> Iterator[str]:
    """All that is known of a rule.

    Args:
        rule: The rule.
        style: Paints the parts of a line.
        examples: Images that break it and that do not, a line each by what they are.
    """
    yield style(rule.id, "title")
    yield f"  {rule.says}"
    yield ""
    facts = {
        "why": rule.why,
        "about": f"{_about(rule)}, version {_listed(rule.versions)}",
        "kind": rule.kind,
        "document": "demands it" if rule.spec else "does not demand it",
        "QEMU": qemu_words(rule),
        "QEMU loops": ", in it ".join(LOOPS[loop] for loop in rule.qemu.loops),
        "librbd": f"{verdict(rule, 'librbd')} an image that breaks it",
        "untrusted": f"{verdict(rule, 'untrusted')} an image that breaks it",
        "judged": _judged_words(rule),
        "check": _check_words(rule),
        "message": GAP.sub(r"{\1}", rule.message),
        "predicate": _predicate_words(rule),
        "source": "; ".join(rule.source),
    }
    for name, fact in {**facts, **(examples or {})}.items():
        if fact:
            yield f"  {style(f'{name:<10}', 'name')} {' '.join(fact.split())}"


GAP = re.compile(r"{(value|fact)[^}]*}")
"""What is filled into a message, and how: people need to know only what."""


def _about(rule: Rule) -> str:
    return rule.on if rule.field is None else f"{rule.field} of {rule.on}"


def qemu_words(rule: Rule) -> str:
    """What QEMU does with an image that breaks the rule."""
    qemu = rule.qemu
    words = [f"{qemu.verdict} an image that breaks it"]
    if qemu.key is not None:
        words.append(f'saying "{qemu.key}"')
    if rule.errno and qemu.verdict == "rejects":
        words.append(rule.errno)
    if qemu.when is not None:
        words.append(WHEN[qemu.when])
    if qemu.load is not None:
        words.append(f'and refuses to load the snapshot, saying "{qemu.load}"')
    if qemu.since:
        words.append(f"since {change_words(qemu.since)}")
    if qemu.until:
        words.append(f"until {change_words(qemu.until)}")
    return ", ".join(words) + _older_words(qemu)


def _older_words(qemu: Qemu) -> str:
    """What older versions do in another way."""
    older = qemu.before
    if older is None:
        return ""
    words = [f"before {change_words(older.change)}"]
    if older.key is not None:
        words.append(f'saying "{older.key}"')
    if older.when is not None:
        words.append(WHEN[older.when])
    return "; " + ", ".join(words)


def change_words(change: str) -> str:
    """When a change came: the releases, the newest first, and what was measured."""
    without, having = between(change)
    seen = [f"after {without}"] if without else []
    seen += [f"by {having}"] if having else []
    releases = ", ".join(reversed(CHANGES[change].releases))
    return f"{releases} (measured: {', '.join(seen)})"


WHEN = {
    "open": "at every open",
    "info": "at every open but that of qemu-img check",
    "data": "when guest data are to be read",
    "write": "when it is opened for writing",
    "check": "in qemu-img check",
    "chain": "when the backing chain is followed",
}
"""When QEMU notices, by the catalogue's words."""


LOOPS = {
    "extensions": "for each header extension",
    "key-slots": "for each key slot",
    "snapshots": "for each snapshot",
    "directory": "for each entry of the bitmap directory",
    "bitmaps": "for each bitmap",
    "bitmap-table": "for each entry of its table",
}
"""The loops of QEMU's open function, by the catalogue's words."""

JUDGED = {
    "opening": "while the image is opened",
    "entries": "when table entries are read",
    "data": "when a compressed cluster is inflated",
    "files": "when another file is opened",
    "keys": "when a passphrase is tried",
    "writing": "when the header is rewritten, which qcowspec does not do",
    "stream": "while the image arrives as a stream",
    "check": "when a check goes through the whole image",
}
"""When a rule can be judged, by the catalogue's words."""


def _judged_words(rule: Rule) -> str:
    return JUDGED[rule.judged] + ("" if rule.after is None else f", after the {rule.after} stage")


EFFECTS = {
    "corruption": "counts as a corruption",
    "leak": "counts as a leak",
    "check-error": "counts as a check error",
    "beyond-qemu": "is reported; qemu-img check does not look at it",
    "gives-up": "ends without a figure",
}
"""What a check does with an image that breaks a rule, by the catalogue's words."""


def _check_words(rule: Rule) -> str:
    check = rule.check
    if check is None:
        return ""
    exits = "" if check.exit is None else f"; exit status {check.exit}, where it would be 0 or 3"
    loss = "" if check.loss is None else f"; loss of guest data is {check.loss} if clusters leaked"
    return EFFECTS[check.effect] + exits + loss


def _predicate_words(rule: Rule) -> str:
    if rule.predicate == "instance":
        return f"{rule.predicate_name} of {rule.on}, in every generated parser"
    return f"{rule.predicate_name}, a function"


def _listed(versions: Iterable[int]) -> str:
    return ", ".join(str(version) for version in versions)


def markdown() -> Iterator[str]:
    """docs/rules.md: every rule, by stage."""
    yield "# The rules"
    yield ""
    yield "Generated from `formats/rules` by `python tools/docs.py`; do not edit."
    yield ""
    yield (
        f"{len(RULES)} rules. Who refuses an image that breaks one: **Q** QEMU {MEASURED[-1]},"
        " **S** the format's document, **L** librbd's reader, **U** an operator of untrusted images"
        " (**u**: it is only reported). `qcowspec rules ID` explains one;"
        " [the rules by version](matrix.md) has them for each QEMU that was measured."
    )
    stage = ""
    for rule in RULES:
        if rule.stage != stage:
            stage = rule.stage
            yield from (
                "",
                f"## {stage}",
                "",
                "| rule | who | says | judged | QEMU |",
                "| --- | --- | --- | --- | --- |",
            )
        cells = rule.says, _judged_words(rule), qemu_words(rule)
        yield f"| `{rule.id}` | {marks(rule)} | {' | '.join(map(cell, cells))} |"


def cell(text: str) -> str:
    """Text as it stands in a table of a document."""
    return " ".join(text.split()).replace("|", "\\|")
