"""Compressed clusters, inflated: what a check of tables alone takes on trust.

In: an image's layout. Out: findings about payloads that do not give a whole cluster. Refuses:
nothing; each payload is inflated once, however many entries reference it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.explain import Entries, entries
from qcowspec.check.findings import Fault, Progress
from qcowspec.check.layout import Layout
from qcowspec.guest.inflate import Inflate, NotInflatable, deflated, zstandard_frames
from qcowspec.guest.layers import INFLATING
from qcowspec.sources.source import Source
from qcowspec.spec import decoding

TOGETHER = 256
"""Payloads that the threads are handed at once."""


def inflate_all(layout: Layout, total: int, progress: Progress) -> None:
    """Report the compressed clusters that no reader can inflate; there are `total`."""
    header, bits, done = layout.metadata.qcow2_header, layout.geometry.cluster_bits, 0
    if header.has_data_file:
        return
    kind = int(header.effective_compression_type)
    zstd = kind == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD
    inflate = zstandard_frames if zstd else deflated
    for batch in entries(layout):
        hit = np.flatnonzero(decoding.is_compressed(batch.values))
        descriptors, first = np.unique(
            decoding.compressed_descriptor(batch.values[hit]), return_index=True
        )
        payloads = [
            (decoding.compressed_offset(entry, bits), decoding.compressed_length(entry, bits))
            for entry in descriptors.tolist()
        ]
        broken: list[int] = []
        for start in range(0, len(payloads), TOGETHER):
            some = payloads[start : start + TOGETHER]
            failed = not_inflated(layout.source, some, layout.geometry.cluster_size, inflate)
            broken += [int(hit[first[start + one]]) for one in failed]
            done += len(some)
            progress("compressed clusters", done, total)
        layout.findings.add("l2/compressed-data", len(broken), _faults(layout, batch, broken))


def not_inflated(
    source: Source, payloads: list[tuple[int, int]], size: int, inflate: Inflate = deflated
) -> list[int]:
    """Which of some payloads, by offset and length, do not give a cluster of some size."""

    def is_whole(payload: tuple[int, int]) -> bool:
        try:
            inflate(source.read_at(*payload).ljust(payload[1], b"\0"), size)
        except NotInflatable:
            return False
        return True

    found = INFLATING.map(is_whole, payloads)
    return [number for number, whole in enumerate(found) if not whole]


def _faults(layout: Layout, batch: Entries, broken: list[int]) -> Iterator[Fault]:
    for one in broken:
        value = int(batch.values[one])
        offset = decoding.compressed_offset(value, layout.geometry.cluster_bits)
        yield layout.l2_entry(int(batch.table[one]), int(batch.index[one]), value, offset)
