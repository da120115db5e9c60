"""A name that exists as a file is that file, whatever it looks like; a walk finds paths only."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec
from qcowspec.cli import qcowspec as cli
from qcowspec.errors import QcowError, Unreadable, shown
from qcowspec.export.filesystem import QcowFileSystem
from qcowspec.sources import FileName, Url, named, open_source, stated_format
from qcowspec.sources.gate import Allow, plain_path
from qcowspec.transfer.disks import any_disk

BAIT = b"bait"


def image(backing: str | None = None, size: int = 1 << 16) -> bytes:
    if backing is None:
        return build.image(ImageSpec(size=size, clusters={0: Cluster(b"here")}))
    return build.image(ImageSpec(size=size, backing_name=backing.encode(), backing_format=b"raw"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a file beside it that nobody names."""
    (tmp_path / "bait").write_bytes(image(size=1 << 20))
    (tmp_path / "uploads").mkdir()
    monkeypatch.chdir(tmp_path / "uploads")
    return tmp_path / "uploads"


def spec_of(path: Path) -> str:
    """A source spec as a name that a file can have: without a slash."""
    text = json.dumps({"type": "file", "file_path": str(path)}, separators=(",", ":"))
    return f"json:{text}".replace("/", "\\u002f")


LOOKS = ["json:{}", "json:", "memory::x", "gzip::bait", "file::x", "http:x", "a::b"]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.mark.parametrize("name", LOOKS)
def test_a_text_that_is_a_files_name_is_that_file(name: str, folder: Path) -> None:
    (folder / name).write_bytes(image())

    assert named(name) == FileName(name)
    with qcowspec.open(name) as opened:
        assert opened.pread(0, 4) == b"here"
    assert qcowspec.validate(name).path == name
    with any_disk(name) as disk:
        assert disk.pread(0, 4) == b"here"
    assert stated_format(name) is None

    async def awaited() -> bytes:
        async with qcowspec.aopen(name) as opened:
            return await opened.pread(0, 4)

    assert asyncio.run(awaited()) == b"here"


def test_a_file_that_is_called_like_a_url_is_that_file(folder: Path) -> None:
    for name in (
        "http://127.0.0.1:9/x",
        "s3://bucket/key",
        "simplecache::http://h/x",
        "file://a/b",
    ):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_bytes(image())
        with qcowspec.open(name) as opened:
            assert opened.pread(0, 4) == b"here"
        files = QcowFileSystem(name)
        assert files.cat_file("disk.raw", 0, 4) == b"here"
        files.close()


def test_a_spec_that_is_a_files_name_reads_no_other_file(folder: Path) -> None:
    name = spec_of(folder.parent / "bait")
    with qcowspec.open(name) as opened:
        assert opened.size == 1 << 20  # no such file is there: it is a spec
    (folder / name).write_bytes(image())

    for words in (["info", "--output", "json", name], ["dump", "--path", "header.size", name]):
        result = run(*words)
        assert result.exit_code == 0
        assert "65536" in result.stdout
        assert str(1 << 20) not in result.stdout
    assert run("compare", name, f"./{name}").exit_code == 0


@pytest.mark.parametrize("kind", ["dangling link", "loop", "directory", "pipe"])
@pytest.mark.parametrize("name", ["json:{}", "memory::x"])
def test_whatever_is_there_is_a_path(kind: str, name: str, folder: Path) -> None:
    if kind == "directory":
        (folder / name).mkdir()
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(name if kind == "loop" else "nowhere")

    assert named(name) == FileName(name)
    with pytest.raises(Unreadable):
        open_source(name)


def test_what_cannot_be_looked_at_is_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "lstat", refused)  # to root nothing is closed

    assert named("http://host/x") == FileName("http://host/x")
    assert named("json:{}") == FileName("json:{}")


def test_what_no_file_can_be_called_is_no_path(folder: Path) -> None:
    long = 'json:{"type":"file","file_path":"' + "x" * 5000 + '"}'

    assert isinstance(named(long), dict)
    assert isinstance(named("https://host/" + "x" * 5000), Url)
    assert isinstance(named("https://host/a\0b"), Url)
    assert isinstance(named("https://host/\ud800"), Url)
    with pytest.raises(QcowError):
        named("json:a\0b")


def test_a_file_in_the_place_of_a_directory_makes_no_path_of_a_url(folder: Path) -> None:
    (folder / "https:").write_bytes(b"")

    assert isinstance(named("https://host/x"), Url)


@pytest.mark.parametrize("name", ["-", "json:{}", "http:x"])
def test_a_path_of_python_is_a_path(name: str, folder: Path) -> None:
    (folder / name).write_bytes(image())

    with qcowspec.open(Path(name)) as opened:
        assert opened.pread(0, 4) == b"here"


def test_a_walk_finds_paths_only(folder: Path) -> None:
    for name in ("-", "json:{}", spec_of(folder.parent / "bait"), "memory::x", "--help"):
        (folder / name).write_bytes(image())
    result = run("validate", "-r", "--json", ".")
    rows = [json.loads(line) for line in result.stdout.splitlines()]

    assert (result.exit_code, result.stderr) == (0, "")
    assert [row["path"] for row in rows] == sorted(os.listdir(folder))
    assert {row["verdict"] for row in rows} == {"accept"}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_names_are_decided_before_the_first_image_is_read(jobs: str, folder: Path) -> None:
    # The file is gone when its turn comes: it is missing, and no spec.
    name = spec_of(folder.parent / "bait")
    (folder / name).write_bytes(image())
    (folder / "a").write_bytes(image())
    program = (
        "import os, sys; from qcowspec.cli import validate, main;"
        "old = validate._files;"
        f"validate._files = lambda *a, **n: (os.unlink({name!r}), old(*a, **n))[1];"
        "main()"
    )
    command = [sys.executable, "-c", program, "validate", "-j", jobs, "a", name]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == "a: accept, qcow2"
    assert "cannot be opened: no such file" in done.stderr


def test_a_spec_of_a_file_is_a_spec_whatever_files_there_are(folder: Path) -> None:
    text = spec_of(folder.parent / "bait")
    (folder / "spec").write_text(text)
    (folder / text).write_bytes(image())

    result = run("dump", "--path", "header.size", "--source-spec", "spec")
    assert (result.exit_code, result.stdout.split()[0]) == (0, str(1 << 20))


def test_a_directory_that_cannot_be_searched_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir()
    (folder / "a").write_bytes(image())
    scan = os.scandir

    def refused(path: str) -> object:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)  # to root nothing is closed
    result = run("validate", "-r", ".")

    assert result.exit_code == 2
    assert result.stdout.splitlines()[0] == "a: accept, qcow2"
    assert result.stderr.splitlines() == [
        "qcowspec: ./closed: cannot be searched: permission denied",
        "qcowspec: 2 files: 1 accepted, 0 rejected, 1 not read",
    ]


def test_the_neighbour_of_a_file_that_is_called_like_a_url_is_beside_it(folder: Path) -> None:
    place = Path("http://127.0.0.1:9")
    place.mkdir(parents=True)
    (place / "base").write_bytes(BAIT.ljust(512))
    (place / "image").write_bytes(image("base", 512))
    name = "http://127.0.0.1:9/image"

    for target in (name, Path(name)):
        with qcowspec.open(target, allow="same-dir") as opened:
            assert opened.pread(0, 4) == BAIT
    with open(name, "rb") as file, qcowspec.open(file, allow="same-dir") as opened:
        assert opened.pread(0, 4) == BAIT
    assert run("info", "--backing-chain", "--allow", "same-dir", name).exit_code == 0


def test_no_request_for_the_neighbour_of_a_file_that_is_called_like_a_url(folder: Path) -> None:
    place = Path("http://127.0.0.1:9")
    place.mkdir(parents=True)
    (place / "image").write_bytes(image("http://127.0.0.1:9/base", 512))
    source = open_source("http://127.0.0.1:9/image")

    assert source.place == "./http://127.0.0.1:9/image"
    for allowed in ("same-dir", "any"):
        with pytest.raises(QcowError, match="outside of what you allow"):
            Allow([allowed]).admit(source.place, b"http://127.0.0.1:9/base", "backing file")


def test_a_directory_that_is_called_like_a_url_may_be_allowed(folder: Path) -> None:
    Path("a::b").mkdir()
    Path("a::b/base").write_bytes(BAIT.ljust(512))
    (folder / "image").write_bytes(image("./a::b/base", 512))

    with qcowspec.open("image", allow="a::b") as opened:
        assert opened.pread(0, 4) == BAIT


def test_a_name_in_an_image_keeps_its_meaning(folder: Path) -> None:
    (folder / "base").write_bytes(BAIT.ljust(512))
    inner = 'json:{"driver":"raw","file":{"driver":"file","filename":"base"}}'
    (folder / "image").write_bytes(image(inner, 512))
    (folder / "json:{}").write_bytes(BAIT.ljust(512))
    (folder / "other").write_bytes(image("json:{}", 512))

    with qcowspec.open("image", allow="same-dir") as opened:
        assert opened.pread(0, 4) == BAIT
    with qcowspec.open("other", allow="same-dir") as opened, pytest.raises(QcowError):
        opened.pread(0, 4)


def test_a_build_spec_names_files_and_nothing_else(folder: Path) -> None:
    name = spec_of(folder.parent / "bait")
    (folder / "spec.yaml").write_text(json.dumps({"base": {"file": name}, "patch": []}))
    result = run("build", "spec.yaml", "-o", "out")

    assert result.exit_code == 2
    assert "no such file" in result.stderr
    (folder / name).write_bytes(image())
    assert run("build", "spec.yaml", "-o", "out").exit_code == 0
    assert (folder / "out").read_bytes() == image()


def test_a_device_behind_a_link_is_not_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "link").symlink_to("/dev/zero")
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda path, *_, **__: opened.append(path))
    with pytest.raises(Unreadable, match="neither a file nor a block device"):
        open_source("link")

    assert opened == []


def test_typed_names_show_no_secret_and_can_be_handed_to_other_processes() -> None:
    url = Url("https://user:hush@host/x?hush")

    assert (str(url), repr(url)) == ("https://host/x", "Url('https://host/x')")
    assert pickle.loads(pickle.dumps(url)) == url  # noqa: S301 - our own
    assert os.fspath(FileName("json:{}")) == str(FileName("json:{}")) == "json:{}"
    assert repr(named('json:{"a":"hush"}')) == "<source spec>"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("disk.qcow2", "disk.qcow2"),
        ("https://host/a/b", "https://host/a/b"),
        ("https://user:hush@host:8443/a@b?hush#hush", "https://…"),
        ("https://user:hush@host/a@b?hush#hush", "https://host/a@b"),
        ("https://user:hush@[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://hush@host", "https://host"),
        ("simplecache::https://u:hush@host/x?hush", "simplecache::https://host/x"),
        ("zip://a::gzip::s3://b/k?hush", "zip://a::gzip::s3://b/k"),
        ("sftp://u:hu/sh@host/x", "sftp://…"),
        ("sftp://u:hu?sh@host/x", "sftp://…"),
        ("sftp://u:hu::sh@host/x", "sftp://…"),
        ("gzip::json:{hush", "gzip::json:…"),
        ('json:{"url":"https://u:hush@h/x"}', "json:…"),
        (' json:{"url":"https://u:hush@h/x"}', "…"),
        ("memory://a/b", "memory://a/b"),
        ("gzip::/a/b.gz", "gzip::/a/b.gz"),
    ],
)
def test_one_function_shows_a_location(name: str, expected: str) -> None:
    assert shown(name) == expected


@pytest.mark.parametrize("name", ["a", "./a::b", "/a::b", "json:{}", "a:b"])
def test_a_path_that_nobody_takes_for_a_url_stays(name: str) -> None:
    assert plain_path(name) == name
