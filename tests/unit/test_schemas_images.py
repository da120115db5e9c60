"""The Construct schemas read what QEMU wrote: the same bytes again, and what qemu-img says."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qcow_schemas import (
    Schema,
    bitmap_directory,
    bitmap_table_entry,
    header_extensions,
    l1_entry,
    l2_entry,
    luks1_header,
    probe,
    qcow1_header,
    qcow1_l1_entry,
    qcow1_l2_entry,
    qcow2_header,
    refcount_block,
    refcount_table_entry,
    snapshot_table,
)

from tests.conformance.luks import created
from tests.qemu import run as qemu

QEMU_IMG = shutil.which("qemu-img")
if QEMU_IMG is None and os.environ.get("CI"):
    pytest.fail("qemu-img is missing", pytrace=False)
needs_qemu = pytest.mark.skipif(QEMU_IMG is None, reason="qemu-img is missing")

SECRET = ["--object", "secret,id=s,data=secret"]


def plain(path: Path, *options: str) -> None:
    qemu("qemu-img", "create", "-q", *options, path, "1M")
    format_name = "qcow" if "qcow" in options else "qcow2"
    qemu("qemu-io", "-f", format_name, "-c", "write -P 65 128k 100k", path)


def compressed(path: Path, *options: str) -> None:
    # Not `convert -c`: qemu-img 7.2 ends with status 1 when it writes version 1 so.
    qemu("qemu-img", "create", "-q", *options, path, "1M")
    format_name, cluster = ("qcow", "4k") if "qcow" in options else ("qcow2", "64k")
    qemu("qemu-io", "-f", format_name, "-c", f"write -c -P 65 128k {cluster}", path)


def snapshotted(path: Path, *options: str) -> None:
    plain(path, *options)
    for name in ("first", "second one"):
        qemu("qemu-img", "snapshot", "-c", name, path)
        qemu("qemu-io", "-f", "qcow2", "-c", "write -P 66 0 64k", path)


def bitmapped(path: Path, *options: str) -> None:
    plain(path, *options)
    for name in ("bitmap0", "a longer name"):
        qemu("qemu-img", "bitmap", "--add", path, name)
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 67 256k 64k", path)


def backed(path: Path, *options: str) -> None:
    base = path.with_suffix(".base")
    base.write_bytes(bytes(1 << 20))
    plain(path, *options, "-b", str(base), "-F", "raw")


def encrypted(path: Path, *options: str) -> None:
    command = ["qemu-img", "create", "-q", *SECRET, "-f", "qcow2", "-o", ",".join(options)]
    assert created([*command, path, "1M"]) == ""


Make = Callable[..., None]
IMAGES: dict[str, tuple[Make, tuple[str, ...]]] = {
    "v1": (plain, ("-f", "qcow")),
    "v1 compressed": (compressed, ("-f", "qcow")),
    "v1 backing": (backed, ("-f", "qcow")),
    "v2": (plain, ("-f", "qcow2", "-o", "compat=0.10,cluster_size=4k")),
    "v2 snapshots": (snapshotted, ("-f", "qcow2", "-o", "compat=0.10,cluster_size=4k")),
    "v3": (plain, ("-f", "qcow2")),
    "v3 512-byte clusters": (plain, ("-f", "qcow2", "-o", "cluster_size=512")),
    "v3 backing": (backed, ("-f", "qcow2")),
    "v3 compressed": (compressed, ("-f", "qcow2")),
    "v3 zstd": (compressed, ("-f", "qcow2", "-o", "compression_type=zstd")),
    "v3 1-bit refcounts": (plain, ("-f", "qcow2", "-o", "refcount_bits=1,cluster_size=4k")),
    "v3 64-bit refcounts": (plain, ("-f", "qcow2", "-o", "refcount_bits=64,cluster_size=4k")),
    "v3 extended L2": (plain, ("-f", "qcow2", "-o", "extended_l2=on,cluster_size=16k")),
    "v3 snapshots": (snapshotted, ("-f", "qcow2", "-o", "cluster_size=4k")),
    "v3 bitmaps": (bitmapped, ("-f", "qcow2", "-o", "cluster_size=4k")),
    "v3 luks": (
        encrypted,
        ("encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10", "cluster_size=4k"),
    ),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes an image once, by its name in IMAGES."""
    folder = tmp_path_factory.mktemp("images")

    def made(name: str) -> Path:
        path = folder / name.replace(" ", "-")
        if not path.exists():
            make, options = IMAGES[name]
            make(path, *options)
        return path

    return made


Found = tuple[Schema, Any, bytes]


def structures(data: bytes) -> Iterator[Found]:
    """Walk an image: yield each structure's schema, what it parses to, and its bytes."""

    def at(offset: int, schema: Schema, size: int | None = None, **context: Any) -> Found:
        stream = io.BytesIO(data[offset:] if size is None else data[offset : offset + size])
        parsed = schema.parse_stream(stream, **context)
        return schema, parsed, stream.getvalue()[: stream.tell()]

    yield (start := at(0, probe))
    yield from qcow1_structures(at) if start[1].version == 1 else qcow2_structures(at)


def qcow1_structures(at: Callable[..., Found]) -> Iterator[Found]:
    yield (found := at(0, qcow1_header))
    header = found[1]
    for i in range(-(-header.size >> (header.cluster_bits + header.l2_bits))):
        yield (l1 := at(header.l1_table_offset + 8 * i, qcow1_l1_entry))
        if l1[1].l2_table_offset:
            for j in range(1 << header.l2_bits):
                yield at(l1[1].l2_table_offset + 8 * j, qcow1_l2_entry(header.cluster_bits))


def qcow2_structures(at: Callable[..., Found]) -> Iterator[Found]:
    yield (found := at(0, qcow2_header))
    header = found[1]
    cluster_size = 1 << header.cluster_bits
    start, end = header.header_length or 72, header.backing_file_offset or cluster_size
    yield (extensions := at(start, header_extensions, end - start))

    order = 4 if header.refcount_order is None else header.refcount_order
    for i in range(header.refcount_table_clusters * cluster_size // 8):
        yield (entry := at(header.refcount_table_offset + 8 * i, refcount_table_entry))
        if offset := entry[1].offset_sectors * 512:
            yield at(offset, refcount_block(order, cluster_size * 8 >> order))

    extended = bool((header.incompatible_features or 0) & 1 << 4)
    l2 = l2_entry(header.cluster_bits, extended)
    for i in range(header.l1_size):
        yield (l1 := at(header.l1_table_offset + 8 * i, l1_entry))
        if offset := l1[1].offset_sectors * 512:
            for j in range(0, cluster_size, l2.sizeof()):
                yield at(offset + j, l2)

    if header.nb_snapshots:
        yield at(header.snapshots_offset, snapshot_table(header.nb_snapshots))
    for extension in extensions[1].entries:
        if extension.magic == 0x23852875:
            bitmaps = extension.data
            yield (directory := at(
                bitmaps.bitmap_directory_offset,
                bitmap_directory(bitmaps.nb_bitmaps),
                bitmaps.bitmap_directory_size,
            ))  # fmt: skip
            for bitmap in directory[1].entries:
                for i in range(bitmap.bitmap_table_size):
                    yield at(bitmap.bitmap_table_offset + 8 * i, bitmap_table_entry)
        if extension.magic == 0x0537BE77:
            yield at(extension.data.offset, luks1_header)


@needs_qemu
@pytest.mark.parametrize("name", IMAGES)
def test_every_structure_of_an_image_builds_the_same_bytes(
    name: str, image: Callable[[str], Path]
) -> None:
    for schema, parsed, data in structures(image(name).read_bytes()):
        assert schema.build(parsed) == data


@needs_qemu
@pytest.mark.parametrize("name", IMAGES)
def test_header_says_what_qemu_img_says(name: str, image: Callable[[str], Path]) -> None:
    path = image(name)
    info = json.loads(qemu("qemu-img", "info", "--output=json", path).stdout)
    data = path.read_bytes()
    schema = qcow1_header if probe.parse(data).version == 1 else qcow2_header
    header = schema.parse(data)
    name_at = header.backing_file_offset
    backing = data[name_at : name_at + header.backing_file_size].decode() if name_at else None
    assert {
        "virtual-size": header.size,
        "cluster-size": 1 << header.cluster_bits,
        "backing-filename": backing,
    } == {key: info.get(key) for key in ("virtual-size", "cluster-size", "backing-filename")}


def found(data: bytes, *schemas: Schema) -> list[Any]:
    """Return the structures of an image that have one of the schemas."""
    return [parsed for schema, parsed, _ in structures(data) if schema in schemas]


@needs_qemu
def test_snapshots_say_what_qemu_img_says(image: Callable[[str], Path]) -> None:
    path = image("v3 snapshots")
    listed = json.loads(qemu("qemu-img", "info", "--output=json", path).stdout)["snapshots"]
    header = qcow2_header.parse(data := path.read_bytes())
    table = snapshot_table(header.nb_snapshots).parse(data[header.snapshots_offset :])
    assert [
        (s.id_str.decode(), s.name.decode(), s.date_sec, s.date_nsec) for s in table.entries
    ] == [(s["id"], s["name"], s["date-sec"], s["date-nsec"]) for s in listed]
    assert [s.extra_data.disk_size for s in table.entries] == [1 << 20] * 2


@needs_qemu
def test_bitmaps_say_what_qemu_img_says(image: Callable[[str], Path]) -> None:
    path = image("v3 bitmaps")
    info = json.loads(qemu("qemu-img", "info", "--output=json", path).stdout)
    listed = info["format-specific"]["data"]["bitmaps"]
    (extensions,) = found(path.read_bytes(), header_extensions)
    (bitmaps,) = [e.data for e in extensions.entries if e.magic == 0x23852875]
    start = bitmaps.bitmap_directory_offset
    directory = path.read_bytes()[start : start + bitmaps.bitmap_directory_size]
    entries = bitmap_directory(bitmaps.nb_bitmaps).parse(directory).entries
    assert sorted((b.name.decode(), 1 << b.granularity_bits, b.flags, b.type) for b in entries) == (
        sorted((b["name"], b["granularity"], 2, 1) for b in listed)
    )


@needs_qemu
def test_luks_header_says_what_qemu_img_says(image: Callable[[str], Path]) -> None:
    path = image("v3 luks")
    info = json.loads(qemu("qemu-img", "info", "--output=json", path).stdout)
    expected = info["format-specific"]["data"]["encrypt"]
    (header,) = found(path.read_bytes(), luks1_header)
    assert {
        "uuid": header.uuid.rstrip(b"\0").decode(),
        "payload-offset": header.payload_offset_sector * 512,
        "master-key-iters": header.master_key_iterations,
        "hash-alg": header.hash_spec.rstrip(b"\0").decode(),
    } == {k: expected[k] for k in ("uuid", "payload-offset", "master-key-iters", "hash-alg")}
    assert [slot.active == 0x00AC71F3 for slot in header.key_slots] == [
        slot["active"] for slot in expected["slots"]
    ]
    assert (header.magic, header.version, header.cipher_name.rstrip(b"\0")) == (
        b"LUKS\xba\xbe",
        1,
        b"aes",
    )


@needs_qemu
def test_feature_names_are_read(image: Callable[[str], Path]) -> None:
    (extensions,) = found(image("v3").read_bytes(), header_extensions)
    (table,) = [e.data for e in extensions.entries if e.magic == 0x6803F857]
    names = {(f.type, f.bit): f.name.rstrip(b"\0") for f in table.entries}
    assert (names[0, 0], names[1, 0], names[2, 0]) == (b"dirty bit", b"lazy refcounts", b"bitmaps")


@needs_qemu
@pytest.mark.parametrize(
    ("name", "place_and_length"),
    [("v1 compressed", ("coffset", "csize")), ("v3 zstd", ("coffset", "nb_csectors"))],
)
def test_compressed_clusters_have_a_place_and_a_length(
    name: str, place_and_length: tuple[str, str], image: Callable[[str], Path]
) -> None:
    data = image(name).read_bytes()
    entries = [p for _, p, _ in structures(data) if p.get("coffset") is not None]
    assert entries
    for entry in entries:
        offset, length = (entry[field] for field in place_and_length)
        assert 0 < offset < len(data)
        assert 0 <= length < 65536
