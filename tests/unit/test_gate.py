"""What an image names is opened only where the user allows it, whatever the name looks like."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qcowspec
from qcowspec import build
from qcowspec.build import ImageSpec
from qcowspec.errors import QcowError, Refused, Unreadable
from qcowspec.sources import open_sibling
from qcowspec.sources.gate import Allow, Deny, Gate, gate_of
from qcowspec.sources.memory import Memory

PURPOSE = "backing file"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image's directory, with neighbours, links out of it, and what lies outside."""
    root = tmp_path_factory.mktemp("tree")
    for folder in ("images/sub", "outside"):
        (root / folder).mkdir(parents=True)
    for name in ("images/a.qcow2", "images/b.raw", "images/sub/c.raw", "outside/secret"):
        (root / name).write_bytes(b"x")
    (root / "images/link").symlink_to(root / "outside/secret")
    (root / "images/inner").symlink_to(root / "images/b.raw")
    (root / "images/folder").symlink_to(root / "outside")
    os.mkfifo(root / "images/pipe")
    return root


def admitted(tree: Path, name: bytes, *places: str) -> str:
    return Allow(places).admit(str(tree / "images/a.qcow2"), name, PURPOSE)


def test_nothing_is_opened_by_default(tree: Path) -> None:
    for gate in (Deny(), gate_of(None), gate_of(())):
        with pytest.raises(Refused, match=r"'b\.raw'.*--allow same-dir"):
            gate.admit(str(tree / "images/a.qcow2"), b"b.raw", PURPOSE)


@pytest.mark.parametrize("name", [b"b.raw", b"./b.raw", b"sub/../b.raw", b"file:b.raw", b"inner"])
def test_a_neighbour_is_one_however_it_is_named(tree: Path, name: bytes) -> None:
    assert admitted(tree, name, "same-dir") == str(tree / "images/b.raw")


def test_json_names_of_plain_files_are_names_of_files(tree: Path) -> None:
    name = b'json:{"driver":"raw","file":{"driver":"file","filename":"b.raw"}}'

    assert admitted(tree, name, "same-dir") == str(tree / "images/b.raw")


@pytest.mark.parametrize(
    "name",
    [b"../outside/secret", b"link", b"folder/secret", b"sub/c.raw", b"/etc/hostname", b"pipe"],
)
def test_same_dir_is_that_directory_alone(tree: Path, name: bytes) -> None:
    with pytest.raises(Refused):
        admitted(tree, name, "same-dir")


@pytest.mark.parametrize("name", [b"link", b"folder/secret", b"../outside/secret"])
def test_no_link_and_no_dots_lead_out_of_an_allowed_directory(tree: Path, name: bytes) -> None:
    with pytest.raises(Refused, match="outside of what you allow"):
        admitted(tree, name, str(tree / "images"))
    assert admitted(tree, name, str(tree / "outside")) == str(tree / "outside/secret")


@pytest.mark.parametrize(
    "name",
    [
        b"nbd://host/export",
        b"http://host/image",
        b"rbd:pool/image",
        b"json:{}",
        b"json:{",
        b'json:{"driver":"nbd","filename":"b.raw"}',
        b'json:{"file":{"driver":"http","filename":"b.raw"}}',
        b"a\0b",
    ],
)
def test_other_protocols_are_refused_whatever_is_allowed(tree: Path, name: bytes) -> None:
    with pytest.raises(Refused):
        admitted(tree, name, "any")


def test_a_file_that_is_not_there_is_unreadable(tree: Path) -> None:
    with pytest.raises(Unreadable, match="no such file"):
        admitted(tree, b"missing", "same-dir")


# --- What a refusal advises -----------------------------------------------------------------------


def advice(tree: Path, gate: Gate, name: bytes) -> str:
    with pytest.raises(Refused) as caught:
        gate.admit(str(tree / "images/a.qcow2"), name, PURPOSE)
    return caught.value.message.partition(", ")[2]


def test_a_file_outside_is_allowed_by_its_directory(tree: Path) -> None:
    outside = tree / "outside"

    assert advice(tree, Allow(["same-dir"]), b"link") == (
        f"which is '{outside}/secret', outside of what you allow (--allow {outside} or --allow any)"
    )


@pytest.mark.parametrize("gate", [Allow(["same-dir"]), Allow(["any"])], ids=["same-dir", "any"])
def test_what_no_option_allows_comes_without_advice(tree: Path, gate: Gate) -> None:
    assert advice(tree, gate, b"pipe") == "which is not a regular file"


@pytest.mark.parametrize("gate", [Deny(), Allow(["any"])], ids=["none", "any"])
def test_a_name_for_a_protocol_comes_without_advice(tree: Path, gate: Gate) -> None:
    assert advice(tree, gate, b"rbd:pool/image") == "which is not a file on this machine"


def test_of_a_block_device_only_any_is_advised(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = os.stat_result((stat.S_IFBLK, *[0] * 9))
    monkeypatch.setattr("qcowspec.sources.gate.os.stat", lambda path: device)

    assert advice(tree, Allow(["same-dir"]), b"b.raw") == "which is a block device (--allow any)"
    assert admitted(tree, b"b.raw", "any") == str(tree / "images/b.raw")


def test_to_one_who_allows_any_it_is_not_advised(tree: Path) -> None:
    with pytest.raises(Refused, match=r"outside of what you allow \(--allow URL\)$"):
        on_server(b"https://elsewhere/b.raw", "any")


# --- Images on a server ---------------------------------------------------------------------------

IMAGE = "https://host/a/b/disk.qcow2"


def on_server(name: bytes, *places: str, image: str = IMAGE) -> str:
    return Allow(places).admit(image, name, PURPOSE)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        (b"base.raw", "https://host/a/b/base.raw"),
        (b"./base.raw", "https://host/a/b/base.raw"),
        (b"../b/base.raw", "https://host/a/b/base.raw"),
        (b"https://host/a/b/base.raw", "https://host/a/b/base.raw"),
        (b"HTTPS://HOST:443/a/b/base.raw", "https://host/a/b/base.raw"),
    ],
)
def test_a_neighbour_on_a_server_is_one_however_it_is_named(name: bytes, there: str) -> None:
    for place in ("same-dir", "any", "https://host/a/", "https://host/a/b"):
        assert on_server(name, place) == there


@pytest.mark.parametrize(
    "name",
    [
        b"../base.raw",
        b"c/base.raw",
        b"../../../../a/base.raw",
        b"https://host:8443/a/b/base.raw",
        b"http://host/a/b/base.raw",
        b"https://other/a/b/base.raw",
        b"https://user@host/a/b/base.raw",
        b"https://host@other/a/b/base.raw",
        b"//other/a/b/base.raw",
        b"/etc/passwd",
        b"file:/etc/passwd",
        b"file:base.raw",
        b"file:///etc/passwd",
        b"local:///etc/passwd",
        b'json:{"driver":"file","filename":"/etc/passwd"}',
        b"nbd:localhost:10809",
        b"simplecache::file:///etc/passwd",
        b"%2e%2e/base.raw",
        b"..%2fbase.raw",
        b"..\\base.raw",
        b"base.raw?x=/../..",
        b"base.raw#x",
        b"base\n.raw",
        b"\xff",
        b"",
    ],
)
def test_same_dir_of_a_server_is_that_directory_alone(name: bytes) -> None:
    with pytest.raises(QcowError):
        on_server(name, "same-dir")


def test_any_of_a_server_is_that_server_and_this_machine() -> None:
    assert on_server(b"../../x.raw", "any") == "https://host/x.raw"
    assert on_server(b"/etc/hostname", "any") == os.path.realpath("/etc/hostname")
    for name in (b"https://other/x.raw", b"nbd://host/x", b"file:x.raw"):
        with pytest.raises(Refused):
            on_server(name, "any")


def test_a_local_file_is_opened_for_an_image_on_a_server_where_its_directory_is_allowed(
    tree: Path,
) -> None:
    name = os.fsencode(tree / "images/b.raw")

    assert on_server(name, str(tree / "images")) == str(tree / "images/b.raw")
    with pytest.raises(Refused):
        on_server(name, str(tree / "outside"))


def test_colons_in_a_path_make_no_url_of_it(tmp_path: Path) -> None:
    (tmp_path / "a::b").mkdir()
    (tmp_path / "a::b" / "base.raw").write_bytes(b"x")
    image = str(tmp_path / "a::b" / "disk.qcow2")

    assert on_server(b"base.raw", "same-dir", image=image) == str(tmp_path / "a::b" / "base.raw")


def test_a_url_may_be_allowed_to_an_image_of_this_machine(tree: Path) -> None:
    there = b"https://host/a/base.raw"

    assert admitted(tree, there, "https://host/a/") == there.decode()
    for place in ("same-dir", "any", "https://host/b/", "http://host/a/"):
        with pytest.raises(Refused):
            admitted(tree, there, place)


PIECES = st.sampled_from(
    [
        "..",
        ".",
        "images",
        "outside",
        "secret",
        "link",
        "folder",
        "sub",
        "c.raw",
        "b.raw",
        "",
        "file:",
    ]
)


@given(pieces=st.lists(PIECES, max_size=6), absolute=st.booleans())
def test_no_name_whatsoever_leads_out(tree: Path, pieces: list[str], absolute: bool) -> None:
    name = "/".join(pieces)
    name = f"{tree}/{name}" if absolute else name
    try:
        path = admitted(tree, name.encode(), str(tree / "images"))
    except QcowError:
        return

    assert os.path.realpath(path).startswith(f"{tree}/images/")


class Swapped:
    """A gate after whose judgement somebody puts a link in the place of a directory."""

    def __init__(self, folder: Path, other: Path) -> None:
        self.folder, self.other = folder, other

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """Judge, and then swap."""
        path = Allow([str(self.folder.parent)]).admit(image, name, purpose)
        self.folder.rename(self.folder.with_name("away"))
        self.folder.symlink_to(self.other)
        return path


def test_a_directory_that_is_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    for folder in ("images/sub", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "images/sub/base").write_bytes(b"allowed".ljust(512))
    (tmp_path / "outside/base").write_bytes(b"secret".ljust(512))
    spec = ImageSpec(size=1 << 16, backing_name=b"sub/base", backing_format=b"raw")
    image = tmp_path / "images/a.qcow2"
    image.write_bytes(build.image(spec))
    with qcowspec.open(image, allow=str(tmp_path / "images")) as opened:
        assert opened.pread(0, 7) == b"allowed"

    gate = Swapped(tmp_path / "images/sub", tmp_path / "outside")
    with qcowspec.open(image, allow=gate) as opened, pytest.raises(QcowError):
        opened.pread(0, 7)


# --- Races ----------------------------------------------------------------------------------------

OPENS, SECONDS = 2000, 4.0
"""How often a file is opened while it is swapped, at least; and how long to go on, at most, until
it was opened once and refused once."""


def swap_folder(root: Path) -> None:
    """Put a link to the outside in a directory's place, and take it away again."""
    (root / "images/sub").rename(root / "images/away")
    (root / "images/sub").symlink_to(root / "outside")
    (root / "images/sub").unlink()
    (root / "images/away").rename(root / "images/sub")


def swap_upper_folder(root: Path) -> None:
    """The same with a directory above it, within which the same names lead to the outside."""
    (root / "images").rename(root / "away")
    (root / "images").symlink_to(root / "mirror")
    (root / "images").unlink()
    (root / "away").rename(root / "images")


def swap_file(root: Path) -> None:
    """Put a link to the outside in the file's place, and the file back, with nothing between."""
    base, link = root / "images/sub/base", root / "images/sub/link"
    kept = root / "images/sub/kept"
    link.symlink_to(root / "outside/base")
    os.link(base, kept)
    link.replace(base)
    kept.replace(base)


@pytest.mark.parametrize("swap", [swap_folder, swap_upper_folder, swap_file])
def test_while_links_come_and_go_no_byte_of_the_outside_is_read(
    swap: Callable[[Path], None], tmp_path: Path
) -> None:
    for folder in ("images/sub", "outside", "mirror"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mirror/sub").symlink_to(tmp_path / "outside")
    (tmp_path / "images/sub/base").write_bytes(b"allowed")
    (tmp_path / "outside/base").write_bytes(b"secret!")
    image, gate = str(tmp_path / "images/a.qcow2"), Allow([str(tmp_path / "images")])
    over = threading.Event()

    def swapping() -> None:
        while not over.is_set():
            swap(tmp_path)

    swapper = threading.Thread(target=swapping)
    swapper.start()
    seen: Counter[bytes] = Counter()
    end = time.monotonic() + SECONDS
    try:
        while seen.total() < OPENS or (len(seen) < 2 and time.monotonic() < end):
            try:
                source = open_sibling(Memory(b""), gate.admit(image, b"sub/base", PURPOSE))
            except QcowError:
                seen[b""] += 1
                continue
            seen[source.read_at(0, 7)] += 1
            source.close()
    finally:
        over.set()
        swapper.join()

    assert set(seen) <= {b"allowed", b""}


def test_a_link_in_the_place_of_the_image_does_not_move_same_dir(tmp_path: Path) -> None:
    for folder in ("images", "outside"):
        (tmp_path / folder).mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret".ljust(512))
    (tmp_path / "images/base").symlink_to(tmp_path / "outside/secret")
    path = tmp_path / "images/a.qcow2"
    spec = ImageSpec(size=1 << 16, backing_name=b"base", backing_format=b"raw")
    path.write_bytes(build.image(spec))

    with qcowspec.open(path, allow="same-dir") as image:
        path.unlink()
        path.symlink_to(tmp_path / "outside/anything")
        with pytest.raises(Refused):
            image.pread(0, 6)
