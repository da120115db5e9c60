"""Images on an event loop: `aopen`, and the methods of an image, awaited.

In: what `qcowspec.open` takes. Out: an `AsyncImage`. Refuses: what `qcowspec.open` refuses, with
the same errors, through the same gate.

The machine that opens an image is driven on the loop itself: each of its needs is one awaited read.
Guest bytes are read in threads; all images of a process share `THREADS` of them. So nothing slow
(reading, inflating, PBKDF2) blocks the loop.
"""

from __future__ import annotations

from qcowspec.aio.disk import AsyncDisk
from qcowspec.aio.image import AsyncImage, Opening, aopen
from qcowspec.aio.reader import AsyncReader
from qcowspec.aio.workers import THREADS

__all__ = ["THREADS", "AsyncDisk", "AsyncImage", "AsyncReader", "Opening", "aopen"]
