"""What a conversion asks of a server: data that stand together are one request, and come whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import qcowspec
from qcowspec.image import Image
from qcowspec.reader.opening import laid_open
from qcowspec.sources.remote import Remote, open_http
from qcowspec.sources.retries import Patience
from qcowspec.transfer.convert import convert
from qcowspec.transfer.jobs import JOB, STRETCH
from tests.conformance.luks import created
from tests.conftest import ACCESS_KEY, SECRET_KEY, Store
from tests.remote.faults import PASSING, proxy
from tests.remote.servers import Nginx

MIB = 1 << 20
SIZE = 40 * MIB
PASSPHRASE = "qcowspec"  # noqa: S105 - of an image of this test
LUKS = f"encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,cluster_size={64 << 10}"

SHORT = Patience(connect=10, silence=1, total=20, slowest=1 << 20, attempts=4, pause=0.01)

FLAVOURS = {
    "v3": ("qcow2", "cluster_size=65536"),
    "small": ("qcow2", "cluster_size=512"),
    "v1": ("qcow", ""),
    "aes": ("qcow", "encrypt.format=aes,encrypt.key-secret=s"),
    "luks": ("qcow2", LUKS),
    "extended": ("qcow2", "extended_l2=on,cluster_size=131072"),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three MiB of data and one of zeros, in turn: on the disk apart, in an image together."""
    path = tmp_path_factory.mktemp("stretches") / "disk.raw"
    data = bytearray(random.Random(5).randbytes(SIZE))
    for start in range(3 * MIB, SIZE, 4 * MIB):
        data[start : start + MIB] = bytes(MIB)
    path.write_bytes(data)
    return path


def made(disk: Path, image: Path, flavour: str) -> Path:
    form, options = FLAVOURS[flavour]
    words = ["qemu-img", "convert", "-O", form, "--object", f"secret,id=s,data={PASSPHRASE}"]
    chosen = ["-o", options] if options else []
    assert created([*words, *chosen, disk, image]) == ""
    return image


def converted(target: str, out: Path) -> bytes:
    with qcowspec.open(target, secret=PASSPHRASE) as image:
        convert(image.disk(), str(out))
    return out.read_bytes()


def wide(asked: str) -> tuple[int, int] | None:
    """First and last byte of a request for more than a table."""
    first, _, last = asked.removeprefix("bytes=").partition("-")
    return (int(first), int(last)) if last and int(last) - int(first) >= 512 << 10 else None


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_comes_as_it_is(
    nginx: Nginx, served: Path, disk: Path, tmp_path: Path, flavour: str
) -> None:
    image = made(disk, served / f"stretches-{flavour}", flavour)

    assert converted(f"{nginx.url}/{image.name}", tmp_path / "out") == disk.read_bytes()


def test_a_store_gives_the_same(
    store: Store, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    store.put("stretches", made(disk, tmp_path / "image", "v3").read_bytes())

    assert converted(f"s3://{store.bucket}/stretches", tmp_path / "out") == disk.read_bytes()


def test_runs_that_stand_together_are_one_request(
    nginx: Nginx, served: Path, disk: Path, tmp_path: Path
) -> None:
    image = made(disk, served / "stretches-counted", "v3")
    before = len(nginx.asked())

    converted(f"{nginx.url}/{image.name}", tmp_path / "out")

    asked = [each for each in nginx.asked()[before:] if wide(each.range)]
    assert len(asked) == -(-30 * MIB // STRETCH)
    assert sum(each.sent for each in asked) == 30 * MIB


@pytest.mark.parametrize("fault", PASSING)
def test_what_breaks_off_is_gone_on_with(
    nginx: Nginx, served: Path, disk: Path, tmp_path: Path, fault: str
) -> None:
    image = made(disk, served / "stretches-broken", "v3")
    met: list[str] = []

    def once(asked: str) -> str | None:
        if wide(asked) and len(met) < 2:
            met.append(asked)
            return fault
        return None

    with proxy(nginx.url, once) as between:
        source = open_http(f"{between.url}/{image.name}", SHORT)
        with Image(source, laid_open(source, None)) as opened:
            convert(opened.disk(), str(tmp_path / "out"), threads=1)
        asked = [each for each in map(wide, between.asked) if each is not None]

    assert (tmp_path / "out").read_bytes() == disk.read_bytes()
    assert len(met) == 2
    assert asked[1][1] == asked[0][1]  # the end is the same, and what came is not asked for again
    came = asked[1][0] - asked[0][0]
    half = fault in ("reset halfway", "stall", "short")
    assert came == 0 if not half else came >= (asked[0][1] - asked[0][0]) // 4


def test_a_salvage_takes_no_server_that_fails_for_a_loss(
    nginx: Nginx, served: Path, disk: Path, tmp_path: Path
) -> None:
    image = made(disk, served / "stretches-salvaged", "v3")
    failed: list[str] = []

    def from_then_on(asked: str) -> str | None:
        if failed or wide(asked):
            failed.append(asked)
            return "503"
        return None

    with proxy(nginx.url, from_then_on) as between:
        source = open_http(f"{between.url}/{image.name}", SHORT)
        with (
            Image(source, laid_open(source, None)) as opened,
            pytest.raises(qcowspec.Unreadable, match="503"),
        ):
            convert(opened.disk(salvage=True), str(tmp_path / "out"), threads=1)

    assert len(failed) == SHORT.attempts


def test_an_image_that_is_cut_off_ends_in_zeros(
    nginx: Nginx, served: Path, disk: Path, tmp_path: Path
) -> None:
    image = made(disk, served / "stretches-cut", "v3")
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) - 2 * MIB - 12345])
    expected = tmp_path / "expected"
    with qcowspec.open(str(image)) as local:
        convert(local.disk(), str(expected))

    got = converted(f"{nginx.url}/{image.name}", tmp_path / "out")

    assert got == expected.read_bytes()
    assert got != disk.read_bytes()


def test_what_is_not_next_is_fetched_by_itself(nginx: Nginx, served: Path, disk: Path) -> None:
    (served / "stretches-raw").write_bytes(disk.read_bytes())
    source = open_http(f"{nginx.url}/stretches-raw")
    assert isinstance(source, Remote)
    data = disk.read_bytes()
    stretch = source.in_order(MIB, SIZE)  # longer than the file

    for at in (MIB, MIB + 70_000, 5, SIZE - 9):
        assert stretch.read_at(at, 70_000) == data[at : at + 70_000]

    stretch.close()
    assert source.in_order(2 * SIZE, MIB).read_at(2 * SIZE, MIB) == b""
    source.close()


def test_places_of_requests_are_given_back(nginx: Nginx, served: Path, disk: Path) -> None:
    (served / "stretches-raw").write_bytes(disk.read_bytes())
    source = open_http(f"{nginx.url}/stretches-raw")
    assert isinstance(source, Remote)

    for _ in range(3 * Remote.in_flight):
        stretch = source.in_order(0, SIZE)
        stretch.read_at(0, JOB)
        stretch.close()
        stretch.close()

    assert source.read_at(SIZE - 8, 8) == disk.read_bytes()[-8:]
    source.close()
