"""A folder of names that strangers chose, and every command of the program run in it.

In: ``python -m tests.remote.hostile OUT``, in such a folder, which has `GOOD`. Out: a line of JSON
for each call that did not end as calls do: with an exit status, and without a traceback. Two files
that do not exist are opened as marks: between them stand the calls that only read.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from qcowspec import build
from qcowspec.build import Cluster, ImageSpec
from qcowspec.cli import qcowspec

GOOD = "good.qcow2"
BEGIN, END = "/mark/begin", "/mark/end"
LONGEST = 255


def image(backing: str | None = None) -> bytes:
    """A small image."""
    clusters = {0: Cluster(b"data")}
    if backing is None:
        return build.image(ImageSpec(size=1 << 16, clusters=clusters))
    return build.image(
        ImageSpec(size=1 << 16, backing_name=backing.encode(), backing_format=b"raw")
    )


def looks(server: str, bait: str) -> Iterator[str]:
    """Names without a slash, which would lead to a server, or to a file that is not here."""
    urls = [f"http://{server}/x", f"http://user:pw@{server}/x?a=b"]
    specs = [{"type": "file", "file_path": bait}]
    specs += [{"type": "http", "url": url} for url in urls]
    specs += [{"type": "s3", "url": url, "access_key": "a", "secret_key": "b"} for url in urls]
    for spec in specs:
        for kind in (None, "qcow", "raw"):
            whole = spec if kind is None else {"type": kind, "stream": spec}
            text = "json:" + json.dumps(whole, separators=(",", ":")).replace("/", "\\u002f")
            yield text
            yield f"gzip::{text}"
    yield from ("json:", "json:{", "json:{}", "json:[]", "JSON:{}", "json:{'a'}", "file:x", "nbd:x")
    yield from ("http:x", "https:", "s3:x", "memory::x", "gzip::good.qcow2", "zip::x", "xz::-")
    yield from ("simplecache::http:x", "filecache::x", "blockcache::memory::x", "a::b", "::", "a:b")
    yield from ("dir::memory::", "qcow::good.qcow2", "data:,x", "github::x", "http::x", "-", "--")
    yield from ("--help", "-r", "--source-spec=good.qcow2", "--source-spec", "-o", "--allow=any")
    yield from (
        "--secret=env:HOME",
        "@good.qcow2",
        "~",
        "~root",
        "$HOME",
        "`id`",
        "$(id)",
        "*",
        "?",
    )
    yield from ("a b", "a\nb", "\x1b[2J", "\x7f", "%s", "%2e%2e", "..;", "...", " ", " http:", "\\")
    yield from (
        "a\udcff",
        "\udcfe\udcff",
        "json:\udcff",
        "http:\udcff",
        "ü",
        "\u202e",
        "'",
        '"',
        "&",
    )
    yield from ("x" * LONGEST, "json:" + "x" * (LONGEST - 5), "http:" + "y" * (LONGEST - 5))
    for protocol in ("http", "https", "s3", "s3a", "file", "local", "ftp", "sftp", "smb", "nbd"):
        yield from (f"{protocol}:{GOOD}", f"{protocol}:::{GOOD}", f"{protocol}::{bait[1:4]}")
    for method in ("gzip", "bz2", "xz", "lzma", "zstd", "tar", "zip", "libarchive"):
        yield from (f"{method}::{GOOD}", f"{method}::memory::x", f"{method}:{GOOD}")
    yield from (
        "file:good.qcow2",
        "env:HOME",
        "fd:0",
        "nul",
        "con",
        "-.qcow2",
        "--.qcow2",
        "#",
        ";",
    )


def populate(folder: Path, server: str, bait: str) -> None:
    """Make about 200 names there, all kinds of files among them."""
    (folder / GOOD).write_bytes(image())
    contents = [
        image(),
        b"",
        b"text",
        image(bait),
        image(f"http://{server}/base"),
        image("json:{}"),
    ]
    for number, name in enumerate(dict.fromkeys(looks(server, bait))):
        (folder / name).write_bytes(contents[number % len(contents)])
    deep = folder / "http:" / server / "d"
    deep.mkdir(parents=True)
    (deep.parent / "x").write_bytes(image("base"))  # of which a neighbour would be on the server
    (deep.parent / "json:{}").write_bytes(image(f"http://{server}/base"))
    (folder / "s3:" / "bucket").mkdir(parents=True)
    (folder / "s3:" / "bucket" / "key").write_bytes(image("base"))
    (folder / "simplecache::http:" / server).mkdir(parents=True)
    (folder / "simplecache::http:" / server / "x").write_bytes(image())
    for number, target in enumerate(
        [GOOD, "nowhere", "json:{}", f"http://{server}/x", "loop", "/dev/null", "/dev/tty", "."]
    ):
        (folder / f"link-{number}").symlink_to(target)
        (folder / f"http:link-{number}").symlink_to(target)
        (folder / f'json:{{"link":{number}}}').symlink_to(target)
    (folder / "loop").symlink_to("loop")
    for name in ("fifo", "http:fifo", "json:fifo", "memory::fifo"):
        os.mkfifo(folder / name)
    with contextlib.suppress(PermissionError):  # devices are root's to make
        os.mknod(folder / "json:null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(folder / "http:zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    here = os.getcwd()
    os.chdir(folder)  # the path of a socket is short
    for name in ("socket", "http:socket", "json:socket"):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
    os.chdir(here)
    for name in ("folder", "json:folder", "memory::folder"):
        (folder / name).mkdir()
        (folder / name / "-").write_bytes(image())
        (folder / name / "json:{}").write_bytes(image())


def named(folder: Path) -> list[str]:
    """The names that ``*`` and patterns with slashes give a shell there."""
    names = sorted(os.listdir(folder))
    return [
        *names,
        *(f"http://{server}/{name}" for server in os.listdir(folder / "http:") for name in "xd"),
        *(f"simplecache::http://{server}/x" for server in os.listdir(folder / "http:")),
        "s3://bucket/key",
    ]


def calls(names: list[str], out: str) -> Iterator[list[str]]:
    """The calls that only read: a name is an argument behind ``--``."""
    yield ["validate", "-r", "."]
    yield ["validate", "-r", "--json", "-p", "untrusted", "."]
    names = [name for name in names if name != "-"]  # which is standard input
    yield ["validate", "--", *names]
    for name in names:
        for command in (["dump"], ["info"], ["check", "--allow=same-dir"], ["map"]):
            yield [*command, "--", name]
        yield ["convert", "-q", "--allow=same-dir", "--", name, out]
        yield ["info", "--backing-chain", "--allow=same-dir", "--", name]
        yield ["compare", "--", name, GOOD]
        yield ["compare", "--allow=same-dir", "--", GOOD, name]


def others(names: list[str], out: str) -> Iterator[list[str]]:
    """Calls that make something of what they read, or start readers."""
    names = [name for name in names if name != "-"]
    yield ["validate", "-j", "2", "--json", "--", *names]
    for name in [name for name in names if ":" in name]:
        yield ["mutate", "-n", "1", "-o", f"{out}.mutants", "--", name]
        yield ["build", "-o", f"{out}.built", "--", name]
        yield ["build", "-o", f"{out}.built", f"--data-from={name}", "--", "json:{}"]
        yield ["dump", f"--source-spec={name}"]
        yield ["check", "--secret", f"file:./{name}" if "fifo" not in name else "env:X", "--", GOOD]
        yield ["kit", "run", "--target", "true {}", "--", name]
    short = [name for name in names if ":" in name and "fifo" not in name][:6]
    for number, name in enumerate(short):
        fuzz = ["fuzz", "-q", "-n", "1", "--target", "true {}", "-o", f"{out}.{number}", "--only"]
        yield [*fuzz, "--", name]
        yield ["fuzz", "--target", "true {}", "--again", name]


def main(out: str) -> None:
    """Make all calls."""
    names = named(Path())
    for call in calls([GOOD, "none"], out):  # what is imported when it is needed is imported now
        run(call)
    mark(BEGIN)
    for call in calls(names, out):
        run(call)
    mark(END)
    for call in others(names, out):
        run(call)


def run(call: list[str]) -> None:
    """Make a call, and say if it ends as no call should."""
    result = CliRunner().invoke(qcowspec, call)
    if not isinstance(result.exception, SystemExit | None):
        sys.stdout.write(json.dumps([call, repr(result.exception)]) + "\n")


def mark(name: str) -> None:
    """Leave a mark in a trace of what is opened."""
    with contextlib.suppress(FileNotFoundError):
        os.close(os.open(name, os.O_RDONLY))


if __name__ == "__main__":
    main(sys.argv[1])
