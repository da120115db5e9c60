"""Nothing passes for sound that nobody looked at, and a truncated file is called that first."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from qcow_parsers import constants as c

from qcowspec.image import lay_open
from qcowspec.reader.stream import StreamJudge
from qcowspec.reader.verdict import Verdict, validate
from tests.command import run
from tests.every import every

DATA = Path(__file__).parents[1] / "data"

SOUND = sorted(
    path
    for path in DATA.iterdir()
    if path.suffix in {".qcow", ".qcow2"} and path.stem not in {"v3-damaged"}
)
CUT = "v3-refcount-16.qcow2"  # its last clusters are data


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """An image that lost its last 4 KiB."""
    path = tmp_path / "cut.qcow2"
    path.write_bytes((DATA / CUT).read_bytes()[:-4096])
    return path


# --- a file that ends too early -------------------------------------------------------------------


@every("path", SOUND, ids=lambda path: path.name)
def test_an_image_that_qemu_made_is_not_called_truncated(path: Path) -> None:
    image = lay_open(path, entries=1 << 30)

    assert image.metadata.reach == 0


@every("path", [path for path in SOUND if path.stat().st_size], ids=lambda p: p.name)
def test_an_image_that_lost_its_second_half_is_called_truncated(path: Path) -> None:
    data = path.read_bytes()
    image = lay_open(data)
    looks = image.l1_table is not None and any(image.l1_table.data)
    if not looks and image.format == "qcow":
        pytest.skip("an empty image of version 1 ends with its L1 table")

    half = lay_open(data[: max(len(data) // 2, 1024)])

    assert half.metadata.reach > len(data) // 2


@pytest.mark.parametrize(
    "words",
    [
        ["dump"], ["validate"], ["validate", "-p", "untrusted"], ["info"], ["check"], ["map"],
        ["dump", "--json"], ["info", "--output", "json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_command_says_first_that_a_file_is_truncated(words: list[str], cut: Path) -> None:
    done = run(*words, str(cut))

    said = (
        done.stdout if words[0] in {"dump", "validate", "check"} and "--json" not in words else ""
    )
    first = (done.stderr or said).splitlines()
    if words == ["dump", "--json"]:
        truncated = json.loads(done.stdout)["truncated"]
        assert truncated["length"] == cut.stat().st_size < truncated["reach"]
    else:
        assert "the file ends at" in "".join(first[:2])
        assert "lie beyond it and read as zeros" in "".join(first[:2])


def test_a_check_of_a_file_that_ends_within_data_is_not_clean(tmp_path: Path) -> None:
    path = tmp_path / "cut.qcow2"
    path.write_bytes((DATA / CUT).read_bytes()[:-512])

    done = run("check", str(path))

    assert done.returncode == 2
    assert "No errors were found" not in done.stdout


def test_convert_and_compare_say_it_too(cut: Path, tmp_path: Path) -> None:
    converted = run("convert", str(cut), str(tmp_path / "out.raw"))
    compared = run("compare", str(cut), str(DATA / CUT))

    assert "the file ends at" in converted.stderr.splitlines()[0]
    assert "the file ends at" in compared.stderr.splitlines()[0]


def test_an_operator_refuses_a_truncated_image(cut: Path) -> None:
    verdict = validate(str(cut), profile="untrusted")

    assert {"header/truncated", "l2/untrusted-past-end"} <= {e.rule for e in verdict.errors}


def test_one_missing_byte_of_data_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "cut.qcow2"
    path.write_bytes((DATA / CUT).read_bytes()[:-1])

    assert not validate(str(path), profile="untrusted").accepted


def test_noise_in_an_entry_is_no_sign_of_a_truncated_file() -> None:
    data = bytearray((DATA / CUT).read_bytes())
    image = lay_open(bytes(data))
    assert image.l1_table is not None
    table = image.l1_table.values()[0] & c.L1E_OFFSET_MASK
    struct.pack_into(">Q", data, table, 0x73A9BEF499BBF4DC)

    image = lay_open(bytes(data), entries=1 << 30)

    assert "l2/compressed-offset" in image.judge.counts
    assert image.metadata.reach == 0


# --- what was not looked at -----------------------------------------------------------------------


def test_a_dump_ends_with_what_was_judged_and_what_was_not_looked_at() -> None:
    lines = run("dump", str(DATA / "v3-empty.qcow2")).stdout.splitlines()

    assert lines[-2].startswith("QEMU opens this image. ")
    assert lines[-2].endswith(" rules judged, none broken.")
    assert lines[-1] == "Not looked at: refcounts against references (qcowspec check), guest data."


def test_a_verdict_ends_with_what_was_judged_and_what_was_not_looked_at() -> None:
    last = run("validate", str(DATA / "v3-empty.qcow2")).stdout.splitlines()[-1]

    assert " rules judged, none broken. Not looked at: table entries, refcounts" in last


@pytest.mark.parametrize(
    ("name", "unseen"),
    [
        ("v3-backing.qcow2", "the backing file"),
        ("v3-data-file.qcow2", "the data file"),
        ("v3-luks.qcow2", "whether a passphrase fits"),
        ("v1-plain.qcow", "what overlaps (qcowspec check)"),
    ],
)
def test_what_needs_more_than_the_image_is_named(name: str, unseen: str) -> None:
    assert unseen in validate(DATA / name, profile="spec").looked.unseen


def test_a_dump_judges_the_entries_that_it_shows(tmp_path: Path) -> None:
    data = bytearray((DATA / CUT).read_bytes())
    image = lay_open(bytes(data))
    assert image.l1_table is not None
    table = image.l1_table.values()[0] & c.L1E_OFFSET_MASK
    struct.pack_into(">Q", data, table, 1 << 63 | 0x10200)  # not at a cluster boundary
    path = tmp_path / "unaligned.qcow2"
    path.write_bytes(data)

    done = run("dump", str(path))

    assert done.returncode == 1
    assert f"at {table:#x}: The L2 entry 0x8000000000010200" in done.stdout
    assert "[l2/cluster-offset]" in done.stdout


def test_a_short_dump_of_many_tables_says_that_it_left_some() -> None:
    image = lay_open(DATA / CUT, entries=1)

    assert "some of the L2 tables" in image.looked.unseen


# --- streams --------------------------------------------------------------------------------------


def summary(verdict: Verdict) -> tuple[str, list[str]]:
    return verdict.verdict, sorted({found.rule for found in verdict.errors})


@every("profile", ["untrusted", "librbd", "spec", "qemu"])
@every("path", SOUND, ids=lambda path: path.name)
def test_the_entries_of_a_stream_are_judged_as_the_files(path: Path, profile: str) -> None:
    data = path.read_bytes()
    judge = StreamJudge(profile)
    for start in range(0, len(data), 1 << 16):
        judge.feed(data[start : start + (1 << 16)])

    assert summary(judge.finish()) == summary(validate(data, profile=profile))
