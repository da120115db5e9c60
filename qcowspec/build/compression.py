"""Compressed clusters, as QEMU would read them.

In: the bytes of a cluster. Out: a raw deflate stream, or a zstd frame. Refuses: nothing.

The standard library has no zstd before Python 3.14. A frame need not be small to be valid, so the
one made here holds the data as they are and only the zeros behind them compressed.

Source: block/qcow2-threads.c; block/qcow.c: qcow_co_pwritev_compressed; RFC 8878, section 3.1.
"""

from __future__ import annotations

import zlib

from qcow_parsers import constants as c


def deflated(data: bytes) -> bytes:
    """A cluster as version 1, and zlib in versions 2 and 3, store it."""
    stream = zlib.compressobj(wbits=-c.QCOW2_DEFLATE_WINDOW_BITS)
    return stream.compress(data) + stream.flush()


def zstd_frame(data: bytes) -> bytes:
    """A cluster as a zstd frame."""
    stored = data.rstrip(b"\0")
    blocks = [(RAW, stored[i : i + BLOCK_MAX]) for i in range(0, len(stored), BLOCK_MAX)]
    zeros = len(data) - len(stored)
    repeated = [min(BLOCK_MAX, zeros - i) for i in range(0, zeros, BLOCK_MAX)]
    pieces = [_block(RAW, len(raw), raw) for _, raw in blocks]
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
