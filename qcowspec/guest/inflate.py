"""Compressed clusters: payload → the bytes of one cluster, accepting what QEMU accepts.

In: a payload, of which the compressed stream may end early, and the cluster size. Out: exactly that
many bytes. Refuses: with `NotInflatable`, payloads that do not give as many.

Source: block/qcow2-threads.c: qcow2_zlib_decompress, qcow2_zstd_decompress; block/qcow.c:
decompress_buffer. Every function may be called from several threads at once.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable

from isal import isal_zlib

WINDOW = -zlib.MAX_WBITS
"""Raw deflate. QEMU says 12 bits, but zlib looks back as far as the output that it holds."""


class NotInflatable(Exception):
    """The payload does not give a whole cluster."""


Inflate = Callable[[bytes, int], bytes]


def deflated(payload: bytes, size: int) -> bytes:
    """A raw deflate stream; what follows the cluster's bytes is of no matter.

    Args:
        payload: The bytes that the L2 entry claims; the stream may end before they do.
        size: Bytes of a cluster.

    Raises:
        NotInflatable: The stream is broken, or too short.
    """
    quick = isal_zlib.decompressobj(WINDOW)
    try:
        data: bytes = quick.decompress(payload, size)
        if len(data) == size and quick.eof:
            return data
    except isal_zlib.IsalError:  # type: ignore[misc] # its stubs lose the base class
        pass
    # Where the stream does not end with the cluster, zlib's own word counts: it may read on.
    exact = zlib.decompressobj(WINDOW)
    try:
        data = exact.decompress(payload, size)
    except zlib.error as error:
        raise NotInflatable(str(error)) from error
    if len(data) != size:
        raise NotInflatable(f"{len(data)} bytes instead of {size}")
    return data


_thread = threading.local()


def zstandard_frames(payload: bytes, size: int) -> bytes:
    """Zstandard frames until the cluster is full; the last one has to end there.

    Args:
        payload: The bytes that the L2 entry claims; what follows the last frame is of no matter.
        size: Bytes of a cluster.

    Raises:
        NotInflatable: A frame is broken, or they give fewer bytes, or the last one more.
    """
    import zstandard

    decompressor = getattr(_thread, "zstd", None)
    if decompressor is None:
        decompressor = _thread.zstd = zstandard.ZstdDecompressor()
    try:
        data: bytes = decompressor.decompress(payload, max_output_size=size, allow_extra_data=True)
        if len(data) == size:
            return data
    except zstandard.ZstdError:
        pass
    return _frame_by_frame(payload, size)


def _frame_by_frame(payload: bytes, size: int) -> bytes:
    """The same for odd payloads, byte by byte: no step can make more than one block of output."""
    import zstandard

    data, left = bytearray(), memoryview(payload)
    try:
        while len(data) < size:
            frame = zstandard.ZstdDecompressor().decompressobj()
            used = 0
            while not frame.eof and used < len(left) and len(data) <= size:
                data += frame.decompress(left[used : used + 1])
                used += 1
            if len(data) > size or not frame.eof:
                raise NotInflatable(f"a frame does not end with byte {size}")
            left = left[used:]
    except zstandard.ZstdError as error:
        raise NotInflatable(str(error)) from error
    return bytes(data)
