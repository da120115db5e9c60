"""By which names the snapshots of an image can be asked for.

In: the snapshots. Out: for each, its ID and its name, as far as they lead to it. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcow_parsers import Qcow2


def names_of(
    snapshots: Iterable[Qcow2.Snapshot],
) -> Iterator[tuple[Qcow2.Snapshot, bytes | None, bytes | None]]:
    """Each snapshot, its ID and its name; None for one that leads to another snapshot.

    A text is looked for among the IDs, then among the names, as QEMU does; the first one counts.
    """
    known = list(snapshots)
    first_id: dict[bytes, int] = {}
    first_name: dict[bytes, int] = {}
    for index, found in enumerate(known):
        first_id.setdefault(found.id_str, index)
        first_name.setdefault(found.name, index)
    for index, found in enumerate(known):
        by_id = first_id[found.id_str] == index
        by_name = found.name not in first_id and first_name[found.name] == index
        yield found, found.id_str if by_id else None, found.name if by_name else None
