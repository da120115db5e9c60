"""Source specs say where an image is; what they say wrongly is named, and never their secrets."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import qcowspec
from qcowspec.cli import qcowspec as cli
from qcowspec.errors import QcowError, Unsupported
from qcowspec.sources import open_source
from tests.conftest import ACCESS_KEY, SECRET_KEY, Store
from tests.remote.servers import PASSWORD, USER, Nginx
from tools.make_test_data import DATA

NAME = "v3-zlib.qcow2"
FILE = {"type": "file", "file_path": str(DATA / NAME)}


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.fixture(params=["file", "http", "s3"])
def stream(request: pytest.FixtureRequest) -> dict[str, str]:
    """A stream of each type."""
    if request.param == "file":
        return FILE
    if request.param == "http":
        server: Nginx = request.getfixturevalue("nginx")
        return {"type": "http", "url": f"{server.url}/{NAME}"}
    store: Store = request.getfixturevalue("store")
    url = f"{store.url}/{store.bucket}/{NAME}"
    return {"type": "s3", "url": url, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}


def test_every_stream_leads_to_the_image(stream: dict[str, str]) -> None:
    spec = {"type": "qcow", "stream": stream}
    with qcowspec.open(DATA / NAME) as image:
        expected = image.pread(0, image.size)

    for target in (spec, stream, "json:" + json.dumps(spec)):
        with qcowspec.open(target) as image:
            assert image.pread(0, image.size) == expected


def test_every_command_takes_a_spec(stream: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"type": "qcow", "stream": stream}))
    text = "json:" + path.read_text()
    local, out = str(DATA / NAME), str(tmp_path / "out.raw")

    for image in ([text], ["--source-spec", str(path)], [f"--source-spec={path}"]):
        assert run("dump", *image).exit_code == 0
        assert run("validate", *image, *image).stdout.count("accept") == 2
        assert run("convert", *image, out).exit_code == 0
        assert run("compare", *image, local).stdout == "Images are identical.\n"
        assert run("compare", local, *image).stdout == "Images are identical.\n"
        assert run("mutate", *image, "-n", "2", "-o", str(tmp_path / "mutants")).exit_code == 0
    assert SECRET_KEY not in (tmp_path / "mutants" / "manifest.json").read_text()


def test_a_raw_spec_is_guest_bytes(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    assert run("convert", str(DATA / NAME), str(raw)).exit_code == 0
    spec = json.dumps({"type": "raw", "stream": {"type": "file", "file_path": str(raw)}})

    assert run("compare", f"json:{spec}", str(DATA / NAME)).stdout == "Images are identical.\n"
    assert run("convert", f"json:{spec}", str(tmp_path / "copy")).exit_code == 0
    assert (tmp_path / "copy").read_bytes() == raw.read_bytes()
    assert run("compare", "-f", "raw", str(raw), str(DATA / NAME)).exit_code == 0
    with pytest.raises(Unsupported, match="says that the image is raw"):
        qcowspec.open(f"json:{spec}")


WRONG: list[tuple[Any, str]] = [
    ([], "is no JSON object"),
    ({}, "lacks the key 'type'"),
    ({"type": "vmdk"}, "has the type 'vmdk'; known are qcow, raw, native, file, http, s3, nbd"),
    ({"type": 7}, "has the type int"),
    ({"type": "qcow"}, "lacks the key 'stream'"),
    ({"type": "qcow", "stream": 1}, "has a stream that is no JSON object"),
    ({"type": "qcow", "stream": FILE, "size": 1}, "has the unknown key 'size'; known are type"),
    ({"type": "qcow", "stream": {}}, "lacks the key 'stream.type'"),
    ({"type": "qcow", "stream": {"type": "ftp"}}, "has the stream.type 'ftp'"),
    ({"type": "qcow", "stream": {"type": "file"}}, "lacks the key 'stream.file_path'"),
    ({"type": "qcow", "stream": {**FILE, "url": "x"}}, "has the unknown key 'stream.url'"),
    ({"type": "file", "file_path": ""}, "has a file_path that is no text, or an empty one"),
    ({"type": "http", "url": 3}, "has a url that is no text"),
    ({"type": "http", "url": "ftp://host/x"}, "begins with neither http:// nor https://"),
    ({"type": "s3", "url": "http://h/b/k"}, "lacks the key 'access_key'"),
    ({"type": "native", "pool_name": "rbd"}, "has the type 'native', which needs a Ceph cluster"),
    ({"type": "raw", "stream": FILE, "snapshots": [{}]}, "'snapshots': librbd reads an rbd snap"),
    (
        {"type": "s3", "url": "http://h/b/k", "access_key": "config://a", "secret_key": "s"},
        "has the access_key 'config://', which needs a Ceph cluster",
    ),
    ({"type": "qcow", "stream": {"type": "nbd", "uri": "nbd://h"}}, "'nbd', which is not read"),
]


@pytest.mark.parametrize(("spec", "says"), WRONG, ids=[says[:40] for _, says in WRONG])
def test_what_is_wrong_is_named(spec: Any, says: str) -> None:
    result = run("dump", "json:" + json.dumps(spec))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("qcowspec: source spec: ")
    assert says in result.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("json:{", "is no JSON object: expecting property name"),
        ('json:{"type":"qcow","type":"raw"}', "a key stands twice"),
        ("json:" + "[" * 100_000, "is no JSON object"),
        ("json:" + " " * (1 << 20), "has more than 1048576 characters"),
    ],
    ids=["cut", "twice", "deep", "long"],
)
def test_what_is_no_spec_is_said(text: str, says: str) -> None:
    with pytest.raises(QcowError, match=says):
        open_source(text)


def test_a_spec_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert "cannot be opened" in run("dump", "--source-spec", str(tmp_path / "none")).stderr
    assert run("dump", "--source-spec").exit_code == 2
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert "is no UTF-8" in run("dump", "--source-spec", str(tmp_path / "bytes")).stderr


# --- Secrets --------------------------------------------------------------------------------------

SIGNED = "X-Amz-Signature=0123456789abcdef"


def test_no_secret_is_shown(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.url.replace("://", f"://{USER}:{PASSWORD.replace('@', '%40')}@")
    shown = ""
    for url in (
        f"{place}/locked/{NAME}?{SIGNED}",
        f"{place}/none?{SIGNED}",
        f"{place}:x/a?{SIGNED}",
    ):
        for command in (["dump", "--json"], ["validate", "--json"], ["validate"], ["dump"]):
            result = run(*command, url)
            shown += result.output + result.stderr
        shown += run("compare", url, url).output + run("convert", url, str(tmp_path / "o")).output
        shown += run("mutate", url, "-n", "1", "-o", str(tmp_path / "m")).output
    shown += (tmp_path / "m" / "manifest.json").read_text()

    assert f"/locked/{NAME}" in shown
    assert "404" in shown
    for secret in (PASSWORD, "p%40ss", USER, SIGNED, "0123456789"):
        assert secret not in shown


def test_no_error_drags_a_secret_along(nginx: Nginx) -> None:
    url = f"{nginx.url.replace('://', '://user:hunter2@')}/none?{SIGNED}"
    with pytest.raises(QcowError) as caught:
        qcowspec.open(url)

    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in repr(error)
        assert SIGNED not in repr(error)
        error = error.__cause__ or error.__context__


def test_no_secret_is_logged(nginx: Nginx, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place = nginx.url.replace("://", f"://{USER}:{PASSWORD.replace('@', '%40')}@")
    open_source(f"{place}/locked/{NAME}?{SIGNED}").close()
    url = f"{store.url}/{store.bucket}/{NAME}"
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    open_source({"type": "s3", "url": url, **keys}).close()

    for secret in (PASSWORD, "p%40ss", SIGNED, SECRET_KEY):
        assert secret not in caplog.text


def test_keys_of_s3_are_not_shown() -> None:
    spec = {"type": "s3", "url": "http://127.0.0.1:9/b/k?sig=hush"}
    result = run("dump", "json:" + json.dumps({**spec, "access_key": "AKX", "secret_key": "hush"}))

    assert result.exit_code == 2
    assert "s3://b/k: cannot be read" in result.stderr
    assert "hush" not in result.stderr
    assert "AKX" not in result.stderr


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "botocore.config", None)
    monkeypatch.setattr("qcowspec.sources.s3._CLIENTS", {})

    assert run("dump", "s3://bucket/disk.qcow2").stderr == (
        "qcowspec: s3://bucket/disk.qcow2: needs a package that is not installed here:"
        " pip install 'qcowspec[remote]'\n"
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("gopher://host/x", "is a URL of the protocol 'gopher', which is not known"),
        ("http://", "is no URL that names a server"),
        ("http://host:99999/x", "is no URL that names a server"),
        ("http://[::1/x", "is no URL that names a server"),
        ("http:///x", "is no URL that names a server"),
        ("s3://bucket", "names no object"),
        ("memory://none/at/all", "no such file"),
        ("gzip::none", "cannot be opened: no such file"),
        (f"gzip::{DATA / NAME}", "is no sound gzip file"),
    ],
)
def test_urls_that_lead_nowhere_are_said(url: str, says: str) -> None:
    result = run("dump", url)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_with_colons_in_its_name_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a::b").write_bytes((DATA / NAME).read_bytes())

    assert run("dump", "a::b").exit_code == 0
