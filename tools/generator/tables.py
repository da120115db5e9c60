"""constants.toml, features.toml and extensions.toml, read strictly.

Comes in: the three files. Goes out: their rows, and the value of each constant.
Refuses: rows that are not whole, names that stand twice, a feature or an extension whose constant
is missing, an extension whose layout is in no ``.ksy``.
"""

from collections.abc import Iterator
from pathlib import Path

from . import rows
from .layouts import Layout
from .rows import Complaints, Key, Row

_LARGEST = 2**63 - 1  # TOML promises no more than signed 64 bits
_VERSIONS = Key(rows.some_of(1, 2, 3))
_TEXT = Key(rows.text)
_NAME = Key(rows.identifier)
_SOURCE = Key(rows.text_or_texts)
_BIT = rows.integer(0, 63)


def _bits(value: object) -> str | None:
    if isinstance(value, list) and len(value) == 2 and not any(map(_BIT, value)):
        return None if value[0] <= value[1] else "where the higher bit stands first"
    return "which is not [lowest bit, highest bit]"


def _bitranges(value: object) -> str | None:
    if isinstance(value, list) and value:
        return next((wrong for each in value if (wrong := _bits(each))), None)
    return "which is not a list of [lowest bit, highest bit]"


def _bytes(value: object) -> str | None:
    if isinstance(value, list) and value and not any(map(rows.integer(0, 255), value)):
        return None
    return "which is not a list of bytes"


_VALUES = {
    "value": Key(rows.integer(0, _LARGEST), required=False),
    "bit": Key(_BIT, required=False),
    "bits": Key(_bits, required=False),
    "bitranges": Key(_bitranges, required=False),
    "text": Key(rows.text, required=False),
    "bytes": Key(_bytes, required=False),
}
_SEED = {  # whether Ceph's librbd has it too, and under what name
    "seed": Key(rows.truth, required=False),
    "seed_name": Key(rows.identifier, required=False),
}
_CONSTANT = {
    "name": _NAME,
    **_VALUES,
    "unit": _TEXT,
    "limit": Key(rows.one_of("format", "qemu", "librbd", "policy")),
    "meaning": _TEXT,
    "source": _SOURCE,
    **_SEED,
}
_ENUM = {
    "name": _NAME,
    "kind": Key(rows.one_of("enum", "flags")),
    "meaning": _TEXT,
    "source": _SOURCE,
    "member": Key(lambda value: None if value else "which has no rows"),
    **_SEED,
}
_MEMBER = {
    "name": _NAME,
    "value": _VALUES["value"],
    "bit": _VALUES["bit"],
    "of": Key(rows.texts, required=False),
    "meaning": _TEXT,
    **_SEED,
}
FEATURE = {
    "id": _TEXT,
    "type": Key(rows.one_of("incompatible", "compatible", "autoclear")),
    "name": _TEXT,
    "constant": _NAME,
    "since": _TEXT,
    "versions": _VERSIONS,
    "obliges": _TEXT,
    "source": _SOURCE,
}
EXTENSION = {
    "id": _TEXT,
    "name": _TEXT,
    "layout": Key(rows.text, required=False),
    "versions": _VERSIONS,
    "once": Key(rows.truth),
    "constant": _NAME,
    "source": _SOURCE,
}


Value = int | str | bytes


class Tables:
    """The rows of the three files, each of them sound."""

    def __init__(self, folder: Path) -> None:
        complaints = Complaints()
        found = rows.tables(folder / "constants.toml", "constant", "enum")
        self.constants, self.enums = found["constant"], found["enum"]
        self.features = rows.tables(folder / "features.toml", "feature")["feature"]
        self.extensions = rows.tables(folder / "extensions.toml", "extension")["extension"]
        self._check_rows(complaints)
        complaints.settle()
        self.values = self._values()
        self.units = {row["name"]: str(row["unit"]) for row in self.constants}
        self._check_together(complaints)
        complaints.settle()

    def check_layouts(self, layouts: dict[str, Layout]) -> None:
        """Refuses an extension whose layout is none of the types of the ``.ksy`` files."""
        types = {each.name for top in layouts.values() for each in top.walk()}
        complaints = Complaints()
        for row in self.extensions:
            if "layout" in row and row["layout"] not in types:
                where = f"extensions.toml: extension {row['id']}"
                complaints.add(where, f"`layout` is {row['layout']}, which is no type of a .ksy.")
        complaints.settle()

    def number(self, name: str) -> int:
        """The value of a constant that is a number."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def _check_rows(self, complaints: Complaints) -> None:
        for row in self.constants:
            where = f"constants.toml: constant {row.get('name')}"
            complaints.row(where, row, _CONSTANT)
            if len(row.keys() & _VALUES) != 1:
                complaints.add(where, f"it has not exactly one of {', '.join(_VALUES)}.")
        for row in self.enums:
            where = f"constants.toml: enum {row.get('name')}"
            if complaints.row(where, row, _ENUM):
                self._check_members(complaints, where, row)
        for kind, table, keys in (
            ("feature", self.features, FEATURE),
            ("extension", self.extensions, EXTENSION),
        ):
            for row in table:
                complaints.row(f"{kind}s.toml: {kind} {row.get('id')}", row, keys)

    def _check_members(self, complaints: Complaints, where: str, enum: Row) -> None:
        above: set[str] = set()
        for member in enum["member"]:
            one = f"{where}: member {member.get('name')}"
            complaints.row(one, member, _MEMBER)
            if len(member.keys() & {"value", "bit", "of"}) != 1:
                complaints.add(one, "it has not exactly one of value, bit, of.")
            if enum["kind"] == "enum" and "value" not in member:
                complaints.add(one, "only members of flags are made of bits.")
            for part in member.get("of", []):
                if part not in above:
                    complaints.add(one, f"`of` names {part}, which is no member above it.")
            above.add(str(member.get("name")))
        names = [str(member.get("name")) for member in enum["member"]]
        complaints.unique(where, "member", names)

    def _values(self) -> dict[str, Value]:
        values = {row["name"]: value_of(row) for row in self.constants}
        for enum in self.enums:
            values |= {name: value for name, value, _ in members_of(enum)}
        return values

    def _check_together(self, complaints: Complaints) -> None:
        tops = [row["name"] for row in [*self.constants, *self.enums]]
        complaints.unique("constants.toml", "name", tops)
        for file, table in (("features", self.features), ("extensions", self.extensions)):
            complaints.unique(f"{file}.toml", "constant", [row["constant"] for row in table])
            complaints.unique(f"{file}.toml", file[:-1], [row["id"] for row in table])
            for row in table:
                if not isinstance(self.values.get(row["constant"]), int):
                    where = f"{file}.toml: {file[:-1]} {row['id']}"
                    complaints.add(where, f"constants.toml has no number {row['constant']}.")


def _mask(low: int, high: int) -> int:
    return (1 << high + 1) - (1 << low)


def value_of(row: Row) -> Value:
    """The value of a constant."""
    if "bit" in row:
        return 1 << int(row["bit"])
    if "bits" in row:
        return _mask(*row["bits"])
    if "bitranges" in row:
        mask = 0
        for low, high in row["bitranges"]:
            mask |= _mask(low, high)
        return mask
    if "bytes" in row:
        return bytes(row["bytes"])
    value: int | str = row["value"] if "value" in row else row["text"]
    return value


def members_of(enum: Row) -> Iterator[tuple[str, int, Row]]:
    """The members of an enum: name, value, row."""
    values: dict[str, int] = {}
    for row in enum["member"]:
        if "of" in row:
            value = 0
            for part in row["of"]:
                value |= values[part]
        else:
            value = 1 << int(row["bit"]) if "bit" in row else int(row["value"])
        values[row["name"]] = value
        yield row["name"], value, row


def sources(row: Row) -> tuple[str, ...]:
    """Where a row is from; one source may stand without brackets."""
    found = row["source"]
    return (found,) if isinstance(found, str) else tuple(found)
