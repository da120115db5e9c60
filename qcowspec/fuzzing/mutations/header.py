"""Mutations of the header: its fields, its feature bits, and what it locates."""

from __future__ import annotations

from random import Random

from qcow_parsers import constants as c

from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import mutation, numbers, pick, qcow2_only, set_to_edge
from qcowspec.fuzzing.places import Unfit
from qcowspec.spec.metadata import Format
from qcowspec.spec.units import MAX_L1_ENTRIES

WORDS = ("incompatible_features", "compatible_features", "autoclear_features")
COMPRESSION = int(c.Qcow2IncompatibleFeatures.QCOW2_INCOMPAT_COMPRESSION)
NARROW = ("version", "cluster_bits", "l2_bits", "crypt_method", "refcount_order")
OFFSETS = (
    "header.l1_table_offset",
    "header.refcount_table_offset",
    "header.snapshots_offset",
    "header.backing_file_offset",
)
LENGTHS = (0, 72, 96, 103, 104, 105, 108, 111, 112, 113, 120, 128, 4096)
NAMES = (b"image", b"/etc/passwd", b"json:{}", b"nbd:host:10809", b"./a:b", b"\0", b"\xff\xfe", b"")


@mutation(weight=14)
def header_field(draft: Draft, random: Random) -> None:
    """A number of the header, to one at the edge of something."""
    place = pick(random, numbers(draft, "header."), "header")
    set_to_edge(draft, random, place)


@mutation(weight=5)
def header_small_field(draft: Draft, random: Random) -> None:
    """A field of the header that has few valid values, to any small one."""
    fields = [place for place in numbers(draft, "header.") if place.path[7:] in NARROW]
    draft.set(pick(random, fields, "header"), random.randrange(24))


@mutation(weight=6)
def feature_bits(draft: Draft, random: Random) -> None:
    """Feature bits flipped, known ones or not."""
    qcow2_only(draft, version=3)
    for word in random.sample(WORDS, random.choice((1, 1, 2))):
        place = draft.find(f"header.{word}")
        bit = random.choice((0, 1, 2, 3, 4, 5, random.randrange(64)))
        draft.set(place, int(place.value or 0) ^ 1 << bit)


@mutation(weight=3)
def compression_type(draft: Draft, random: Random) -> None:
    """Another compression type, and its feature bit or not."""
    place = draft.find("header.additional_fields.compression_type")
    draft.set(place, random.choice((0, 1, 2, 255)))
    if random.random() < 0.5:
        word = draft.find("header.incompatible_features")
        draft.set(word, int(word.value or 0) ^ COMPRESSION)


@mutation(weight=4)
def header_length(draft: Draft, random: Random) -> None:
    """Another length of the header, so that the extensions begin elsewhere."""
    place, cluster = draft.find("header.header_length"), draft.base.cluster_size
    draft.set(place, random.choice((*LENGTHS, cluster - 8, cluster - 4, cluster, cluster + 8)))


@mutation(weight=6)
def disk_size(draft: Draft, random: Random) -> None:
    """Another size of the disk, at the edge of what the L1 table, or any, maps."""
    place, geometry = draft.find("header.size"), draft.places.image.geometry
    if geometry is None:
        raise Unfit("the image has no sound geometry")
    most = MAX_L1_ENTRIES
    tables = random.choice((0, 1, 2, most, c.QCOW1_MAX_L1_ENTRIES, 1 << 31, 1 << 32))
    wrapped = tables * geometry.l2_span + random.choice((-512, -1, 0, 1, 512))
    draft.set(place, wrapped % (1 << 64))
    if draft.places.image.format is Format.QCOW2 and random.random() < 0.6:
        entries = min(tables, most) + random.choice((-1, 0, 0, 1))
        draft.set(draft.find("header.l1_size"), max(0, entries))


@mutation(weight=6)
def table_far(draft: Draft, random: Random) -> None:
    """A table moved to the end of the file, or of what can be addressed."""
    place = pick(random, [p for p in numbers(draft, "header.") if p.path in OFFSETS], "table")
    limit = random.choice((c.BDRV_MAX_LENGTH, c.QCOW2_MAX_TABLE_END + 1, draft.base.end))
    step = random.choice((8, c.BDRV_SECTOR_SIZE, draft.base.cluster_size))
    draft.set(place, max(0, limit - random.choice((0, 0, 1, 2)) * step))


@mutation(weight=4)
def table_overlap(draft: Draft, random: Random) -> None:
    """Two tables of the header at one offset, or one at the header's."""
    tables = [place for place in numbers(draft, "header.") if place.path in OFFSETS]
    place = pick(random, tables, "table")
    others = [0, *(int(other.value or 0) for other in tables if other is not place)]
    draft.set(place, random.choice(others))


@mutation(weight=4)
def table_size(draft: Draft, random: Random) -> None:
    """Another number of L1 entries, refcount table clusters or snapshots."""
    qcow2_only(draft)
    most = {
        "header.l1_size": MAX_L1_ENTRIES,
        "header.refcount_table_clusters": c.QCOW_MAX_REFTABLE_SIZE // draft.base.cluster_size,
        "header.nb_snapshots": c.QCOW_MAX_SNAPSHOTS,
    }
    path = random.choice(list(most))
    drawn = random.choice((0, 1, 2, 3, most[path] - 1, most[path], most[path] + 1, (1 << 32) - 1))
    draft.set(draft.find(path), max(0, drawn))


@mutation(weight=6)
def backing_name(draft: Draft, random: Random) -> None:
    """A backing file name, at an end of its allowed range, or outside."""
    name = random.choice(NAMES)
    length = random.choice((len(name), len(name), 0, 1, 1023, 1024, (1 << 32) - 1))
    cluster = draft.base.cluster_size
    here = int(draft.find("header.backing_file_offset").value or 0)
    offset = random.choice((here, 8, 112, 1000, cluster - length, cluster, cluster + 1, 1 << 63))
    draft.set(draft.find("header.backing_file_offset"), max(0, offset))
    draft.set(draft.find("header.backing_file_size"), length)
    if 0 < offset < draft.base.end:
        draft.write(offset, name, "backing_file_name")


@mutation(weight=1)
def version(draft: Draft, random: Random) -> None:
    """Another version, with everything else as it was."""
    draft.set(draft.find("header.version"), random.choice((0, 1, 2, 3, 4, (1 << 32) - 1)))


@mutation(weight=1)
def magic(draft: Draft, random: Random) -> None:
    """A bit of the magic flipped."""
    place = draft.find("header.magic")
    draft.set(place, int(place.value or 0) ^ 1 << random.randrange(32))
