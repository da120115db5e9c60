"""One structure, field or entry of a dump, by its path.

In: nodes, and a path such as ``header.cluster_bits``, ``snapshots[0].name`` or ``l1_table[3]``.
Out: the node or row. Refuses: a path that nothing has, with the names there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from qcowspec.errors import offered
from qcowspec.report.nodes import Node, Row
from qcowspec.report.words import plural


class UnknownPath(LookupError):
    """Nothing has this path."""


def resolve(nodes: Iterable[Node], path: str) -> Node | Row:
    """Find a structure, field or entry.

    Args:
        nodes: The structures to look through, read only as far as needed.
        path: Names as the dump shows them, joined by dots.

    Raises:
        UnknownPath: Nothing has this path.
    """
    known = []
    lost: UnknownPath | None = None
    for node in nodes:
        if node.name == path:
            return node
        known.append(node.name)
        rest = path.removeprefix(node.name)
        if rest == path:
            continue
        try:
            found = _within(node, rest)
        except UnknownPath as error:  # a later structure's own name may begin with this one's
            lost = error
            continue
        if found is not None:
            return found
    if lost is not None:
        raise lost
    raise UnknownPath(unknown(path, known))


def unknown(path: str, known: list[str]) -> str:
    """The sentence about a path that an image lacks: what is near it, or else what there is."""
    says = f"the image has no {path!r}"
    if numbered := re.match(NUMBERED, path):
        stem = re.escape(numbered[1]) + ENTRY
        alike = [name for name in known if re.fullmatch(stem, name)]
        if len(alike) > 1 and numbered[0] not in alike:
            return f"{says}; it has {len(alike):,} such, {alike[0]} to {alike[-1]}"
        if alike and numbered[0] not in alike:
            return f"{says}; it has {alike[0]} only"
    first = {re.sub(ENTRY, "[…]", name): name for name in reversed(known)}
    stems = list(reversed(first))
    if near := offered(path, first.values()):
        return f"{says}.{near}"
    return f"{says}; it has {', '.join(_shortened(stems))}" if stems else says


def _within(node: Node, rest: str) -> Node | Row | None:
    """What a node holds at the rest of a path."""
    if rest.startswith(".") and node.children:
        try:
            return resolve(node.children, rest[1:])
        except UnknownPath as error:
            raise UnknownPath(str(error).replace("the image", node.name, 1)) from None
    if node.rows and (entry := re.fullmatch(ENTRY, rest)):
        index, count = int(entry[1]), 0
        for row in node.rows():
            count = row.index + row.count
            if row.index <= index < count:
                return row
        raise UnknownPath(f"{node.name} has no entry {index}; it has {plural(count, 'entry')}")
    return None


NUMBERED = r"(.*?)\[[0-9]{1,20}\]"
"""A path up to its first index, and what stands before that."""


ENTRY = r"\[([0-9]{1,20})\]"
"""The index of a table's entry, after the table's name."""


def _shortened(names: list[str], most: int = 40) -> list[str]:
    return names if len(names) <= most else [*names[:most], "…"]
