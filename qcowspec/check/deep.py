"""Compressed clusters, inflated: what a check of tables alone takes on trust.

In: a check that has run. Out: findings about payloads that do not give a whole cluster. Refuses:
nothing; each payload is inflated once, however many entries reference it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.explain import Entries, entries
from qcowspec.check.findings import Fault, Progress
from qcowspec.check.qcow2 import Qcow2Check
from qcowspec.guest.inflate import Inflate, NotInflatable, deflated, zstandard_frames
from qcowspec.guest.layers import pool
from qcowspec.sources.source import Source
from qcowspec.spec import decoding

TOGETHER = 256
"""Payloads that the threads are handed at once."""


def inflate_all(check: Qcow2Check, progress: Progress | None = None) -> None:
    """Report the compressed clusters that no reader can inflate."""
    done = 0
    kind = int(check.metadata.qcow2_header.effective_compression_type)
    zstd = kind == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD
    inflate = zstandard_frames if zstd else deflated
    for batch in entries(check):
        hit = np.flatnonzero(decoding.is_compressed(batch.values))
        if not len(hit) or check.metadata.qcow2_header.has_data_file:
            continue
        described, first = np.unique(
            decoding.compressed_descriptor(batch.values[hit]), return_index=True
        )
        broken: list[int] = []
        for start in range(0, len(described), TOGETHER):
            some = described[start : start + TOGETHER]
            broken += [int(hit[first[start + one]]) for one in _broken(check, some, inflate)]
            done += len(some)
            if progress is not None:
                progress("compressed clusters", done, check.figures.compressed_clusters)
        check.findings.add("l2/compressed-data", len(broken), _faults(check, batch, broken))


def _broken(check: Qcow2Check, payloads: npt.NDArray[np.uint64], inflate: Inflate) -> list[int]:
    """Which of some payloads do not give a cluster."""
    bits = check.geometry.cluster_bits
    where = [
        (decoding.compressed_offset(entry, bits), decoding.compressed_length(entry, bits))
        for entry in payloads.tolist()
    ]
    return unsound(check.source, where, check.geometry.cluster_size, inflate)


def unsound(
    source: Source, payloads: list[tuple[int, int]], size: int, inflate: Inflate = deflated
) -> list[int]:
    """Which of some payloads, by offset and length, do not give a cluster of some size."""

    def holds(payload: tuple[int, int]) -> bool:
        try:
            inflate(source.read_at(*payload).ljust(payload[1], b"\0"), size)
        except NotInflatable:
            return False
        return True

    return [number for number, sound in enumerate(pool().map(holds, payloads)) if not sound]


def _faults(check: Qcow2Check, batch: Entries, broken: list[int]) -> Iterator[Fault]:
    width, bits = check.geometry.l2_entry_size, check.geometry.cluster_bits
    for one in broken:
        table, index = int(batch.table[one]), int(batch.index[one])
        l1_entry, value = int(check.tables.places[table]), int(batch.values[one])
        path, guest = f"{check.names.table(l1_entry)}[{index}]", check.names.guest(l1_entry, index)
        place = int(check.tables.offsets[table]) + index * width
        yield Fault(path, place, value, decoding.compressed_offset(value, bits), guest=guest)
