"""`qcowspec serve`: what clients of NBD read, by nbdkit's, libnbd's and QEMU's own programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from qcowspec import open as qcowspec_open
from qcowspec.export.server import wrong_python
from qcowspec.guest.status import Flag, block_status
from tests import qemu
from tests.command import run as command
from tests.conformance.conftest import EVERY_IMAGE, QemuImg
from tests.every import every
from tools.make_test_data import DATA, IMAGES, Image

PROGRAMS = ("nbdkit", "nbdinfo", "nbdcopy")

SMALL = DATA / "v3-zlib.qcow2"
TIMEOUT = 60

KEY = "qcowspec"
"""The passphrase of the encrypted images."""

HOLE, ZERO = 1, 2
"""Flags of NBD's context base:allocation."""

Rows = list[tuple[int, int]]
"""Length and flags of each range, neighbours joined."""


@pytest.fixture(autouse=True, scope="module")
def _programs() -> None:
    for name in PROGRAMS:
        if shutil.which(name) is None:
            if os.environ.get("CI"):
                pytest.fail(f"{name} is missing, and CI has to have it", pytrace=False)
            pytest.skip(f"{name} is missing")


@contextmanager
def served(
    *words: object, env: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command, running: its URI, and the process, which is ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "qcowspec", "serve", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (env or {}),
    )
    assert process.stdout is not None
    try:
        uri = process.stdout.readline().rstrip("\n")
        assert uri, process.communicate()[1]
        yield uri, process
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT)


def export(uri: str, name: str) -> str:
    """The URI of another export of the same server."""
    return uri.replace(":///", f":///{quote(name, safe='')}")


def rows(found: Sequence[tuple[int, int]]) -> Rows:
    """Ranges, joined where neighbours have the same flags."""
    joined: Rows = []
    for length, flags in found:
        if joined and joined[-1][1] == flags:
            length += joined.pop()[0]
        joined.append((length, flags))
    return joined


def by_nbd(uri: str) -> Rows:
    """What nbdinfo prints of an export's block status."""
    found = json.loads(qemu.run("nbdinfo", "--json", "--map", uri).stdout)
    return rows([(each["length"], each["type"]) for each in found])


def by_library(image: Image, snapshot: str | None) -> tuple[Rows, bytes]:
    """Block status and bytes of a disk, by the library."""
    secret = image.passphrase
    with qcowspec_open(DATA / image.name, allow="same-dir", secret=secret) as opened:
        disk = opened.disk(snapshot)
        status = [
            (int(length), (0 if flags & Flag.DATA else HOLE) | (ZERO if flags & Flag.ZERO else 0))
            for batch in block_status(disk)
            for length, flags in zip(batch.lengths, batch.flags, strict=True)
        ]
        return rows(status), disk.pread(0, disk.size)


# --- what is served -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a server of every image."""
    folder = tmp_path_factory.mktemp("nbd")
    path = folder / "socket"
    plugin = Path(__file__).with_name("every_export.py")
    line: list[str | Path] = [
        "nbdkit",
        "-f",
        "-r",
        "-U",
        path,
        "-P",
        folder / "pid",
        "python",
        plugin,
    ]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[1:])}
    process = subprocess.Popen([*line, f"folder={DATA}"], env=env)
    while not (folder / "pid").exists():
        assert process.poll() is None
    yield f"nbd+unix:///?socket={path}"
    process.terminate()
    process.wait()


@every("image", EVERY_IMAGE, ids=lambda image: image.name)
def test_every_image_is_served_as_qemu_reads_it(
    image: Image, all_exports: str, qemu_img: QemuImg
) -> None:
    uri = export(all_exports, image.name)
    theirs = [
        (each["length"], (0 if each["data"] else HOLE) | (ZERO if each["zero"] else 0))
        for each in qemu_img.map(image)
        if each["length"]
    ]
    words = ["-f", image.format, "-F", "raw", image.name, uri]
    if image.passphrase is not None:
        address = f"file.server.type=unix,file.server.path={uri.partition('socket=')[2]}"
        nbd = f"driver=raw,file.driver=nbd,{address},file.export={image.name}"
        words = [*image.open_options, nbd]

    assert by_nbd(uri) == rows(theirs)
    assert qemu_img.run("compare", "-U", *words).returncode == 0


SNAPSHOTS = [
    (image, snapshot.id_str.decode())
    for image in IMAGES
    if image.format == "qcow2"
    for snapshot in qcowspec_open(DATA / image.name).snapshots
]


@every("image, snapshot", SNAPSHOTS)
def test_every_snapshot_is_served(
    image: Image, snapshot: str, all_exports: str, tmp_path: Path
) -> None:
    uri = export(all_exports, f"{image.name}/{snapshot}")
    out = tmp_path / "disk.raw"
    out.unlink(missing_ok=True)
    qemu.run("nbdcopy", uri, out)

    assert (by_nbd(uri), out.read_bytes()) == by_library(image, snapshot)


def test_a_hidden_snapshot_is_found_by_the_name_that_is_left() -> None:
    with served(DATA / "v3-snapshots.qcow2") as (uri, _):
        listed = json.loads(qemu.run("nbdinfo", "--json", "--list", uri).stdout)["exports"]
        by_id = qemu.run("nbdinfo", "--size", export(uri, "2")).stdout
        by_name = qemu.run("nbdinfo", "--size", export(uri, "größer")).stdout

    with qcowspec_open(DATA / "v3-snapshots.qcow2") as image:
        names = [found.name.decode() for found in image.snapshots]
        size = image.disk("2").size
    assert [each["export-name"] for each in listed] == ["", *names]
    assert [each["description"] for each in listed[:2]] == ["the active state", "snapshot 1"]
    assert by_id == by_name == f"{size}\n"


def test_an_encrypted_image_needs_its_passphrase_which_nobody_else_can_read(
    tmp_path: Path,
) -> None:
    out, name = tmp_path / "disk.raw", DATA / "v3-luks.qcow2"
    with served("--secret", "env:KEY", name, env={"KEY": KEY}) as (uri, process):
        qemu.run("nbdcopy", uri, out)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        seen = [
            Path(f"/proc/{child}/{where}").read_bytes().split(b"\0")
            for child in children
            for where in ("cmdline", "environ")
        ]
    refused = command("serve", name)

    with qcowspec_open(name, secret=KEY) as image:
        assert out.read_bytes() == image.pread(0, image.size)
    assert len(seen) == 2
    assert not [word for words in seen for word in words if word.endswith(KEY.encode())]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "passphrase" in refused.stderr


def test_a_backing_file_is_opened_if_it_is_allowed(tmp_path: Path) -> None:
    overlay = DATA / "v3-backing.qcow2"
    moved = tmp_path / "moved.qcow2"
    shutil.copy(DATA / "v3-backing-base.qcow2", moved)
    refused = command("serve", overlay)

    assert (refused.returncode, "--allow same-dir" in refused.stderr) == (1, True)
    for words in (
        ("--allow", "same-dir"),
        ("--backing", f"v3-backing-base.qcow2={moved}"),
    ):
        with served(*words, overlay) as (uri, _):
            qemu.run("qemu-img", "compare", "-F", "raw", overlay, uri)
    with served("--no-backing", overlay) as (uri, _), qcowspec_open(overlay) as image:
        kinds = {flags for _, flags in by_nbd(uri)}
        assert (HOLE | ZERO) in kinds
        assert image.size == int(qemu.run("nbdinfo", "--size", uri).stdout)


# --- the server -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_is_left(number: int) -> None:
    with served(SMALL) as (uri, process):
        path = Path(uri.partition("socket=")[2])
        mode = stat.S_IMODE(path.parent.stat().st_mode)
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(number)
        out, error = process.communicate(timeout=TIMEOUT)

        assert (process.returncode, out, error, mode) == (0, "", "", 0o700)
        assert not path.parent.exists()
        assert not Path(f"/proc/{child[0]}").exists()


def test_a_killed_command_takes_its_server_along() -> None:
    with served(SMALL) as (uri, process):
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        process.wait()
        shutil.rmtree(Path(uri.partition("socket=")[2]).parent)
        for _ in range(500):
            if not Path(f"/proc/{child[0]}").exists():
                break
            qemu.run("sleep", "0.01")
        assert not Path(f"/proc/{child[0]}").exists()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_it_listens_on_loopback_if_asked() -> None:
    port = free_port()
    with served("--port", port, SMALL) as (uri, _):
        qemu.run("qemu-img", "compare", "-F", "raw", SMALL, uri)
        taken = command("serve", "--port", port, SMALL)

    assert uri == f"nbd://127.0.0.1:{port}/"
    assert (taken.returncode, "did not start" in taken.stderr) == (1, True)


def test_tls_is_nbdkits(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("alice:" + "5a" * 32 + "\n")
    with served(SMALL, "--", "--tls=require", f"--tls-psk={keys}") as (uri, _):
        plain = qemu.run("nbdinfo", uri.replace("nbds", "nbd"), check=False)
        address = uri.replace(":///", "://alice@/") + f"&tls-psk-file={keys}"
        found = qemu.run("nbdinfo", "--size", address).stdout

    assert plain.returncode != 0
    with qcowspec_open(SMALL) as image:
        assert int(found) == image.size


def test_64_clients_at_once(tmp_path: Path) -> None:
    with served(SMALL) as (uri, _):
        clients = [
            subprocess.Popen(["nbdcopy", uri, tmp_path / str(number)]) for number in range(64)
        ]
        assert [client.wait() for client in clients] == [0] * 64
    with qcowspec_open(SMALL) as image:
        disk = image.pread(0, image.size)
    assert {(tmp_path / str(number)).read_bytes() for number in range(64)} == {disk}


def requested(path: str, count: int) -> socket.socket:
    """A client that asks for bytes of the default export, and reads no answer."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.sendall(struct.pack(">I", 3))  # fixed newstyle, no zeroes
    client.sendall(b"IHAVEOPT" + struct.pack(">II", 1, 0))  # NBD_OPT_EXPORT_NAME
    for number in range(count):
        client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, number, number << 16, 1 << 16))
    return client


def test_clients_that_vanish_do_no_harm() -> None:
    with served(SMALL) as (uri, process):
        path = uri.partition("socket=")[2]
        for count in range(32):
            requested(path, count).close()
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(path)
            with suppress(OSError):
                rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        killed = subprocess.Popen(["nbdcopy", uri, "null:"])
        killed.kill()
        killed.wait()
        qemu.run("qemu-img", "compare", "-F", "raw", SMALL, uri)

        assert process.poll() is None


def test_an_export_that_is_not_there_is_an_error_and_the_server_goes_on() -> None:
    with served(SMALL) as (uri, process):
        wrong = qemu.run("nbdinfo", export(uri, "../x\u202e"), check=False)
        qemu.run("nbdinfo", uri)
        process.terminate()
        error = process.communicate()[1]

    assert wrong.returncode != 0
    assert "has no snapshot '../x\\u202e'" in error
    assert "Traceback" not in error


def test_an_image_that_changes_gives_errors(tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    shutil.copy(SMALL, image)
    with served(image) as (uri, _), served("-U", image) as (shared, _):
        os.utime(image)
        changed = qemu.run("nbdcopy", uri, "null:", check=False)
        qemu.run("nbdcopy", shared, "null:")

    assert changed.returncode != 0


# --- what is refused ------------------------------------------------------------------------------


def test_an_image_that_qemu_refuses_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    image.write_bytes(SMALL.read_bytes()[:20] + bytes(4) + SMALL.read_bytes()[24:])
    done = command("serve", image)

    assert (done.returncode, done.stdout) == (1, "")
    assert "[header/cluster-bits]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_nbdkit_refuses_is_an_error() -> None:
    done = command("serve", SMALL, "--", "--no-such-option")

    assert (done.returncode, "did not start" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((SMALL, SMALL), "one image is served"),
        ((SMALL, "--", "--pidfile=x"), "not for you to set"),
        (("-",), "name a file or a URL"),
        (("--port", "0", SMALL), "1<=x<=65535"),
    ],
)
def test_bad_usage_is_refused(words: Sequence[object], says: str) -> None:
    done = command("serve", *words)

    assert done.returncode in (1, 2)
    assert says in done.stderr


def test_without_nbdkit_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = command("serve", SMALL)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "qcowspec: nbdkit, which serves the disk, is not installed:"
        " apt install nbdkit nbdkit-plugin-python\n"
    )


def test_another_python_is_told_apart() -> None:
    plugin = "path=/x\npython_version=3.11.2\n"

    assert wrong_python(plugin, (3, 11)) is None
    assert "nbdkit runs Python 3.11" in str(wrong_python(plugin, (3, 12)))
    assert "Python 3.1:" in str(wrong_python(plugin, (3, 1)))


# --- by hand --------------------------------------------------------------------------------------


def by_hand(*words: str) -> subprocess.CompletedProcess[str]:
    """Nbdkit with the plugin's file, in the background, asked for the disk's size."""
    plugin = str(Path(__file__).parents[2] / "qcowspec/export/nbdkit_plugin.py")
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[1:])}
    line = ["nbdkit", "-U", "-", "python", plugin, *words, "--run", 'nbdinfo --size "$uri"']
    return subprocess.run(line, cwd=DATA, env=env, capture_output=True, text=True, check=False)


def test_the_plugin_is_used_by_hand() -> None:
    done = by_hand("image=v3-backing.qcow2", "allow=same-dir", "share=no")

    with qcowspec_open(DATA / "v3-backing.qcow2") as image:
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{image.size}\n", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "image=PATH is missing"),
        (("image=v3-backing.qcow2",), "which is not opened unless you allow it"),
        (("image=nope",), "no such file"),
        (("image=-",), "standard input cannot be served"),
        (("image=v3-zlib.qcow2", "share=maybe"), "share takes yes or no"),
        (("image=v3-zlib.qcow2", "colour=red"), "colour is not known; known are image"),
        (("image=v3-luks.qcow2", "secret=qcowspec"), "never as itself"),
    ],
)
def test_by_hand_what_is_wrong_is_one_sentence(words: Sequence[str], says: str) -> None:
    done = by_hand(*words)

    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
