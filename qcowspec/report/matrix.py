"""Every rule with the verdict of each measured QEMU, librbd, the document and an operator.

In: rules. Out: a table for people, docs/matrix.md, and flat rows for programs. Refuses: nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from textwrap import wrap
from typing import Any

from qcow_parsers.catalogue import RULES, Rule
from qcow_parsers.versions import CHANGES, DISTRIBUTIONS, MEASURED, PROPOSED

from qcowspec.report.catalogue import WHEN, cell, change_words, marks
from qcowspec.report.style import Style, plain_style
from qcowspec.spec.profiles import key_of, notices, verdict

WIDTH = 100
"""Columns of the table for people, at most."""

SERIES: Mapping[str, str] = {".".join(each.split(".")[:2]): each for each in MEASURED}
"""The measured versions by their series, such as ``7.2``."""

LEGEND: Mapping[str, str] = {
    "info": f"{WHEN['open']}, so in qemu-img info too",
    **{when: WHEN[when] for when in ("data", "check", "write", "chain")},
    "·": "never",
}
"""When QEMU refuses an image that breaks the rule or reports it, by the marks of the table."""

INTRO = (
    f"The columns {', '.join(SERIES)} are QEMU {', '.join(MEASURED)}. They say when that version"
    " refuses an image that breaks the rule, or reports it:"
)
STAR = "*: the message differs from that of later versions."
LETTERS = (
    "S: the format's document demands the rule. L: librbd's reader refuses an image that breaks it."
    " U: an operator of untrusted images refuses it; u: it is only reported."
)

HEAD = ("rule", *SERIES, "S", "L", "U", "changes")


def cells(rule: Rule) -> tuple[str, ...]:
    """A row of the table: the rule's id, a mark for each column, the changes that it names."""
    versions = (_mark(rule, version) for version in MEASURED)
    return (rule.id, *versions, *marks(rule)[1:], ", ".join(changes_of(rule)))


def _mark(rule: Rule, version: str) -> str:
    profile = f"qemu@{version}"
    when = notices(rule, profile)
    if when is None:
        return "·"
    differs = key_of(rule, profile) != (rule.qemu.key or "")
    return ("info" if when == "open" else when) + ("*" if differs else "")


def changes_of(rule: Rule) -> list[str]:
    """The ids of the changes of QEMU's that a rule names, in the order of their releases."""
    qemu = rule.qemu
    named = {qemu.since, qemu.until, qemu.before and qemu.before.change}
    return [change for change in CHANGES if change in named]


# --- for people -----------------------------------------------------------------------------------


def table(rules: Iterable[Rule], style: Style = plain_style) -> Iterator[str]:
    """The table in aligned columns, what its marks mean, and the changes that it names."""
    rules = list(rules)
    rows = [HEAD, *map(cells, rules)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        name, *rest = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        line = " ".join([f"{name} ", *rest[:-1], f" {row[-1]}"]).rstrip()
        yield style(line, "title") if number == 0 else style(name, "name") + line[len(name) :]
    yield ""
    yield from wrap(INTRO, WIDTH)
    yield from (f"  {mark:<5}  {words}" for mark, words in LEGEND.items())
    yield from wrap(f"{STAR} {LETTERS}", WIDTH)
    named = {change for rule in rules for change in changes_of(rule)}
    if named:
        yield ""
        yield "Changes of QEMU, and their releases:"
    for change in (each for each in CHANGES.values() if each.id in named):
        text = f"{change.id}  {change_words(change.id)}: {change.says}"
        yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def markdown() -> Iterator[str]:
    """docs/matrix.md: the table, the changes, and the columns of the rows for programs."""
    yield "# The rules by version of QEMU"
    yield ""
    yield "Generated from `formats` by `python tools/docs.py`; do not edit."
    yield ""
    built = ", ".join(f"{each} ({DISTRIBUTIONS[each]})" for each in MEASURED)
    yield f"{len(RULES)} rules, measured with QEMU {built}."
    yield "`qcowspec rules --matrix` prints the table, `qcowspec rules ID` explains a rule;"
    yield "[the rules](rules.md) has what each rule says."
    yield ""
    yield INTRO
    yield ""
    yield from _markdown_table(
        ("mark", "when"), ((f"`{mark}`", words) for mark, words in LEGEND.items())
    )
    yield ""
    yield f"\\{STAR} {LETTERS}"
    yield ""
    yield from _markdown_table(HEAD, ((f"`{row[0]}`", *row[1:]) for row in map(cells, RULES)))
    yield ""
    yield "## Changes"
    yield ""
    yield "The first release that has the change; where it went into older series too, the first of"
    yield "each. Releases between two measured versions are known from the source only."
    yield ""
    yield from _markdown_table(
        ("change", "release", "what", "source"),
        (
            (f"`{each.id}`", change_words(each.id), each.says, "; ".join(each.source))
            for each in CHANGES.values()
        ),
    )
    yield ""
    yield "## Proposed"
    yield ""
    yield "Sent to QEMU's list, and in no release: no rule and no profile knows it."
    yield ""
    yield from _markdown_table(
        ("what", "says", "source"),
        ((f"`{each.id}`", each.says, "; ".join(each.source)) for each in PROPOSED),
    )
    yield ""
    yield PROGRAMS
    yield from _markdown_table(
        ("column", "what"), ((f"`{name}`", words) for name, words in COLUMNS.items())
    )


def _markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = tuple(head)
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(map(cell, row))} |"


PROGRAMS = """\
## For programs

[`generated/rules.tsv`](../generated/rules.tsv) has a row a rule. Tabs separate its columns, whose
names are the first row. No cell has a tab or a newline or begins with a quotation mark, so nothing
is quoted. `qcowspec rules --tsv` prints the same.

[`generated/rules.json`](../generated/rules.json) has the same rows under `rules`, with null for an
empty cell, and besides `measured`, `columns` and `changes`. `qcowspec rules --matrix --json` prints
it. Both commands take IDs of rules.

What `qemu-img info` of QEMU 5.2 accepts and that of 11.1 refuses; which section of the document
each rule is from:

```sh
awk -F '\\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
  $at["qemu_5_2"] == "accepts" && $at["qemu_11_1"] == "open" { print $1 }' generated/rules.tsv
jq -r '.rules[] | select(.document != null) | [.id, .document] | @tsv' generated/rules.json
```

```python
import pandas

rules = pandas.read_csv("generated/rules.tsv", sep="\\t", keep_default_na=False)
print(rules[rules.qemu_5_2 != rules.qemu_11_1][["id", "qemu_5_2", "qemu_11_1", "changes"]])
```

```sql
-- duckdb
select stage, count(*) from 'generated/rules.tsv' where qemu_11_1 = 'open' group by stage;
```
"""


# --- for programs ---------------------------------------------------------------------------------


def _column(prefix: str, version: str) -> str:
    return prefix + "_".join(version.split(".")[:2])


COLUMNS: Mapping[str, str] = {
    "id": "The rule's ID, which messages and reports have in square brackets.",
    "stage": "The stage of opening that the rule belongs to.",
    "formats": "`qcow` (version 1) or `qcow2` (versions 2 and 3), separated by spaces.",
    "versions": "The versions of the format that have the rule, separated by spaces.",
    "structure": "The structure that it is about, a type of the `.ksy` files.",
    "field": "The field's path in that structure; empty where it is about the whole.",
    "says": "What the rule says.",
    "kind": "`malformed`, `invalid` or `unsupported`: what an image is that breaks it.",
    "judged": "When qcowspec can judge it: `opening`, `entries`, `data`, `files`, `keys`,"
    " `writing`, `stream` or `check`.",
    "document": "The sections of the format's document that state it, separated by `; `.",
    "source": "Every source of the rule, those sections among them, separated by `; `.",
    **{
        _column("qemu_", each): f"When QEMU {each} refuses an image that breaks it, or reports it:"
        " `open` (at every open), `info` (at every open but that of `qemu-img check`), `data`,"
        " `check`, `write` or `chain`; `accepts`: never."
        for each in MEASURED
    },
    **{
        _column("message_", each): f"What identifies the message of QEMU {each}; empty where it"
        " accepts."
        for each in MEASURED
    },
    "errno": "The error that QEMU gives; empty where no version refuses the image.",
    "since": "The change since which QEMU has the rule; empty: all versions have it.",
    "until": "The change since which it no longer has it; empty: all do.",
    "before": "The change before which it had another message, or looked at another time.",
    "changes": "These changes with their releases, as `request-bounds 6.0`, separated by `; `; of"
    " several releases, each the first of its series.",
    "librbd": "`rejects` or `accepts`: Ceph's reader.",
    "librbd_v1": "The same of that reader's first version.",
    "spec": "`rejects` if the format's document demands the rule, `accepts` if not.",
    "untrusted": "`rejects`, `reports` or `accepts`: an operator of untrusted images.",
    "check": "What `qcowspec check` counts it as: `corruption`, `leak`, `check-error`,"
    " `beyond-qemu` or `gives-up`; empty where no check looks at it.",
}
"""The columns of a flat row, and what they hold."""

DOCUMENT = "docs/interop/qcow2: "
"""How a source begins that is a section of the format's document."""


def flat(rule: Rule) -> dict[str, str | None]:
    """A rule as one row of text cells, as `COLUMNS` says; None for an empty cell."""
    qemu = rule.qemu
    whens = {each: notices(rule, f"qemu@{each}") for each in MEASURED}
    row = {
        "id": rule.id,
        "stage": rule.stage,
        "formats": " ".join(rule.formats),
        "versions": " ".join(map(str, rule.versions)),
        "structure": rule.on,
        "field": rule.field,
        "says": rule.says,
        "kind": rule.kind,
        "judged": rule.judged,
        "document": "; ".join(
            source.removeprefix(DOCUMENT) for source in rule.source if source.startswith(DOCUMENT)
        ),
        "source": "; ".join(rule.source),
        **{_column("qemu_", each): when or "accepts" for each, when in whens.items()},
        **{
            _column("message_", each): when and key_of(rule, f"qemu@{each}")
            for each, when in whens.items()
        },
        "errno": rule.errno if qemu.verdict == "rejects" else None,
        "since": qemu.since,
        "until": qemu.until,
        "before": qemu.before and qemu.before.change,
        "changes": "; ".join(
            f"{each} {', '.join(CHANGES[each].releases)}" for each in changes_of(rule)
        ),
        **{name: verdict(rule, name.replace("_", "-")) for name in PROFILE_COLUMNS},
        "check": rule.check and rule.check.effect,
    }
    return {name: SPACE.sub(" ", row[name] or "") or None for name in COLUMNS}


PROFILE_COLUMNS = ("librbd", "librbd_v1", "spec", "untrusted")
"""The columns that hold the verdict of a profile."""

SPACE = re.compile(r"\s+")


def tsv(rules: Iterable[Rule]) -> Iterator[str]:
    """Flat rows as lines of cells that are separated by tabs, the names of the columns first."""
    yield "\t".join(COLUMNS)
    for rule in rules:
        yield "\t".join(value or "" for value in flat(rule).values())


def as_json(rules: Iterable[Rule]) -> dict[str, Any]:
    """Flat rows, with what their columns and the changes mean."""
    measured = [{"version": each, "distribution": DISTRIBUTIONS[each]} for each in MEASURED]
    return {
        "measured": measured,
        "columns": dict(COLUMNS),
        "changes": [each._asdict() for each in CHANGES.values()],
        "rules": [flat(rule) for rule in rules],
    }


def json_text() -> str:
    """All rules, as the file ``rules.json`` has them."""
    return json.dumps(as_json(RULES), indent=1, ensure_ascii=False) + "\n"


def rules_sha256() -> str:
    """SHA-256 of that file: which rules this version of qcowspec judges by."""
    return sha256(json_text().encode()).hexdigest()
