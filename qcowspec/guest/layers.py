"""The bytes of one layer: its runs of data and of compressed clusters.

In: runs of a layer. Out: bytes, in a buffer. Refuses: what QEMU fails to read, by its rule.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.chain import Layer
from qcowspec.errors import QcowError
from qcowspec.guest.inflate import (
    CutShort,
    Inflate,
    NotInflatable,
    Payload,
    deflated,
    zstandard_frames,
)
from qcowspec.mapping import Kind, Run
from qcowspec.sources.source import GAP
from qcowspec.sources.threads import Threads
from qcowspec.spec.entry_rules import v1_on_sector
from qcowspec.spec.metadata import Format
from qcowspec.spec.rules import BY_ID, error_of
from qcowspec.spec.units import align_up, readable

if TYPE_CHECKING:
    from qcowspec.crypto import Decryptor

CACHE = 16 << 20
"""Bytes of inflated clusters that a layer caches."""

PIECE = 8 << 20
"""Bytes that are read at once, at most."""

FEW = 4
"""Compressed clusters that are not worth a second thread."""

SHARE = 16
"""Compressed clusters that a thread takes at a time."""

Key = tuple[int | None, int]
"""Identifies a payload: its host offset, and the bytes that an entry claims."""


INFLATING = Threads(os.cpu_count() or 1, "qcowspec")
"""The threads that inflate: as many as there are processors."""


class LayerReader:
    """Reads one layer; any number of threads may share it.

    Attributes:
        layer: The layer.
        is_direct: Whether its data are stored as the guest sees them, at offsets that QEMU reads.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._inflate: Inflate = deflated
        header = None if layer.metadata is None else layer.metadata.header
        kind = getattr(header, "effective_compression_type", None)
        if kind is not None and int(kind) == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD:
            self._inflate = zstandard_frames
        self._is_v1 = layer.metadata is not None and layer.metadata.format is Format.QCOW
        self.is_direct = not self._is_v1 and layer.decryptor is None
        self._read_at = layer.data.read_at
        # What a conversion reads from a server is neither kept nor read ahead.
        self._read_once = layer.source.read_once
        self._cluster_size = layer.walk.cluster_size
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = Lock()

    def plain(self, run: Run) -> bytes:
        """The bytes of a run of data.

        Raises:
            Invalid: A v1 entry names an offset that QEMU does not read.
            Unreadable: A source failed.
        """
        if self.is_direct:
            assert run.host_offset is not None
            return self._read_at(run.host_offset, run.length).ljust(run.length, b"\0")
        buffer = bytearray(run.length)
        self.read_into(run, memoryview(buffer))
        return bytes(buffer)

    def packed(self, run: Run) -> bytes:
        """The bytes of a run of a compressed cluster, which is cached for the next read.

        Raises:
            Malformed: The cluster does not inflate.
            Unreadable: A source failed.
        """
        key = _key(run)
        data = self._cached(key)
        if data is None:
            data = self._inflated(run, next(self._payloads([run])))
            self._keep(key, data)
        within = run.offset % self._cluster_size
        return data[within : within + run.length]

    def fill(
        self, runs: Iterable[Run], buffer: memoryview, base: int, *, alone: bool = False
    ) -> None:
        """Write the bytes of the runs of data and of compressed clusters into a buffer.

        Args:
            runs: Runs of this layer; those of other kinds are skipped.
            buffer: Where the bytes go; other bytes in it stay as they are.
            base: The guest offset of its first byte.
            alone: Do all of it in this thread, and cache nothing: the caller has its own threads,
                and reads every cluster once.

        Raises:
            Malformed: A compressed cluster does not inflate.
            Invalid: A v1 entry names an offset that QEMU does not read.
            Unreadable: A source failed.
        """
        packed: dict[Key, list[Run]] = {}  # each payload is fetched and inflated once
        for run in runs:
            if run.kind is Kind.COMPRESSED:
                packed.setdefault(_key(run), []).append(run)
            elif run.kind is Kind.DATA:
                at = run.offset - base
                self.read_into(run, buffer[at : at + run.length])
        groups = list(packed.values())
        if alone or len(groups) <= FEW:
            self._unpack(groups, buffer, base, keep=not alone)
            return
        shares = [groups[start : start + SHARE] for start in range(0, len(groups), SHARE)]
        for _ in INFLATING.map(lambda share: self._unpack(share, buffer, base, keep=True), shares):
            pass

    # --- data -------------------------------------------------------------------------------------

    def read_into(self, run: Run, into: memoryview) -> None:
        """Read a run of data; what lies past the end of the file is zeros.

        Raises:
            Invalid, Unreadable: See `plain`.
        """
        assert run.host_offset is not None
        if self._is_v1:
            self._check_v1(run)
        if self.layer.decryptor is not None:
            self._decrypt(run, into, self.layer.decryptor)
        else:
            self._stored(run.host_offset, into)

    def _stored(self, host: int, into: memoryview) -> None:
        """Read bytes as they are stored; zeros past the end of the file."""
        count = self.layer.data.read_into(host, into)
        if count < len(into):
            into[count:] = bytes(len(into) - count)  # a buffer may have been used before

    def _decrypt(self, run: Run, into: memoryview, decryptor: Decryptor) -> None:
        """Read a run of encrypted data: whole sectors, of which some bytes may be wanted."""
        assert run.host_offset is not None
        ahead = run.offset % c.BDRV_SECTOR_SIZE
        for start in range(-ahead, run.length, PIECE):
            host, guest = run.host_offset + start, run.offset + start
            end = min(start + PIECE, run.length)
            length = align_up(end - start, c.BDRV_SECTOR_SIZE)
            whole = start >= 0 and length == end - start
            part = into[start:end] if whole else memoryview(bytearray(length))
            self._stored(host, part)
            decryptor.decrypt_into(part, host if decryptor.physical else guest, part)
            if not whole:
                into[max(start, 0) : end] = part[max(-start, 0) : end - start]

    def _check_v1(self, run: Run) -> None:
        assert run.host_offset is not None
        # Of a run that begins inside a sector, the cluster's own offset is judged.
        if not v1_on_sector(run.host_offset - run.offset):
            raise self._error("l2/v1-cluster-offset", run)
        if not readable(run.host_offset, run.length):
            raise self._error("l2/v1-cluster-read", run)

    # --- compressed clusters ----------------------------------------------------------------------

    def _unpack(
        self, groups: Sequence[Sequence[Run]], buffer: memoryview, base: int, *, keep: bool
    ) -> None:
        """Inflate payloads, each for the runs that share it, unless they are cached."""
        wanted = []
        for group in groups:
            data = self._cached(_key(group[0])) if keep else None
            if data is None:
                wanted.append(group)
            else:
                self._spread(data, group, buffer, base)
        payloads = self._payloads([group[0] for group in wanted], once=not keep)
        for group, payload in zip(wanted, payloads, strict=True):
            data = self._inflated(group[0], payload)
            if keep:
                self._keep(_key(group[0]), data)
            self._spread(data, group, buffer, base)

    def _spread(self, data: bytes, group: Sequence[Run], buffer: memoryview, base: int) -> None:
        """Copy a cluster's bytes to the runs that share it."""
        for run in group:
            within, at = run.offset % self._cluster_size, run.offset - base
            buffer[at : at + run.length] = (
                data if run.length == self._cluster_size else data[within : within + run.length]
            )

    def _payloads(self, runs: Sequence[Run], *, once: bool = False) -> Iterator[Payload]:
        """The payloads of compressed runs; neighbours in the file share a read."""
        read = self._read_once if once else self.layer.source.read_at
        first = 0
        while first < len(runs):
            start = runs[first].host_offset or 0
            stop, last = start + runs[first].compressed_length, first + 1
            while last < len(runs):
                at, length = runs[last].host_offset or 0, runs[last].compressed_length
                if not start <= at <= stop + GAP or at + length - start > PIECE:
                    break
                stop, last = max(stop, at + length), last + 1
            wanted = stop - start
            data = read(start, wanted)
            if len(data) < wanted:  # QEMU reads zeros past the end of the file
                data = data.ljust(wanted, b"\0")
            view = memoryview(data)
            for run in runs[first:last]:
                at = (run.host_offset or 0) - start
                yield view[at : at + run.compressed_length]
            first = last

    def _inflated(self, run: Run, payload: Payload) -> bytes:
        try:
            return self._inflate(payload, self._cluster_size)
        except NotInflatable as error:
            rule = "l2/v1-compressed-data" if self._is_v1 else "l2/compressed-data"
            raise self._error(rule, run, cut=self.is_cut(run)) from error

    def is_cut(self, run: Run) -> bool:
        """Whether the file ends before a payload's stream does.

        A valid image may end within the last sector that its last payload claims.

        Raises:
            Unreadable: The source failed.
        """
        host, source = run.host_offset or 0, self.layer.source
        if host + run.compressed_length <= source.length:
            return False
        try:
            self._inflate(source.read_at(host, run.compressed_length), self._cluster_size)
        except NotInflatable as error:
            return host >= source.length or isinstance(error, CutShort)
        return False

    def over(self, layer: Layer) -> LayerReader:
        """A reader like this one, of the same layer with other sources."""
        return LayerReader(layer)

    def _cached(self, key: Key) -> bytes | None:
        """A cluster from the cache; None if it is not there."""
        with self._lock:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
        return data

    def _keep(self, key: Key, data: bytes) -> None:
        with self._lock:
            self._kept[key] = data
            while len(self._kept) > max(1, CACHE // self._cluster_size):
                self._kept.popitem(last=False)

    def _error(self, rule: str, run: Run, *, cut: bool = False) -> QcowError:
        row, is_length = BY_ID[rule], rule == "l2/v1-compressed-data"
        return error_of(
            rule,
            run.compressed_length if is_length else run.host_offset,
            offset=run.host_offset,
            field=f"l2_entry.{row.field}",
            path=self.layer.name,
            message=past_end(run, self.layer.source.length) if cut else None,
        )


def past_end(run: Run, length: int) -> str:
    """The message for a payload that extends past the end of its file."""
    start = run.host_offset or 0
    return (
        f"The compressed data at {start:#x} to {start + run.compressed_length:#x} extend past the"
        f" end of the file, which has {length} ({length:#x}) bytes."
    )


def _key(run: Run) -> Key:
    return run.host_offset, run.compressed_length
