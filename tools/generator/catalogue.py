"""rules/*.toml as one typed Python module.

Comes in: the rows, one file a stage. Goes out: the text of ``qcow_parsers/catalogue.py``.
Refuses: rows that are not whole, an id that stands twice or in another stage's file, a structure,
field or instance that is in no ``.ksy``, a change of QEMU's that qemu.toml lacks, a message with a
gap that nothing fills.
"""

import errno
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import rows
from .layouts import Layout
from .literals import literal
from .rows import Complaints, Key, Row

STAGES = (
    "probe",
    "header",
    "extensions",
    "l1",
    "l2",
    "refcounts",
    "snapshots",
    "bitmaps",
    "encryption",
    "backing",
    "check",
)
_TEXT = Key(rows.text)
_VERDICT = rows.one_of("rejects", "accepts")
_WHEN = ("info", "data", "write", "check", "chain")
_LOOPS = (
    ["extensions"],
    ["extensions", "key-slots"],
    ["snapshots"],
    ["directory"],
    ["bitmaps"],
    ["bitmaps", "bitmap-table"],
)
_QEMU = {
    "verdict": Key(_VERDICT),
    "key": Key(rows.text, required=False),
    "order": Key(rows.integer(0, 100_000), required=False),
    "loops": Key(rows.one_of(*_LOOPS), required=False),
    "since": Key(rows.text, required=False),
    "until": Key(rows.text, required=False),
    "when": Key(rows.one_of(*_WHEN), required=False),
    "before": Key(rows.table, required=False),
    "load": Key(rows.text, required=False),
}
_CHECK = {
    "effect": Key(rows.one_of("corruption", "leak", "check-error", "beyond-qemu", "gives-up")),
    "exit": Key(rows.one_of(2, 3), required=False),
    "loss": Key(rows.one_of("likely", "possible"), required=False),
    "value": Key(rows.one_of("owners"), required=False),
    "note": Key(rows.text, required=False),
}
_BEFORE = {
    "change": Key(rows.text),
    "key": Key(rows.text, required=False),
    "when": Key(rows.one_of("open", *_WHEN), required=False),
}
_JUDGED = ("opening", "entries", "data", "files", "keys", "writing", "stream", "check")
_AFTER = ("extensions", "bitmaps", "clusters", "backing")
_SEVERAL = {"loops"}
_RULE = {
    "id": _TEXT,
    "formats": Key(rows.some_of("qcow", "qcow2")),
    "versions": Key(rows.some_of(1, 2, 3)),
    "on": _TEXT,
    "field": Key(rows.text, required=False),
    "predicate": Key(rows.one_of("instance", "function")),
    "predicate_name": Key(rows.identifier, required=False),
    "judged": Key(rows.one_of(*_JUDGED[1:]), required=False),
    "after": Key(rows.one_of(*_AFTER), required=False),
    "stops": Key(rows.truth),
    "says": _TEXT,
    "message": _TEXT,
    "kind": Key(rows.one_of("malformed", "invalid", "unsupported")),
    "errno": Key(lambda value: None if hasattr(errno, str(value)) else "which is no errno"),
    "spec": Key(rows.truth),
    "qemu": Key(rows.table),
    "check": Key(rows.table, required=False),
    "librbd": Key(_VERDICT),
    "librbd_v1": Key(rows.one_of("rejects"), required=False),
    "untrusted": Key(rows.one_of("rejects", "reports"), required=False),
    "source": Key(rows.text_or_texts),
    "why": _TEXT,
}
_VERSIONS_OF = {"qcow": {1}, "qcow2": {2, 3}}
_GAPS = {"value", "fact"}


def read(folder: Path, layouts: dict[str, Layout], changes: Iterable[str]) -> list[Row]:
    """The rules of all stages, in order, each of them sound.

    Args:
        folder: Where the rows are, a file a stage.
        layouts: The structures of the ``.ksy`` files.
        changes: The changes of QEMU's that a row may name.
    """
    known = frozenset(changes)
    complaints = Complaints()
    found: list[Row] = []
    for file in sorted(folder.glob("*.toml")):
        if file.stem not in STAGES:
            complaints.add(f"rules/{file.name}", f"there is no stage `{file.stem}`.")
    for stage in STAGES:
        file = folder / f"{stage}.toml"
        if not file.is_file():
            continue
        for row in rows.tables(file, "rule")["rule"]:
            _check(complaints, stage, row, layouts)
            _check_changes(complaints, row, known)
            found.append(row)
    complaints.unique("rules", "rule", [str(row.get("id")) for row in found])
    complaints.settle()
    return found


def _check(complaints: Complaints, stage: str, row: Row, layouts: dict[str, Layout]) -> None:
    where = f"rules/{stage}.toml: rule {row.get('id')}"
    if not complaints.row(where, row, _RULE):
        return
    if complaints.row(f"{where}: qemu", row["qemu"], _QEMU) and "before" in row["qemu"]:
        complaints.row(f"{where}: qemu.before", row["qemu"]["before"], _BEFORE)
    if "check" in row:
        complaints.row(f"{where}: check", row["check"], _CHECK)
    if "loops" in row["qemu"] and "order" not in row["qemu"]:
        complaints.add(where, "`qemu.loops` is given without `qemu.order`.")
    if row["id"].split("/")[:-1] != [stage]:
        complaints.add(where, f"its id is not `{stage}/` and a name, as its file demands.")
        return
    if "after" in row and "judged" in row:
        complaints.add(where, "`after` is about the stages of opening; drop it, or `judged`.")
    possible = set().union(*(_VERSIONS_OF[each] for each in row["formats"]))
    if not set(row["versions"]) <= possible:
        complaints.add(where, f"{row['formats']} has no versions {row['versions']}.")
    types = {each.name: each for top in layouts.values() for each in top.walk()}
    if row["on"] in types:
        _check_names(complaints, where, row, types)
    else:
        complaints.add(where, f"`on` is {row['on']}, which is no type of a .ksy.")
    try:
        gaps = {name for _, name, _, _ in string.Formatter().parse(row["message"]) if name}
    except ValueError as error:
        complaints.add(where, f"the message cannot be filled in: {error}.")
    else:
        if not gaps <= _GAPS:
            complaints.add(where, f"the message has gaps that nothing fills: {sorted(gaps)}.")


def _check_changes(complaints: Complaints, row: Row, known: frozenset[str]) -> None:
    qemu = row.get("qemu", {})
    named = [qemu.get("since"), qemu.get("until"), qemu.get("before", {}).get("change")]
    for change in filter(None, named):
        if change not in known:
            complaints.add(f"rule {row.get('id')}", f"qemu.toml has no change `{change}`.")


def _check_names(complaints: Complaints, where: str, row: Row, types: dict[str, Layout]) -> None:
    layout = types[row["on"]]
    instances = {each.name for each in layout.instances}
    if "field" in row and not _has(types, layout, row["field"]):
        complaints.add(where, f"`field` is {row['field']}, which {layout.name} has not.")
    name = predicate_name(row)
    if row["predicate"] == "instance" and name not in instances:
        complaints.add(where, f"its predicate is {name}, an instance which {layout.name} has not.")


def _has(types: dict[str, Layout], layout: Layout, path: str) -> bool:
    """Whether a structure has a field, or an instance, of this path."""
    name, _, rest = path.partition(".")
    found = [each for each in [*layout.params, *layout.seq, *layout.instances] if each.name == name]
    if not found or not rest:
        return bool(found)
    below = types.get(f"{layout.path[0]}::{found[0].spec.get('type')}")
    return below is not None and _has(types, below, rest)


def predicate_name(row: Row) -> str:
    """The name in the row, or else as the rule is called: ok_… in a .ksy, stage_… a function."""
    stage, what = row["id"].split("/")
    prefix = "ok" if row["predicate"] == "instance" else stage
    return str(row.get("predicate_name") or f"{prefix}_{what}".replace("-", "_"))


_HEAD = '''\
"""The rules of the formats, in the order in which the stages run."""

from typing import Final, Literal, NamedTuple


After = Literal["extensions", "bitmaps", "clusters", "backing"]


class Before(NamedTuple):
    """What was different in older versions."""

    change: str  # since which they do as the rest of the row says
    key: str | None  # None: the message was the same
    when: Literal["open", "info", "data", "write", "check", "chain"] | None  # None: as since then


class Qemu(NamedTuple):
    """What QEMU does with an image that breaks a rule."""

    verdict: Literal["rejects", "accepts"]
    key: str | None  # identifies QEMU's own message
    order: int | None  # where in QEMU's open function the check stands
    loops: tuple[str, ...]  # of that function in which it stands, the outermost first
    since: str | None  # the change (`versions.CHANGES`) since which it does so; None: all do
    until: str | None  # the change since which it no longer does; None: all do
    when: Literal["info", "data", "write", "check", "chain"] | None  # None: at every open
    before: Before | None  # older versions, where they do so in another way
    load: str | None  # identifies QEMU's message where it refuses to load a snapshot


Effect = Literal["corruption", "leak", "check-error", "beyond-qemu", "gives-up"]


class Check(NamedTuple):
    """What a check does with an image that breaks a rule."""

    effect: Effect  # what it counts as
    exit: int | None  # the exit status, where nothing else gives another than 0 or 3
    loss: Literal["likely", "possible"] | None  # of guest data, where clusters are leaked too
    value: Literal["owners"] | None  # what stands for the value; None: what stands at the place
    note: str | None  # what else there is to say of it


class Rule(NamedTuple):
    """A rule: what it says, about what, and who enforces it."""

    id: str
    stage: str
    formats: tuple[str, ...]
    versions: tuple[int, ...]
    on: str  # the structure, a type of the .ksy
    field: str | None  # its path in that structure; None: the structure as a whole
    predicate: Literal["instance", "function"]
    predicate_name: str  # of the value instance, or of the function
    judged: Literal["opening", "entries", "data", "files", "keys", "writing", "stream", "check"]
    after: After | None  # the stage of opening that has to be done; None: the structure's own
    stops: bool  # whether what depends on the structure cannot be located any more
    says: str
    message: str  # with {value} to be filled in
    kind: Literal["malformed", "invalid", "unsupported"]
    errno: str
    spec: bool  # whether the format's document demands it
    qemu: Qemu
    check: Check | None  # None: no check looks at it
    librbd: Literal["rejects", "accepts"]
    librbd_v1: Literal["rejects"] | None  # what only the reader's first version refuses
    untrusted: Literal["rejects", "reports"] | None  # an operator's addition to the document
    source: tuple[str, ...]
    why: str

'''


def _rule(row: Row) -> str:
    values = []
    for key in _RULE:
        if key == "qemu":
            shown = f"Qemu({_fields(row['qemu'], _QEMU)})"
        elif key == "check" and key in row:
            shown = f"Check({_fields(row['check'], _CHECK)})"
        elif key == "source" and isinstance(row[key], str):
            shown = literal((row[key],))
        elif key == "predicate_name":
            shown = literal(predicate_name(row))
        elif key == "judged":
            shown = literal(row.get(key, "opening"))
        else:
            shown = literal(row.get(key))
        values.append(f"        {key}={shown},")
        if key == "id":
            values.append(f"        stage={literal(row['id'].split('/')[0])},")
    return "\n".join(["    Rule(", *values, "    ),"])


def _fields(row: Row, keys: dict[str, Key]) -> str:
    """The values of a table in the order of its keys."""
    return ", ".join(_field(key, row.get(key)) for key in keys)


def _field(key: str, value: Any) -> str:
    if key in _SEVERAL:
        return literal(tuple([value] if isinstance(value, str) else value or ()))
    if key == "before" and value is not None:
        return f"Before({_fields(value, _BEFORE)})"
    return literal(value)


def text(rules: list[Row], header: str) -> str:
    """The module."""
    body = "\n".join(_rule(row) for row in rules)
    return f"{header}\n{_HEAD}\nRULES: Final[tuple[Rule, ...]] = (\n{body}\n)\n"
