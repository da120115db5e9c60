"""Where dump says that guest data lie, ``qemu-img map`` and ``qemu-img check`` find them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.conftest import of_every_image, of_images
from tools.make_test_data import IMAGES, Image

if TYPE_CHECKING:
    from tests.conformance.conftest import Dump, Dumps, QemuImg

KINDS = ("normal", "compressed", "zero_alloc", "zero_plain", "unallocated")
SUBCLUSTERS = 32


@dataclass(frozen=True)
class Extent:
    """A range of the virtual disk, and where it is in the image file.

    Attributes:
        start: First byte on the virtual disk.
        length: Its length in bytes.
        data: Whether it has data; it reads as zeros if not.
        offset: Where it starts in the file; None where nothing is stored byte by byte.
    """

    start: int
    length: int
    data: bool
    offset: int | None

    def continues(self, other: Extent) -> bool:
        """Whether this one goes on where the other ends, on the disk and in the file."""
        goes_on = None if other.offset is None else other.offset + other.length
        here = other.start + other.length, other.data, goes_on
        return here == (self.start, self.data, self.offset)


def merged(extents: Iterable[Extent]) -> list[Extent]:
    """The same ranges, each as long as it can be."""
    found: list[Extent] = []
    for extent in sorted(extents, key=lambda extent: extent.start):
        if found and extent.continues(found[-1]):
            last = found.pop()
            length = last.length + extent.length
            found.append(Extent(last.start, length, last.data, last.offset))
        else:
            found.append(extent)
    return found


def kind(fields: dict[str, int]) -> str:
    """What the fields of an L2 entry say of its cluster, in QEMU's words."""
    if "coffset" in fields:
        return "compressed"
    # In a data file a cluster may lie at offset 0; the copied flag tells it from none.
    stored = fields["offset"] or fields.get("copied")
    if fields.get("zero"):
        return "zero_alloc" if stored else "zero_plain"
    return "normal" if stored else "unallocated"


def clusters(tables: Iterable[dict[str, Any]], cluster_size: int) -> Iterator[dict[str, int]]:
    """The fields of every L2 entry, one by one, with ``guest_offset`` its own."""
    for table in tables:
        for row in table["entries"]:
            for step in range(row["count"]):
                guest = row["fields"]["guest_offset"] + step * cluster_size
                yield {**row["fields"], "guest_offset": guest}


def extents(said: Dump) -> Iterator[Extent]:
    """What the active L2 tables of a dump map, cut where the virtual disk ends."""
    for cluster in clusters(said.called("l2_tables"), said.cluster_size):
        for extent in of_cluster(cluster, said):
            # Beyond the disk lies the state of a virtual machine.
            length = min(extent.length, said.size - extent.start)
            if length > 0:
                yield Extent(extent.start, length, extent.data, extent.offset)


def of_cluster(cluster: dict[str, int], said: Dump) -> Iterator[Extent]:
    """What one L2 entry maps."""
    start, length, found = cluster["guest_offset"], said.cluster_size, kind(cluster)
    if found == "compressed":
        yield Extent(start, length, True, None)
    elif "l2_bitmap" in cluster:
        yield from of_subclusters(cluster, said)
    elif found != "unallocated":
        offset = None if found == "zero_plain" or said.is_encrypted else cluster["offset"]
        yield Extent(start, length, found == "normal", offset)


def of_subclusters(cluster: dict[str, int], said: Dump) -> Iterator[Extent]:
    """What an extended L2 entry maps: the lower half of its bitmap is data, the upper zeros."""
    length, bitmap = said.cluster_size // SUBCLUSTERS, cluster["l2_bitmap"]
    for index in range(SUBCLUSTERS):
        data, zero = bitmap >> index & 1, bitmap >> SUBCLUSTERS + index & 1
        if data or zero:
            stored = cluster["offset"] and not said.is_encrypted
            offset = cluster["offset"] + index * length if stored else None
            yield Extent(cluster["guest_offset"] + index * length, length, bool(data), offset)


@of_every_image
def test_the_mapping(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    # What is not present, or comes from deeper down, is not in this image's tables. Data that QEMU
    # knows to be zeros, because the image file is sparse there, are data all the same.
    expected = merged(
        Extent(found["start"], found["length"], found["data"], found.get("offset"))
        for found in qemu_img.map(image)
        if found["present"] and found["depth"] == 0
    )

    assert merged(extents(said)) == expected


@of_every_image
def test_that_the_mapping_is_in_order(said: Dump) -> None:
    starts = [c["guest_offset"] for c in clusters(said.called("l2_tables"), said.cluster_size)]

    assert starts == sorted(set(starts))


@of_every_image
def test_the_figures_of_an_l2_table(said: Dump) -> None:
    for table in said.tables():
        if table["layout"].endswith("::l2_table"):
            counted = Counter(kind(c) for c in clusters([table], said.cluster_size))
            figures = {name: counted[name] for name in KINDS} | {"entries": counted.total()}

            assert table["summary"] == figures, table["name"]


# --- Compressed clusters --------------------------------------------------------------------------

WITH_DEFLATE = [
    row
    for row in IMAGES
    if row.name
    in {
        "showcase.qcow2",
        "v1-compressed.qcow",
        "v1-compressed-backing.qcow",
        "v2-compressed.qcow2",
        "v3-extended-l2.qcow2",
        "v3-refcount-16.qcow2",
        "v3-zlib.qcow2",
    }
]
SECTOR = 512

deflated = pytest.mark.parametrize("image", WITH_DEFLATE, indirect=True, ids=lambda row: row.name)


def compressed(said: Dump) -> dict[int, bytes]:
    """What dump says that compressed clusters are stored as, by their guest offsets."""
    every = clusters(said.called("l2_tables"), said.cluster_size)
    return {
        c["guest_offset"]: said.content[c["coffset"] : c["coffset"] + c["csize"]]
        for c in every
        if kind(c) == "compressed"
    }


def inflate(stream: bytes) -> tuple[bytes, int]:
    """The cluster, and how many bytes follow the stream; the stream has to be whole."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    cluster = inflater.decompress(stream)
    assert inflater.eof
    return cluster, len(inflater.unused_data)


@deflated
def test_that_compressed_clusters_inflate_to_what_a_guest_reads(
    said: Dump, image: Image, qemu_img: QemuImg, tmp_path: Path
) -> None:
    guest, streams = qemu_img.guest(image, tmp_path), compressed(said)

    assert streams != {}
    for offset, stream in streams.items():
        cluster = inflate(stream)[0][: len(guest) - offset]  # the disk may end within it
        assert cluster == guest[offset : offset + said.cluster_size], hex(offset)


REWRITTEN = {"v1-compressed.qcow": {0x4000}}
"""QEMU writes a compressed cluster of version 1 over its old self, and keeps the old length."""


@deflated
def test_that_a_compressed_cluster_ends_where_dump_says(image: Image, said: Dump) -> None:
    # Version 1 counts bytes; versions 2 and 3 count sectors, and the last one may hold more.
    most = 0 if said.version == 1 else SECTOR - 1

    left_over = {offset: inflate(stream)[1] for offset, stream in compressed(said).items()}
    too_long = {offset for offset, length in left_over.items() if length > most}
    assert too_long == REWRITTEN.get(image.name, set())


# --- qemu-img check -------------------------------------------------------------------------------


NO_SUCH_CHECK = 63  # version 1

CHECKED = [row for row in IMAGES if row.check != NO_SUCH_CHECK]
checked = of_images(CHECKED)
sound = of_images(row for row in CHECKED if row.check == 0)


def active(said: Dump) -> Counter[str]:
    """How many clusters of each kind the active L2 tables map."""
    return Counter(kind(c) for c in clusters(said.called("l2_tables"), said.cluster_size))


@checked
def test_how_many_clusters_are_allocated(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    found = active(said)
    allocated = found["normal"] + found["compressed"] + found["zero_alloc"]

    assert allocated == qemu_img.check(image).get("allocated-clusters", 0)


@checked
def test_how_many_clusters_are_compressed(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert active(said)["compressed"] == qemu_img.check(image).get("compressed-clusters", 0)


@checked
def test_how_many_clusters_the_disk_has(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert -(-said.size // said.cluster_size) == qemu_img.check(image).get("total-clusters", 0)


@sound
def test_where_the_used_part_of_the_file_ends(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    last = [
        row["fields"]["host_offset"] + row["count"] * said.cluster_size
        for block in said.called("refcount_blocks")
        for row in block["entries"]
        if int(row["raw"], 16)
    ][-1]

    assert last == qemu_img.check(image)["image-end-offset"]


# --- the short form -------------------------------------------------------------------------------


@of_every_image
def test_that_a_dump_without_tables_reads_the_same(image: Image, dumps: Dumps) -> None:
    short, whole = dumps(image.name, tables=False), dumps(image.name)

    for structure in short.structures:
        if "left_out" not in structure.get("summary", {}):
            expected = whole.by_name[structure["name"]]
            assert structure == {k: v for k, v in expected.items() if k != "entries"}


@pytest.mark.parametrize("tables", ["l2_tables", "refcount_blocks"])
@of_every_image
def test_that_a_dump_without_tables_says_what_it_left_out(
    image: Image, dumps: Dumps, tables: str
) -> None:
    short, whole = dumps(image.name, tables=False), dumps(image.name)
    left_out = short.by_name.get(f"{tables}[…]", {"summary": {"left_out": 0}})

    shown = len(short.called(tables))
    assert shown + left_out["summary"]["left_out"] == len(whole.called(tables))
