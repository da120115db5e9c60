"""qemu.toml as one typed Python module: the QEMUs that were measured, and the changes between them.

Comes in: the rows. Goes out: the text of ``qcow_parsers/versions.py``. Refuses: rows that are not
whole, a change that stands twice, versions out of order.
"""

from collections.abc import Iterable
from pathlib import Path

from . import rows
from .literals import literal
from .rows import Complaints, Key, Row

_VERSION = {"version": Key(rows.release), "distribution": Key(rows.text)}
_CHANGE = {
    "id": Key(rows.text),
    "releases": Key(rows.releases),
    "says": Key(rows.text),
    "source": Key(rows.text_or_texts),
}

_PROPOSED = {key: _CHANGE[key] for key in ("id", "says", "source")}

_TEXT = '''\
{header}
"""The QEMUs that every rule was measured with, and the changes between them."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Change(NamedTuple):
    """A change of QEMU's that some rules came with, went with, or are judged otherwise since."""

    id: str
    releases: tuple[str, ...]  # the first of each series that has it, the main line's last
    says: str
    source: tuple[str, ...]


class Proposed(NamedTuple):
    """An addition to the format that was sent to QEMU's list and is in no release."""

    id: str
    says: str
    source: tuple[str, ...]


MEASURED: Final[tuple[str, ...]] = {measured}
"""Oldest first. Each was asked about every vector, every case of the kit, images with one number at
a limit and mutants."""

DISTRIBUTIONS: Final[Mapping[str, str]] = {distributions}
"""Whose build of a measured version it was."""

CHANGES: Final[Mapping[str, Change]] = {{
{changes}
}}

PROPOSED: Final[tuple[Proposed, ...]] = ({proposed})
'''


class Versions:
    """The rows of qemu.toml, each of them sound."""

    def __init__(self, formats: Path) -> None:
        complaints = Complaints()
        found = rows.tables(formats / "qemu.toml", "measured", "change", "proposed")
        self.measured, self.changes = found["measured"], found["change"]
        self.proposed = found["proposed"]
        for row in self.measured:
            complaints.row(f"qemu.toml: measured {row.get('version')}", row, _VERSION)
        for row in self.changes:
            complaints.row(f"qemu.toml: change {row.get('id')}", row, _CHANGE)
        for row in self.proposed:
            complaints.row(f"qemu.toml: proposed {row.get('id')}", row, _PROPOSED)
        complaints.unique("qemu.toml", "change", self.ids)
        complaints.settle()
        order = rows.releases([row["version"] for row in self.measured])
        if order is not None:
            complaints.add("qemu.toml", f"`measured` has versions {order}.")
        complaints.settle()

    @property
    def ids(self) -> list[str]:
        """The changes' names."""
        return [str(row.get("id")) for row in self.changes]

    def text(self, header: str) -> str:
        """The module."""
        return _TEXT.format(
            header=header,
            measured=literal(tuple(row["version"] for row in self.measured)),
            distributions={row["version"]: row["distribution"] for row in self.measured},
            changes="\n".join(f"    {literal(row['id'])}: {_change(row)}," for row in self.changes),
            proposed="".join(f"Proposed({_values(row, _PROPOSED)}), " for row in self.proposed),
        )


def _change(row: Row) -> str:
    return f"Change({_values(row, _CHANGE)})"


def _values(row: Row, keys: Iterable[str]) -> str:
    """The values of a row in the order of its keys."""
    return ", ".join(literal(_several(row[k]) if k in _SEVERAL else row[k]) for k in keys)


_SEVERAL = ("releases", "source")


def _several(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
