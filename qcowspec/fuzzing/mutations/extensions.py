"""Mutations of the header extensions."""

from __future__ import annotations

from random import Random

from qcow_parsers import constants as c

from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import mutation, numbers, pick, set_to_edge
from qcowspec.fuzzing.patches import extension_record, insert_extension
from qcowspec.fuzzing.places import Place, Unfit
from qcowspec.spec.structures import Part

MAGICS = [extension.magic for extension in c.EXTENSIONS]
PAYLOADS = (b"", b"raw", b"x" * 15, b"x" * 16, b"json:{}", bytes(16), bytes(24), bytes(48))


@mutation(weight=4)
def extension_magic(draft: Draft, random: Random) -> None:
    """An extension of another type."""
    draft.set(_field(draft, random, "magic"), random.choice([*MAGICS, 1, 1 << 31]))


@mutation(weight=4)
def extension_len(draft: Draft, random: Random) -> None:
    """Another length of an extension, with the same data."""
    place = _field(draft, random, "len")
    set_to_edge(draft, random, place)


@mutation(weight=6)
def extension_content(draft: Draft, random: Random) -> None:
    """A number in an extension's data, to one at the edge of something."""
    inside = [place for place in numbers(draft, "header_extensions") if ".data." in place.path]
    place = pick(random, inside, "numbers in its extensions")
    set_to_edge(draft, random, place)


@mutation(weight=3)
def extension_text(draft: Draft, random: Random) -> None:
    """An extension's text overwritten."""
    texts = [
        place
        for place in draft.places.fields
        if place.path.startswith("header_extensions") and isinstance(place.value, bytes)
    ]
    place = pick(random, [place for place in texts if place.length], "text in its extensions")
    draft.write(place.offset, random.choice(PAYLOADS)[: place.length] or b"\xff", place.path)


@mutation(weight=4)
def extension_insert(draft: Draft, random: Random) -> None:
    """One more extension, valid or with a wrong length."""
    data = random.choice(PAYLOADS)
    length = len(data) if random.random() < 0.8 else random.choice((0, 8, 1 << 31, (1 << 32) - 1))
    magic = random.choice([*MAGICS, random.randrange(1, 1 << 32)])
    insert_extension(draft, extension_record(magic, length, data))


@mutation(weight=3)
def extension_duplicate(draft: Draft, random: Random) -> None:
    """An extension repeated."""
    insert_extension(draft, random.choice(_records(draft, 1)).data)


@mutation(weight=2)
def extension_reorder(draft: Draft, random: Random) -> None:
    """Two extensions exchanged."""
    records = _records(draft, 2)
    first = random.randrange(len(records) - 1)
    second = random.randrange(first + 1, len(records))
    records[first], records[second] = records[second], records[first]
    start = draft.places.image.extensions.part(0).offset
    draft.write(start, b"".join(record.data for record in records), "header_extensions")


@mutation(weight=2)
def extension_remove_end(draft: Draft, random: Random) -> None:
    """The END replaced by a record of another type."""
    image = draft.places.image
    if not image.extensions or int(image.extensions[-1].magic) != c.QCOW2_EXT_MAGIC_END:
        raise Unfit("the image's extensions have no END")
    place = draft.find(f"header_extensions[{len(image.extensions) - 1}].magic")
    draft.set(place, random.randrange(1, 1 << 32))


@mutation(weight=2)
def extension_slack(draft: Draft, random: Random) -> None:
    """A byte in the first cluster after the header changed."""
    start, cluster = draft.places.extension_area(), draft.base.cluster_size
    if start >= cluster:
        raise Unfit("the header leaves no room in the first cluster")
    draft.write(random.randrange(start, cluster), random.randbytes(1), "header_extensions")


def _field(draft: Draft, random: Random, name: str) -> Place:
    fields = [p for p in numbers(draft, "header_extensions") if p.path.endswith(f"].{name}")]
    return pick(random, fields, "header extensions")


def _records(draft: Draft, least: int) -> list[Part[object]]:
    """The extensions other than the END, as bytes."""
    kept = draft.places.image.extensions
    records: list[Part[object]] = [
        part
        for part, parsed in zip(kept.parts, kept, strict=True)
        if int(parsed.magic) != c.QCOW2_EXT_MAGIC_END
    ]
    if len(records) < least:
        raise Unfit(f"the image has fewer than {least} header extensions")
    return records
