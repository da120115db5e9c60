"""Results are written where the user meant, and what was there loses nothing but its bytes."""

from __future__ import annotations

import os
import pty
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import qcowspec
from qcowspec.transfer.convert import convert
from qcowspec.transfer.files import write_bytes
from qcowspec.transfer.output import SparseFile
from qcowspec.transfer.places import Unwritable
from tests.command import run_bytes as run

SIZE = 3 << 20
SOMEBODY = 65534
"""A user who is not root."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
ways = pytest.mark.parametrize("way", [[], ["--resume"]], ids=["plain", "resume"])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose disk is noise, a hole, noise, and a hole at the end."""
    path = tmp_path_factory.mktemp("images") / "disk.qcow2"
    spec = f"{{size: {SIZE}, writes: [{{at: 0, noise: 1, length: 1M}}, {ISLAND}]}}"
    done = process("build", "-", "-o", path, given=spec.encode())
    assert done.returncode == 0, done.stderr
    return path


ISLAND = "{at: 2101248, noise: 2, length: 5000}"


@pytest.fixture(scope="module")
def disk(image: Path) -> bytes:
    with qcowspec.open(image) as opened:
        return opened.pread(0, SIZE)


@pytest.fixture(scope="module")
def broken(image: Path) -> Path:
    """An image whose first L1 entry is noise."""
    path = image.with_name("broken.qcow2")
    data = bytearray(image.read_bytes())
    (l1,) = struct.unpack_from(">Q", data, 40)
    struct.pack_into(">Q", data, l1, (1 << 63) + 0x1200)
    path.write_bytes(data)
    return path


def process(
    *words: object, given: bytes = b"", stdout: int = subprocess.PIPE, fds: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, as its streams or descriptors count."""
    command = [sys.executable, "-m", "qcowspec", *map(str, words)]
    return subprocess.run(
        command,
        input=given,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        pass_fds=fds,
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# --- files ----------------------------------------------------------------------------------------


@ways
def test_a_link_stays_and_its_file_is_written(
    image: Path, disk: bytes, tmp_path: Path, way: list[str]
) -> None:
    big, small = tmp_path / "big", tmp_path / "small"
    big.mkdir()
    small.mkdir()
    (big / "out.raw").write_bytes(b"old")
    (big / "out.raw").chmod(0o600)
    (small / "out.raw").symlink_to("../small/next")
    (small / "next").symlink_to("../big/out.raw")

    done = run("convert", *way, image, small / "out.raw")

    assert (done.returncode, done.stderr) == (0, b"")
    assert (small / "out.raw").readlink() == Path("../small/next")
    assert (big / "out.raw").read_bytes() == disk
    assert mode(big / "out.raw") == 0o600
    assert (os.listdir(big), sorted(os.listdir(small))) == (["out.raw"], ["next", "out.raw"])


@ways
def test_a_link_to_nothing_is_written_through(
    image: Path, disk: bytes, tmp_path: Path, way: list[str]
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out").symlink_to("there/new")

    assert run("convert", *way, image, tmp_path / "out").returncode == 0

    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "there" / "new").read_bytes() == disk


@ways
def test_a_file_keeps_its_mode_and_hard_links(
    image: Path, disk: bytes, tmp_path: Path, way: list[str]
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.write_bytes(b"x" * (SIZE + 5))
    out.chmod(0o640)
    os.link(out, other)

    assert run("convert", *way, image, out).returncode == 0

    assert out.samefile(other)
    assert (other.read_bytes() == disk, mode(out)) == (True, 0o640)
    assert sorted(os.listdir(tmp_path)) == ["other", "out"]
    assert out.stat().st_blocks * 512 < 2 << 20, "holes are holes"


@ways
def test_a_file_keeps_its_access_control_list_and_attributes(
    image: Path, disk: bytes, tmp_path: Path, way: list[str]
) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    listed = access_list(user=SOMEBODY)
    set_attribute(out, "user.note", b"keep")
    set_attribute(out, "system.posix_acl_access", listed)
    had = mode(out)

    assert run("convert", *way, image, out).returncode == 0

    assert os.getxattr(out, "user.note") == b"keep"
    assert os.getxattr(out, "system.posix_acl_access") == listed
    assert (mode(out), out.read_bytes() == disk) == (had, True)


def set_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no {name} on this file system: {error}")


def access_list(user: int) -> bytes:
    """A POSIX access control list, as Linux keeps it: one user may read and write besides."""
    nobody = 0xFFFFFFFF
    rows = [(1, 6, nobody), (2, 6, user), (4, 4, nobody), (0x10, 6, nobody), (0x20, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)


@as_root
@ways
def test_a_file_keeps_its_owner(image: Path, tmp_path: Path, way: list[str]) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    out.chmod(0o600)
    os.chown(out, SOMEBODY, SOMEBODY)

    assert run("convert", *way, image, out).returncode == 0

    found = out.stat()
    assert (found.st_uid, found.st_gid, mode(out)) == (SOMEBODY, SOMEBODY, 0o600)
    assert found.st_size == SIZE


@pytest.mark.parametrize("resume", [None, {}], ids=["plain", "resume"])
@pytest.mark.parametrize("had", [None, 0o600, 0o644])
def test_nobody_else_reads_it_while_it_is_written(
    image: Path, tmp_path: Path, had: int | None, resume: dict[str, str] | None
) -> None:
    out = tmp_path / "out"
    if had is not None:
        out.write_bytes(b"old")
        out.chmod(had)
    seen: set[int] = set()

    def progress(count: int) -> None:
        seen.update(mode(path) for path in tmp_path.iterdir() if path != out)

    mask = os.umask(0o022)
    try:
        with qcowspec.open(image) as opened:
            convert(opened.disk(), str(out), threads=1, progress=progress, resume=resume)
    finally:
        os.umask(mask)

    assert (seen, mode(out)) == ({0o600}, had or 0o644)


def test_a_new_file_gets_the_mode_of_any_new_file(tmp_path: Path) -> None:
    nobody = 0xFFFFFFFF
    rows = [(1, 7, nobody), (2, 7, SOMEBODY), (4, 5, nobody), (0x10, 7, nobody), (0x20, 0, nobody)]
    default = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)
    set_attribute(tmp_path, "system.posix_acl_default", default)
    (tmp_path / "any").write_bytes(b"")

    write_bytes(str(tmp_path / "out"), b"bytes")

    acl = "system.posix_acl_access"
    assert mode(tmp_path / "out") == mode(tmp_path / "any")
    assert os.getxattr(tmp_path / "out", acl) == os.getxattr(tmp_path / "any", acl)


@pytest.mark.parametrize("links", [1, 2])
def test_what_was_there_stays_when_the_image_cannot_be_read(
    broken: Path, tmp_path: Path, links: int
) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    for number in range(1, links):
        os.link(out, tmp_path / f"link{number}")

    assert run("convert", broken, out).returncode == 1

    assert out.read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == links


def test_a_name_as_long_as_can_be_is_written(image: Path, disk: bytes, tmp_path: Path) -> None:
    out = tmp_path / ("é" * 127)

    assert run("convert", image, out).returncode == 0

    assert out.read_bytes() == disk


@contextmanager
def folder_of_all() -> Iterator[Path]:
    """A folder that every user may enter and write."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)  # noqa: S103 - that is what it is for
        yield Path(name)


@contextmanager
def somebody() -> Iterator[None]:
    """This process as a user who is not root."""
    os.setegid(SOMEBODY)
    os.seteuid(SOMEBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@as_root
def test_a_file_of_somebody_else_is_written_in_place() -> None:
    with folder_of_all() as folder:
        out = folder / "out"
        out.write_bytes(b"old")
        out.chmod(0o666)
        inode = out.stat().st_ino

        with somebody():
            write_bytes(str(out), b"new")

        found = out.stat()
        assert (out.read_bytes(), found.st_uid, found.st_ino) == (b"new", 0, inode)
        assert os.listdir(folder) == ["out"]


@as_root
def test_where_no_file_can_be_made_one_is_written_in_place_and_emptied_on_an_error() -> None:
    with folder_of_all() as folder:
        out = folder / "out"
        out.write_bytes(b"old")
        out.chmod(0o666)
        folder.chmod(0o755)
        with somebody():
            write_bytes(str(out), b"new")
            assert out.read_bytes() == b"new"

            with SparseFile(str(out), 1 << 20) as file:
                file.write(0, memoryview(b"half of it"))
            assert out.read_bytes() == b""

            with pytest.raises(Unwritable, match="permission denied"):
                write_bytes(str(folder / "new"), b"new")
        assert os.listdir(folder) == ["out"]


@as_root
def test_a_file_that_must_not_be_written_is_not_replaced() -> None:
    with folder_of_all() as folder, somebody():
        out = folder / "out"
        out.write_bytes(b"old")
        out.chmod(0o400)

        with pytest.raises(Unwritable, match="permission denied"):
            write_bytes(str(out), b"new")

        assert out.read_bytes() == b"old"


@as_root
def test_a_link_that_somebody_put_into_a_folder_open_to_all_is_not_followed(
    image: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    with folder_of_all() as folder:
        folder.chmod(0o1777)
        out = folder / "out"
        out.symlink_to(precious)
        os.chown(out, SOMEBODY, SOMEBODY, follow_symlinks=False)

        assert run("convert", image, out).returncode == 1

    assert precious.read_bytes() == b"precious"


@contextmanager
def mounted(place: Path, *words: str) -> Iterator[None]:
    """Something mounted at a place, where this process may do that."""
    done = subprocess.run(["mount", *words, str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted: {done.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@as_root
def test_a_full_disk_leaves_what_was_there_and_loses_no_result(
    image: Path, disk: bytes, tmp_path: Path
) -> None:
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=2m", "none"):
        out = tmp_path / "out"
        out.write_bytes(b"old" * 100)
        os.link(out, tmp_path / "other")

        done = run("convert", image, out)

        assert (done.returncode, out.read_bytes()) == (1, b"old" * 100)
        (kept,) = tmp_path.glob("out.*.partial")
        assert f"no space left on device; all of the result is in {kept}" in done.stderr.decode()
        assert (kept.read_bytes() == disk, mode(kept)) == (True, 0o600)

        kept.unlink()
        (tmp_path / "filler").write_bytes(bytes(1 << 20))
        done = run("convert", image, tmp_path / "another")

        assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
        assert b"another: cannot be written: no space left on device" in done.stderr
        assert sorted(os.listdir(tmp_path)) == ["filler", "other", "out"]


@as_root
def test_a_file_that_is_a_mount_point_is_written_in_place(
    image: Path, disk: bytes, tmp_path: Path
) -> None:
    out, source = tmp_path / "out", tmp_path / "source"
    out.write_bytes(b"")
    source.write_bytes(b"old")
    with mounted(out, "--bind", str(source)):
        assert run("convert", image, out).returncode == 0

    assert source.read_bytes() == disk
    assert sorted(os.listdir(tmp_path)) == ["out", "source"]


def test_a_partial_file_that_others_could_read_is_private_from_then_on(
    image: Path, tmp_path: Path
) -> None:
    partial, out = tmp_path / "out.partial", tmp_path / "out"
    partial.write_bytes(b"of an older version")
    partial.chmod(0o644)
    seen = set()

    with qcowspec.open(image) as opened:
        convert(opened.disk(), str(out), progress=lambda count: seen.add(mode(partial)), resume={})

    assert seen == {0o600}


# --- what is no file ------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize(
    "kind", ["folder", "socket", "loop", "nowhere", "no such device", "system"]
)
def test_what_cannot_be_written_is_a_sentence(
    image: Path, tmp_path: Path, way: list[str], kind: str
) -> None:
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(out))
        server.close()
    elif kind == "loop":
        out.symlink_to("out")
    elif kind == "nowhere":
        out = tmp_path / "nowhere" / "out"
    elif kind == "no such device":
        out = Path("/dev/no-such-device")
    else:
        out = Path("/proc/self/comm")

    done = run("convert", *way, image, out)

    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(f"qcowspec: {out}: cannot be written: ".encode())
    if kind == "no such device" and os.path.lexists(out):
        out.unlink()
        pytest.fail("a file was made in /dev")
    assert len(os.listdir(tmp_path)) == (
        0 if kind in {"nowhere", "no such device", "system"} else 1
    )


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """A folder such as /dev, which a fault may destroy: root could replace the devices of /dev."""
    folder = tmp_path / "dev"
    folder.mkdir()
    (folder / "stdout").symlink_to("/proc/self/fd/1")
    for name in ("null", "full"):
        device = os.lstat(f"/dev/{name}")
        if os.geteuid() == 0:
            os.mknod(folder / name, device.st_mode, device.st_rdev)
        else:
            (folder / name).symlink_to(f"/dev/{name}")
    return folder


@pytest.mark.parametrize("name", ["null", "full"])
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
@ways
def test_a_device_is_never_replaced(
    image: Path, devices: Path, name: str, linked: bool, way: list[str]
) -> None:
    device = devices / name
    before, listed = device.stat(), os.listdir(devices)
    out = device
    if linked:
        out = devices.with_name("out")
        out.symlink_to(device)

    done = run("convert", *way, image, out)

    after = device.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert os.listdir(devices) == listed
    assert done.returncode == (0 if name == "null" and not way else 1)
    if name == "full" and not way:
        assert done.stderr.endswith(b"cannot be written: no space left on device\n")


@pytest.fixture
def stdout_name(devices: Path, request: pytest.FixtureRequest) -> str:
    """A name of standard output."""
    name = str(request.param)
    return str(devices / "stdout") if name == "link" else name


names = pytest.mark.parametrize(
    "stdout_name", ["-", "link", "/dev/fd/1", "/proc/self/fd/1"], indirect=True
)


def test_a_pipe_by_name_gets_the_bytes_in_order(image: Path, disk: bytes, tmp_path: Path) -> None:
    out = tmp_path / "pipe"
    os.mkfifo(out)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(out.read_bytes()), daemon=True)
    reader.start()

    assert run("convert", image, out).returncode == 0

    reader.join(10)
    assert got == [disk]
    assert stat.S_ISFIFO(out.lstat().st_mode)


def test_a_pipe_is_not_resumed(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "pipe"
    os.mkfifo(out)

    done = run("convert", "--resume", image, out)

    assert (done.returncode, os.listdir(tmp_path)) == (1, ["pipe"])
    assert done.stderr.endswith(b"only a regular file can be resumed\n")


@names
def test_standard_output_gets_the_bytes_in_order(
    image: Path, disk: bytes, stdout_name: str
) -> None:
    done = process("convert", image, stdout_name)

    assert (done.returncode, done.stderr, done.stdout == disk) == (0, b"", True)


@names
def test_standard_output_that_is_a_file_is_gone_on_with(
    image: Path, disk: bytes, tmp_path: Path, stdout_name: str
) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        file.write(b"before")
        file.flush()
        inode = out.stat().st_ino
        assert process("convert", image, stdout_name, stdout=file.fileno()).returncode == 0
        file.seek(0, os.SEEK_END)
        file.write(b"after")

    assert out.read_bytes() == b"before" + disk + b"after"
    assert out.stat().st_ino == inode


def test_another_descriptor_gets_the_bytes(image: Path, disk: bytes, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        number = file.fileno()
        done = process("convert", image, f"/dev/fd/{number}", fds=(number,))

    assert (done.returncode, (tmp_path / "out").read_bytes() == disk) == (0, True)
    assert process("convert", image, "/dev/fd/99").returncode == 1


def test_a_terminal_gets_no_disk(image: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = process("convert", image, "-", stdout=theirs)
        again = process("build", "-", "-o", "-", given=b"{}", stdout=theirs)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (done.returncode, again.returncode) == (1, 2)
    for each in (done, again):
        assert each.stderr.startswith(b"qcowspec: -: cannot be written: standard output is a term")


@pytest.mark.parametrize("words", [["convert", "IMAGE", "-"], ["build", "-", "-o", "-"]])
def test_standard_output_that_is_full_or_closed_is_an_error(image: Path, words: list[str]) -> None:
    given = b"{size: 1M, writes: [{at: 0, fill: 1, length: 1M}]}"
    words = [str(image) if word == "IMAGE" else word for word in words]
    with open("/dev/full", "wb") as full:
        done = process(*words, given=given, stdout=full.fileno())
    command = f'exec "$0" -m qcowspec {" ".join(words)} >&-'
    closed = subprocess.run(
        ["sh", "-c", command, sys.executable], input=given, capture_output=True, check=False
    )

    status = 1 if words[0] == "convert" else 2
    assert (done.returncode, closed.returncode) == (status, status)
    assert done.stderr == b"qcowspec: -: cannot be written: no space left on device\n"
    assert closed.stderr == b"qcowspec: -: cannot be written: bad file descriptor\n"


def test_a_reader_that_has_seen_enough_ends_it_without_a_word(image: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "qcowspec", "convert", str(image), "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.read(10)
    running.stdout.close()

    assert (running.stderr.read(), running.wait(30)) == (b"", -13)


def test_standard_output_is_not_resumed(image: Path, tmp_path: Path) -> None:
    done = process("convert", "--resume", image, "-")

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Usage: ")


@as_root
def test_a_block_device_gets_all_bytes_and_must_be_large_enough(
    image: Path, disk: bytes, tmp_path: Path
) -> None:
    backing = tmp_path / "device"
    backing.write_bytes(b"\xff" * (SIZE + (1 << 20)))
    attached = subprocess.run(
        ["losetup", "--show", "-f", str(backing)], capture_output=True, text=True, check=False
    )
    if attached.returncode:
        pytest.skip(f"there is no loop device: {attached.stderr}")
    device = attached.stdout.strip()
    try:
        done = run("convert", image, device)
        same = run("convert", "-f", "raw", device, device)
        large = tmp_path / "large"
        large.write_bytes(bytes(SIZE * 2))
        fails = run("convert", "-f", "raw", large, device)
        assert stat.S_ISBLK(os.lstat(device).st_mode)
    finally:
        subprocess.run(["losetup", "-d", device], check=True)

    assert (done.returncode, same.returncode) == (0, 2)
    assert backing.read_bytes()[:SIZE] == disk
    assert backing.read_bytes()[SIZE:] == b"\xff" * (1 << 20)
    assert (fails.returncode, b"the device has 4194304 bytes" in fails.stderr) == (1, True)


# --- inputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["link", "hard", "./disk.qcow2", "/dev/fd/3", "-"])
@ways
def test_an_input_is_not_written(image: Path, tmp_path: Path, name: str, way: list[str]) -> None:
    copy = tmp_path / "disk.qcow2"
    copy.write_bytes(image.read_bytes())
    (tmp_path / "link").symlink_to("disk.qcow2")
    os.link(copy, tmp_path / "hard")
    with copy.open("ab") as file:
        stdout, out = subprocess.PIPE, name
        if name == "-":
            stdout = file.fileno()
        elif name.startswith("/dev"):
            out = f"/dev/fd/{file.fileno()}"
        else:
            out = str(tmp_path / name)

        done = process("convert", *way, copy, out, stdout=stdout, fds=(file.fileno(),))

    assert (done.returncode, copy.read_bytes() == image.read_bytes()) == (2, True)


def test_build_does_not_write_what_it_reads(tmp_path: Path, image: Path) -> None:
    spec, base = tmp_path / "spec.yaml", tmp_path / "base.qcow2"
    base.write_bytes(image.read_bytes())
    spec.write_text(f"{{base: {{file: {base}}}, patch: []}}")
    words = spec.read_bytes()

    assert run("build", spec, "-o", base).returncode == 2
    assert run("build", spec, "-o", spec).returncode == 2

    assert (spec.read_bytes(), base.read_bytes() == image.read_bytes()) == (words, True)


def test_build_does_not_write_two_files_into_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = b"{size: 8K, data_file: d.raw, writes: [{at: 4K, text: hi}]}"

    for path in (out, f"{tmp_path}/./out"):
        assert process("build", "-", "-o", out, "--data-file", path, given=spec).returncode == 2
    assert process("build", "-", "-o", "-", "--data-file", "-", given=spec).returncode == 2

    assert not out.exists()


# --- the other commands ---------------------------------------------------------------------------


@names
def test_build_writes_the_image_to_standard_output_and_words_elsewhere(
    tmp_path: Path, stdout_name: str
) -> None:
    spec = b"{size: 1M, writes: [{at: 64K, text: hello}, {at: 0, fill: 7, length: 5000}]}"
    assert process("build", "-", "-o", tmp_path / "file", given=spec).returncode == 0

    done = process("build", "-", "-o", stdout_name, given=spec)

    assert (done.returncode, done.stdout == (tmp_path / "file").read_bytes()) == (0, True)
    assert done.stderr.startswith(f"{stdout_name}: ".encode())


def test_build_with_an_original_writes_it_in_order(image: Path, tmp_path: Path) -> None:
    dump = run("dump", "--json", "--tables", image).stdout

    done = process("build", "-", "--data-from", image, "-o", "-", given=dump)

    assert (done.returncode, done.stdout == image.read_bytes()) == (0, True)


def test_build_keeps_links_and_modes(tmp_path: Path) -> None:
    out, data = tmp_path / "out", tmp_path / "data"
    for path in (out, data):
        path.write_bytes(b"old")
        path.chmod(0o600)
        path.with_suffix(".link").symlink_to(path.name)
    os.link(out, tmp_path / "hard")
    spec = b"{size: 8K, data_file: d.raw, writes: [{at: 4K, text: hi}]}"

    done = process("build", "-", "-o", f"{out}.link", "--data-file", f"{data}.link", given=spec)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (mode(out), mode(data), out.samefile(tmp_path / "hard")) == (0o600, 0o600, True)
    assert out.read_bytes()[:3] == b"QFI"
    assert data.read_bytes()[4096:4098] == b"hi"
    assert (tmp_path / "out.link").is_symlink()


def test_mutate_keeps_the_link_of_a_manifest(image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mutants"
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"old")
    (tmp_path / "elsewhere").chmod(0o600)
    (folder / "manifest.json").symlink_to("../elsewhere")

    done = run("mutate", image, "-n", 1, "-o", folder, "--rule", "header/cluster-bits")

    assert (done.returncode, mode(tmp_path / "elsewhere")) == (0, 0o600)
    assert (folder / "manifest.json").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes().startswith(b"{")
    assert len(os.listdir(folder)) == 2


def test_mutate_does_not_write_the_images_that_it_reads(image: Path, tmp_path: Path) -> None:
    seed, folder = tmp_path / "seed.qcow2", tmp_path / "mutants"
    seed.write_bytes(image.read_bytes())
    folder.mkdir()
    (folder / "seed-000000.qcow2").symlink_to("../seed.qcow2")

    done = run("mutate", seed, "-n", 1, "-o", folder)

    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert seed.read_bytes() == image.read_bytes()
