"""What a byte of the image file is: its structures, its cluster's owners, the rules about it.

In: an opened image, and a host offset. Out: one document of plain data, of schema `SCHEMA`, which
`explain_text` shows to people. Refuses: nothing: what cannot be known is said.

All of it is put together from what others know: structures and meanings are the dump's, references
and refcounts the check's, and where the guest sees the byte the map's.
"""

from __future__ import annotations

from typing import Any

from qcowspec.check.followed import sentence
from qcowspec.check.ownership import words
from qcowspec.check.references import Cluster, Reference, cluster_at
from qcowspec.errors import QcowError
from qcowspec.image import Image
from qcowspec.mapping import Kind, walk_of
from qcowspec.reader import opening
from qcowspec.reader.laid_open import check_image
from qcowspec.report import document
from qcowspec.report import explain_bits as bits
from qcowspec.report.explain_rules import rules_on
from qcowspec.report.explain_structures import Cuts, Inside, around
from qcowspec.report.words import plural
from qcowspec.spec.units import BITS_PER_BYTE

SCHEMA = "qcowspec.explain/1"
"""Changes its number when a key changes its meaning or goes away; new keys may come."""

SHOWN = 16
"""Bytes that are shown from the offset on."""

SEEN = 16
"""References for which it is looked up where the guest sees the byte."""

Plain = dict[str, Any]


def explain(image: Image, offset: int) -> Plain:
    """What a byte of the image file is.

    Args:
        image: The image, laid open.
        offset: The byte's host offset, below 2^63.
    """
    check_image(image)
    if offset < 0:
        raise ValueError(f"no offset in a file: {offset}")
    data, cuts = image.source.read_at(offset, SHOWN), Cuts()
    inside = around(image, offset, cuts)
    cluster, why = _cluster(image, offset)
    if cluster is not None:
        cuts |= _cuts(cluster, offset)
    said = document.head(image) | {
        "schema": SCHEMA,
        "offset": offset,
        "byte": data[0] if data else None,
        "bytes": data.hex(),
        "is": _summary(image, offset, inside, cluster),
        "inside": [_inside(image, one, offset) for one in inside],
        "cluster": None if cluster is None else _about_cluster(cluster, offset),
        "why_no_cluster": why,
        "guest": [] if cluster is None else _guest(image, cluster, offset),
        "rules": _rules(image, inside),
        "complete": cluster is not None and not cuts,
        "cuts": [{"bound": bound, "says": says} for bound, says in cuts.items()],
    }
    said.pop("state")
    return said


def _cuts(cluster: Cluster, offset: int) -> Cuts:
    """What a bound left out of the search for references."""
    places, total = len(_mapping(cluster, offset)), cluster.searched + cluster.left
    left = {
        "l2-tables": (cluster.left, f"{total:,} L2 tables were not searched for references"),
        "snapshots-l1": (
            cluster.l1_left,
            "the snapshots' L1 tables were not searched for references",
        ),
        "references": (cluster.count - len(cluster.references), "the references are not named"),
        "guest": (places - SEEN, f"{places} guest clusters were not looked up"),
    }
    cuts = {bound: f"{count:,} of {says}" for bound, (count, says) in left.items() if count > 0}
    return cuts | ({"not-followed": sentence(why)} if (why := cluster.not_followed) else {})


def _cluster(image: Image, offset: int) -> tuple[Cluster | None, str | None]:
    """The cluster of a byte; else why nothing is known of it."""
    if offset >= image.source.length:
        return None, "past the end of the file"
    try:
        return cluster_at(image, offset), None
    except QcowError as error:
        return None, f"the references are not known: {error.message}"


# --- structures -----------------------------------------------------------------------------------


def _inside(image: Image, inside: Inside, offset: int) -> Plain:
    levels = []
    for depth, level in enumerate(inside.levels):
        data: Plain = {"name": level.name, "offset": level.offset, "length": level.length}
        if level.layout is not None:
            data["layout"] = level.layout
        if level.meaning:
            data["meaning"] = level.meaning
        if level.raw is not None and not level.children:
            data["raw"], data["value"] = level.raw.hex(), document.plain(level.value)
            if isinstance(level.value, int):
                data["bits"] = bits.span(level.offset, level.length, offset)
                if named := bits.of_field(image, inside.levels[depth - 1], level, offset):
                    data["named_bits"] = named
        levels.append(data)
    said: Plain = {"path": inside.path, "levels": levels}
    if inside.rows:
        said["entries"] = [document.row(row) for row in inside.rows]
        first, entry = inside.rows[0], said["entries"][0]
        if width := first.bits // BITS_PER_BYTE:
            entry["bits"] = bits.span(first.offset, width, offset)
            if named := bits.of_entry(image, inside, first, offset):
                entry["named_bits"] = named
    return said


# --- the cluster ----------------------------------------------------------------------------------


def _about_cluster(cluster: Cluster, offset: int) -> Plain:
    place = cluster.place
    return {
        "offset": cluster.offset,
        "refcount": cluster.refcount,
        "refcount_at": None
        if place is None
        else {"path": place.path, "offset": place.offset, "note": place.note or None},
        "references": cluster.count,
        "owners": [
            {
                "owner": words(one.owner)[0],
                "path": one.path,
                "by": one.by,
                "state": one.state,
                "guest": one.guest,
                "has_byte": one.has(offset),
            }
            for one in cluster.references
        ],
    }


def _mapping(cluster: Cluster, offset: int) -> list[Reference]:
    """The references that map the byte; an unaligned one may have other bytes of its cluster."""
    return [each for each in cluster.references if each.guest is not None and each.has(offset)]


def _guest(image: Image, cluster: Cluster, offset: int) -> list[Plain]:
    """Where the guest sees a byte, by the map of each state that has its cluster."""
    found = []
    for one in _mapping(cluster, offset)[:SEEN]:
        try:
            said = _seen(image, one, offset)
        except QcowError as error:
            said = {"offset": one.guest, "kind": None, "why": str(error)}
        found.append({"state": one.state, "by": one.by} | said)
    return found


def _seen(image: Image, one: Reference, offset: int) -> Plain:
    """The guest byte, or the guest cluster whose payload has the byte."""
    assert one.guest is not None
    image.check_opened()
    opening.check_readable(image.machine, image.source.name)
    snapshot = None
    if one.state is not None:
        index = int(one.state.partition("[")[2].rstrip("]"))
        opening.check_loadable(image.machine, index, image.source.name)
        snapshot = image.snapshots[index]
    walk = walk_of(image.metadata, image.source, snapshot=snapshot)
    where = one.guest
    if words(one.owner)[0] != "compressed":
        where += offset - one.start
    if where >= walk.size:
        return {"offset": where, "kind": "past-the-disk"}
    run = walk.run_at(where, where + 1)
    said: Plain = {"offset": where, "kind": run.kind.name.lower()}
    if run.kind is Kind.COMPRESSED:
        said["length"] = walk.cluster_size
    return said


def _rules(image: Image, inside: list[Inside]) -> list[Plain]:
    return [
        {"rule": said.rule.id, "on": one.path, "state": said.state, "says": said.rule.says}
        | ({"message": said.message} if said.message else {})
        for one in inside
        for said in rules_on(image, one)
    ]


# --- in one sentence ------------------------------------------------------------------------------


def _summary(image: Image, offset: int, inside: list[Inside], cluster: Cluster | None) -> str:
    """What the byte belongs to, as one clause."""
    if offset >= image.source.length:
        there = f": {inside[0].path} would be there, and reads as zeros" if inside else ""
        return "past the end of the file" + there
    if inside:
        return " and ".join(one.path for one in inside)
    if cluster is None:
        return "no structure that was read has it"
    own = [one for one in cluster.references if one.has(offset)]
    for one in own:
        if one.guest is not None:
            packed = words(one.owner)[0] == "compressed"
            return "compressed guest data" if packed else "guest data"
    for one in own:
        name = words(one.owner)[0]
        if name == "header":
            return "the header's cluster, outside every structure"
        return "bitmap data" if name == "bitmap-data" else f"part of {one.path}, not shown by dump"
    if cluster.references:
        return f"the unused rest of the cluster of {cluster.references[0].path}"
    if cluster.not_followed:
        return "not known: nothing that was followed references its cluster"
    if cluster.l1_left:
        return f"not known: {plural(cluster.l1_left, 'L1 table')} not searched"
    if cluster.left:
        return f"not known: {plural(cluster.left, 'L2 table')} not searched"
    if cluster.place is None:
        return "no structure and no cluster of the disk has it"
    if cluster.refcount is None:
        return "nothing references its cluster, whose refcount cannot be read"
    if cluster.refcount:
        return f"leaked: nothing references its cluster, whose refcount is {cluster.refcount}"
    return "free: nothing references its cluster, and its refcount is 0"
