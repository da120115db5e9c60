"""Every image reads from a server as it reads from the disk, and costs few requests."""

from __future__ import annotations

import gzip
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import qcowspec
from qcowspec.sources import open_source
from qcowspec.sources.batches import read_tables
from qcowspec.sources.remote import Remote
from tests.conftest import ACCESS_KEY, SECRET_KEY, Store
from tests.remote.servers import Nginx
from tools.make_test_data import DATA, IMAGES

PASSPHRASE = "qcowspec"  # noqa: S105 - of the test images
LARGEST = 64 << 20
"""Bytes of a disk that is read whole; of larger ones the ends are."""

FILES = sorted(path.name for path in DATA.iterdir() if path.suffix in (".qcow", ".qcow2"))
SECRET = {image.name for image in IMAGES if image.passphrase is not None}
LOCAL = "v3-backing-json.qcow2"
"""Names its backing file as one of this machine, which is refused of an image on a server."""

SERVERS = ("nginx", "no ranges", "s3")


@pytest.fixture(params=SERVERS)
def base(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL below which a server has the test images."""
    if request.param == "nginx":
        server: Nginx = request.getfixturevalue("nginx")
        return server.url
    if request.param == "no ranges":
        url: str = request.getfixturevalue("no_ranges")
        return url
    store: Store = request.getfixturevalue("store")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return f"s3://{store.bucket}"


def guest(target: str | Path, name: str) -> list[bytes]:
    """What the guest sees: all of a disk, or its ends and every extent's beginning."""
    secret = PASSPHRASE if name in SECRET else None
    with qcowspec.open(str(target), allow="same-dir", secret=secret) as image:
        disk = image.disk()
        if disk.size <= LARGEST:
            return [disk.pread(0, disk.size)]
        starts = [run.offset for run in image.runs()]
        return [disk.pread(max(0, start - 512), 8192) for start in starts]


def test_every_file_is_the_same_bytes(base: str) -> None:
    for name in FILES:
        source = open_source(f"{base}/{name}")
        try:
            assert source.length == (DATA / name).stat().st_size
            assert source.read_at(0, source.length) == (DATA / name).read_bytes(), name
        finally:
            source.close()


def test_every_disk_is_the_same_bytes(base: str) -> None:
    for name in set(FILES) - {LOCAL}:
        try:
            expected = guest(DATA / name, name)
        except qcowspec.QcowError as error:  # some are damaged
            with pytest.raises(type(error)):
                guest(f"{base}/{name}", name)
            continue

        assert guest(f"{base}/{name}", name) == expected, name


def test_an_image_on_a_server_names_no_local_file(base: str) -> None:
    with pytest.raises(qcowspec.Refused):
        guest(f"{base}/{LOCAL}", LOCAL)


def test_a_verdict_is_the_same(nginx: Nginx) -> None:
    for name in FILES:
        here = qcowspec.validate(DATA / name, profile="untrusted")
        there = qcowspec.validate(f"{nginx.url}/{name}", profile="untrusted")

        assert (there.verdict, there.errors) == (here.verdict, here.errors), name


def counted(url: str) -> Remote:
    """The source of an image that has been opened, and dumped with all its tables."""
    from qcowspec.report import document, tree

    with qcowspec.lay_open(url) as image:
        "".join(document.as_json(image, tree.structures(image, whole=True), whole=True))
        source = image.source
    assert isinstance(source, Remote)
    return source


def test_header_and_tables_of_a_small_image_are_three_requests_at_most(nginx: Nginx) -> None:
    small = ["v3-zlib.qcow2", "v3-empty.qcow2", "v2-64k.qcow2", "v1-plain.qcow", "v3-zstd.qcow2"]
    for name in small:
        before = len(nginx.asked())
        source = counted(f"{nginx.url}/{name}")

        assert source.requests <= 3, name
        assert len(nginx.asked()) - before == source.requests


def test_the_dump_of_a_tebibyte_is_less_than_a_mebibyte(nginx: Nginx) -> None:
    before = len(nginx.asked())
    source = counted(f"{nginx.url}/v3-1tib.qcow2")
    asked = nginx.asked()[before:]

    assert sum(each.sent for each in asked) == source.transferred < 1 << 20
    assert len(asked) <= 8


def test_scattered_tables_are_fetched_side_by_side_and_nothing_between(
    nginx: Nginx, served: Path
) -> None:
    data = random.Random(3).randbytes(4 << 20)
    (served / "scattered").write_bytes(data)
    source = open_source(f"{nginx.url}/scattered")
    assert isinstance(source, Remote)
    size = 4096
    starts = [1 << 20, (1 << 20) + size, 2 << 20, (2 << 20) + source.gap + size, 3 << 20]
    before = source.requests, source.transferred
    rows = [
        row.tobytes()
        for _, read in read_tables(source, np.array(starts, np.uint64), size)
        for row in read
    ]

    assert rows == [data[start : start + size] for start in starts]
    assert source.requests - before[0] == 3
    assert source.transferred - before[1] == len(starts) * size + source.gap


def test_reads_that_follow_each_other_become_few_requests(nginx: Nginx) -> None:
    source = open_source(f"{nginx.url}/v2-2m.qcow2")
    assert isinstance(source, Remote)
    pieces = [source.read_at(at, 20_000) for at in range(0, source.length, 20_000)]

    assert b"".join(pieces) == (DATA / "v2-2m.qcow2").read_bytes()
    assert source.requests <= 16
    assert source.transferred == source.length


@pytest.mark.parametrize("chain", ["gzip::", "bz2::", "xz::"])
def test_compressed_files_are_unpacked(nginx: Nginx, served: Path, chain: str) -> None:
    import bz2
    import lzma

    data = (DATA / "v3-zlib.qcow2").read_bytes()
    packed = {"gzip::": gzip.compress(data), "bz2::": bz2.compress(data)}
    packed["xz::"] = lzma.compress(data)
    (served / "packed").write_bytes(packed[chain])

    for place in (f"{nginx.url}/packed", str(served / "packed")):
        assert guest(chain + place, "v3-zlib.qcow2") == guest(
            DATA / "v3-zlib.qcow2", "v3-zlib.qcow2"
        )


def test_what_unpacks_to_more_than_there_is_room_for_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"x" * (8 << 20)))
    usage = shutil.disk_usage(tmp_path)._replace(free=4 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    with pytest.raises(qcowspec.QcowError, match="more than the 2097152 bytes for which there is"):
        open_source(f"gzip::{tmp_path}/bomb.gz")


def test_chains_are_fsspecs(nginx: Nginx, served: Path) -> None:
    with zipfile.ZipFile(served / "packed.zip", "w") as archive:
        archive.write(DATA / "v3-zlib.qcow2", "v3-zlib.qcow2")

    url = f"zip://v3-zlib.qcow2::{nginx.url}/packed.zip"
    assert guest(url, "v3-zlib.qcow2") == guest(DATA / "v3-zlib.qcow2", "v3-zlib.qcow2")


def test_other_file_systems_are_fsspecs(served: Path) -> None:
    import fsspec

    data = (DATA / "v3-zlib.qcow2").read_bytes()
    fsspec.filesystem("memory").pipe_file("/v3-zlib.qcow2", data)

    for url in ("memory://v3-zlib.qcow2", f"file://{DATA}/v3-zlib.qcow2"):
        assert guest(url, "v3-zlib.qcow2") == guest(DATA / "v3-zlib.qcow2", "v3-zlib.qcow2")
