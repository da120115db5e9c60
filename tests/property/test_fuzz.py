"""No input hurts: only our own errors come out, soon, and memory stays small."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import yaml
from hypothesis import given, note, settings
from hypothesis import strategies as st
from kaitaistruct import KaitaiStruct, KaitaiStructError
from qcow_parsers import Qcow, Qcow1, Qcow2
from qcow_parsers import constants as c

import qcowspec
from qcowspec import build
from qcowspec.build import Bitmap, Cluster, Extension, ImageSpec, Snapshot
from qcowspec.errors import NotQcow, QcowError
from qcowspec.fuzzing import strategies as qcow
from qcowspec.image import Image
from qcowspec.report import document, text, tree
from qcowspec.spec.structures import layout_name
from tests.property.notations import by_kaitai
from tests.property.real_images import SMALL_IMAGES

SOON = 10
"""Seconds of processor time: enough for all that an image may claim, and little enough to tell a
loop that a number runs from one that runs over what is there."""

MEMORY = 64 << 20
"""Bytes above the tables that the work needs (docs/design.md, House rules)."""


def tables(image: Image) -> int:
    """Bytes of the tables that an image's stages have read."""
    metadata = image.metadata
    read = [t.data for t in (metadata.l1_table, metadata.refcount_table) if t is not None]
    return sum(map(len, read))


@contextmanager
def within_memory(allowed: Callable[[], int]) -> Iterator[None]:
    """Fails where more than `MEMORY` bytes, and what is allowed above them, come to be used."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak <= MEMORY + allowed()


def survive(data: bytes) -> None:
    """Open an image, lay it open, and dump all of it."""
    with suppress(QcowError), qcowspec.open(data) as image:
        assert image.size >= 0
    with suppress(NotQcow), qcowspec.lay_open(data) as image:
        # What was laid open can be shown: a dump that ends in the middle is no JSON.
        dump(image)


def dump(image: Image) -> None:
    for line in whole_text(image):
        assert line.isprintable()
    assert json.loads("".join(whole_json(image)))["schema"] == document.SCHEMA


def whole_text(image: Image) -> Iterator[str]:
    nodes = tree.structures(image, whole=True)
    return text.lines(image, nodes, whole=True, hexadecimal=True)


def whole_json(image: Image) -> Iterator[str]:
    return document.as_json(image, tree.structures(image, whole=True), whole=True)


def whole_yaml(image: Image) -> Iterator[str]:
    return document.as_yaml(image, tree.structures(image, whole=True), whole=True)


def drop(pieces: Iterator[str]) -> None:
    """Read a dump as a pipe does, which keeps nothing of it."""
    for _ in pieces:
        pass


@dataclass(frozen=True)
class Input:
    """Bytes that do not fill the screen when an example fails."""

    data: bytes

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes: {self.data[:SHOWN].hex(' ')}…>"


SHOWN = 128
"""Bytes of an input that are printed."""


@pytest.fixture(scope="module")
def finds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where inputs that hurt are kept, to become vectors."""
    return tmp_path_factory.mktemp("finds")


@contextmanager
def soon() -> Iterator[None]:
    """Fails where the work takes longer than `SOON`, however busy the machine is."""
    start = process_time()
    yield

    assert process_time() - start <= SOON


@contextmanager
def kept(drawn: Input, finds: Path, kind: str) -> Iterator[bytes]:
    """Hand out an input, and keep it if it hurts; the last one kept is the simplest."""
    try:
        yield drawn.data
    except BaseException:
        path = finds / kind.replace(" ", "-")
        path.write_bytes(drawn.data)
        note(f"the input is kept in {path}")
        raise


def begun(version: int) -> st.SearchStrategy[bytes]:
    """Bytes that begin as an image of a version does."""
    start = c.QCOW_MAGIC.to_bytes(4, "big") + version.to_bytes(4, "big")
    return st.binary(max_size=2048).map(lambda rest: start + rest)


RANDOM = st.binary(max_size=2048)
AFTER_MAGIC = st.integers(0, 4).flatmap(begun)
HEADERS = st.tuples(qcow.headers(), qcow.header_extensions(), st.binary(max_size=512)).map(
    lambda drawn: drawn[0].data + drawn[1].data + drawn[2]
)
REAL = st.sampled_from(SMALL_IMAGES).map(Path.read_bytes)
BUILT = qcow.images(cluster_bits=12)

INPUTS = {
    "random bytes": RANDOM.map(Input),
    "random bytes after the magic": AFTER_MAGIC.map(Input),
    "headers and extensions": HEADERS.map(Input),
    "mutated real images": qcow.mutants(REAL).map(Input),
    "built images": BUILT.map(Input),
    "mutated built images": qcow.mutants(BUILT).map(Input),
}


@pytest.mark.parametrize("kind", INPUTS)
@given(drawn=st.data())
def test_only_our_own_errors_come_out(kind: str, drawn: st.DataObject, finds: Path) -> None:
    with kept(drawn.draw(INPUTS[kind]), finds, kind) as data, soon():
        survive(data)


LINES = "\n\r\x0b\x0c\x1c\x85\u2028\u2029"
"""Characters at which one program or another begins a new line."""

MARKUP = "\x00\x1b\x7f\"\\{}[],:&*!|>'%@`\ufeff\u202e"
"""Characters that mean something to a terminal, to JSON or to YAML."""

NAMES = st.text(st.sampled_from(LINES + MARKUP) | st.characters(codec="utf-8"), max_size=40).map(
    lambda name: name.encode()
)


@given(NAMES, NAMES)
def test_a_name_of_any_characters_is_dumped(name: bytes, other: bytes) -> None:
    spec = ImageSpec(
        backing_name=name,
        backing_format=other,
        snapshots=(Snapshot(name, other),),
        bitmaps=(Bitmap(other),),
        extensions=(Extension(c.QCOW2_EXT_MAGIC_DATA_FILE, name),),
    )
    data = build.image(spec)
    survive(data)
    with qcowspec.lay_open(data) as image:
        said = json.loads("".join(whole_json(image)))

        assert yaml.safe_load("".join(whole_yaml(image))) == said


@pytest.mark.parametrize("kind", INPUTS)
@given(drawn=st.data())
def test_memory_stays_small(kind: str, drawn: st.DataObject, finds: Path) -> None:
    read = 0
    with (
        kept(drawn.draw(INPUTS[kind]), finds, kind) as data,
        within_memory(lambda: read),
        suppress(NotQcow),
        qcowspec.lay_open(data) as image,
    ):
        read = tables(image)
        drop(whole_text(image))
        drop(whole_json(image))


# --- at their largest -----------------------------------------------------------------------------

LONG = settings().max_examples >= 10_000

LARGEST = c.MAX_CLUSTER_BITS if LONG else 18
"""cluster_bits. Where `tracemalloc` watches, the largest tables take minutes to dump; 32,768
entries tell a dump that keeps them all from one that does not."""

SHARE = 1 if LONG else 64
"""What part of the entries that QEMU takes are claimed, for the same reason."""

ROOMY = c.MAX_CLUSTER_BITS if LONG else 16
"""cluster_bits of an image with many header extensions, for the same reason."""


def full_l2_table() -> bytes:
    """An image whose one L2 table is as large as they get, and has no two equal entries."""
    spec = ImageSpec(size=1 << 33, cluster_bits=LARGEST, clusters={0: Cluster()})
    image = bytearray(build.image(spec))
    with qcowspec.open(bytes(image)) as opened:
        assert opened.l1_table is not None
        (entry,) = (value for value in opened.l1_table.values() if value)
        count = opened.geometry.cluster_size // c.L2E_SIZE_NORMAL
    table = b"".join((index << LARGEST).to_bytes(8, "big") for index in range(1, count + 1))
    start = entry & c.L1E_OFFSET_MASK
    image[start : start + len(table)] = table
    return bytes(image)


def many_extensions() -> bytes:
    """An image whose first cluster is full of empty extensions."""
    image = bytearray(build.image(ImageSpec(size=0, cluster_bits=ROOMY)))
    room = slice(c.QCOW2_HEADER_SIZE, 1 << ROOMY)
    image[room] = (b"\1" * 4 + bytes(4)) * (len(image[room]) // c.QCOW2_EXT_HEADER_SIZE)
    return bytes(image)


def many_snapshots() -> bytes:
    """An image that claims as many snapshots as QEMU takes, and has none of them."""
    count = c.QCOW_MAX_SNAPSHOTS // SHARE
    header = {"nb_snapshots": count, "snapshots_offset": 1 << 40}
    return build.image(ImageSpec(header=header))


def many_bitmaps() -> bytes:
    """An image that claims as many bitmaps as QEMU takes, and has none of them."""
    extension = Extension(
        c.QCOW2_EXT_MAGIC_BITMAPS,
        {
            "nb_bitmaps": c.QCOW2_MAX_BITMAPS // SHARE,
            "bitmap_directory_size": c.QCOW2_MAX_BITMAP_DIRECTORY_SIZE,
            "bitmap_directory_offset": 1 << 40,
        },
    )
    return build.image(ImageSpec(features={"bitmaps"}, extensions=(extension,)))


def large_tables() -> bytes:
    """An image that claims the largest L1 table and the largest refcount table, and has neither."""
    header = {
        "l1_size": c.QCOW_MAX_L1_SIZE // c.L1E_SIZE,
        "l1_table_offset": 1 << 40,
        "refcount_table_offset": 1 << 41,
        "refcount_table_clusters": c.QCOW_MAX_REFTABLE_SIZE >> 12,
    }
    return build.image(ImageSpec(header=header))


def v1_large_table() -> bytes:
    """A version 1 image that claims nearly 2 GiB of L1 table, and has none of it."""
    size = (c.QCOW1_MAX_READ_L1_ENTRIES << 15) - 1
    spec = ImageSpec(version=1, cluster_bits=9, l2_bits=6, header={"size": size})
    return build.image(spec)


EXTREMES = {
    make.__name__: make
    for make in (
        full_l2_table,
        many_extensions,
        many_snapshots,
        many_bitmaps,
        large_tables,
        v1_large_table,
    )
}

WORTH = {"full_l2_table": 1 << LARGEST, "many_extensions": 1 << ROOMY}
"""Bytes of tables that the work needs besides those that the stages read."""


@pytest.mark.parametrize("extreme", EXTREMES)
def test_an_extreme_image_is_opened_within_memory(extreme: str) -> None:
    data = EXTREMES[extreme]()
    read = 0
    with (
        within_memory(lambda: read + WORTH.get(extreme, 0)),
        qcowspec.lay_open(data) as image,
    ):
        read = tables(image)


FORMS = {"text": whole_text, "json": whole_json} | ({"yaml": whole_yaml} if LONG else {})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_an_extreme_image_is_dumped_within_memory(extreme: str, form: str) -> None:
    with qcowspec.lay_open(EXTREMES[extreme]()) as image:
        allowed = tables(image) + WORTH.get(extreme, 0)
        with within_memory(lambda: allowed):
            drop(FORMS[form](image))


# --- the parsers alone ----------------------------------------------------------------------------

BOUND = 500
"""Objects of a tree that are looked at."""


@pytest.mark.parametrize("kind", INPUTS)
@given(drawn=st.data())
def test_parsers_run_out_of_bytes_and_do_nothing_worse(
    kind: str, drawn: st.DataObject, finds: Path
) -> None:
    with kept(drawn.draw(INPUTS[kind]), finds, kind) as data:
        for parser in (Qcow, Qcow1, Qcow2):
            with suppress(EOFError, KaitaiStructError):
                look_at_everything(parser.from_bytes(data))


@given(qcow.structures(), RANDOM)
def test_parsers_of_structures_run_out_of_bytes_and_do_nothing_worse(
    structure: qcow.Structure, data: bytes
) -> None:
    for given_bytes in (data, structure.data):
        with suppress(EOFError, KaitaiStructError):
            parsed = by_kaitai(structure.layout, structure.arguments, given_bytes).parsed
            look_at_everything(parsed, whole_file=False)


def look_at_everything(parsed: KaitaiStruct, *, whole_file: bool = True) -> None:
    """Evaluate every field and instance of a tree, up to a number of objects.

    Args:
        parsed: The tree.
        whole_file: Whether it was read from a whole file; the types whose names end in `_at` have
            meaning in such trees only (formats/kaitai/qcow2.ksy).
    """
    waiting, seen = [parsed], 0
    while waiting and seen < BOUND:
        item, seen = waiting.pop(), seen + 1
        if not whole_file and layout_name(type(item)).endswith("_at"):
            continue
        for value in values(item):
            found = value[:3] + value[-3:] if isinstance(value, list) else [value]
            waiting += [each for each in found if isinstance(each, KaitaiStruct)]


def values(parsed: KaitaiStruct) -> Iterator[Any]:
    """All fields and instances of one object; those that run out of bytes are passed over."""
    instances = [n for n, kind in vars(type(parsed)).items() if isinstance(kind, property)]
    for name in [*(n for n in vars(parsed) if not n.startswith("_")), *instances]:
        with suppress(EOFError, KaitaiStructError):
            yield getattr(parsed, name)
