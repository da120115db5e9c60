"""A virtual disk to a new qcow2 image: flat, of itself, and the same for equal disks.

In: a disk, and what the image is to be like. Out: the image, whole or not at all. Refuses: what
reading or writing refuses, and a disk that is too large for the image.

Threads read windows of the disk, look for zeros and compress. In guest order, each window's
clusters are given their places; then its thread writes them. So the bytes do not depend on the
number of threads, nor on how the disk was stored before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from qcow_parsers import constants as c
from qcow_schemas import qcow2_header

from qcowspec.guest import Disk
from qcowspec.guest.losses import Losses
from qcowspec.transfer.allocation import Allocation
from qcowspec.transfer.compressors import Compressor, compressor
from qcowspec.transfer.convert import Progress, losses_of, threads_for
from qcowspec.transfer.crew import Crew
from qcowspec.transfer.new_image import NewImage
from qcowspec.transfer.output import SparseFile
from qcowspec.transfer.places import Target, Unwritable
from qcowspec.transfer.windows import Window, window_size, windows

END_OF_EXTENSIONS = bytes(c.QCOW2_EXT_HEADER_SIZE)


def write_qcow2(
    disk: Disk,
    path: Target,
    wanted: NewImage,
    *,
    compress: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    share: bool = False,
) -> Losses:
    """Write a disk as a new qcow2 image.

    Args:
        disk: What to read.
        path: The image's final name; it appears when all is written.
        wanted: What the image is like.
        compress: Compress clusters, where that makes them smaller.
        threads: See `qcowspec.transfer.convert.convert`.
        progress: The same.
        share: The same.

    Returns:
        The ranges that lie past the end of a file; in a salvage, all losses.

    Raises:
        QcowError: The disk cannot be read, or is too large.
        Unwritable: The file cannot be written.
        ValueError: The disk is too large for the cluster size.
    """
    disk.open_all()
    past_end = threading.Event()
    size = window_size(disk, wanted.geometry.cluster_size)
    if not isinstance(path, str):
        raise Unwritable("a qcow2 image is written to a file, and not to a stream")
    with SparseFile(path, 0) as file:
        tables = Allocation(disk.size, wanted, lambda at, data: file.write(at, memoryview(data)))
        shrink = compressor(wanted.compression_type) if compress else None
        copier = _Copier(disk, file, tables, wanted.geometry.cluster_size, shrink)
        reported = 0

        def report() -> None:
            nonlocal reported
            if progress is not None and copier.passed > reported:
                done, reported = copier.passed - reported, copier.passed
                progress(done)

        crew = Crew(windows(disk, size, past_end), copier, threads or threads_for(disk))
        crew.run(report if progress is not None else None)
        losses = losses_of(disk, past_end.is_set(), 0, disk.size)
        if not share:
            disk.check_unchanged()
        fields = tables.finish()
        file.resize(fields.pop("end"))
        file.write(0, memoryview(_header(disk.size, wanted, fields)))
        copier.passed = disk.size
        report()
        file.finish()
    return losses


def _header(size: int, wanted: NewImage, fields: dict[str, int]) -> bytes:
    """The header, and the end of the header extensions."""
    values: dict[str, Any] = {
        "version": wanted.version,
        "cluster_bits": wanted.cluster_bits,
        "size": size,
        **fields,
    }
    if wanted.version == c.QCOW2_MAX_VERSION:
        features, types = c.Qcow2IncompatibleFeatures, c.Qcow2CompressionType
        is_zstd = wanted.compression_type == "zstd"
        values["incompatible_features"] = int(
            (features.QCOW2_INCOMPAT_EXTL2 if wanted.extended_l2 else 0)
            | (features.QCOW2_INCOMPAT_COMPRESSION if is_zstd else 0)
        )
        values["refcount_order"] = wanted.refcount_order
        values["additional_fields"] = {
            "compression_type": int(
                types.QCOW2_COMPRESSION_TYPE_ZSTD if is_zstd else types.QCOW2_COMPRESSION_TYPE_ZLIB
            )
        }
    return bytes(qcow2_header.build(values)) + END_OF_EXTENSIONS


class Turns:
    """Lets threads do one thing each in order; the others wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next, self._is_over = 0, False

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Wait for a turn; it ends with the block.

        Raises:
            Unwritable: The work was given up meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._next == number)
            if self._is_over:
                raise Unwritable("was given up")
        try:
            yield
        except BaseException:
            self.give_up()
            raise
        with self._changed:
            self._next += 1
            self._changed.notify_all()

    def give_up(self) -> None:
        """Let all who wait fail."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class _Copier:
    """Copies one window; called by several threads.

    Attributes:
        passed: The guest offset up to which all windows have their places.
    """

    def __init__(
        self,
        disk: Disk,
        file: SparseFile,
        tables: Allocation,
        cluster: int,
        compress: Compressor | None,
    ) -> None:
        self._disk, self._file, self._tables = disk, file, tables
        self._cluster, self._compress = cluster, compress
        self._own = threading.local()
        self.turns = Turns()
        self.passed = 0

    def __call__(self, window: Window) -> None:
        try:
            view = self._read(window)
            payloads, lengths = self._packed(view)
        except BaseException:
            self.turns.give_up()
            raise
        with self.turns.turn(window.number):
            hosts = self._tables.place(window.start // self._cluster, lengths)
            self.passed = window.start + window.length
        self._write(view, hosts, payloads)

    def _read(self, window: Window) -> memoryview:
        """The window's bytes; zeros fill the last cluster of the disk."""
        length = -(-window.length // self._cluster) * self._cluster
        buffer = getattr(self._own, "buffer", None)
        if buffer is None or len(buffer) < length:
            buffer = self._own.buffer = memoryview(bytearray(length))
        buffer[window.length : length] = bytes(length - window.length)
        window.read(self._disk, buffer[: window.length])
        return buffer[:length]

    def _packed(self, view: memoryview) -> tuple[list[bytes | None], list[int]]:
        """For each cluster its payload, and its length as `Allocation.place` takes it."""
        words = np.frombuffer(view, np.uint64).reshape(-1, self._cluster // 8)
        has_data = words[:, 0] != 0
        for index in np.flatnonzero(~has_data).tolist():
            has_data[index] = words[index].any()
        payloads: list[bytes | None] = [None] * len(words)
        lengths = np.where(has_data, -1, 0).tolist()
        if self._compress is not None:
            for index in np.flatnonzero(has_data).tolist():
                start = index * self._cluster
                payload = self._compress(view[start : start + self._cluster])
                if payload is not None:
                    payloads[index], lengths[index] = payload, len(payload)
        return payloads, lengths

    def _write(self, view: memoryview, hosts: list[int], payloads: list[bytes | None]) -> None:
        """Write the clusters and payloads; whole neighbours in one call."""
        size = self._cluster
        plain = [
            host if payload is None else 0 for host, payload in zip(hosts, payloads, strict=True)
        ]
        first = 0
        for index, host in enumerate([*plain, 0]):
            if host and plain[first] and host == plain[first] + (index - first) * size:
                continue
            if index > first and plain[first]:
                self._file.write(plain[first], view[first * size : index * size])
            first = index
        for host, payload in zip(hosts, payloads, strict=True):
            if payload is not None:
                self._file.write(host, memoryview(payload))
