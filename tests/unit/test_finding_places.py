"""Each finding says where a rule is broken and what stands there: both are held against the image.

The image's own bytes decide, and a dump has to show the same field at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qcow_parsers.catalogue import RULES

from qcowspec.errors import NotQcow, Value
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.batches import Batch, Seed
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.places import Places
from qcowspec.fuzzing.vectors import Vector
from qcowspec.image import lay_open
from qcowspec.report.nodes import Node, Row
from qcowspec.report.paths import resolve
from qcowspec.report.text import HEXADECIMAL
from qcowspec.report.tree import structures
from qcowspec.spec.predicates import FACTS
from qcowspec.spec.rules import Finding
from qcowspec.spec.sentences import sentence
from tests.every import every

DATA = Path(__file__).parents[1] / "data"

SEEDS = (
    "v1-backing.qcow",
    "v2-snapshots.qcow2",
    "v3-bitmaps.qcow2",
    "v3-data-file.qcow2",
    "v3-luks.qcow2",
)
"""Images that have between them every structure that is judged while an image is opened."""

MUTANTS = 300

WIDEST = 8
"""Bytes of the widest number that a structure has."""

WITHOUT_PLACE = {"probe/stream"}
"""Rules that are broken by how the bytes come."""

IN_HEXADECIMAL = (*HEXADECIMAL, "]", "active", "reserved32")
"""What ends the paths of numbers that messages have in hexadecimal; an index ends an entry's."""


LARGE, MANY = 1 << 20, 1 << 10
"""Bytes of an image, and snapshots in it, above which no dump is made of it: it takes long."""


def nodes_of(data: bytes, format: str | None) -> list[Node]:
    """What a dump shows of an image; nothing of what is not an image."""
    try:
        with lay_open(data, format=format) as image:
            return list(structures(image, whole=True))
    except NotQcow:
        return []


def shown(nodes: Sequence[Node], field: str, at: int) -> tuple[int, int]:
    """Where a dump has a field, and how long it is, in bytes; of two words the one at an offset."""
    found = resolve(nodes, field)
    if not isinstance(found, Row):
        return found.offset, found.length
    size = found.bits // 8
    offset = found.offset + (int(field[field.rindex("[") + 1 : -1]) - found.index) * size
    if size > WIDEST:  # an extended L2 entry and its subcluster bitmap
        return offset + WIDEST * (at == offset + WIDEST), WIDEST
    return offset, size


def forms(field: str, value: Value) -> list[str]:
    """A value as a message may have it."""
    if isinstance(value, bytes):
        return [value[:64].hex(" "), sentence(SAYING, value)]
    assert isinstance(value, int)
    if not field.endswith(IN_HEXADECIMAL):
        return [str(value)]
    return [f"{value:#x}", f"{value:#010x}"]


def says(found: Finding) -> bool:
    """Whether a message says the value in the right form."""
    assert found.field is not None
    is_plain = found.value is not None
    return not is_plain or any(form in found.message for form in forms(found.field, found.value))


SAYING = RULES[0]._replace(message="{value}")
"""A rule whose message is the value alone."""


def faults(data: bytes, format: str | None) -> list[str]:
    """What is wrong with the findings about an image."""
    found = judge(data, format).judge
    findings, many = found.findings, len(found.image.snapshots) > MANY
    nodes = nodes_of(data, format) if findings and not many and len(data) <= LARGE else []
    return [f"{each}: {why}" for each in findings if (why := fault(each, data, nodes))]


def fault(found: Finding, data: bytes, nodes: Sequence[Node]) -> str | None:
    """What is wrong with a finding, if anything is."""
    if found.field is None or found.offset is None:
        return None if found.rule in WITHOUT_PLACE else "says no place"
    if found.rule not in FACTS and not says(found):
        return "the message does not say the value"
    if found.offset >= len(data):  # which a dump does not show
        stored = found.value.strip(b"\0") if isinstance(found.value, bytes) else found.value
        return "stands past the end of the file, where all is zero" if stored else None
    if not nodes:
        return None
    try:
        offset, length = shown(nodes, found.field, found.offset)
    except LookupError as error:
        is_cut = len(data) - found.offset < WIDEST  # which a dump does not show either
        return None if is_cut else str(error)
    if offset != found.offset:
        return f"a dump has it at {offset:#x}"
    stored_bytes = data[offset : offset + length].ljust(length, b"\0")
    if isinstance(found.value, int) and int.from_bytes(stored_bytes, "big") != found.value:
        return f"there stands {stored_bytes.hex()}"
    if isinstance(found.value, bytes) and stored_bytes != found.value:
        return f"there stands {stored_bytes!r}"
    return None


@every("vector", vectors.everything(), ids=lambda vector: vector.id)
def test_a_finding_is_where_it_says_and_what_it_says(vector: Vector) -> None:
    assert faults(vectors.image(vector), vectors.format_of(vector)) == []


def test_so_it_is_in_mutants() -> None:
    seeds = [Seed(name, Places((DATA / name).read_bytes())) for name in SEEDS]
    wrong = {
        number: found
        for number, seed, mutant in Batch(seeds, MUTANTS, random_seed=16).mutants()
        if (found := faults(mutant.data, seed.format))
    }
    assert wrong == {}
