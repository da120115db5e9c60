"""Compressed clusters, as QEMU would read them.

In: the bytes of a cluster. Out: a raw deflate stream, or a zstd frame. Refuses: nothing.

The standard library has no zstd before Python 3.14. A frame need not be small to be valid, so the
one made here holds the data as they are, and only the zeros after them compressed.

Source: block/qcow2-threads.c; block/qcow.c: qcow_co_pwritev_compressed; RFC 1951; RFC 8878,
section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from qcow_parsers import constants as c


def deflated(data: bytes) -> bytes:
    """A cluster as version 1, and zlib in versions 2 and 3, store it.

    Equal data give equal bytes on every machine, which the builds of zlib do not promise.
    """
    coded, stored = _coded(data), _stored(data)
    return coded if len(coded) < len(stored) else stored


def _stored(data: bytes) -> bytes:
    """The data as they are, in blocks."""
    pieces = [data[i : i + STORED_MAX] for i in range(0, len(data), STORED_MAX)] or [b""]
    blocks = [
        len(piece).to_bytes(2, "little") + (len(piece) ^ STORED_MAX).to_bytes(2, "little") + piece
        for piece in pieces
    ]
    return b"".join(
        bytes([number == len(blocks) - 1]) + block for number, block in enumerate(blocks)
    )


def _coded(data: bytes) -> bytes:
    """One block with the fixed codes, in which repeated data refer back to earlier ones."""
    out, word, used = bytearray(), LAST_FIXED, 3
    for code, bits in (*_codes(data), END):
        word |= code << used
        used += bits
        if used > FLUSHED:
            whole = used // 8
            out += (word & ((1 << whole * 8) - 1)).to_bytes(whole, "little")
            word, used = word >> whole * 8, used % 8
    return bytes(out + word.to_bytes(-(-used // 8), "little"))


def _codes(data: bytes) -> Iterator[tuple[int, int]]:
    """Bits, the first the lowest, and their number: for bytes, and for repetitions."""
    seen: dict[bytes, int] = {}
    at = 0
    while at < len(data):
        key = data[at : at + MATCH_MIN]
        before = seen.get(key, -1 - WINDOW) if len(key) == MATCH_MIN else -1 - WINDOW
        seen[key] = at
        if at - before > WINDOW:
            yield LITERALS[data[at]]
            at += 1
            continue
        length = MATCH_MIN
        most = min(MATCH_MAX, len(data) - at)
        while length < most and data[before + length] == data[at + length]:
            length += 1
        yield LENGTHS[length]
        yield _distance(at - before)
        at += length


def _reversed(code: int, bits: int) -> int:
    return int(f"{code:0{bits}b}"[::-1], 2)


def _literal(symbol: int) -> tuple[int, int]:
    """The fixed code of a symbol (RFC 1951, section 3.2.6)."""
    for first, code, bits in ((280, 0xC0, 8), (256, 0, 7), (144, 0x190, 9), (0, 0x30, 8)):
        if symbol >= first:
            return _reversed(code + symbol - first, bits), bits
    raise AssertionError(symbol)


def _length(length: int) -> tuple[int, int]:
    """The code of a length and its extra bits (section 3.2.5)."""
    if length == MATCH_MAX:
        return _literal(285)
    extra = max(0, (length - MATCH_MIN).bit_length() - 3)
    symbol = 257 + 4 * extra + ((length - MATCH_MIN) >> extra)
    code, bits = _literal(symbol)
    return code | ((length - MATCH_MIN) & ((1 << extra) - 1)) << bits, bits + extra


def _distance(distance: int) -> tuple[int, int]:
    """The code of a distance and its extra bits (section 3.2.5)."""
    extra = max(0, (distance - 1).bit_length() - 2)
    symbol = 2 * extra + ((distance - 1) >> extra)
    return _reversed(symbol, 5) | ((distance - 1) & ((1 << extra) - 1)) << 5, 5 + extra


WINDOW = 1 << c.QCOW2_DEFLATE_WINDOW_BITS
MATCH_MIN, MATCH_MAX = 3, 258
STORED_MAX = 0xFFFF
FLUSHED = 512
"""Bits that are gathered before they are put out."""

LAST_FIXED = 0b011
"""The head of a block: it is the last, and has the fixed codes."""

LITERALS = [_literal(symbol) for symbol in range(256)]
LENGTHS = [(0, 0)] * MATCH_MIN + [_length(length) for length in range(MATCH_MIN, MATCH_MAX + 1)]
END = _literal(256)


def zstd_frame(data: bytes) -> bytes:
    """A cluster as a zstd frame."""
    stored = data.rstrip(b"\0")
    blocks = [stored[i : i + BLOCK_MAX] for i in range(0, len(stored), BLOCK_MAX)]
    zeros = len(data) - len(stored)
    repeated = [min(BLOCK_MAX, zeros - i) for i in range(0, zeros, BLOCK_MAX)]
    pieces = [
        _block(RAW, len(raw), raw) if len(set(raw)) > 1 else _block(REPEATED, len(raw), raw[:1])
        for raw in blocks
    ]
    pieces += [_block(REPEATED, length, b"\0") for length in repeated]
    pieces.append(_block(RAW, 0, b"", last=True))
    return MAGIC + SINGLE_SEGMENT + len(data).to_bytes(4, "little") + b"".join(pieces)


def _block(kind: int, length: int, content: bytes, *, last: bool = False) -> bytes:
    return (int(last) | kind << 1 | length << 3).to_bytes(3, "little") + content


MAGIC = (0xFD2FB528).to_bytes(4, "little")
SINGLE_SEGMENT = bytes([2 << 6 | 1 << 5])
"""The frame's content size follows in 4 bytes; no window, no dictionary, no checksum."""

BLOCK_MAX = 128 << 10
RAW, REPEATED = 0, 1
"""Types of block: bytes as they are; one byte, so many times."""
