"""What this machine cannot do faster: bare threads that copy, and the bare library that inflates.

    python -m tools.bench.limits copy FROM TO
    python -m tools.bench.limits inflate IMAGE

`copy` reads and writes a raw file with as many threads as there are processors, a MiB at a time,
and looks for nothing. `inflate` reads each payload of a compressed image and inflates it, one after
the other, on one processor: the seconds are divided by the number of processors.
"""

from __future__ import annotations

import os
import sys
import threading
import time

STEP = 1 << 20


def copy(source: str, target: str) -> float:
    """Seconds that two bare threads or more take for a file."""
    start = time.perf_counter()
    read = os.open(source, os.O_RDONLY)
    write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    size = os.fstat(read).st_size
    os.ftruncate(write, size)
    offsets = iter(range(0, size, STEP))
    lock = threading.Lock()

    def work() -> None:
        buffer = bytearray(STEP)
        while True:
            with lock:
                at = next(offsets, None)
            if at is None:
                return
            count = os.preadv(read, [buffer], at)
            os.pwrite(write, memoryview(buffer)[:count], at)

    threads = [threading.Thread(target=work) for _ in range(os.cpu_count() or 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    os.close(read)
    os.close(write)
    return time.perf_counter() - start


def inflate(image: str) -> float:
    """Seconds that the bare library takes for an image's payloads, over the processors."""
    import zstandard
    from isal import isal_zlib

    import qcowspec
    from qcowspec.mapping import Kind

    with qcowspec.open(image) as opened:
        payloads = [
            opened.source.read_at(run.host_offset or 0, run.compressed_length)
            for run in opened.runs()
            if run.kind is Kind.COMPRESSED
        ]
        cluster, header = opened.geometry.cluster_size, opened.header
    is_zstd = int(getattr(header, "compression_type", 0) or 0) > 0
    frames = zstandard.ZstdDecompressor()
    start = time.perf_counter()
    for payload in payloads:
        if is_zstd:
            frames.decompressobj().decompress(payload)
        else:
            isal_zlib.decompressobj(-15).decompress(payload, cluster)
    return (time.perf_counter() - start) / (os.cpu_count() or 1)


if __name__ == "__main__":
    what, *paths = sys.argv[1:]
    print(copy(*paths) if what == "copy" else inflate(*paths))
