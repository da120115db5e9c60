"""`qcowspec map` prints what `qemu-img map` prints, character by character."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from qcowspec import open as qcowspec_open
from qcowspec.cli import qcowspec
from qcowspec.errors import Invalid, Unsupported
from qcowspec.mapping import Kind
from qcowspec.spec.decoding import l1_offset
from qcowspec.spec.rules import BY_ID
from tests import qemu
from tests.conformance.conftest import EVERY_IMAGE
from tests.conformance.random_images import mutated, seeds_once, written
from tools.make_test_data import DATA, Image

pytestmark = pytest.mark.usefixtures("qemu_img", "_beside")

GIVES_UP = "File contains external, encrypted or compressed clusters."


def ours(*words: str | Path, key: str | None = None) -> Result:
    secret = [] if key is None else ["--secret", "env:KEY"]
    command = ["map", "--allow", "same-dir", *secret, *map(str, words)]
    result = CliRunner().invoke(qcowspec, command, env={"KEY": key or ""})
    assert not isinstance(result.exception, Exception), repr(result.exception)
    return result


def theirs(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["qemu-img", "map", "-U", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def differs(path: Path, *options: str) -> tuple[str, str] | None:
    """Our JSON and QEMU's, where they are not the same."""
    mine = ours("--output", "json", *options, path).stdout
    expected = theirs("--output=json", *options, "-f", path.suffix[1:], path).stdout
    return None if mine == expected else (mine, expected)


@pytest.mark.parametrize("image", EVERY_IMAGE, ids=lambda image: image.name)
def test_json_of_every_image(image: Image) -> None:
    expected = theirs("--output=json", *image.open_options)
    result = ours("--output", "json", image.name, key=image.passphrase)

    assert (result.exit_code, result.stdout) == (expected.returncode, expected.stdout)


ENCRYPTED = [image for image in EVERY_IMAGE if image.passphrase is not None]


@pytest.mark.parametrize("image", ENCRYPTED, ids=lambda image: image.name)
def test_an_encrypted_image_is_mapped_without_its_passphrase(image: Image) -> None:
    expected = theirs("--output=json", *image.open_options).stdout

    assert "key-secret' is required" in theirs("-f", image.format, image.name).stderr
    assert ours("--output", "json", image.name).stdout == expected
    assert ours(image.name).stdout == ours(image.name, key=image.passphrase).stdout


def test_a_passphrase_that_is_given_has_to_be_right() -> None:
    result = ours("v3-luks.qcow2", key="another")

    assert (result.exit_code, "[encryption/luks-unlock]" in result.stderr) == (1, True)


@pytest.mark.parametrize("image", ENCRYPTED, ids=lambda image: image.name)
def test_a_disk_for_a_look_at_its_tables_gives_no_ciphertext(image: Image) -> None:
    with qcowspec_open(DATA / image.name, allow="same-dir") as opened:
        disk = opened.disk(keyless=True)
        data = next(run for depth, run in disk.runs() if depth == 0 and run.kind is Kind.DATA)
        for read in (
            lambda: disk.pread(data.offset, 512),
            lambda: disk.pread(data.offset + 1, 5),
            lambda: disk.pread(0, disk.size),
            lambda: disk.readinto(data.offset, bytearray(4096)),
            lambda: disk.read_extents([(data.offset, 512)]),
        ):
            with pytest.raises(Unsupported, match="-key]"):
                read()
        with pytest.raises(Unsupported, match="-key]"):
            opened.pread(0, 512)


def test_a_backing_file_that_is_encrypted_needs_no_passphrase_either(tmp_path: Path) -> None:
    path = tmp_path / "overlay.qcow2"
    backing = ["-b", str(DATA / "v3-luks.qcow2"), "-F", "qcow2"]
    qemu.create(path, "1M", "-u", *backing)

    result = ours("--output", "json", "--allow", "any", path)

    assert result.exit_code == 0
    assert any(entry["depth"] == 1 and entry["data"] for entry in json.loads(result.stdout))


@pytest.mark.parametrize("image", EVERY_IMAGE, ids=lambda image: image.name)
def test_the_table_of_every_image_for_which_qemu_has_one(image: Image) -> None:
    expected = theirs(*image.open_options)
    result = ours(image.name, key=image.passphrase)

    assert result.exit_code == 0
    if GIVES_UP in expected.stderr:
        # QEMU's table ends at the first cluster that has no place of its own; ours has a word there
        missing = result.stdout.splitlines()[len(expected.stdout.splitlines())]
        assert missing.split()[2] in {"compressed", "encrypted"}
    elif image.name == "v3-backing-json.qcow2":
        # of a file named by a json: description, the path that was opened is shown
        assert result.stdout.replace(f"{DATA}/", "") == expected.stdout
    else:
        assert result.stdout == expected.stdout


FLAVOURS = [
    *(f"cluster_size={1 << bits}" for bits in range(9, 22)),
    *(f"compat=0.10,cluster_size={1 << bits}" for bits in (9, 12, 16, 21)),
    *(f"extended_l2=on,cluster_size={1 << bits}" for bits in (14, 16, 21)),
    "compression_type=zstd,cluster_size=4096",
    *(f"preallocation=metadata,cluster_size=4096,refcount_bits={1 << order}" for order in range(7)),
    "preallocation=metadata,extended_l2=on",
    "preallocation=falloc",
    "preallocation=full,cluster_size=512",
    "",
]


@pytest.mark.parametrize("options", FLAVOURS, ids=lambda options: options or "v1")
def test_images_written_at_random(options: str, tmp_path: Path) -> None:
    random = Random(options)
    path = tmp_path / ("disk.qcow2" if options else "disk.qcow")
    size = 512 * random.randrange(2000, 9000)
    snapshots = bool(options) and not options.endswith("refcount_bits=1")
    written(path, random, ["-o", options] if options else [], size, snapshots=snapshots)

    assert differs(path) is None
    for _ in range(8):
        start, length = random.randrange(size), random.randrange(size)
        assert differs(path, f"--start-offset={start}", f"--max-length={length}") is None


def test_a_range_that_has_no_bytes_is_one_empty_entry() -> None:
    for words in (["--start-offset=8E"], ["--max-length=0"], ["--start-offset=1T"]):
        assert differs(DATA / "v3-zlib.qcow2", *words) is None


def chain(folder: Path, formats: tuple[str, ...], random: Random) -> Path:
    """A chain of images written at random, the topmost first in none of their sizes."""
    below: Path | None = None
    for index, name in enumerate(formats):
        format_, _, options = name.partition(":")
        path = folder / f"{index}.{format_}"
        size = 512 * random.randrange(1000, 4000)
        if format_ == "raw":
            with path.open("wb") as file:
                for _ in range(random.randrange(1, 9)):
                    file.seek(random.randrange(size))
                    file.write(random.randbytes(random.randrange(1, 20000)))
                file.truncate(size + random.choice((0, 100)))
        else:
            backing = [] if below is None else ["-b", below.name, "-F", below.suffix[1:]]
            extra = ["-o", options] if options else []
            written(path, random, [*extra, *backing], size, snapshots=False)
        below = path
    assert below is not None
    return below


CHAINS = [
    ("raw", "qcow", "qcow2", "qcow2:extended_l2=on"),
    ("raw", "qcow2:cluster_size=512", "qcow2:cluster_size=4k", "qcow2:cluster_size=512"),
    ("qcow", "qcow2:compat=0.10,cluster_size=1k", "qcow", "qcow2:compression_type=zstd"),
    ("qcow2:preallocation=metadata", "qcow2:cluster_size=512", "qcow"),
    ("raw", "qcow2:cluster_size=512"),
    ("qcow2:cluster_size=512", "qcow2:extended_l2=on,cluster_size=16k"),
    ("raw", "raw", "qcow2:cluster_size=2M"),
    ("qcow", "qcow"),
]


@pytest.mark.parametrize("formats", CHAINS, ids="-".join)
@pytest.mark.parametrize("seed", range(int(os.environ.get("QCOWSPEC_CHAINS", "2"))))
def test_chains_of_any_mix(formats: tuple[str, ...], seed: int, tmp_path: Path) -> None:
    top = chain(tmp_path, formats, random := Random(f"{formats}{seed}"))

    assert differs(top) is None
    start = random.randrange(1 << 20)
    assert differs(top, f"--start-offset={start}", "--max-length=500k") is None
    if GIVES_UP not in (expected := theirs(top)).stderr:
        assert ours(top).stdout == expected.stdout


def striped(path: Path, backing: Path | None, *, options: str, every: int) -> None:
    """An image with every other piece written."""
    words = [] if backing is None else ["-b", backing.name, "-F", backing.suffix[1:]]
    qemu.create(path, "1M", *words, options=options)
    starts = range(every, (1 << 20) - every, 2 * every)
    qemu.write(path, *(f"write -P 7 {at} {every}" for at in starts))


def test_stripes_over_stripes(tmp_path: Path) -> None:
    low, middle, top = (tmp_path / f"{name}.qcow2" for name in ("low", "middle", "top"))
    striped(low, None, options="cluster_size=512", every=2560)
    striped(middle, low, options="cluster_size=1k", every=5120)
    striped(top, middle, options="cluster_size=4k", every=8192)

    assert differs(top) is None


def test_what_is_broken_behind_and_does_not_show_is_passed_over(tmp_path: Path) -> None:
    low, top = tmp_path / "low.qcow2", tmp_path / "top.qcow2"
    striped(low, None, options="cluster_size=512", every=4096)
    striped(top, low, options="cluster_size=4k", every=4096)
    document = json.loads(dumped(low))
    entry = next(
        row
        for table in document["structures"]
        if table["name"].startswith("l2_tables")
        for row in table["entries"]
    )
    with low.open("r+b") as file:
        file.seek(entry["offset"])
        file.write((int(entry["raw"], 16) + 1 << 1).to_bytes(8, "big"))

    assert differs(top) is None


def dumped(path: Path) -> str:
    return CliRunner().invoke(qcowspec, ["dump", "--json", "--tables", str(path)]).stdout


def test_a_broken_entry_is_an_error_with_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "broken.qcow2"
    data = bytearray((DATA / "v2-64k.qcow2").read_bytes())
    with qcowspec_open(DATA / "v2-64k.qcow2") as image:
        table = int(image.header.l1_table_offset)
    data[table + 6] |= 2  # the L2 table is off its cluster
    path.write_bytes(data)
    result = ours("--output", "json", path)

    assert (result.exit_code, result.stdout) == (1, "[")
    assert f"at {table:#x}: " in result.stderr
    assert "[l2/table-offset]" in result.stderr


def test_a_snapshot_is_mapped_at_its_own_size() -> None:
    result = ours("--output", "json", "--snapshot", "größer", "v3-snapshots.qcow2")
    rows = json.loads(result.stdout)

    assert rows[-1]["start"] + rows[-1]["length"] == 5 << 20
    assert [row["start"] for row in rows if row["data"]] == [0, 4096, 8192, 4 << 20]


def test_the_key_of_newer_versions_is_there_for_the_asking() -> None:
    rows = json.loads(ours("--output", "json", "--compressed", "v3-zlib.qcow2").stdout)

    assert list(rows[0]) == ["start", "length", "depth", "present", "zero", "data", "compressed"]
    assert {row["compressed"] for row in rows} == {True, False}


def test_no_second_file_is_opened_unless_it_is_allowed() -> None:
    result = CliRunner().invoke(qcowspec, ["map", "v3-backing.qcow2"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "--allow same-dir" in result.stderr


SIZES = ["0", "1", "64k", "64K", "1M", "0.5M", "1.5k", ".5k", "3.k", "0x1000", "512b", " 4k", "1e"]
NO_SIZES = ["", "k", "-1", "1.5", "1.5b", "4kB", "0x10k", "8E", "99999999999999999999", "1 k", "é"]


@pytest.mark.parametrize("word", SIZES + NO_SIZES)
def test_sizes_are_qemus(word: str) -> None:
    expected = theirs("--output=json", f"--start-offset={word}", "v3-zlib.qcow2")
    result = ours("--output", "json", f"--start-offset={word}", "v3-zlib.qcow2")

    assert result.stdout == expected.stdout
    assert (result.exit_code == 0) == (expected.returncode == 0)


def test_mutants_are_mapped_as_qemu_maps_them(tmp_path: Path) -> None:
    count, seed = int(os.environ.get("QCOWSPEC_MUTANTS", "80")), 5
    wrong: list[str] = []
    mapped = refused = 0
    for number in range(count):
        random = Random(f"{seed}/{number}")
        name, format_, places = random.choice(seeds_once())
        path = tmp_path / f"mutant.{format_}"
        path.write_bytes(mutated(random, places))
        try:
            command = ["qemu-img", "map", "--output=json", "-f", format_, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        except subprocess.TimeoutExpired:
            continue
        result = ours("--output", "json", "-f", format_, path)
        mapped += done.returncode == 0
        refused += done.returncode != 0
        same = result.exit_code == done.returncode and (
            done.returncode != 0 or result.stdout == done.stdout
        )
        if not same:
            wrong.append(f"{number} ({name}): ours {result.stderr}; qemu-img {done.stderr}")

    assert wrong == []
    assert mapped
    assert refused


def test_of_two_faults_of_an_entry_a_read_names_the_one_that_qemu_meets_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "two.qcow2"
    qemu.create(path, "1M", options="extended_l2=on")
    qemu.write(path, "write 0 64k")
    with qcowspec_open(path) as image:
        assert image.l1_table is not None
        table = l1_offset(image.l1_table.values()[0])
    data = bytearray(path.read_bytes())
    data[table + 6] |= 0x10  # the cluster's offset is not aligned
    data[table + 11] |= 1  # its first subcluster is data and zeros
    path.write_bytes(data)

    with qcowspec_open(path) as image, pytest.raises(Invalid) as caught:
        image.pread(2048, 2048)  # not the subcluster that is at fault

    said = qemu.run("qemu-io", "-f", "qcow2", "-c", "read 2k 2k", path, check=False)
    broken, other = BY_ID["l2/subcluster-bitmap"].qemu, BY_ID["l2/cluster-offset"].qemu
    assert caught.value.rule == "l2/subcluster-bitmap"
    assert broken.key is not None
    assert broken.key in said.stderr
    assert (broken.order or 0) < (other.order or 0)
