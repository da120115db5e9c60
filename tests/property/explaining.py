"""Whether `explain` agrees with what dump, check, usage and map say of the same image.

In: an image laid open. Out: `Others`: what the other commands say of it, gathered once, and the
offsets where that changes; `Others.disagreement` compares them with `explain` at one byte.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from qcowspec.check import owners
from qcowspec.check.ownership import Owner, OwnerMap, words
from qcowspec.check.tiles import Kind as Tile
from qcowspec.check.usage import Usage
from qcowspec.errors import QcowError
from qcowspec.image import Image
from qcowspec.mapping import walk_of
from qcowspec.report import document, tree
from qcowspec.report.explain import explain
from qcowspec.report.explain_guest import explain_guest
from qcowspec.report.explain_text import guest_lines, host_lines
from qcowspec.report.nodes import Node, Row
from qcowspec.spec.units import BITS_PER_BYTE

Plain = dict[str, Any]

STRUCTURES = {
    Tile.HEADER: "header",
    Tile.HEADER_EXTENSIONS: "header_extensions[",
    Tile.BACKING_FILE_NAME: "backing_file_name",
    Tile.L1_TABLE: "l1_table[",
    Tile.REFCOUNT_TABLE: "refcount_table[",
    Tile.REFCOUNT_BLOCK: "refcount_blocks[",
    Tile.SNAPSHOT_TABLE: "snapshots[",
    Tile.SNAPSHOT_L1_TABLE: "snapshots[",
    Tile.L2_TABLE: "l2_tables[",
    Tile.SNAPSHOT_L2_TABLE: "snapshots[",
    Tile.BITMAP_DIRECTORY: "bitmaps[",
    Tile.BITMAP_TABLE: "bitmaps[",
}
"""What the path of a structure begins with that has the bytes of a tile."""

DATA = {
    Tile.DATA: {"data"},
    Tile.SHARED_DATA: {"data", "snapshot-data"},
    Tile.SNAPSHOT_DATA: {"snapshot-data"},
    Tile.COMPRESSED: {"compressed"},
    Tile.SHARED_COMPRESSED: {"compressed"},
    Tile.SNAPSHOT_COMPRESSED: {"compressed"},
    Tile.VM_STATE: {"data", "snapshot-data"},
    Tile.BITMAP_DATA: {"bitmap-data"},
    Tile.LUKS_HEADER: {"luks-header"},
}
"""Owners of which one at least has the bytes of a tile."""

UNOWNED = {
    Tile.LEAKED: ("leaked",),
    Tile.TAIL: ("free", "leaked", "nothing references"),
    Tile.FREE: ("free", "no structure", "nothing references"),
}
"""What `explain` calls the bytes of tiles that nothing references."""


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """The values of a structure, with their paths."""
    path = f"{path}.{node.name}" if path else node.name
    if not node.children and node.length and node.raw is not None:
        yield path, node
    for child in node.children:
        yield from leaves(child, path)


class Others:
    """What dump, check and usage say of an image.

    Attributes:
        image: The image.
        fields: Every value of the dump, with its path.
        tables: Every table of the dump, with its rows.
        tiles: The tiles of the file.
        not_followed: Whether usage could not follow all of it.
        owners: The owners of its clusters; None where there is no map of them.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.fields: list[tuple[str, Node]] = []
        self.tables: list[tuple[Node, list[Row], list[int]]] = []
        for node in tree.structures(image, whole=True):
            if node.rows is not None:
                rows = list(node.rows())
                self.tables.append((node, rows, [row.index for row in rows]))
            else:
                self.fields += leaves(node)
        usage = Usage(image)
        self.tiles = list(usage)
        self.not_followed = bool(usage.not_followed)
        self._starts = [tile.offset for tile in self.tiles]
        self._snapshots = {f"snapshots[{i}]": each for i, each in enumerate(image.snapshots)}
        self.owners: OwnerMap | None = None
        with suppress(QcowError, ValueError):
            self.owners = owners(image)

    def edges(self) -> set[int]:
        """Offsets where something else begins, and their neighbours, within the file."""
        found = {0, self.image.source.length}
        for _, node in self.fields:
            found |= {node.offset, node.offset + node.length}
        for node, rows, _ in self.tables:
            found |= {node.offset, node.offset + node.length, *(row.offset for row in rows)}
        found.update(self._starts)
        near = {offset + step for offset in found for step in (-1, 0, 1)}
        return {offset for offset in near if 0 <= offset < self.image.source.length}

    def disagreement(self, offset: int) -> str | None:
        """What `explain` says otherwise of a byte of the file; None where all agree."""
        said = explain(self.image, offset)
        assert list(host_lines(said))
        parts = self._dump, self._check, self._usage, self._map
        return next(filter(None, (part(said, offset) for part in parts)), None)

    def _dump(self, said: Plain, offset: int) -> str | None:
        inside = {each["path"]: each for each in said["inside"]}
        expected = set[str]()
        for path, node in self.fields:
            if node.offset <= offset < node.offset + node.length:
                expected.add(path)
                value = inside[path]["levels"][-1].get("value") if path in inside else None
                if path in inside and value != document.plain(node.value):
                    return f"the dump has {node.value!r} at {path}, explain {value!r}"
        places = set[int]()
        for node, rows, starts in self.tables:
            if node.offset <= offset < node.offset + node.length:
                path, row = _row_at(node, rows, starts, offset)
                places.add(node.offset)
                expected.add(path)
                entry = inside[path]["entries"][0] if path in inside else None
                if entry is not None and (entry["raw"], entry["offset"]) != row:
                    return f"the dump has {row} at {path}, explain {entry}"
        if missing := expected - inside.keys():
            return None if said["cuts"] else f"the dump has {missing}, explain not"
        for path in inside.keys() - expected:
            top = inside[path]["levels"][0]
            # What several states share is shown by a dump once, and a record's end has no fields.
            shared = ".l2_tables[" in path and top["offset"] in places
            record = not inside[path].get("entries") and len(inside[path]["levels"]) == 1
            if not (shared or record):
                return f"explain has {path}, the dump not"
        return None

    def _check(self, said: Plain, offset: int) -> str | None:
        cluster = said["cluster"]
        if self.owners is None or cluster is None:
            return None if self.owners is None else f"explain: {said['why_no_cluster']}"
        known = int(self.owners[offset // self.image.geometry.cluster_size]) & ~Owner.TWICE
        named = {owner["owner"] for owner in cluster["owners"]}
        if not said["cuts"] and named != set(words(known)):
            return f"check has owners {words(known)}, explain {named}"
        return None

    def _usage(self, said: Plain, offset: int) -> str | None:
        if self.not_followed != any(cut["bound"] == "not-followed" for cut in said["cuts"]):
            return None if said["cluster"] is None else "one of usage and explain followed all"
        if not self.tiles or said["cluster"] is None or said["cuts"]:
            return None
        kind = self.tiles[bisect_right(self._starts, offset) - 1].kind
        paths = [each["path"] for each in said["inside"]]
        holders = said["cluster"]["owners"]
        has = {owner["owner"] for owner in holders if owner["has_byte"]}
        if kind in STRUCTURES:
            agrees = any(path.startswith(STRUCTURES[kind]) for path in paths) or kind.word in has
        elif kind in DATA:
            agrees = bool(has & DATA[kind])
        elif kind in UNOWNED:
            # Of what the check does not count, or counts without this byte, usage says the same.
            known = bool(paths or holders) or said["is"].startswith(UNOWNED[kind])
            agrees = not has and known
        else:  # a cavity of something's cluster
            agrees = bool(holders)
        return None if agrees else f"usage has {kind.word}, explain {said['is']} of {paths}, {has}"

    def _map(self, said: Plain, offset: int) -> str | None:
        for seen in said["guest"]:
            snapshot = self._snapshots.get(seen["state"])
            if seen["kind"] != "data":
                continue
            walk = walk_of(self.image.metadata, self.image.source, snapshot=snapshot)
            run = walk.run_at(seen["offset"], seen["offset"] + 1)
            if run.host_offset != offset:
                return f"the map has guest {seen['offset']:#x} at {run.host_offset:#x}"
        return None


def _row_at(
    node: Node, rows: list[Row], starts: list[int], offset: int
) -> tuple[str, tuple[str, int]]:
    """The entry of a table that has a byte: its path; its value in hex, and its offset."""
    bits = rows[0].bits
    index = (offset - node.offset) * BITS_PER_BYTE // bits
    row = rows[bisect_right(starts, index) - 1]
    raw = document.row(row)["raw"]
    return f"{node.name}[{index}]", (raw, node.offset + index * bits // BITS_PER_BYTE)


def against_map(image: Image, mapped: list[Plain], offset: int) -> str | None:
    """What `explain --guest` says otherwise of a byte than `qemu-img map`; None where it agrees.

    Args:
        image: The image.
        mapped: What `qemu-img map --output=json` says of it.
        offset: The byte's guest offset.
    """
    said = explain_guest(image, offset, None)
    assert list(guest_lines(said))
    extent = mapped[bisect_right([each["start"] for each in mapped], offset) - 1]
    layer = said["layers"][-1]
    if layer["depth"] != extent["depth"] and layer["kind"] not in ("unallocated", "zero"):
        return f"explain ends at depth {layer['depth']}, qemu-img at {extent['depth']}"
    data = layer["kind"] in ("data", "compressed")
    raw = "l1" not in layer  # whose holes are data to us, and zeros to QEMU
    if data != extent["data"] and not raw:
        return f"explain has {layer['kind']}, qemu-img {extent}"
    place = extent.get("offset")
    # Of zeros QEMU has the place that is set aside for them, and we have none.
    if data and place is not None and layer["host_offset"] != place + offset - extent["start"]:
        return f"explain has host offset {layer['host_offset']}, qemu-img {extent}"
    if said["host"] is None or layer["depth"]:
        return None
    return _back(image, said, offset) if data else None


def _back(image: Image, said: Plain, offset: int) -> str | None:
    """Whether the host byte of a guest byte leads back to it."""
    there = explain(image, said["host"]["offset"])
    if (there["cluster"] is None) or there["cuts"]:
        return None
    seen = {each["offset"] for each in there["guest"] if each["state"] is None}
    if said["layers"][0]["kind"] == "compressed":
        offset -= offset % image.geometry.cluster_size
    return None if offset in seen else f"its host byte leads to {seen}"
