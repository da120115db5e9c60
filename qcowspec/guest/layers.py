"""The bytes of one layer: its extents of data and of compressed clusters.

In: extents of a layer. Out: bytes, in a buffer. Refuses: what QEMU fails to read, by its rule.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.chain import Layer
from qcowspec.errors import BY_KIND, QcowError
from qcowspec.guest.inflate import Inflate, NotInflatable, deflated, zstandard_frames
from qcowspec.mapping import Extents, Kind, Run
from qcowspec.metadata import Format
from qcowspec.rules import BY_ID
from qcowspec.units import align_up

if TYPE_CHECKING:
    from qcowspec.crypto import Decryptor

CACHE = 16 << 20
"""Bytes of inflated clusters that a layer keeps."""

PIECE = 8 << 20
"""Bytes that are read at once, at most."""

FEW = 4
"""Compressed clusters that are not worth a second thread."""


@cache
def pool() -> ThreadPoolExecutor:
    """The threads that inflate: as many as there are processors."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="qcowspec")


class LayerReader:
    """Reads one layer."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._inflate: Inflate = deflated
        header = None if layer.metadata is None else layer.metadata.header
        kind = getattr(header, "effective_compression_type", None)
        if kind is not None and int(kind) == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD:
            self._inflate = zstandard_frames
        self._is_v1 = layer.metadata is not None and layer.metadata.format is Format.QCOW
        self._kept: OrderedDict[tuple[int | None, int], bytes] = OrderedDict()
        self._lock = Lock()

    def fill(self, extents: Extents, buffer: memoryview, base: int, *, alone: bool = False) -> None:
        """Write the bytes of the extents of data and of compressed clusters into a buffer.

        Args:
            extents: Some of this layer's; those of other kinds are passed over.
            buffer: Where to; what lies outside of these extents is left as it is.
            base: The guest offset of its first byte.
            alone: Do all of it in this thread: the caller has threads of its own.

        Raises:
            Malformed: A compressed cluster does not inflate.
            Invalid: A v1 entry names an offset that QEMU does not read.
            Unreadable: A source failed.
        """
        packed: list[Run] = []
        for run in extents.runs():
            if run.kind is Kind.COMPRESSED:
                packed.append(run)
            elif run.kind is Kind.DATA:
                self._read(run, buffer[run.offset - base :][: run.length])
        if not packed:
            return
        clusters = self._clusters(packed, alone=alone)
        size = self.layer.mapping.cluster_size
        for run, data in zip(packed, clusters, strict=True):
            within = run.offset % size
            at = run.offset - base
            buffer[at : at + run.length] = data[within : within + run.length]

    def plain(self, run: Run) -> bytes:
        """The bytes of a run of data; raises what `fill` does."""
        buffer = bytearray(run.length)
        self._read(run, memoryview(buffer))
        return bytes(buffer)

    def packed(self, run: Run) -> bytes:
        """The bytes of a run of a compressed cluster, which is kept; raises what `fill` does."""
        within = run.offset % self.layer.mapping.cluster_size
        return self._cluster(run)[within : within + run.length]

    def _read(self, run: Run, into: memoryview) -> None:
        """Read an extent of data; what lies behind the end of the file stays zeros."""
        assert run.host_offset is not None
        if self._is_v1:
            self._check_v1(run)
        if self.layer.decryptor is not None:
            self._decrypt(run, into, self.layer.decryptor)
            return
        straight = getattr(self.layer.data, "read_into", None)
        if straight is not None:
            count = straight(run.host_offset, into)
            into[count:] = bytes(run.length - count)  # a buffer may have been used before
            return
        for start in range(0, run.length, PIECE):
            data = self.layer.data.read_at(run.host_offset + start, min(PIECE, run.length - start))
            into[start : start + len(data)] = data
            into[start + len(data) : start + PIECE] = bytes(
                min(PIECE, run.length - start) - len(data)
            )

    def _decrypt(self, run: Run, into: memoryview, decryptor: Decryptor) -> None:
        """Read an extent of encrypted data: whole sectors, of which some bytes may be wanted."""
        assert run.host_offset is not None
        sector = c.BDRV_SECTOR_SIZE
        ahead = run.offset % sector
        for start in range(0, run.length, PIECE):
            wanted = min(PIECE, run.length - start)
            host, guest = run.host_offset - ahead + start, run.offset - ahead + start
            length = align_up(ahead + wanted, sector)
            data = self.layer.data.read_at(host, length).ljust(length, b"\0")
            plain = decryptor.decrypt(data, host if decryptor.physical else guest)
            into[start : start + wanted] = plain[ahead : ahead + wanted]

    def _check_v1(self, run: Run) -> None:
        assert run.host_offset is not None
        # Of an extent that begins inside a sector, the cluster's own offset is judged.
        if (run.host_offset - run.offset) % c.BDRV_SECTOR_SIZE:
            raise self._error("l2/v1-cluster-offset", run)
        if run.host_offset + run.length > c.BDRV_MAX_LENGTH:
            raise self._error("l2/v1-cluster-read", run)

    def _clusters(self, runs: Sequence[Run], *, alone: bool) -> list[bytes]:
        """The clusters of compressed extents, each fetched and inflated once."""
        first = {_payload(run): run for run in runs}
        work: Callable[[Run], bytes] = self._cluster
        if len(first) > FEW and not alone:
            found = dict(zip(first, pool().map(work, first.values()), strict=True))
        else:
            found = {payload: work(run) for payload, run in first.items()}
        return [found[_payload(run)] for run in runs]

    def _cluster(self, run: Run) -> bytes:
        assert run.host_offset is not None
        with self._lock:
            kept = self._kept.get(_payload(run))
            if kept is not None:
                self._kept.move_to_end(_payload(run))
                return kept
        length = run.compressed_length
        payload = self.layer.source.read_at(run.host_offset, length).ljust(length, b"\0")
        size = self.layer.mapping.cluster_size
        try:
            data = self._inflate(payload, size)
        except NotInflatable as error:
            rule = "l2/v1-compressed-data" if self._is_v1 else "l2/compressed-data"
            raise self._error(rule, run) from error
        with self._lock:
            self._kept[_payload(run)] = data
            while len(self._kept) > max(1, CACHE // size):
                self._kept.popitem(last=False)
        return data

    def _error(self, rule: str, run: Run) -> QcowError:
        row = BY_ID[rule]
        value = run.compressed_length if rule == "l2/v1-compressed-data" else run.host_offset
        return BY_KIND[row.kind](
            row.message.format(value=value if rule == "l2/v1-compressed-data" else hex(value or 0)),
            rule=rule,
            stage=row.stage,
            offset=run.host_offset,
            field=f"l2_entry.{row.field}",
            value=value,
            path=self.layer.name,
        )


def _payload(run: Run) -> tuple[int | None, int]:
    """What tells a payload from others: two of them may start at one byte, and end apart."""
    return run.host_offset, run.compressed_length
