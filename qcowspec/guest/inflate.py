"""Compressed clusters: payload → the bytes of one cluster, accepting what QEMU accepts.

In: a payload, of which the compressed stream may end early, and the cluster size. Out: exactly that
many bytes. Refuses: with `NotInflatable`, payloads that do not give as many.

Source: block/qcow2-threads.c: qcow2_zlib_decompress, qcow2_zstd_decompress; block/qcow.c:
decompress_buffer. Every function may be called from several threads at once, and lets others run
while it works.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from isal import isal_zlib

if TYPE_CHECKING:
    import zstandard

IsalError = cast("type[Exception]", isal_zlib.error)  # whose stub takes it for an instance

Payload = bytes | memoryview
Inflate = Callable[[Payload, int], bytes]

WINDOW = -zlib.MAX_WBITS
"""Raw deflate. QEMU asks for 12 bits, but zlib looks back through all output that it holds."""


class NotInflatable(Exception):
    """The payload does not give a whole cluster."""


class CutShort(NotInflatable):
    """The payload ends before its stream does."""


def deflated(payload: Payload, size: int) -> bytes:
    """A raw deflate stream; what follows the cluster's bytes is ignored.

    ISA-L is twice as fast as zlib, which QEMU uses. Its result counts only where both agree: for a
    stream of one block that ends with the cluster, and whose codes zlib accepts too (ISA-L accepts
    an incomplete set of Huffman codes). Everything else is left to zlib. QEMU's compressor begins a
    second block after 32,767 symbols, which a cluster of 64 KiB hardly ever has.

    Args:
        payload: The bytes that the L2 entry claims; the stream may end before they do.
        size: Bytes of a cluster.

    Raises:
        NotInflatable: The stream is broken, or too short.
    """
    if len(payload) and payload[0] & LAST:
        quick = isal_zlib.decompressobj(WINDOW)
        try:
            data: bytes = quick.decompress(payload, size)
            if quick.eof and len(data) == size:
                zlib.decompressobj(WINDOW).decompress(payload[:FIRST], 1)
                return data
        except (IsalError, zlib.error):
            pass
    # After the cluster's last byte zlib reads on to the next symbol that would give output, and
    # fails if that is broken. Python's zlib does so with max_length as QEMU's does with Z_FINISH.
    exact = zlib.decompressobj(WINDOW)
    try:
        data = exact.decompress(payload, size)
    except zlib.error as error:
        raise NotInflatable(str(error)) from error
    if len(data) != size:
        kind = NotInflatable if exact.eof else CutShort
        raise kind(f"the stream gives {len(data)} bytes instead of {size}")
    return data


LAST = 1
"""The first bit of a block that no other one follows (RFC 1951, section 3.2.3)."""

FIRST = 1 << 10
"""Bytes that hold the first block's codes, and the first symbol: 286 + 30 lengths of 14 bits."""


def stream_end(payload: Payload, size: int, *, zstd: bool) -> int:
    """How many bytes of a payload are looked at; all of one that does not inflate.

    Args:
        payload: The bytes that the L2 entry claims.
        size: Bytes of a cluster.
        zstd: Whether it is zstd frames, and not a deflate stream.
    """
    if zstd:
        import zstandard

        try:
            return _frame_by_frame(zstandard.ZstdDecompressor(), payload, size)[1]
        except (NotInflatable, zstandard.ZstdError):
            return len(payload)
    stream = zlib.decompressobj(WINDOW)
    try:
        if len(stream.decompress(payload, size)) < size:
            return len(payload)
    except zlib.error:
        return len(payload)
    return len(payload) - len(stream.unconsumed_tail) - len(stream.unused_data)


_of_thread = threading.local()  # a decompressor of zstandard serves one thread at a time


def zstandard_frames(payload: Payload, size: int) -> bytes:
    """Zstandard frames until the cluster is full; the last one has to end there.

    Args:
        payload: The bytes that the L2 entry claims; what follows the last frame is ignored.
        size: Bytes of a cluster.

    Raises:
        NotInflatable: A frame is broken, or they give fewer bytes, or the last one more.
    """
    import zstandard

    decompressor: zstandard.ZstdDecompressor | None = getattr(_of_thread, "zstd", None)
    if decompressor is None:
        decompressor = _of_thread.zstd = zstandard.ZstdDecompressor()
    try:
        # The library allocates the size that a frame states, so that is checked first.
        if zstandard.frame_content_size(payload) == size:
            data: bytes = decompressor.decompress(payload, allow_extra_data=True)
            return data
        return _frame_by_frame(decompressor, payload, size)[0]
    except zstandard.ZstdError as error:
        raise _kind_of_damage(payload)(str(error)) from error


def _kind_of_damage(payload: Payload) -> type[NotInflatable]:
    """The error of a refused payload: whether it ends within its first frame."""
    import zstandard

    try:
        _frame_end(memoryview(payload), 0)
    except CutShort:
        return CutShort
    except (NotInflatable, zstandard.ZstdError):
        pass
    return NotInflatable


def _frame_by_frame(
    decompressor: zstandard.ZstdDecompressor, payload: Payload, size: int
) -> tuple[bytes, int]:
    """The same for several frames, and for those that do not state their content's size.

    Returns:
        The cluster, and where the last frame ends in the payload.
    """
    import zstandard

    view, at, left = memoryview(payload), 0, size
    pieces: list[bytes] = []
    while left:
        if at >= len(view):
            raise CutShort(f"the frames give {size - left} bytes instead of {size}")
        end = _frame_end(view, at)
        frame, at = view[at:end], end
        if is_skippable(frame):
            continue
        claimed = zstandard.frame_content_size(frame)
        if claimed > left:  # libzstd may end such a frame early, with an empty last block
            reader = decompressor.stream_reader(frame)
            piece: bytes = reader.read(left)
            if reader.read(1):
                raise NotInflatable("a frame holds more than the cluster")
            pieces.append(piece)
            left -= len(piece)
            continue
        if claimed == 0:  # the library returns nothing, without a look at the blocks
            if decompressor.stream_reader(frame).read(1):
                raise NotInflatable("a frame holds more than it says")
            continue
        piece = decompressor.decompress(frame, max_output_size=left)
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces), at


# --- Where a zstd frame ends (RFC 8878, section 3.1) ----------------------------------------------

SKIPPABLE, SKIPPABLE_HEADER = bytes.fromhex("2a4d18"), 8
"""How a skippable frame's magic ends, after a byte of 0x50 to 0x5f; bytes of magic and length."""

BLOCK_HEADER, CHECKSUM = 3, 4
"""Bytes of a block's header, and of a frame's checksum."""

REPEATED, RESERVED = 1, 3
"""Types of block: one byte, repeated; not allowed."""


def is_skippable(frame: memoryview) -> bool:
    """Whether a frame is to be skipped: it has no data."""
    return frame[1:4] == SKIPPABLE and frame[0] >> 4 == 0x5


def _frame_end(view: memoryview, at: int) -> int:
    """Where the frame that starts at an offset ends.

    Raises:
        NotInflatable: It does not end within the payload.
        zstandard.ZstdError: There is no frame.
    """
    import zstandard

    frame = view[at:]
    if is_skippable(frame):
        end = at + SKIPPABLE_HEADER + int.from_bytes(frame[4:SKIPPABLE_HEADER], "little")
    else:
        has_checksum = zstandard.get_frame_parameters(frame).has_checksum
        end, last = at + zstandard.frame_header_size(frame), False
        while not last and end + BLOCK_HEADER <= len(view):
            header = int.from_bytes(view[end : end + BLOCK_HEADER], "little")
            last, kind, length = bool(header & 1), header >> 1 & 0b11, header >> 3
            if kind == RESERVED:
                raise NotInflatable("a block is of no type")
            end += BLOCK_HEADER + (1 if kind == REPEATED else length)
        end += CHECKSUM if has_checksum else 0
        if not last:
            end = len(view) + 1
    if end > len(view):
        raise CutShort("a frame does not end within the cluster's data")
    return end
