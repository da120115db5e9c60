"""What is compressed here, other people's libraries inflate."""

from __future__ import annotations

import zlib
from hashlib import shake_256

import pytest

from qcowspec.build.compression import deflated, zstd_frame

NOISE = shake_256(b"noise").digest(70000)
DATA = {
    "nothing": b"",
    "a byte": b"a",
    "a long run": b"\0" * 300000,
    "text": b"the same words, " * 400 + b"and others",
    "noise": NOISE,
    "noise, repeated at every distance": b"".join(NOISE[:n] + b"|" for n in range(0, 300, 7)),
    "every byte": bytes(range(256)) * 3,
}


@pytest.mark.parametrize("name", DATA)
def test_zlib_inflates_it_with_qemus_window(name: str) -> None:
    inflater = zlib.decompressobj(wbits=-12)

    assert inflater.decompress(deflated(DATA[name])) + inflater.flush() == DATA[name]
    assert (inflater.eof, inflater.unused_data) == (True, b"")


@pytest.mark.parametrize("length", range(3, 259))
def test_every_length_of_a_repetition_has_its_code(length: int) -> None:
    data = NOISE[:300] + NOISE[:length] + b"\xff"

    assert zlib.decompress(deflated(data), wbits=-12) == data


@pytest.mark.parametrize("distance", [3, 4, 5, 7, 9, 13, 33, 257, 1025, 2049, 4095, 4096, 4097])
def test_every_distance_has_its_code(distance: int) -> None:
    data = NOISE[:distance] * 3

    assert zlib.decompress(deflated(data), wbits=-12) == data


@pytest.mark.parametrize("name", DATA)
def test_zstandard_reads_the_frame(name: str) -> None:
    zstandard = pytest.importorskip("zstandard")

    assert zstandard.ZstdDecompressor().decompress(zstd_frame(DATA[name])) == DATA[name]


def test_the_bytes_are_the_same_everywhere() -> None:
    assert deflated(b"hello hello hello").hex() == "cb48cdc9c957402201"
