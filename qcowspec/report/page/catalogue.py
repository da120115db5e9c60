"""What is said of images in general: kinds of bytes, states of the disk, rules; and their colours.

In: nothing, or rules' ids. Out: plain data, which the viewer shows beside any image. Refuses:
nothing.

A colour stands for light pages, and another for dark ones. Kinds of one family are of one hue, and
differ in lightness; cavities are pale.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from qcowspec.check.tiles import Kind
from qcowspec.report.catalogue import GAP
from qcowspec.spec.rules import BY_ID

SCHEMA = "qcowspec.page.catalogue/1"


class Look(NamedTuple):
    """How a kind is shown.

    Attributes:
        label: Its name for people.
        says: What it is, in one sentence.
        light: Its colour on a light page.
        dark: Its colour on a dark page.
    """

    label: str
    says: str
    light: str
    dark: str


KINDS = {
    "header": Look("Header", "The header's fields.", "#7a1f3d", "#e0698f"),
    "header-extensions": Look(
        "Header extensions", "The header extensions, without padding.", "#a8446a", "#f39ab6"
    ),
    "backing-file-name": Look(
        "Backing file name", "The name of the backing file.", "#cf7695", "#ffc4d5"
    ),
    "l1-table": Look("L1 table", "The entries of the active L1 table.", "#7d3f00", "#e8912d"),
    "refcount-table": Look(
        "Refcount table", "The entries of the refcount table.", "#5c5200", "#d8c840"
    ),
    "refcount-block": Look("Refcount block", "Whole refcount blocks.", "#94881f", "#a89b30"),
    "snapshot-table": Look(
        "Snapshot table",
        "The snapshot table's entries, without padding.",
        "#0b5d3b",
        "#4fd39a",
    ),
    "snapshot-l1-table": Look(
        "Snapshot L1 table", "The entries of the L1 tables of snapshots.", "#1a8a5e", "#35b884"
    ),
    "l2-table": Look(
        "L2 table",
        "L2 tables of the active state, which snapshots may share.",
        "#c9741c",
        "#ffc27a",
    ),
    "snapshot-l2-table": Look(
        "Snapshot L2 table", "L2 tables of snapshots only.", "#57b98f", "#9cecca"
    ),
    "bitmap-directory": Look(
        "Bitmap directory",
        "The entries of the bitmap directory, without padding.",
        "#44257a",
        "#b79bff",
    ),
    "bitmap-table": Look("Bitmap table", "The entries of bitmap tables.", "#6a48a8", "#d3c1ff"),
    "luks-header": Look(
        "LUKS header", "The LUKS header and its key material.", "#1c1c1c", "#f5f5f5"
    ),
    "data": Look("Data", "Guest data of the active state only.", "#1f5fa8", "#5aa2ec"),
    "shared-data": Look(
        "Shared data", "Guest data of the active state and of a snapshot.", "#1593a5", "#4fd0df"
    ),
    "snapshot-data": Look("Snapshot data", "Guest data of snapshots only.", "#7cc0b0", "#a5e0d2"),
    "compressed": Look(
        "Compressed data", "Compressed guest data of the active state only.", "#0c3566", "#3b78bd"
    ),
    "shared-compressed": Look(
        "Shared compressed data",
        "Compressed guest data of the active state and of a snapshot.",
        "#0a5260",
        "#2a8d9c",
    ),
    "snapshot-compressed": Look(
        "Snapshot compressed data", "Compressed guest data of snapshots only.", "#3c7a69", "#6aa997"
    ),
    "vm-state": Look(
        "VM state", "A machine's memory, stored with a snapshot.", "#a92f83", "#ff86d3"
    ),
    "bitmap-data": Look("Bitmap data", "The bits of bitmaps.", "#9a80d0", "#8d70d8"),
    "header-padding": Look(
        "Header padding", "What is left of the first cluster.", "#e6d3da", "#4d3742"
    ),
    "table-padding": Look(
        "Table padding",
        "What is left of the clusters of any other structure, and between its entries.",
        "#eadfc9",
        "#4b4130",
    ),
    "compressed-padding": Look(
        "Compressed padding",
        "Bytes after a payload that its entry claims, and what is left of payloads' clusters.",
        "#c6d5e8",
        "#2b3a4e",
    ),
    "beyond-disk": Look(
        "Beyond the disk",
        "Clusters, or parts of them, past the end of the virtual disk.",
        "#dcc6e4",
        "#47334f",
    ),
    "preallocated": Look(
        "Preallocated",
        "Clusters that are set aside and read as zeros or from the backing file.",
        "#c4e2ee",
        "#214250",
    ),
    "leaked": Look(
        "Leaked", "Clusters with a refcount, which nothing references.", "#f0968b", "#96352c"
    ),
    "tail": Look(
        "Tail", "What nothing references of an incomplete last cluster.", "#d4d4d4", "#44464a"
    ),
    "free": Look("Free", "What nothing references, without a refcount.", "#efefec", "#2a2c30"),
    "not-followed": Look(
        "Not followed",
        "What nothing claims, of an image some of whose structures could not be followed.",
        "#bdbdbd",
        "#5b5e63",
    ),
    "not-looked-at": Look(
        "Not looked at", "It was not looked at what these bytes are.", "#a6a6a6", "#6b6e73"
    ),
}
"""Each kind of bytes of the file, by its word."""

NOT_LOOKED_AT = "not-looked-at"

STATES = {
    "data": Look("Data", "Bytes that are stored in the image file.", "#1f5fa8", "#5aa2ec"),
    "zero": Look("Zeros", "An entry says that they are zeros.", "#d9c27a", "#7d6c2f"),
    "unallocated": Look(
        "Not allocated",
        "No entry: they read from the backing file, or as zeros if there is none.",
        "#efefec",
        "#2a2c30",
    ),
    "compressed": Look(
        "Compressed", "Compressed bytes that are stored in the image file.", "#0c3566", "#3b78bd"
    ),
    "data-file": Look(
        "In the data file", "Bytes that are stored in a data file.", "#1a8a5e", "#35b884"
    ),
    "lost": Look(
        "Lost",
        "An entry on the way breaks a rule, or cannot be read.",
        "#d0463a",
        "#ff7a6b",
    ),
    NOT_LOOKED_AT: Look(
        "Not looked at", "It was not looked at where these bytes are.", "#a6a6a6", "#6b6e73"
    ),
}
"""What a run of the guest's disk is."""

KIND_WORDS = [kind.word for kind in Kind] + [NOT_LOOKED_AT]
"""The kinds in the order of their numbers: those of `Kind`, and one more."""

STATE_WORDS = list(STATES)


def catalogue(rules: Iterable[str] = ()) -> dict[str, Any]:
    """The catalogue, with some rules."""
    cavities = {kind.word for kind in Kind if kind.is_cavity} | {NOT_LOOKED_AT}
    return {
        "schema": SCHEMA,
        "kinds": [
            {"name": word, "cavity": word in cavities, **KINDS[word]._asdict()}
            for word in KIND_WORDS
        ],
        "states": [{"name": word, **look._asdict()} for word, look in STATES.items()],
        "rules": {rule: rule_words(rule) for rule in sorted(set(rules))},
    }


def rule_words(rule: str) -> dict[str, str]:
    """What a rule says, and why."""
    row = BY_ID[rule]
    facts = {
        "says": row.says,
        "why": row.why,
        "source": "; ".join(row.source),
        "message": GAP.sub(r"{\1}", row.message),
    }
    return {name: " ".join(fact.split()) for name, fact in facts.items()}
