"""A stream is judged as the file is, whatever its chunks, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from qcowspec.reader.stream import CAPTURED, RETAINED, UNDECIDED, StreamJudge
from qcowspec.reader.verdict import Verdict, validate
from tests.every import every
from tools.make_test_data import DATA, IMAGES

SMALL = [image.name for image in IMAGES if (DATA / image.name).stat().st_size < 1 << 20]

PROFILES = ("qemu", "spec", "untrusted")


def chunks(data: bytes, length: int) -> Iterator[bytes]:
    for start in range(0, len(data), length):
        yield data[start : start + length]


def judged(data: bytes, profile: str, length: int) -> Verdict:
    judge = StreamJudge(profile, name="image")
    for chunk in chunks(data, length):
        judge.feed(chunk)
    return judge.finish()


def summary(verdict: Verdict) -> tuple[str | None, str, list[str], list[str]]:
    errors = [found.rule for found in verdict.errors]
    warnings = [found.rule for found in verdict.warnings]
    return verdict.format, verdict.verdict, errors, warnings


@every("profile", PROFILES)
@every("length", [997, 65536, 1 << 24], ids=lambda n: f"chunks of {n}")
@every("name", SMALL)
def test_a_stream_is_judged_as_the_file_is(name: str, length: int, profile: str) -> None:
    data = (DATA / name).read_bytes()

    assert summary(judged(data, profile, length)) == summary(validate(data, profile=profile))


def test_byte_by_byte_is_no_different() -> None:
    data = (DATA / "v3-512.qcow2").read_bytes()

    assert summary(judged(data, "untrusted", 1)) == summary(validate(data, profile="untrusted"))


def test_nothing_is_said_before_it_is_known() -> None:
    data = (DATA / "v3-empty.qcow2").read_bytes()
    judge = StreamJudge("untrusted")

    assert (judge.verdict, judge.format) == (UNDECIDED, None)
    judge.feed(data[:7])
    assert (judge.verdict, judge.format) == (UNDECIDED, None)
    judge.feed(data[7:4096])
    assert (judge.verdict, judge.format) == (UNDECIDED, "qcow2")
    judge.feed(data[4096:])
    assert judge.verdict == UNDECIDED
    assert judge.finish().verdict == "accept"
    assert judge.verdict == "accept"


def test_a_raw_stream_is_rejected_once_its_magic_number_is_known() -> None:
    judge = StreamJudge("untrusted")
    judge.feed(bytes(4))
    assert judge.verdict == UNDECIDED
    judge.feed(bytes(4096))

    assert judge.verdict == "reject"
    assert [found.rule for found in judge.finish().errors] == ["probe/claimed"]


def test_a_bad_image_is_rejected_before_it_ends() -> None:
    data = (DATA / "showcase.qcow2").read_bytes()
    judge = StreamJudge("untrusted")
    judge.feed(data[: len(data) - 1])

    assert judge.verdict == "reject"


def test_an_empty_stream_is_no_image() -> None:
    assert StreamJudge("untrusted").finish().verdict == "reject"


def test_memory_is_bounded_whatever_the_stream_holds() -> None:
    judge = StreamJudge("untrusted")
    data = (DATA / "v3-empty.qcow2").read_bytes()
    zeros = bytes(1 << 20)
    tracemalloc.start()
    judge.feed(data)
    for _ in range(256):
        judge.feed(zeros)
    verdict, peak = judge.finish(), tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert verdict.verdict == "accept"
    assert peak < RETAINED + CAPTURED


def moved(data: bytes, field: int, to: int) -> bytes:
    """An image whose table at a header field stands at another offset, padded up to there."""
    at = int.from_bytes(data[field : field + 8], "big")
    table = data[at : at + 65536]
    patched = data[:field] + to.to_bytes(8, "big") + data[field + 8 :]
    return patched.ljust(to, b"\0") + table


L1_TABLE_OFFSET = 40


def test_a_table_far_into_the_stream_is_had_when_it_comes() -> None:
    data = moved((DATA / "v3-empty.qcow2").read_bytes(), L1_TABLE_OFFSET, RETAINED + (1 << 20))

    assert summary(judged(data, "untrusted", 65536)) == summary(validate(data, profile="untrusted"))
    assert summary(judged(data, "untrusted", 1 << 25)) == summary(judged(data, "untrusted", 65536))
