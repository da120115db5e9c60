"""Where a byte of the virtual disk is: from the L1 entry down to the host byte, layer by layer.

In: an image that QEMU opens, and a guest offset. Out: one document of plain data, as `explain`
makes it of a host offset. Refuses: an image or a snapshot that QEMU refuses. A file that the gate
does not open, or an entry that breaks a rule, ends the way down, with the reason.
"""

from __future__ import annotations

import os

from qcow_parsers import constants as c

from qcowspec.errors import QcowError
from qcowspec.guest import Disk
from qcowspec.image import Image
from qcowspec.mapping import Kind, Walk, walk_of
from qcowspec.reader import opening
from qcowspec.reader.laid_open import check_image
from qcowspec.report import document
from qcowspec.report.explain import SCHEMA, Plain, explain
from qcowspec.report.explain_structures import Span, l1_span, l2_span, snapshot_l1
from qcowspec.report.nodes import Row
from qcowspec.sources.source import Source
from qcowspec.spec.entry_rules import aligned
from qcowspec.spec.metadata import Format, Metadata, Table
from qcowspec.spec.units import GuestOffset


def explain_guest(image: Image, offset: int, snapshot: str | None = None) -> Plain:
    """Where a byte of the disk is.

    Args:
        image: The image.
        offset: The byte's guest offset, below 2^63.
        snapshot: The id or the name of an internal snapshot; None for the active state.

    Raises:
        QcowError: QEMU refuses the image, or the snapshot.
    """
    check_image(image)
    if offset < 0:
        raise ValueError(f"no offset on a disk: {offset}")
    image.check_opened()
    opening.check_readable(image.machine, image.source.name)
    index = None
    if snapshot is not None:
        index = opening.snapshot_index(image.metadata, snapshot, image.source.name)
        opening.check_loadable(image.machine, index, image.source.name)
    chosen = None if index is None else image.snapshots[index]
    walk = walk_of(image.metadata, image.source, snapshot=chosen)
    table = image.l1_table if index is None else snapshot_l1(image, index)
    assert table is not None
    prefix = "" if index is None else f"snapshots[{index}]."
    said = document.head(image) | {
        "schema": SCHEMA,
        "guest_offset": offset,
        "snapshot": None if index is None else f"snapshots[{index}]",
        "size": walk.size,
        "layers": [],
        "host": None,
        "byte": None,
        "why_no_byte": "past the end of the disk",
    }
    said.pop("state")
    if offset >= walk.size:
        return said
    layer = _layer(image.metadata, image.source, walk, (prefix, table), offset)
    said["layers"].append({"depth": 0, "file": _name(image.source.name)} | layer)
    # A payload of no bytes, which version 1 can claim, has a place and no byte there.
    has_byte = layer["host_offset"] is not None and layer.get("compressed_length") != 0
    if has_byte and not layer["data_file"]:
        said["host"] = _host(image, layer["host_offset"])
    try:
        disk = image.disk(snapshot, keyless=True)
        if layer["kind"] == "backing":
            said["layers"] += _below(disk, offset)
        said["byte"], said["why_no_byte"] = disk.pread(offset, 1)[0], None
    except QcowError as error:
        said["why_no_byte"] = str(error)
    return said


def _host(image: Image, offset: int) -> Plain:
    """The byte of the image file where the way down ends, in brief."""
    said = explain(image, offset)
    cluster = said["cluster"] or {"refcount": None, "references": None, "owners": []}
    return {
        "offset": offset,
        "is": said["is"],
        "inside": [inside["path"] for inside in said["inside"]],
        "refcount": cluster["refcount"],
        "references": cluster["references"],
        "owners": [owner["path"] for owner in cluster["owners"][:OWNERS_SHOWN]],
        **{key: said[key] for key in ("why_no_cluster", "complete", "cuts")},
    }


OWNERS_SHOWN = 16
"""References of the host byte's cluster that are named; all are counted."""


def _below(disk: Disk, offset: int) -> list[Plain]:
    """The backing files, down to the one that has the byte."""
    found: list[Plain] = []
    while not found or found[-1]["kind"] == "backing":
        depth = len(found) + 1
        layer = disk.reader_of(depth).layer
        said: Plain = {"depth": depth, "file": _name(layer.name)}
        if offset >= layer.size:
            found.append(said | {"kind": "unallocated", "host_offset": None, "error": None})
        elif layer.metadata is None:
            found.append(said | _placed(layer.walk, offset))
        else:
            table = layer.metadata.l1_table
            assert table is not None
            found.append(
                said | _layer(layer.metadata, layer.source, layer.walk, ("", table), offset)
            )
    return found


def _layer(
    metadata: Metadata, source: Source, walk: Walk, l1: tuple[str, Table], offset: int
) -> Plain:
    """One layer with tables: the entries on the way, and what they lead to."""
    geometry, (prefix, table) = metadata.geometry, l1
    assert geometry is not None
    index, rest = divmod(offset, geometry.l2_span)
    said: Plain = {"l1": None, "l2": None}
    if index < table.count:
        span = l1_span(metadata, table)
        row = span.row(source, index)
        said["l1"] = _entry(span, row)
        at = row.fields["l2_table_offset"]
        if at and (metadata.format is Format.QCOW or aligned(at, geometry)):
            span = l2_span(metadata, prefix, index, at)
            row = span.row(source, rest // geometry.cluster_size)
            said["l2"] = _entry(span, row)
    if geometry.has_extended_l2:
        size = geometry.cluster_size // c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
        said["subcluster"] = offset % geometry.cluster_size // size
    said["data_file"] = bool(getattr(metadata.header, "has_data_file", False))
    return said | _placed(walk, offset)


def _entry(span: Span, row: Row) -> Plain:
    return {"path": f"{span.path}[{row.index}]"} | document.row(row)


def _placed(walk: Walk, offset: int) -> Plain:
    """What the map says of the byte."""
    try:
        run = walk.run_at(GuestOffset(offset), offset + 1)
    except QcowError as error:
        return {"kind": None, "host_offset": None, "error": str(error)}
    said: Plain = {"kind": run.kind.name.lower(), "host_offset": run.host_offset, "error": None}
    if run.kind is Kind.COMPRESSED:
        said["compressed_length"] = run.compressed_length
    return said


def _name(name: str) -> object:
    return document.plain(os.fsencode(name))
