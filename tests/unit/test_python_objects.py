"""Objects of the library print as what they are, close themselves, and refuse wrong arguments."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qcowspec
from qcowspec import build
from qcowspec.build import ImageSpec
from qcowspec.raw import RawImage
from tools.make_test_data import DATA

SNAPSHOTS, BITMAPS = DATA / "v3-snapshots.qcow2", DATA / "v3-bitmaps.qcow2"


# --- repr -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("v3-snapshots.qcow2", "<Image qcow2 v3, 9 MiB, 4 snapshots>"),
        ("v3-bitmaps.qcow2", "<Image qcow2 v3, 64 MiB, 4 bitmaps>"),
        ("v3-luks.qcow2", "<Image qcow2 v3, 1 MiB, encrypted, 1 snapshot>"),
        ("v2-64k.qcow2", "<Image qcow2 v2, 8 MiB>"),
        ("v1-plain.qcow", "<Image qcow v1, 5.001 MiB>"),
    ],
)
def test_an_image_prints_as_what_it_is(name: str, says: str) -> None:
    with qcowspec.open(DATA / name) as image:
        assert repr(image) == says
    assert repr(image) == f"{says[:-1]}, closed>"


def test_what_an_image_holds_prints_as_what_it_is() -> None:
    with qcowspec.open(SNAPSHOTS) as image:
        assert repr(image.header) == "<HeaderV3 of version 3, 9 MiB disk>"
        assert repr(image.snapshots[0]) == "<Snapshot '1' 'before the update'>"
        assert repr(image.l1_table) == "<Table l1_table at 0x9000, 5 entries>"
        assert repr(image.disk()) == "<Disk 9 MiB, 1 layer open>"
        assert repr(image.reader()) == "<DiskReader 9 MiB>"
        assert repr(image.source) == f"<LocalFile of {SNAPSHOTS.stat().st_size:,} bytes>"
    with qcowspec.open(BITMAPS) as image:
        assert repr(image.bitmaps[0]) == "<Bitmap 'daily', 4 KiB a bit>"
        assert repr(image.extensions[0]) == "<Extension Bitmaps extension 0x23852875, 24 bytes>"
    with RawImage(SNAPSHOTS) as raw:
        assert repr(raw) == "<RawImage 96 KiB>"


def test_many_snapshots_print_as_few() -> None:
    count = 3000
    many = tuple(build.Snapshot(name=b"x" * 900) for _ in range(count))
    spec = ImageSpec(version=3, snapshots=many)
    with qcowspec.lay_open(build.image(spec)) as image:
        shown = repr(image.snapshots)

    assert len(shown) < 500
    assert shown.endswith(f"… {count:,} in all]")


def test_an_image_of_which_nothing_can_be_read_prints_too() -> None:
    with qcowspec.lay_open(b"QFI\xfb\0\0\0\3" + b"\xff" * 200) as image:
        assert repr(image).startswith("<Image qcow2 v3, ")


def test_an_awaited_image_prints_as_what_it_is() -> None:
    async def shown() -> tuple[str, str]:
        async with qcowspec.aopen(SNAPSHOTS) as image:
            return repr(image), repr(await image.disk())

    assert asyncio.run(shown()) == (
        "<AsyncImage qcow2 v3, 9 MiB, 4 snapshots>",
        "<AsyncDisk 9 MiB, 1 layer open>",
    )


def test_no_secret_is_printed(tmp_path: Path) -> None:
    """Neither a passphrase nor a name, which may have one in it."""
    path, key = tmp_path / "pass=hunter2", "qcowspec"
    path.write_bytes((DATA / "v3-luks.qcow2").read_bytes())
    with qcowspec.open(path, secret=key) as image:
        disk = image.disk()
        objects = [image, disk, disk.layers[0], image.source, image.header, image.reader()]
        shown = "".join(map(repr, [*objects, image.extensions, image.snapshots, image.l1_table]))

    assert "qcowspec" not in shown
    assert "hunter2" not in shown


# --- names ----------------------------------------------------------------------------------------


def test_names_are_text_beside_the_bytes_and_are_taken_back() -> None:
    with qcowspec.open(SNAPSHOTS) as image:
        assert [each.name_text for each in image.snapshots][:3] == [
            "before the update", "größer", "スナップショット",
        ]  # fmt: skip
        for each in image.snapshots:
            assert os.fsencode(each.name_text) == each.name
            assert image.snapshot(each.id_text).id_str == each.id_str
            assert image.pread(0, 16, snapshot=each.id_text) == image.pread(
                0, 16, snapshot=each.name_text
            )
    with qcowspec.open(BITMAPS) as image:
        for bitmap in image.bitmaps:
            batches = [batch.lengths.sum() for batch in image.dirty(bitmap.name_text)]
            assert sum(map(int, batches)) == image.size


def test_a_name_that_is_no_text_is_taken_back() -> None:
    spec = ImageSpec(version=3, snapshots=(build.Snapshot(name=b"a\xff"),))
    with qcowspec.open(build.image(spec)) as image:
        assert image.snapshot(image.snapshots[0].name_text).name == b"a\xff"
        assert "\udcff" not in repr(image.snapshots[0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("v1-plain.qcow", qcowspec.HeaderV1),
        ("v2-64k.qcow2", qcowspec.HeaderV2),
        ("v3-snapshots.qcow2", qcowspec.HeaderV3),
    ],
)
def test_headers_can_be_told_apart(name: str, kind: type[object]) -> None:
    kinds = (qcowspec.HeaderV1, qcowspec.HeaderV2, qcowspec.HeaderV3)
    with qcowspec.open(DATA / name) as image:
        assert [isinstance(image.header, each) for each in kinds] == [
            each is kind for each in kinds
        ]


def test_a_header_of_an_unknown_version_is_read_like_the_newest() -> None:
    data = bytearray(SNAPSHOTS.read_bytes())
    data[7] = 9
    with qcowspec.lay_open(data) as image:
        assert isinstance(image.header, qcowspec.HeaderV3)
        assert (image.header.version, image.header.incompatible_features) == (9, 0)


# --- errors ---------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_an_error_of_the_system_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such file") as caught:
        qcowspec.open(tmp_path / "none")
    error = caught.value

    assert isinstance(error, qcowspec.Unreadable)
    assert isinstance(error, qcowspec.QcowError)
    assert error.errno == errno.ENOENT
    assert error.filename == error.path == str(tmp_path / "none")
    assert error.strerror == error.message


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (lambda folder: folder, errno.EISDIR),
        (lambda folder: folder / "none", errno.ENOENT),
        (lambda folder: folder / ("x" * 300), errno.ENAMETOOLONG),
        (lambda folder: Path("/dev/null"), errno.EINVAL),
        (lambda folder: "nothing::x", errno.ENOENT),
        (lambda folder: "memory://none", errno.ENOENT),
    ],
)
def test_the_number_is_the_systems(
    make: Callable[[Path], Path | str], number: int, tmp_path: Path
) -> None:
    with pytest.raises(qcowspec.Unreadable) as caught:
        qcowspec.open(make(tmp_path))

    assert caught.value.errno == number


def test_an_error_comes_through_another_process_whole(tmp_path: Path) -> None:
    with pytest.raises(qcowspec.Unreadable) as caught:
        qcowspec.open(tmp_path / "none")
    other = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own

    assert (type(other), str(other), other.errno) == (
        qcowspec.Unreadable,
        str(caught.value),
        errno.ENOENT,
    )


# --- closing --------------------------------------------------------------------------------------


def descriptors(path: Path) -> int:
    return sum(
        os.path.realpath(f"/proc/self/fd/{each}") == str(path)
        for each in os.listdir("/proc/self/fd")
    )


def dropped(held: list[Any]) -> None:
    held.clear()
    gc.collect()


def test_an_image_that_is_not_closed_closes_its_file_and_says_so() -> None:
    held = [qcowspec.open(SNAPSHOTS)]
    assert descriptors(SNAPSHOTS) == 1
    with pytest.warns(ResourceWarning, match="unclosed image"):
        dropped(held)

    assert descriptors(SNAPSHOTS) == 0


def test_a_disk_and_a_reader_keep_the_file_open() -> None:
    held = [qcowspec.open(SNAPSHOTS).reader()]
    gc.collect()
    assert len(held[0].read(16) or b"") == 16
    with pytest.warns(ResourceWarning, match="unclosed image"):
        dropped(held)

    assert descriptors(SNAPSHOTS) == 0


def test_an_image_that_is_closed_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for target in (SNAPSHOTS, str(SNAPSHOTS), SNAPSHOTS.read_bytes()):
            image = qcowspec.open(target)
            image.pread(0, 16)
            image.close()
            image.close()
            del image
        with pytest.raises(qcowspec.NotQcow):
            qcowspec.open(DATA / "README.md")
        gc.collect()

    assert descriptors(DATA / "README.md") == 0


CLOSED: list[Callable[[qcowspec.Image], Any]] = [
    lambda image: image.pread(0, 1),
    lambda image: image.readinto(0, bytearray(1)),
    lambda image: image.read_extents([(0, 1)]),
    lambda image: image.reader(),
    lambda image: list(image.runs()),
    lambda image: list(image.extents()),
    lambda image: list(image.changes(None)),
    lambda image: list(image.dirty("daily")),
    lambda image: image.disk(),
    lambda image: image.vm_state("1"),
    lambda image: qcowspec.explain(image, 0),
]


@pytest.mark.parametrize("use", range(len(CLOSED)))
@pytest.mark.parametrize("kind", ["file", "bytes"])
def test_what_is_closed_says_so(use: int, kind: str) -> None:
    image = qcowspec.open(BITMAPS if kind == "file" else BITMAPS.read_bytes())
    image.close()
    with pytest.raises(qcowspec.Unreadable, match="is closed") as caught:
        CLOSED[use](image)

    assert caught.value.errno == errno.EBADF
    assert image.header.version == 3  # what opening has read is still there


@pytest.mark.parametrize("kind", ["file", "bytes"])
def test_a_disk_of_a_closed_image_says_so(kind: str) -> None:
    with qcowspec.open(SNAPSHOTS if kind == "file" else SNAPSHOTS.read_bytes()) as image:
        disk, file = image.disk(), image.reader()
        assert disk.pread(4096, 16)
    with pytest.raises(qcowspec.Unreadable, match="is closed"):
        disk.pread(4096, 16)
    file.seek(4096)
    with pytest.raises(qcowspec.Unreadable, match="is closed"):
        file.read(16)


def test_a_raw_image_that_is_closed_says_so() -> None:
    image = RawImage(SNAPSHOTS)
    image.close()
    with pytest.raises(qcowspec.Unreadable, match="is closed"):
        image.disk()


def test_an_awaited_image_that_is_closed_says_so() -> None:
    async def use() -> None:
        image = await qcowspec.aopen(SNAPSHOTS)
        await image.aclose()
        await image.pread(0, 1)

    with pytest.raises(qcowspec.Unreadable, match="is closed") as caught:
        asyncio.run(use())
    assert caught.value.errno == errno.EBADF


# --- wrong arguments ------------------------------------------------------------------------------

library: Any = qcowspec  # whose types forbid what is tried here

WRONG: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (lambda image: library.open(5), TypeError, "an image is a path, .* not int"),
    (lambda image: library.open(None), TypeError, "not NoneType"),
    (lambda image: library.validate(5), TypeError, "an image is a path"),
    (lambda image: library.open([]), TypeError, "not list"),
    (lambda image: library.open(SNAPSHOTS, format="vmdk"), ValueError, "one of qcow, qcow2"),
    (lambda image: library.validate(SNAPSHOTS, format="raw"), ValueError, "one of qcow, qcow2"),
    (lambda image: library.validate(SNAPSHOTS, profile="qemuu"), ValueError, "Did you mean qemu"),
    (lambda image: library.open(SNAPSHOTS, allow=5), TypeError, "allow is text"),
    (lambda image: library.open(SNAPSHOTS, secret=5), TypeError, "secret is text or bytes"),
    (lambda image: image.pread("0", 1), TypeError, "cannot be interpreted as an integer"),
    (lambda image: image.pread(0, 1.5), TypeError, "cannot be interpreted as an integer"),
    (lambda image: image.pread(-1, 1), ValueError, "no offset on a disk: -1"),
    (lambda image: image.pread(0, -1), ValueError, "no length: -1"),
    (lambda image: image.read_extents([(0, -1)]), ValueError, "no length: -1"),
    (lambda image: image.read_extents([(-1, 1)]), ValueError, "no offset on a disk: -1"),
    (lambda image: list(image.runs(-1)), ValueError, "no range of a disk: .* at -1"),
    (lambda image: list(image.runs(0, -1)), ValueError, "no range of a disk: -1 bytes"),
    (lambda image: list(image.changes(None, offset=-1)), ValueError, "no range of a disk"),
    (lambda image: image.pread(0, 1, snapshot=1), TypeError, "a snapshot's ID or name is text"),
    (lambda image: image.snapshot(None), TypeError, "a snapshot's ID or name is text"),
    (lambda image: image.dirty(1), TypeError, "a bitmap's name is text or bytes"),
    (lambda image: library.explain(image, -1), ValueError, "no offset in a file: -1"),
    (
        lambda image: library.explain(SNAPSHOTS, 0),
        TypeError,
        "image is wanted, not PosixPath",
    ),
    (lambda image: library.explain_guest(image, -1), ValueError, "no offset on a disk: -1"),
    (lambda image: library.explain_guest("x", 0), TypeError, "opened image is wanted, not"),
    (lambda image: library.Usage("x"), TypeError, "opened image is wanted, not"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_a_wrong_argument_is_named(number: int) -> None:
    use, kind, says = WRONG[number]
    with qcowspec.open(SNAPSHOTS) as image, pytest.raises(kind, match=says):
        use(image)


def test_the_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(TypeError) as caught:
        library.open(SNAPSHOTS, secret=["hunter2"])

    assert "hunter2" not in str(caught.value)
