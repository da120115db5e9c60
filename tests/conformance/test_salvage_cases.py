"""What is lost of an image that is broken in one known way, and that all the rest is recovered."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import qcowspec
from qcowspec.guest.losses import Loss
from tests.command import run
from tests.conformance.luks import created
from tests.qemu import run as qemu

CLUSTER = 4096
SIZE = 64 * CLUSTER
L2 = struct.Struct(">Q")

Broken = Callable[[bytearray], None]


def make(path: Path, *options: str, size: int = SIZE, format_: str = "qcow2") -> Path:
    """An image whose clusters differ from one another."""
    words = [word for option in options for word in ("-o", option)]
    qemu("qemu-img", "create", "-q", "-f", format_, *words, path, size)
    writes = [
        word
        for at in range(0, size, CLUSTER)
        for word in ("-c", f"write -q -P {at // CLUSTER % 255 + 1} {at} {CLUSTER}")
    ]
    qemu("qemu-io", "-f", format_, *writes, path)
    return path


def expected(size: int = SIZE) -> bytes:
    """What the guest wrote into `make`'s image."""
    return b"".join(bytes([at // CLUSTER % 255 + 1]) * CLUSTER for at in range(0, size, CLUSTER))


def entry_at(data: bytes | bytearray, cluster: int) -> int:
    """Where the L2 entry of a guest cluster stands, where there is one L2 table."""
    (l1,) = L2.unpack_from(data, 40)
    (table,) = L2.unpack_from(data, l1)
    return (int(table) & 0x00FF_FFFF_FFFF_FE00) + 8 * cluster


def salvaged(path: Path, **named: object) -> tuple[bytes, list[Loss]]:
    """The bytes of a disk, and what is lost of it."""
    with qcowspec.lay_open(path, **named) as image:  # type: ignore[arg-type]
        disk = image.disk(salvage=True)
        return disk.pread(0, disk.size), list(disk.lost_ranges())


# --- images that do not open ----------------------------------------------------------------------


def _field(offset: int, layout: str, value: int) -> Broken:
    def change(data: bytearray) -> None:
        struct.pack_into(layout, data, offset, value)

    return change


UNOPENED: dict[str, Broken] = {
    "an unknown incompatible bit": _field(72, ">Q", 1 << 40),
    "an unaligned refcount table": _field(48, ">Q", 0x1001),
    "too many snapshots": _field(60, ">I", 1 << 20),
    "an unaligned snapshot table": lambda data: (
        _field(60, ">I", 1)(data),
        _field(64, ">Q", 77)(data),
    )[0],
    "an unknown compression type": _field(104, ">B", 9),
    "a header that is too long": _field(100, ">I", 1 << 20),
    "refcounts of an unknown width": _field(96, ">I", 60),
    "an extension that is too long": _field(116, ">I", 1 << 30),
}


@pytest.mark.parametrize("broken", UNOPENED.values(), ids=UNOPENED)
def test_an_image_that_does_not_open_is_recovered_by_its_header_and_l1_table(
    broken: Broken, tmp_path: Path
) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    data = bytearray(path.read_bytes())
    broken(data)
    path.write_bytes(data)

    with pytest.raises(qcowspec.QcowError):
        qcowspec.open(path)
    assert salvaged(path) == (expected(), [])


def test_of_an_l1_table_that_is_too_small_the_rest_of_the_disk_is_lost(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", "cluster_size=512", size=SIZE)
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, 36, 3)  # each of them maps 32 KiB
    path.write_bytes(data)

    found, losses = salvaged(path)

    assert found == expected()[: 3 << 15].ljust(SIZE, b"\0")
    assert [(each.offset, each.length, each.rule) for each in losses] == [
        (3 << 15, SIZE - (3 << 15), "l1/size-minimum")
    ]


def test_of_an_l1_table_at_an_impossible_offset_all_is_lost(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    data = bytearray(path.read_bytes())
    struct.pack_into(">Q", data, 40, 77)
    path.write_bytes(data)

    found, losses = salvaged(path)

    assert found == bytes(SIZE)
    assert [(each.offset, each.length, each.rule) for each in losses] == [
        (0, SIZE, "l1/table-offset")
    ]


# --- entries --------------------------------------------------------------------------------------


def test_an_unaligned_entry_loses_its_cluster_and_no_more(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    data = bytearray(path.read_bytes())
    at = entry_at(data, 5)
    struct.pack_into(">Q", data, at, L2.unpack_from(data, at)[0] + 512)
    path.write_bytes(data)

    found, (lost,) = salvaged(path)

    whole = bytearray(expected())
    whole[5 * CLUSTER : 6 * CLUSTER] = bytes(CLUSTER)
    assert found == whole
    assert (lost.offset, lost.length, lost.rule) == (5 * CLUSTER, CLUSTER, "l2/cluster-offset")
    assert (lost.path, lost.place) == (str(path), at)


def test_an_l1_entry_that_is_unaligned_loses_its_span(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", "cluster_size=1024", size=SIZE)
    data = bytearray(path.read_bytes())
    (l1,) = L2.unpack_from(data, 40)
    struct.pack_into(">Q", data, l1 + 8, L2.unpack_from(data, l1 + 8)[0] + 512)
    path.write_bytes(data)

    found, (lost,) = salvaged(path)

    span = 1 << 17
    whole = bytearray(expected())
    whole[span : 2 * span] = bytes(SIZE - span)
    assert found == whole
    assert (lost.offset, lost.length, lost.rule) == (span, SIZE - span, "l2/table-offset")


def test_a_contradiction_loses_its_subcluster_and_no_more(tmp_path: Path) -> None:
    """qemu-img loses the whole cluster."""
    path = tmp_path / "disk.qcow2"
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", "extended_l2=on", path, 1 << 17)
    qemu("qemu-io", "-f", "qcow2", "-c", "write -q -P 7 0 128k", path)
    data = bytearray(path.read_bytes())
    at = entry_at(data, 0)
    data[at + 8 + 3] |= 1 << 3  # subcluster 3 is zero, and allocated
    path.write_bytes(data)

    found, (lost,) = salvaged(path)

    assert (lost.offset, lost.length, lost.rule) == (3 * 2048, 2048, "l2/subcluster-bitmap")
    assert found == b"\7" * 6144 + bytes(2048) + b"\7" * ((1 << 17) - 8192)


def test_a_payload_that_does_not_inflate_loses_its_cluster_and_no_more(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.qcow2", f"cluster_size={CLUSTER}")
    path = tmp_path / "disk.qcow2"
    qemu("qemu-img", "convert", "-c", "-O", "qcow2", "-o", f"cluster_size={CLUSTER}", whole, path)
    with qcowspec.open(path) as image:
        run_ = next(run_ for run_ in image.runs() if run_.offset == 9 * CLUSTER)
    data = bytearray(path.read_bytes())
    assert run_.host_offset is not None
    data[run_.host_offset : run_.host_offset + 4] = b"\xff" * 4
    path.write_bytes(data)

    found, (lost,) = salvaged(path)

    rest = bytearray(expected())
    rest[9 * CLUSTER : 10 * CLUSTER] = bytes(CLUSTER)
    assert found == rest
    assert (lost.offset, lost.length, lost.rule) == (9 * CLUSTER, CLUSTER, "l2/compressed-data")


def test_a_version_1_cluster_off_its_sector_loses_itself_and_no_more(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow", format_="qcow")
    data = bytearray(path.read_bytes())
    (l1,) = L2.unpack_from(data, 40)
    (table,) = L2.unpack_from(data, l1)
    struct.pack_into(">Q", data, table + 8, L2.unpack_from(data, table + 8)[0] + 7)
    path.write_bytes(data)

    found, (lost,) = salvaged(path)

    assert (lost.offset, lost.length, lost.rule) == (4096, 4096, "l2/v1-cluster-offset")
    assert found[:4096] + found[8192:] == expected()[:4096] + expected()[8192:]


# --- what lies past the end -----------------------------------------------------------------------


def test_data_past_the_end_are_reported_to_the_byte(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    data = path.read_bytes()
    path.write_bytes(data[:-5000])

    done = run("convert", "-q", path, tmp_path / "disk.raw")
    strict = run("convert", "-q", "--strict", path, tmp_path / "strict.raw")

    assert done.returncode == 0
    assert done.stderr.splitlines(keepends=True)[-1] == (
        f"qcowspec: {path}: the file ends at byte {len(data) - 5000} ({len(data) - 5000:#x}); 5000"
        f" bytes of the disk lie past that, the first at guest offset {SIZE - 5000}"
        f" ({SIZE - 5000:#x}), and read as zeros\n"
    )
    assert (tmp_path / "disk.raw").read_bytes() == expected()[:-5000] + bytes(5000)
    assert strict.returncode == 1
    assert (tmp_path / "strict.raw").read_bytes() == (tmp_path / "disk.raw").read_bytes()


def test_a_backing_file_that_is_cut_is_reported_where_it_shows(tmp_path: Path) -> None:
    base = make(tmp_path / "base.qcow2", f"cluster_size={CLUSTER}")
    top = tmp_path / "top.qcow2"
    backing = ("-b", "base.qcow2", "-F", "qcow2", "-o", f"cluster_size={CLUSTER}")
    qemu("qemu-img", "create", "-q", "-f", "qcow2", *backing, top, SIZE * 2)
    base.write_bytes(base.read_bytes()[: -3 * CLUSTER])
    qemu("qemu-io", "-f", "qcow2", "-c", f"write -q -P 9 {SIZE - CLUSTER} {CLUSTER}", top)

    with qcowspec.open(top, allow="same-dir") as image:
        (lost,) = image.disk().lost_ranges()

    assert (lost.offset, lost.length) == (SIZE - 3 * CLUSTER, 2 * CLUSTER)
    assert lost.path == str(base)


def test_half_a_data_file_is_reported(tmp_path: Path) -> None:
    path, data = tmp_path / "disk.qcow2", tmp_path / "disk.data"
    make(path, f"data_file={data}")
    os.truncate(data, SIZE // 2)

    done = run("convert", "-q", "--allow", "same-dir", path, tmp_path / "disk.raw")

    assert done.returncode == 0
    assert f"{data}: the file ends at byte {SIZE // 2} " in done.stderr
    assert f"{SIZE - SIZE // 2} bytes of the disk lie past that" in done.stderr


def test_a_backing_file_that_is_smaller_than_its_overlay_is_sound(tmp_path: Path) -> None:
    (tmp_path / "base.raw").write_bytes(b"1" * 1000)
    top = tmp_path / "top.qcow2"
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", top, "1M")

    done = run("convert", "-q", "--strict", "--allow", "same-dir", top, tmp_path / "disk.raw")

    assert (done.returncode, done.stderr) == (0, "")


def test_an_image_that_ends_before_its_l1_table_is_lost_as_a_whole(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    data = path.read_bytes()
    path.write_bytes(data[: L2.unpack_from(data, 40)[0]])

    done = run("convert", "-q", path, tmp_path / "disk.raw")

    assert done.returncode == 0
    assert f"{SIZE} bytes of the disk have their table entries past that" in done.stderr
    assert [(each.offset, each.length) for each in salvaged(path)[1]] == [(0, SIZE)]


def test_a_payload_past_the_end_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    raw = tmp_path / "disk.raw"
    raw.write_bytes(os.urandom(2000) * 100)
    qemu("qemu-img", "convert", "-c", "-O", "qcow2", raw, path)
    with qcowspec.open(path) as image:
        last = max(image.runs(), key=lambda run_: run_.host_offset or 0)
    assert last.host_offset is not None
    os.truncate(path, last.host_offset + 40)

    with qcowspec.open(path) as image, pytest.raises(qcowspec.QcowError) as caught:
        image.pread(last.offset, 512)

    end = last.host_offset + last.compressed_length
    assert caught.value.rule == "l2/compressed-data"
    assert caught.value.message == (
        f"The compressed data at {last.host_offset:#x} to {end:#x} extend past the end of the file,"
        f" which has {last.host_offset + 40} ({last.host_offset + 40:#x}) bytes."
    )


# --- files that cannot be had ---------------------------------------------------------------------


class Damaged(io.BytesIO):
    """A file with bytes that cannot be read."""

    def __init__(self, data: bytes, bad: range) -> None:
        super().__init__(data)
        self._bad = bad

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or fail."""
        start = self.tell()
        end = len(self.getvalue()) if size is None or size < 0 else start + size
        if start < self._bad.stop and self._bad.start < end:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_data_that_cannot_be_read_are_lost_by_the_sector(tmp_path: Path) -> None:
    data = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}").read_bytes()
    with qcowspec.open(data) as image:
        host = next(image.runs()).host_offset
    assert host is not None
    bad = host + 10 * CLUSTER + 700

    with qcowspec.lay_open(Damaged(data, range(bad, bad + 1)), salvage=True) as image:
        disk = image.disk(salvage=True)
        found = disk.pread(0, SIZE)
        (lost,) = disk.lost_ranges()

    assert (lost.offset, lost.length, lost.rule) == (10 * CLUSTER + 512, 512, None)
    rest = bytearray(expected())
    rest[lost.offset : lost.end] = bytes(512)
    assert found == rest


def test_table_entries_that_cannot_be_read_lose_their_clusters(tmp_path: Path) -> None:
    data = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}").read_bytes()
    bad = entry_at(data, 0)

    with qcowspec.lay_open(Damaged(data, range(bad, bad + 1)), salvage=True) as image:
        disk = image.disk(salvage=True)
        disk.pread(0, SIZE)
        losses = list(disk.lost_ranges())

    assert [(each.offset, each.length) for each in losses] == [(0, SIZE)]  # 64 entries, 512 bytes


def test_refcounts_that_cannot_be_read_lose_nothing(tmp_path: Path) -> None:
    data = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}").read_bytes()
    (table,) = L2.unpack_from(data, 48)

    with qcowspec.lay_open(Damaged(data, range(table, table + 1)), salvage=True) as image:
        disk = image.disk(salvage=True)

        assert disk.pread(0, SIZE) == expected()
        assert not disk.lost_ranges()


def test_what_a_missing_backing_file_had_is_lost(tmp_path: Path) -> None:
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    qemu("qemu-img", "create", "-q", "-f", "qcow2", base, SIZE)
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", top)
    qemu("qemu-io", "-f", "qcow2", "-c", "write -q -P 5 64k 64k", top)
    base.unlink()

    for allow in (None, "same-dir"):
        found, losses = salvaged(top, allow=allow)

        assert found == bytes(65536) + b"\5" * 65536 + bytes(SIZE - 131072)
        assert [(each.offset, each.length) for each in losses] == [
            (0, 65536), (131072, SIZE - 131072),
        ]  # fmt: skip
        assert "base.qcow2" in losses[0].reason

    data = bytearray(top.read_bytes())
    struct.pack_into(">Q", data, 72, 1 << 40)  # no more than before, if the image does not open
    top.write_bytes(data)
    assert [each.offset for each in salvaged(top)[1]] == [0, 131072]


def test_what_a_missing_data_file_had_is_lost(tmp_path: Path) -> None:
    data, path = tmp_path / "disk.data", tmp_path / "disk.qcow2"
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={data}", path, SIZE)
    qemu("qemu-io", "-f", "qcow2", "-c", "write -q -P 5 64k 64k", path)
    data.unlink()

    (lost,) = salvaged(path, allow="same-dir")[1]

    assert (lost.offset, lost.length, lost.rule) == (65536, 65536, "backing/data-file-opens")


def test_an_encrypted_image_is_salvaged_with_its_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    secret = ("--object", "secret,id=s,data=abc")
    luks = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,cluster_size=4k"
    words = ["qemu-img", "create", "-q", *secret, "-f", "qcow2", "-o", luks, str(path), str(SIZE)]
    assert created(words) == ""
    options = f"driver=qcow2,encrypt.key-secret=s,file.filename={path}"
    qemu("qemu-io", *secret, "--image-opts", "-c", f"write -q -P 6 0 {SIZE}", options)
    data = bytearray(path.read_bytes())
    at = entry_at(data, 5)
    struct.pack_into(">Q", data, at, L2.unpack_from(data, at)[0] + 512)
    struct.pack_into(">Q", data, 72, 1 << 40)
    path.write_bytes(data)

    found, (lost,) = salvaged(path, secret=b"abc")

    assert (lost.offset, lost.length) == (5 * CLUSTER, CLUSTER)
    assert found == b"\6" * lost.offset + bytes(CLUSTER) + b"\6" * (SIZE - lost.end)
    with pytest.raises(qcowspec.Unsupported):
        salvaged(path)


def test_a_snapshot_is_salvaged(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    qemu("qemu-img", "snapshot", "-c", "s", path)
    qemu("qemu-io", "-f", "qcow2", "-c", f"write -q -P 99 0 {SIZE}", path)
    data = bytearray(path.read_bytes())
    struct.pack_into(">Q", data, 72, 1 << 40)
    path.write_bytes(data)
    out = tmp_path / "disk.raw"

    done = run("convert", "-q", "--salvage", "--snapshot", "s", path, out)

    assert (done.returncode, out.read_bytes()) == (0, expected())


# --- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")
    data = bytearray(path.read_bytes())
    for cluster in (5, 6, 20):
        at = entry_at(data, cluster)
        struct.pack_into(">Q", data, at, L2.unpack_from(data, at)[0] + 512)
    path.write_bytes(data)
    return path


def test_convert_lists_what_is_lost_and_says_what_was_recovered(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "disk.raw"

    done = run("convert", "-q", "--salvage", "disk.qcow2", out)
    as_json = run("convert", "-q", "--salvage", "--output", "json", "disk.qcow2", out)

    heading, first, second, last = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert heading.split() == ["Lost", "Length", "Reason"]
    assert first.split()[:3] == ["0x5000", "0x2000", "disk.qcow2:"]
    assert second.split()[:2] == ["0x14000", "0x1000"]
    assert last == f"Recovered {SIZE - 3 * CLUSTER} of {SIZE} bytes (95.31%)."
    said = json.loads(as_json.stdout)
    assert (said["size"], said["recovered"]) == (SIZE, SIZE - 3 * CLUSTER)
    assert [(each["start"], each["length"], each["rule"]) for each in said["lost"]] == [
        (0x5000, 0x2000, "l2/cluster-offset"), (0x14000, 0x1000, "l2/cluster-offset"),
    ]  # fmt: skip


def test_convert_of_a_sound_image_loses_nothing_and_says_so(tmp_path: Path) -> None:
    path = make(tmp_path / "disk.qcow2", f"cluster_size={CLUSTER}")

    done = run("convert", "-q", "--salvage", path, tmp_path / "disk.raw")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Recovered {SIZE} of {SIZE} bytes (100.00%).\n"


def test_map_goes_on_where_the_tables_are_broken(broken: Path) -> None:
    plain = run("map", "--output", "json", broken)
    done = run("map", "--output", "json", "--salvage", broken)

    assert plain.returncode == done.returncode == 1
    entries = json.loads(done.stdout)
    assert sum(each["length"] for each in entries) == SIZE
    assert [(each["start"], each["length"]) for each in entries if each["lost"]] == [
        (0x5000, 0x2000), (0x14000, 0x1000),
    ]  # fmt: skip
    assert "[l2/cluster-offset]" in done.stderr


def test_a_salvage_that_is_gone_on_with_lists_all_that_is_lost(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.qcow2", f"cluster_size={CLUSTER}")
    path, out = tmp_path / "disk.qcow2", tmp_path / "disk.raw"
    qemu("qemu-img", "convert", "-c", "-O", "qcow2", "-o", f"cluster_size={CLUSTER}", whole, path)
    with qcowspec.open(path) as image:
        host = next(image.runs()).host_offset
    data = bytearray(path.read_bytes())
    assert host is not None
    data[host : host + 4] = b"\xff" * 4
    path.write_bytes(data)
    from qcowspec.transfer.convert import convert

    def interrupted(done: int) -> None:
        raise KeyboardInterrupt

    about = {"salvage": True}
    with pytest.raises(KeyboardInterrupt), qcowspec.lay_open(path) as image:
        convert(image.disk(salvage=True), str(out), resume=about, progress=interrupted)
    with qcowspec.lay_open(path) as image:
        losses = list(convert(image.disk(salvage=True), str(out), resume=about))

    assert [(each.offset, each.length) for each in losses] == [(0, CLUSTER)]
    assert out.read_bytes()[CLUSTER:] == expected()[CLUSTER:]
