"""What a compressed cluster may look like: QEMU's acceptance, stream by stream."""

from __future__ import annotations

import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from qcowspec.guest.inflate import Inflate, NotInflatable, deflated, zstandard_frames

SIZE = 4096
DATA = (b"the guest's own words, again and again. " * 200)[:SIZE]


def raw(data: bytes, *, level: int = 6, flush: int = zlib.Z_FINISH, window: int = 12) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, -window)
    return stream.compress(data) + stream.flush(flush)


def frame(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)  # type: ignore[arg-type]


SKIPPABLE = bytes.fromhex("532a4d18 03000000 616263")
UNSIZED = {"write_content_size": False}

ACCEPTED: dict[str, tuple[Inflate, bytes]] = {
    "deflate": (deflated, raw(DATA)),
    "deflate, stored": (deflated, raw(DATA, level=0)),
    "deflate, garbage behind": (deflated, raw(DATA) + b"\xff" * 700),
    "deflate, zeros behind": (deflated, raw(DATA) + bytes(700)),
    "deflate, more output than a cluster": (deflated, raw(DATA + DATA)),
    "deflate, no final block": (deflated, raw(DATA, flush=zlib.Z_SYNC_FLUSH)),
    "deflate, a window of 32 KiB": (deflated, raw(DATA, window=15)),
    "zstd": (zstandard_frames, frame(DATA)),
    "zstd, of unknown length": (zstandard_frames, frame(DATA, **UNSIZED)),
    "zstd, with checksum": (zstandard_frames, frame(DATA, write_checksum=True)),
    "zstd, garbage behind": (zstandard_frames, frame(DATA) + b"garbage"),
    "zstd, unknown length and garbage": (zstandard_frames, frame(DATA, **UNSIZED) + b"garbage"),
    "zstd, another frame behind": (zstandard_frames, frame(DATA) * 2),
    "zstd, two frames": (zstandard_frames, frame(DATA[:99]) + frame(DATA[99:], **UNSIZED)),
    "zstd, an empty frame first": (zstandard_frames, frame(b"") + frame(DATA)),
    "zstd, a skippable frame first": (zstandard_frames, SKIPPABLE + frame(DATA)),
    "zstd, one between": (
        zstandard_frames,
        frame(DATA[:99]) + SKIPPABLE + frame(DATA[99:]) + SKIPPABLE,
    ),
}


def overstated(claimed: int, data: bytes, *, empty_last: bool) -> bytes:
    """A frame of raw blocks that says how much it holds; its last block may hold nothing."""
    head = bytes.fromhex("28b52ffd a0") + claimed.to_bytes(4, "little")
    blocks = [data, b""] if empty_last else [data]
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        head += (len(block) << 3 | last).to_bytes(3, "little") + block
    return head


# QEMU 7.2 with libzstd 1.5.4 was asked about each of them.
ACCEPTED |= {
    "zstd, more by its header than by its blocks": (
        zstandard_frames,
        overstated(1 << 25, DATA, empty_last=True),
    ),
    "zstd, the same in two frames": (
        zstandard_frames,
        overstated(1 << 25, DATA[:99], empty_last=True) + frame(DATA[99:]),
    ),
}


def endless_zstd(blocks: int) -> bytes:
    """A frame of one byte, repeated 128 KiB a block, that does not say how long it is."""
    block = (1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"x"
    return bytes.fromhex("28b52ffd 00 58") + block * blocks


REFUSED: dict[str, tuple[Inflate, bytes]] = {
    "deflate, nothing": (deflated, b""),
    "deflate, too short": (deflated, raw(DATA[:-1])),
    "deflate, cut": (deflated, raw(DATA)[:-10]),
    "deflate, zlib's wrapper": (deflated, zlib.compress(DATA)),
    "deflate, no final block, garbage": (
        deflated,
        raw(DATA, flush=zlib.Z_SYNC_FLUSH) + b"\xff" * 9,
    ),
    "zstd, nothing": (zstandard_frames, b""),
    "zstd, zeros": (zstandard_frames, bytes(512)),
    "zstd, too short": (zstandard_frames, frame(DATA[:-1])),
    "zstd, too long": (zstandard_frames, frame(DATA + b"x")),
    "zstd, too long and of unknown length": (zstandard_frames, frame(DATA + b"x", **UNSIZED)),
    "zstd, cut": (zstandard_frames, frame(DATA)[:-1]),
    "zstd, cut, of unknown length": (zstandard_frames, frame(DATA, **UNSIZED)[:-1]),
    "zstd, a wrong checksum": (zstandard_frames, frame(DATA, write_checksum=True)[:-1] + b"\0"),
    "zstd, only a skippable frame": (zstandard_frames, SKIPPABLE),
    "zstd, a skippable frame that is cut": (zstandard_frames, SKIPPABLE[:-1]),
    "zstd, a terabyte by its header": (
        zstandard_frames,
        bytes.fromhex("28b52ffd e0") + (1 << 40).to_bytes(8, "little") + bytes(100),
    ),
    "zstd, more by its header, and the last block holds data": (
        zstandard_frames,
        overstated(1 << 25, DATA, empty_last=False),
    ),
    "zstd, more by its header and by its blocks": (
        zstandard_frames,
        overstated(1 << 25, DATA + b"x", empty_last=True),
    ),
    "zstd, less by its header than by its blocks": (
        zstandard_frames,
        overstated(SIZE - 1, DATA, empty_last=True),
    ),
    "zstd, a bomb": (zstandard_frames, endless_zstd(1 << 12)),
    "zstd, a bomb that says it is empty": (
        zstandard_frames,
        bytes.fromhex("28b52ffd 20 00") + endless_zstd(1 << 12)[6:],
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_payload_gives_its_cluster(name: str) -> None:
    inflate, payload = ACCEPTED[name]

    assert inflate(payload, SIZE) == DATA
    assert inflate(memoryview(payload), SIZE) == DATA


@pytest.mark.parametrize("name", REFUSED)
def test_a_payload_is_refused(name: str) -> None:
    inflate, payload = REFUSED[name]

    with pytest.raises(NotInflatable):
        inflate(payload, SIZE)


class Bits:
    """A stream of bits, least significant first."""

    def __init__(self) -> None:
        self.value = self.length = 0

    def number(self, value: int, width: int) -> None:
        """Append a number."""
        self.value |= value << self.length
        self.length += width

    def code(self, code: tuple[int, int]) -> None:
        """Append a Huffman code, whose first bit is its highest."""
        value, width = code
        self.number(int(f"{value:0{width}b}"[::-1], 2), width)

    def packed(self) -> bytes:
        """The stream, its last byte filled up."""
        return self.value.to_bytes(-(-self.length // 8), "little")


def codes(lengths: list[int]) -> list[tuple[int, int]]:
    """Huffman's canonical codes (RFC 1951, section 3.2.2)."""
    found, value, width = [(0, 0)] * len(lengths), 0, 0
    for length, symbol in sorted(
        (length, symbol) for symbol, length in enumerate(lengths) if length
    ):
        value <<= length - width
        found[symbol], value, width = (value, length), value + 1, length
    return found


def dynamic(literals: list[int], distances: list[int], symbols: list[int]) -> bytes:
    """One block with codes of these lengths."""
    bits = Bits()
    bits.number(1, 1)
    bits.number(2, 2)
    for value, width in ((len(literals) - 257, 5), (len(distances) - 1, 5), (15, 4)):
        bits.number(value, width)
    of_lengths = [4] * 16 + [0] * 3
    for symbol in (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15):
        bits.number(of_lengths[symbol], 3)
    for length in literals + distances:
        bits.code(codes(of_lengths)[length])
    for symbol in symbols:
        bits.code(codes(literals)[symbol])
    return bits.packed()


def stored(data: bytes) -> bytes:
    """A block of bytes as they are, which another one follows."""
    length = len(data)
    return b"\0" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + data


END = 256
LITERALS = [0] * 65 + [1] + [0] * 190 + [1]


def test_codes_that_leave_no_bits_without_meaning_are_taken() -> None:
    half = SIZE // 2
    behind = stored(b"A" * half) + dynamic(LITERALS, [0], [65] * half + [END])

    assert deflated(dynamic(LITERALS, [0], [65] * SIZE + [END]), SIZE) == b"A" * SIZE
    assert deflated(behind, SIZE) == b"A" * SIZE


@pytest.mark.parametrize(
    ("literals", "distances"),
    [([*LITERALS[:-1], 2], [0]), (LITERALS, [2]), (LITERALS, [2, 2, 2])],
    ids=["literals", "one distance", "distances"],
)
def test_codes_that_zlib_refuses_are_refused(literals: list[int], distances: list[int]) -> None:
    half = SIZE // 2
    alone = dynamic(literals, distances, [65] * SIZE + [END])
    behind = stored(b"A" * half) + dynamic(literals, distances, [65] * half + [END])

    for stream in (alone, behind):
        with pytest.raises(NotInflatable):
            deflated(stream, SIZE)


def test_broken_streams_get_the_verdict_of_zlib() -> None:
    chance = random.Random(4)
    verdicts = set()
    for _ in range(3000):
        stream = bytearray(raw(DATA[: SIZE // 2] + chance.randbytes(SIZE // 2)))
        reach = len(stream) if chance.random() < 0.5 else 80
        for _ in range(chance.randrange(3)):
            stream[chance.randrange(reach)] ^= 1 << chance.randrange(8)
        payload = bytes(stream) + chance.randbytes(chance.choice((0, 10)))
        exact = zlib.decompressobj(-15)
        try:
            expected: bytes | None = exact.decompress(payload, SIZE)
        except zlib.error:
            expected = None
        if expected is not None and len(expected) < SIZE:
            expected = None
        try:
            found: bytes | None = deflated(payload, SIZE)
        except NotInflatable:
            found = None

        assert found == expected
        verdicts.add(expected is None)
    assert verdicts == {True, False}


def test_threads_share_nothing() -> None:
    cases = [(*each, index) for each in ACCEPTED.values() for index in range(20)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda case: case[0](case[1], SIZE), cases))

    assert found == [DATA] * len(cases)
