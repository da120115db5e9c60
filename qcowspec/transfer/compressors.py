"""Compressing clusters, as QEMU inflates them.

In: a cluster. Out: its payload, or None if that would not be smaller. Refuses: nothing. All of it
runs without Python's lock.

Source: block/qcow2-threads.c: qcow2_zlib_compress, qcow2_zstd_compress.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from qcow_parsers import constants as c

Compressor = Callable[[memoryview], bytes | None]

LEVEL = 3
"""ISA-L's best level: eight times as fast as zlib's usual one; payloads are some 7 % larger."""

ZSTD_LEVEL = 3
"""The level that QEMU uses."""


def compressor(name: str) -> Compressor:
    """The compressor of a type: ``zlib`` or ``zstd``; any number of threads may call it."""
    return {"zlib": _zlib, "zstd": _zstd}[name]()


def _zlib() -> Compressor:
    from isal import isal_zlib

    window = -c.QCOW2_DEFLATE_WINDOW_BITS

    def compress(data: memoryview) -> bytes | None:
        made = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, window)
        return _smaller(made.compress(data) + made.flush(), data)

    return compress


def _zstd() -> Compressor:
    from zstandard import ZstdCompressor

    own = threading.local()

    def compress(data: memoryview) -> bytes | None:
        made: Any = getattr(own, "compressor", None)
        if made is None:
            made = own.compressor = ZstdCompressor(level=ZSTD_LEVEL)
        return _smaller(made.compress(data), data)

    return compress


def _smaller(payload: bytes, data: memoryview) -> bytes | None:
    return payload if len(payload) < len(data) else None
