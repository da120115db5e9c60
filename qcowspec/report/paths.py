"""One structure, field or entry of a dump, by its path.

In: nodes, and a path such as ``header.cluster_bits``, ``snapshots[0].name`` or ``l1_table[3]``.
Out: the node or row. Refuses: a path that nothing has, with the names there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from qcowspec.report.nodes import Node, Row


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
    raise UnknownPath(f"the image has no {path!r}; it has {', '.join(_shortened(known))}")


def _within(node: Node, rest: str) -> Node | Row | None:
    """What a node holds at the rest of a path."""
    if rest.startswith(".") and node.children:
        try:
            return resolve(node.children, rest[1:])
        except UnknownPath as error:
            raise UnknownPath(str(error).replace("the image", node.name, 1)) from None
    if node.rows and (entry := re.fullmatch(ENTRY, rest)):
        index = int(entry[1])
        return next((r for r in node.rows() if r.index <= index < r.index + r.count), None)
    return None


ENTRY = r"\[([0-9]{1,20})\]"
"""The index of a table's entry, after the table's name."""


def _shortened(names: list[str], most: int = 40) -> list[str]:
    return names if len(names) <= most else [*names[:most], "…"]
