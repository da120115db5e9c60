"""Whatever a server or the way to it does wrong: the right bytes or a clear error, in bounded time.

The bounds are the reader's own (`Patience`), set small here; a test that hangs is ended by them.
"""

from __future__ import annotations

import os
import random
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

import qcowspec
from qcowspec.errors import Unreadable
from qcowspec.sources import remote
from qcowspec.sources.http import Body
from qcowspec.sources.remote import open_http, opened
from qcowspec.sources.retries import Patience
from qcowspec.sources.s3 import S3Transport, open_s3_url
from qcowspec.sources.source import Source
from tests.conftest import ACCESS_KEY, SECRET_KEY, Store
from tests.remote import servers
from tests.remote.faults import CHANGED, HOSTILE, PASSING, Proxy, proxy
from tests.remote.servers import Nginx

SHORT = Patience(connect=10, silence=1, total=12, slowest=1 << 20, attempts=4, pause=0.01)
LONGER = Patience(connect=20, silence=10, total=60, slowest=1 << 20, attempts=4, pause=0.01)
"""For S3, whose server takes its time on a busy machine."""

HURRIED = Patience(connect=10, silence=1, total=1, slowest=1 << 20, attempts=4, pause=0.01)
"""For what can only be given up on."""

DATA = random.Random(6).randbytes(3 << 20)
"""More than the first request brings, and more than one read ahead."""


@pytest.fixture(scope="module", params=["http", "s3"])
def upstream(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Protocol, server and path of a file with `DATA`."""
    if request.param == "http":
        nginx: Nginx = request.getfixturevalue("nginx")
        served: Path = request.getfixturevalue("served")
        (served / "faulty").write_bytes(DATA)
        return "http", nginx.url, "/faulty"
    store: Store = request.getfixturevalue("store")
    store.put("faulty", DATA)
    return "s3", store.url, f"/{store.bucket}/faulty"


@pytest.fixture(scope="module")
def between(upstream: tuple[str, str, str]) -> Iterator[Proxy]:
    """A proxy in front of it; one for all tests, as S3's client takes long to make."""
    with proxy(upstream[1]) as running:
        through(running, upstream).close()
        yield running


@pytest.fixture
def faulty(between: Proxy) -> Iterator[Proxy]:
    """The proxy, which does nothing wrong yet."""
    between.asked.clear()
    between.plan = lambda asked: None
    yield between
    between.plan = lambda asked: None
    between.ended.set()  # of what goes on without end
    time.sleep(0.05)
    between.ended.clear()


def through(faulty: Proxy, upstream: tuple[str, str, str]) -> Source:
    url = faulty.url + upstream[2]
    if upstream[0] == "http":
        return open_http(url, SHORT)
    return open_s3_url(url, ACCESS_KEY, SECRET_KEY, LONGER)


def scattered(source: Source) -> None:
    """Read here and there, much and little, by several threads; every byte has to be right."""
    pick = random.Random(1)
    ranges = [(pick.randrange(len(DATA)), pick.choice((10, 5000, 700_000))) for _ in range(24)]

    def same(each: tuple[int, int]) -> bool:
        offset, length = each
        return source.read_at(offset, length) == DATA[offset : offset + length]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(same, ranges))


@pytest.mark.parametrize("fault", PASSING)
def test_what_goes_away_is_tried_again(
    faulty: Proxy, upstream: tuple[str, str, str], fault: str
) -> None:
    if (upstream[0], fault) == ("s3", "stall"):
        return  # a test of its own
    met: set[str] = set()
    most = 4 if fault == "stall" else len(DATA)

    def first_time(asked: str) -> str | None:
        end = asked.rpartition("-")[2]
        found = None if end in met or len(met) >= most else fault
        met.add(end)
        return found

    faulty.plan = first_time
    source = through(faulty, upstream)

    scattered(source)
    source.close()


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_go_away_is_an_error(
    faulty: Proxy, upstream: tuple[str, str, str], fault: str
) -> None:
    if (upstream[0], fault) == ("s3", "stall"):
        return  # a test of its own
    source = through(faulty, upstream)
    faulty.plan = lambda asked: fault
    # A body of 700,000 bytes of which each attempt brings half does get to its end.
    length = 100_000

    with pytest.raises(Unreadable, match=r"faulty: at 0x[0-9a-f]+: cannot be read: "):
        source.read_at(2_000_000, length)
    assert len(faulty.asked) <= 3 + 2 * SHORT.attempts
    source.close()


def test_a_store_that_stalls_is_given_up_on(store: Store) -> None:
    store.put("faulty", DATA)
    with proxy(store.url) as between:
        url = f"{between.url}/{store.bucket}/faulty"
        source = open_s3_url(url, ACCESS_KEY, SECRET_KEY, LONGER)
        source._requests.patience = HURRIED  # type: ignore[attr-defined]
        between.plan = lambda asked: "stall"

        with pytest.raises(Unreadable, match="the server does not answer"):
            source.read_at(2_000_000, 100_000)


@pytest.mark.parametrize("fault", CHANGED)
def test_a_file_that_changes_is_never_mixed(
    faulty: Proxy, upstream: tuple[str, str, str], fault: str
) -> None:
    source = through(faulty, upstream)
    faulty.plan = lambda asked: fault

    with pytest.raises(Unreadable, match="has changed on the server"):
        source.read_at(2_000_000, 100_000)
    with pytest.raises(Unreadable, match="has changed on the server"):
        source.read_at(1_000_000, 1_000_000)
    source.close()


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_answers_to_the_first_request_are_errors(
    nginx: Nginx, served: Path, fault: str
) -> None:
    (served / "faulty").write_bytes(DATA)
    with (
        proxy(nginx.url, lambda asked: fault) as running,
        pytest.raises(Unreadable, match="faulty: cannot be read"),
    ):
        open_http(f"{running.url}/faulty", HURRIED).read_at(2_000_000, 100_000)


@pytest.mark.parametrize("fault", [*HOSTILE, "no ranges"])
def test_hostile_answers_are_errors(
    faulty: Proxy, upstream: tuple[str, str, str], fault: str
) -> None:
    if upstream[0] == "s3" and fault in ("packed", "multipart", "drip", "endless head"):
        return  # the first two are about the object there; the others cost seconds
    source = through(faulty, upstream)
    source._requests.patience = HURRIED  # type: ignore[attr-defined]
    faulty.plan = lambda asked: fault

    with pytest.raises(
        Unreadable, match=r"faulty: (at 0x[0-9a-f]+: )?(cannot be read|has changed)"
    ):
        source.read_at(2_000_000, 100_000)
    source.close()


def test_a_large_file_without_ranges_is_not_downloaded(
    nginx: Nginx, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "WHOLE", len(DATA) - 1)
    (served / "faulty").write_bytes(DATA)
    with (
        proxy(nginx.url, lambda asked: "no ranges") as running,
        pytest.raises(Unreadable, match="ignores Range, and would send the whole file"),
    ):
        open_http(f"{running.url}/faulty", SHORT)


def test_a_changed_object_of_a_real_server_is_noticed(nginx: Nginx, served: Path) -> None:
    (served / "changing").write_bytes(DATA)
    source = open_http(f"{nginx.url}/changing", SHORT)
    (served / "changing.new").write_bytes(bytes(len(DATA)))
    os.utime(served / "changing.new", (1, 1))  # nginx makes an ETag of time and length
    (served / "changing.new").rename(served / "changing")

    with pytest.raises(Unreadable, match="has changed on the server"):
        source.read_at(1 << 20, 4096)


def test_a_changed_object_of_a_real_store_is_noticed(store: Store) -> None:
    store.put("changing", DATA)
    source = open_s3_url(f"{store.url}/{store.bucket}/changing", ACCESS_KEY, SECRET_KEY, LONGER)
    store.put("changing", bytes(len(DATA)))

    with pytest.raises(Unreadable, match="has changed on the server"):
        source.read_at(1 << 20, 4096)


def test_a_bucket_in_another_region_is_asked_for_there(store: Store) -> None:
    store.put("faulty", DATA)
    with proxy(store.url) as between:
        between.plan = lambda asked: None if len(between.asked) > 1 else "elsewhere"
        url = f"{between.url}/{store.bucket}/faulty"
        source = open_s3_url(url, ACCESS_KEY, SECRET_KEY, LONGER)

        assert source.read_at(2_000_000, 100) == DATA[2_000_000:2_000_100]
        transport = source._requests.transport  # type: ignore[attr-defined]
        assert transport._client.meta.region_name == "eu-west-1"
        source.close()


def test_a_bucket_that_is_in_no_region_is_an_error(store: Store) -> None:
    with (
        proxy(store.url, lambda asked: "elsewhere") as between,
        pytest.raises(Unreadable, match="cannot be read: the server answers 301"),
    ):
        open_s3_url(f"{between.url}/{store.bucket}/faulty", ACCESS_KEY, SECRET_KEY, LONGER)


@pytest.mark.parametrize("key", ["a//b", "./c", "d/../e", "f\tg", "h%2Fi", "ü", "end/"])
def test_a_key_is_asked_for_as_it_is(store: Store, key: str) -> None:
    store.client().put_object(Bucket=store.bucket, Key=key, Body=key.encode())
    source = opened(S3Transport(store.bucket, key, "name", store.options(), LONGER), LONGER)

    assert source.read_at(0, 99) == key.encode()
    source.close()


def test_an_empty_object_has_no_bytes(store: Store) -> None:
    store.put("empty", b"")
    url = f"{store.url}/{store.bucket}/empty"

    assert open_s3_url(url, ACCESS_KEY, SECRET_KEY, LONGER).length == 0


def test_no_more_than_eight_requests_are_under_way(nginx: Nginx, served: Path) -> None:
    (served / "faulty").write_bytes(DATA)
    lock, counts = threading.Lock(), [0, 0]

    class Counting:
        """A transport that counts who is inside."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def begin(self, offset: int, length: int, deadline: float) -> Ending:
            with lock:
                counts[0] += 1
                counts[1] = max(counts)
            time.sleep(0.01)
            return Ending(self._inner.begin(offset, length, deadline))  # type: ignore[attr-defined]

    class Ending:
        """A body that says when it is done with."""

        def __init__(self, inner: Body) -> None:
            self.read_into, self._inner = inner.read_into, inner

        def close(self) -> None:
            self._inner.close()
            with lock:
                counts[0] -= 1

    source = open_http(f"{nginx.url}/faulty", SHORT)
    source._requests.transport = Counting(source._requests.transport)  # type: ignore[attr-defined]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda at: source.read_at(at * 70_000, 600_000), range(32)))

    assert 1 < counts[1] <= 8


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(Unreadable, match="the server takes no connection"):
        qcowspec.open("http://127.0.0.1:9/disk.qcow2")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An S3 endpoint that knows nobody: it refuses whatever key it is shown."""
    with servers.s3(tmp_path_factory.mktemp("guarded")) as url:
        store = Store(url, "images")
        store.client().create_bucket(Bucket=store.bucket)
        store.put("faulty", DATA)
        connection = HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        assert connection.getresponse().status == HTTPStatus.OK
        connection.close()
        yield store


def test_a_store_that_refuses_the_key_is_said_without_it(
    guarded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{guarded.url}/{guarded.bucket}/faulty"
    with pytest.raises(Unreadable, match="the store refuses these credentials") as by_url:
        open_s3_url(url, ACCESS_KEY, SECRET_KEY, LONGER)
    monkeypatch.setenv("AWS_ENDPOINT_URL", guarded.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with pytest.raises(Unreadable, match="the store refuses these credentials") as by_name:
        qcowspec.open(f"s3://{guarded.bucket}/faulty")
    for said in (by_url, by_name):
        shown = "".join(traceback.format_exception(said.value))
        assert SECRET_KEY not in shown
        assert ACCESS_KEY not in shown
