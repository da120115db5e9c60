"""A secret is shown nowhere, wherever it stands: in no error, cause, repr, log, JSON or output.

In: a sentinel in each place of each kind of name, for what cannot be read and for what can. What is
searched: the exception with all that hangs on it, what the command line prints, log records.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner

import qcowspec
from qcowspec import build
from qcowspec.build import ImageSpec
from qcowspec.cli import qcowspec as cli
from qcowspec.errors import name_of, shown
from qcowspec.export.filesystem import QcowFileSystem
from qcowspec.sources import named, open_source
from qcowspec.sources.locations import Location, key, located
from tests.conftest import ACCESS_KEY, SECRET_KEY, Store
from tests.remote.servers import Nginx
from tools.make_test_data import DATA

SENTINEL = "hunter2"
IMAGE = "v3-zlib.qcow2"
CLOSED = "127.0.0.1:9"
"""A port where nobody listens."""

fsspec.register_implementation("qcow", QcowFileSystem, clobber=True)


def texts(error: BaseException) -> Iterator[str]:
    """All that an exception and those behind it say, and hold."""
    met: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or found in met:
            continue
        met.append(found)
        waiting += [found.__cause__, found.__context__]
        yield from map(repr, (found, str(found), found.args, vars(found)))
        for attribute in ("object", "doc", "filename", "filename2", "reason"):
            yield repr(getattr(found, attribute, None))
        yield repr(getattr(found, "__notes__", None))


def check(found: str | Iterator[str]) -> None:
    """Assert that no form of the sentinel is there."""
    for text in [found] if isinstance(found, str) else found:
        assert SENTINEL not in text
        assert SENTINEL.encode().hex() not in text


URLS = {
    "user": f"http://{SENTINEL}@{{place}}",
    "password": f"http://user:{SENTINEL}@{{place}}",
    "password with a slash": f"http://user:a/{SENTINEL}@{{place}}",
    "password with an @": f"http://user:a@{SENTINEL}@{{place}}",
    "password with a question mark": f"http://user:{SENTINEL}?b@{{place}}",
    "password with a hash": f"http://user:{SENTINEL}#b@{{place}}",
    "password that is no UTF-8": f"http://user:{SENTINEL}\udcff@{{place}}",
    "password that no encoding knows": f"http://user:{SENTINEL}\ud800@{{place}}",
    "host that is none": f"http://user:{SENTINEL}@\u2100/x",
    "host in brackets": f"http://user:{SENTINEL}@[/x",
    "port that is none": f"http://user:{SENTINEL}@127.0.0.1:x/y",
    "query": f"http://{{place}}?signature={SENTINEL}",
    "query that is no UTF-8": f"http://{{place}}?signature={SENTINEL}\udcff",
    "query that no encoding knows": f"http://{{place}}?signature={SENTINEL}\ud800",
    "fragment": f"http://{{place}}#{SENTINEL}",
    "leading space": f" http://user:{SENTINEL}@{{place}}",
    "unknown protocol": f"nosuch://user:{SENTINEL}@{{place}}?s={SENTINEL}",
    "unknown chain": f"nosuch::http://user:{SENTINEL}@{{place}}",
    "sftp": f"sftp://user:{SENTINEL}@{{place}}",
    "sftp, slash": f"sftp://user:a/{SENTINEL}@{{place}}",
    "sftp, after a port": f"sftp://user:1/{SENTINEL}@{{place}}",
    "sftp, colons after a port": f"sftp://user:1::{SENTINEL}@{{place}}",
    "sftp, colons": f"sftp://user:a::{SENTINEL}@{{place}}",
    "simplecache": f"simplecache::http://user:{SENTINEL}@{{place}}?signature={SENTINEL}",
    "blockcache": f"blockcache::http://user:{SENTINEL}@{{place}}",
    "gzip": f"gzip::http://user:{SENTINEL}@{{place}}?signature={SENTINEL}",
    "zip": f"zip://disk.qcow2::http://user:{SENTINEL}@{{place}}?signature={SENTINEL}",
    "s3, credentials": f"s3://key:{SENTINEL}@bucket/key",
    "s3, query": f"s3:///key?token={SENTINEL}",
}
"""A sentinel in each place of a URL."""

SPECS: dict[str, Any] = {
    "http, password": {"type": "http", "url": f"http://user:{SENTINEL}@{{place}}"},
    "http, query": {"type": "http", "url": f"http://{{place}}?s={SENTINEL}"},
    "http, bad host": {"type": "http", "url": f"http://user:{SENTINEL}@\u2100/x"},
    "http, other protocol": {"type": "http", "url": f"ftp://user:{SENTINEL}@{{place}}"},
    "s3, secret_key": {
        "type": "s3",
        "url": "http://{place}",
        "access_key": "a",
        "secret_key": SENTINEL,
    },
    "s3, access_key": {
        "type": "s3",
        "url": "http://{place}",
        "access_key": SENTINEL,
        "secret_key": "s",
    },
    "s3, url": {
        "type": "s3",
        "url": f"http://user:{SENTINEL}@{{place}}?s={SENTINEL}",
        "access_key": "a",
        "secret_key": "s",
    },
    "s3, bad url": {
        "type": "s3",
        "url": f"http://user:{SENTINEL}@\u2100/x",
        "access_key": "a",
        "secret_key": "s",
    },
    "s3, no object": {
        "type": "s3",
        "url": f"http://user:{SENTINEL}@127.0.0.1?s={SENTINEL}",
        "access_key": "a",
        "secret_key": "s",
    },
    "s3, one key too few": {"type": "s3", "url": "http://{place}", "secret_key": SENTINEL},
    "s3, not text": {"type": "s3", "url": "http://{place}", "access_key": [SENTINEL]},
}


def spec_text(spec: Any, place: str) -> str:
    return "json:" + json.dumps(spec).replace("{place}", place)


def gzip_of_spec(spec: Any, place: str) -> str:
    return f"gzip::{spec_text(spec, place)}"


def url_text(url: str, place: str) -> str:
    return url.format(place=place)


def verbatim(text: str, place: str) -> str:
    return text


NAMES: dict[str, Callable[[str], str]] = {
    **{what: partial(url_text, url) for what, url in URLS.items()},
    **{f"spec: {what}": partial(spec_text, spec) for what, spec in SPECS.items()},
    **{f"gzip of spec: {what}": partial(gzip_of_spec, spec) for what, spec in SPECS.items()},
    "spec that is cut": partial(verbatim, f'json:{{"type":"s3","secret_key":"{SENTINEL}"'),
    "spec with a bad character": partial(verbatim, f'json:{{"secret_key":"{SENTINEL}\x01"}}'),
}
"""Names with a sentinel, by where it stands; each of a place: host, port and path."""


@pytest.fixture(params=["nobody listens", "no image", "an image"])
def place(request: pytest.FixtureRequest) -> str:
    """Where nobody listens, where there is no image, and where there is one."""
    if request.param == "nobody listens":
        return f"{CLOSED}/a/b"
    nginx: Nginx = request.getfixturevalue("nginx")
    there = nginx.url.removeprefix("http://")
    return f"{there}/README.md" if request.param == "no image" else f"{there}/{IMAGE}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked twice."""
    from qcowspec.sources import remote, retries, s3

    quick = retries.Patience(connect=0.5, silence=0.5, total=1.0, attempts=1)
    for function in (remote.open_http, s3.open_s3, s3.open_s3_url):
        monkeypatch.setattr(function, "__defaults__", (quick,))


@pytest.mark.parametrize("what", NAMES)
def test_no_name_shows_a_secret(
    what: str, place: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    name = NAMES[what](place)
    check(shown(name))
    try:
        with qcowspec.open(name) as image:
            check(repr([image, image.source, image.source.name, image.findings]))
            check(json.dumps(image.source.name))
            image.pread(0, 512)
    except qcowspec.QcowError as error:
        check(texts(error))
        check(texts(pickle.loads(pickle.dumps(error))))  # noqa: S301 - our own
    try:
        check(repr(named(name)))
    except qcowspec.QcowError as error:
        check(texts(error))
    check(caplog.text)


@pytest.mark.parametrize("what", NAMES)
def test_no_command_shows_a_secret(what: str, tmp_path: Path) -> None:
    name, out = NAMES[what](f"{CLOSED}/a/b"), str(tmp_path / "out")
    for words in (
        ["validate", "--json", name],
        ["check", "--output", "json", name],
        ["compare", name, name],
        ["build", name, "-o", out],
        ["mutate", name, "-n", "1", "-o", out],
        ["info", "some", name],
        ["info", "-f", name, "some"],
        [name],
        ["convert", "--secret", name, "some", out],
    ):
        result = CliRunner().invoke(cli, words)
        assert isinstance(result.exception, SystemExit | None)
        check(result.output + result.stderr)


def test_the_images_that_can_be_had_are_called_without_secrets(
    nginx: Nginx, tmp_path: Path
) -> None:
    place = f"{nginx.url.removeprefix('http://')}/{IMAGE}"
    out = str(tmp_path / "out")
    for what in ("password", "query", "spec: http, password", "spec: http, query", "simplecache"):
        name = NAMES[what](place)
        for words in (
            ["validate", "--json", name],
            ["check", "--output", "json", name],
            ["check", name],
            ["info", "--output", "json", name],
            ["dump", "--json", name],
            ["map", "--output", "json", name],
            ["compare", name, str(DATA / IMAGE)],
            ["convert", "--resume", name, out],
            ["mutate", name, "-n", "1", "-o", f"{out}.d"],
        ):
            result = CliRunner().invoke(cli, words)
            assert result.exit_code == 0, (words, result.output, result.stderr)
            check(result.output + result.stderr)
    for path in (tmp_path / "out.d").iterdir():
        check(path.name)
        check(path.read_bytes().decode("latin-1"))


def test_a_spec_of_a_file_is_repeated_by_no_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "spec"
    path.write_text(json.dumps({"type": "http", "url": f"http://u:{SENTINEL}@{CLOSED}/x"}))
    for words in (
        ["info", "a", "--source-spec", str(path)],
        ["dump", f"--source-spec={path}", f"--source-spec={path}"],
        ["info", "--source-spec", str(path)],
    ):
        result = CliRunner().invoke(cli, words)
        assert result.exit_code
        check(result.output + result.stderr)


@pytest.mark.parametrize("what", URLS)
@pytest.mark.parametrize("protocol", [None, "http", "simplecache", "sftp"])
def test_the_file_system_of_fsspec_shows_no_secret(what: str, protocol: str | None) -> None:
    try:
        QcowFileSystem(URLS[what].format(place=f"{CLOSED}/a/b"), target_protocol=protocol)
    except qcowspec.QcowError as error:
        check(texts(error))


def test_options_of_other_file_systems_are_not_shown(store: Store) -> None:
    options = {"key": ACCESS_KEY, "secret": SENTINEL, "token": SENTINEL, "endpoint_url": store.url}
    try:
        QcowFileSystem("images/none", target_protocol="s3", target_options=options)
    except qcowspec.QcowError as error:
        check(texts(error))
    else:
        pytest.fail("there is no such object")


def test_the_file_system_without_passwords_has_no_passphrase() -> None:
    files = QcowFileSystem(str(DATA / "v3-luks.qcow2"), secret=SENTINEL)
    check(repr(files) + str(files) + files.to_json(include_password=False))
    files.close()


@pytest.mark.parametrize(
    "secret", [SENTINEL, SENTINEL + "\0", SENTINEL + "\udcff", SENTINEL.encode() + b"\xff"]
)
@pytest.mark.parametrize("name", ["v3-luks.qcow2", "v1-aes.qcow"])
@pytest.mark.parametrize("front", ["open", "aopen", "fsspec"])
def test_no_front_door_shows_a_passphrase(front: str, name: str, secret: str | bytes) -> None:
    async def awaited() -> None:
        async with qcowspec.aopen(DATA / name, secret=secret) as image:
            check(repr(image))
            await image.pread(0, 512)

    try:
        if front == "open":
            with qcowspec.open(DATA / name, secret=secret) as image:
                check(repr(image))
                image.pread(0, 512)
        elif front == "aopen":
            asyncio.run(awaited())
        else:
            files = QcowFileSystem(str(DATA / name), secret=secret)
            try:
                check(repr(files))
                files.cat_file("disk.raw", 0, 512)
            finally:
                files.close()
    except qcowspec.QcowError as error:
        check(texts(error))


@pytest.mark.parametrize("end", ["", "\n", "\udcff"])
def test_no_command_shows_a_passphrase(end: str, tmp_path: Path) -> None:
    data = (SENTINEL + end).encode("utf-8", "surrogateescape")
    (tmp_path / "key").write_bytes(data)
    image = str(DATA / "v3-luks.qcow2")
    runner = CliRunner(env={"KEY": SENTINEL})
    for where in (f"file:{tmp_path}/key", "env:KEY", "-", SENTINEL, f"pass:{SENTINEL}"):
        for words in (["convert", image, str(tmp_path / "o")], ["compare", image, image]):
            result = runner.invoke(cli, [*words, "--secret", where], input=data)
            assert result.exit_code
            assert isinstance(result.exception, SystemExit)
            check(result.output + result.stderr)


def test_a_proxy_s_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for proxy in (f"u:{SENTINEL}@{CLOSED}", f"u:{SENTINEL}@[", f"u:{SENTINEL}\udcff@{CLOSED}"):
        monkeypatch.setenv("http_proxy", f"http://{proxy}")
        with pytest.raises(qcowspec.QcowError) as caught:
            open_source("http://192.0.2.1/x")
        check(texts(caught.value))


def test_what_an_image_names_is_repeated_without_its_password(tmp_path: Path) -> None:
    name = f"https://user:{SENTINEL}@host/base?s={SENTINEL}".encode()
    path = tmp_path / "image"
    path.write_bytes(build.image(ImageSpec(size=512, backing_name=name, backing_format=b"raw")))
    with qcowspec.open(path) as image, pytest.raises(qcowspec.QcowError) as caught:
        image.pread(0, 512)

    check(str(caught.value))
    check(name_of(name))
    assert name_of(b"../a@b?c") == "'../a@b?c'"


def test_a_location_and_a_key_hold_no_secret() -> None:
    location = located(f"https://user:{SENTINEL}@host/x?{SENTINEL}")
    assert isinstance(location, Location)
    check(repr(location))
    check(key(SENTINEL))
    assert key(SENTINEL, 1) == key(SENTINEL, 1) != key(SENTINEL, 2)


def test_no_cache_has_a_secret_for_a_key(store: Store) -> None:
    from qcowspec.sources import s3

    spec = {"type": "s3", "url": f"{store.url}/images/{IMAGE}"}
    open_source({**spec, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}).close()

    assert SECRET_KEY not in repr(s3._CLIENTS)
    assert s3._CLIENTS


def test_a_journal_has_no_secret(nginx: Nginx, tmp_path: Path) -> None:
    from qcowspec.transfer.resume import subject

    url = f"{nginx.url.replace('://', f'://u:{SENTINEL}@')}/{IMAGE}?s={SENTINEL}"
    with qcowspec.open(url) as image:
        check(json.dumps(subject(image.disk(), {})))


def test_a_session_token_is_not_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SENTINEL)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    open_source(f"s3://{store.bucket}/{IMAGE}").close()

    assert "botocore" in caplog.text
    check(caplog.text)


def test_standard_input_is_no_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(b"")
    with qcowspec.open((DATA / IMAGE).read_bytes()) as image:
        from qcowspec.transfer.resume import subject

        assert subject(image.disk(), {}) is None
    assert os.listdir(tmp_path) == ["-"]
