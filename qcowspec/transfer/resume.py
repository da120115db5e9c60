"""A raw file that can be gone on with after an interruption.

In: pieces of bytes at offsets, and which image they are of. Out: the file under its final name; or,
where something goes wrong before, what is written so far, with a journal. Refuses: what
`SparseFile` refuses, files of other people, and a second process at the same file.

Beside OUT (where it is a link, beside the file that it leads to) stand ``OUT.partial`` and
``OUT.partial.journal`` until OUT is whole; only their owner can read them. The journal begins with
a line that says of which image the bytes are; records follow, one for each piece: where it is, how
long, and its CRC. Bytes are synced before the records that tell of them; and when the work is gone
on with, a piece counts only if what stands in the file still has its CRC. All else is zeros again
before anything is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import struct
import time
import zlib
from bisect import bisect_right
from collections.abc import Mapping
from threading import Lock
from typing import Any

from qcowspec.errors import reason_of
from qcowspec.guest import Disk
from qcowspec.transfer.output import Door, SparseFile, file_place
from qcowspec.transfer.places import Unwritable
from qcowspec.transfer.settling import PRIVATE

RECORD = struct.Struct("<QQII")
"""Offset, length and CRC of a piece, and the CRC of these three."""

BODY = struct.Struct("<QQI")

LARGEST_HEAD = 1 << 20
"""Bytes of the journal's first line, at most."""

EVERY_BYTES, EVERY_SECONDS = 64 << 20, 5.0
"""When pieces are synced, and their records written."""

STEP = 4 << 20
"""Bytes that are read back at a time."""

VERSION = 1


def subject(disk: Disk, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of what a file's bytes are: the files behind a disk, and how they are read.

    Returns:
        None where a file cannot be told from an older or newer version of itself.
    """
    files = []
    for layer in disk.layers:
        for source in (layer.source,) if layer.data is layer.source else (layer.source, layer.data):
            if source.version is None:
                return None
            files.append([source.name, source.length, *source.version])
    return {"version": VERSION, "size": disk.size, "files": files, "options": dict(options)}


class ResumableFile(SparseFile):
    """A `SparseFile` that keeps what is written when the work is interrupted."""

    def __init__(self, path: str, size: int, about: dict[str, Any] | None) -> None:
        """Go on with a file, or begin one.

        Args:
            path: Its final name.
            size: Its bytes.
            about: Of what its bytes are, by `subject`; None where nothing can be gone on with.

        Raises:
            Unwritable: It cannot be made, or another process is at it.
        """
        self._path = file_place(path).path
        self._door = Door()
        self._partial = f"{self._path}.partial"
        self._journal_path = f"{self._partial}.journal"
        self._fd = self._journal = -1
        self._lock = Lock()
        self._noted: list[bytes] = []
        self._since, self._last = 0, time.monotonic()
        self._starts: list[int] = []
        self._ends: list[int] = []
        try:
            self._journal = _own(self._journal_path)
            self._fd = _own(self._partial)
            self._begin(size, about)
        except OSError as error:
            self._hang_up()
            raise Unwritable(reason_of(error)) from error
        except BaseException:
            self._hang_up()
            raise

    def has(self, start: int, end: int) -> bool:
        """Whether a range was written before, and still stands there."""
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and end <= self._ends[index]

    def write(self, offset: int, data: memoryview, *, note: bool = True) -> None:
        """See `SparseFile.write`."""
        with self._door:
            self._put(offset, data)
            if note:
                self._note(offset, data)

    def _note(self, offset: int, data: memoryview) -> None:
        body = BODY.pack(offset, len(data), zlib.crc32(data))
        with self._lock:
            self._noted.append(body + zlib.crc32(body).to_bytes(4, "little"))
            self._since += len(data)
            due = self._since >= EVERY_BYTES or time.monotonic() - self._last >= EVERY_SECONDS
            if due:
                self._flush()

    def finish(self) -> None:
        """See `SparseFile.finish`."""
        super().finish()
        os.close(self._journal)
        self._journal = -1
        if os.path.lexists(self._journal_path):
            os.unlink(self._journal_path)

    def discard(self) -> None:
        """Keep what is written, for the next time."""
        self._door.shut()
        try:
            with self._lock:
                if self._fd >= 0 and self._journal >= 0:
                    self._flush()
        except Unwritable:
            pass  # what is not in the journal is written again
        self._hang_up()

    def _flush(self) -> None:
        """Sync the bytes first, then write the records that tell of them."""
        try:
            os.fdatasync(self._fd)
            data = b"".join(self._noted)
            if os.write(self._journal, data) == len(data):
                os.fdatasync(self._journal)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error
        self._noted.clear()
        self._since, self._last = 0, time.monotonic()

    def _begin(self, size: int, about: dict[str, Any] | None) -> None:
        """Find out what is there, and make all else zeros."""
        head = json.dumps(about, sort_keys=True).encode() + b"\n"
        kept = [] if about is None else self._verified(head, size)
        if kept:
            self._clear(kept, size)
        else:
            os.ftruncate(self._fd, 0)
        os.ftruncate(self._fd, size)
        os.ftruncate(self._journal, 0)
        os.lseek(self._journal, 0, os.SEEK_SET)
        os.write(self._journal, head)
        for start, end, records in kept:
            self._starts.append(start)
            self._ends.append(end)
            self._noted += records
        self._flush()

    def _verified(self, head: bytes, size: int) -> list[tuple[int, int, list[bytes]]]:
        """The ranges that were written before and stand there, joined where they touch."""
        if os.fstat(self._fd).st_size != size:
            return []
        with open(os.dup(self._journal), "rb") as file:
            file.seek(0)
            if file.readline(LARGEST_HEAD) != head:
                return []
            records = []
            while len(record := file.read(RECORD.size)) == RECORD.size:
                offset, length, _, own = RECORD.unpack(record)
                if zlib.crc32(record[: BODY.size]) != own or offset + length > size:
                    break
                records.append(record)
        joined: list[tuple[int, int, list[bytes]]] = []
        for record in sorted(set(records), key=lambda each: RECORD.unpack(each)[:2]):
            start, length, crc, _ = RECORD.unpack(record)
            if not length or self._crc(start, length) != crc:
                continue
            if joined and joined[-1][1] >= start:
                first, end, held = joined[-1]
                joined[-1] = (first, max(end, start + length), [*held, record])
            else:
                joined.append((start, start + length, [record]))
        return joined

    def _crc(self, offset: int, length: int) -> int:
        crc = 0
        while length and (data := os.pread(self._fd, min(STEP, length), offset)):
            crc = zlib.crc32(data, crc)
            offset, length = offset + len(data), length - len(data)
        return crc

    def _clear(self, kept: list[tuple[int, int, list[bytes]]], size: int) -> None:
        """Write zeros over what stands outside of the ranges that count."""
        at = 0
        for start, end in [*((start, end) for start, end, _ in kept), (size, size)]:
            while at < start:
                try:
                    at = os.lseek(self._fd, at, os.SEEK_DATA)
                except OSError:  # nothing but a hole to the end
                    return
                stop = min(start, os.lseek(self._fd, at, os.SEEK_HOLE))
                while at < stop:
                    at += os.pwrite(self._fd, bytes(min(STEP, stop - at)), at)
            at = max(at, end)

    def _hang_up(self) -> None:
        for fd in (self._fd, self._journal):
            if fd >= 0:
                os.close(fd)
        self._fd = self._journal = -1


def _own(path: str) -> int:
    """A file of ours that nobody else is at, made if it is not there.

    Raises:
        OSError: It cannot be opened.
        Unwritable: It is somebody else's, or in use.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    fd = os.open(path, flags, PRIVATE)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
            raise Unwritable(f"{os.path.basename(path)} is in the way, and was not made here")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_IMODE(found.st_mode) != PRIVATE:
            os.fchmod(fd, PRIVATE)
    except BlockingIOError:
        os.close(fd)
        raise Unwritable("another process is writing it") from None
    except BaseException:
        os.close(fd)
        raise
    return fd
