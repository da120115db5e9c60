"""A raw file whose conversion can be resumed after an interruption.

In: pieces of bytes at offsets, and the image they are from. Out: the file under its final name; or,
after an error, what is written so far, with a journal. Refuses: what `SparseFile` refuses, files of
other users, and a second process that writes the same file.

``OUT.partial`` and ``OUT.partial.journal`` are in the folder of OUT (if OUT is a link, of the file
that it leads to) until OUT is whole; only their owner can read them. The journal begins with a line
that identifies the image; then comes a record for each piece: its offset, its length, and its CRC.
Bytes are synced before their records. When the conversion is resumed, a piece counts only if its
bytes in the file still have its CRC. All other bytes are set to zeros before anything is written.
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
from qcowspec.transfer.settling import PRIVATE, data_ranges

RECORD = struct.Struct("<QQII")
"""Offset, length and CRC of a piece, and the CRC of these three."""

BODY = struct.Struct("<QQI")

LARGEST_HEAD = 1 << 20
"""Bytes of the journal's first line, at most."""

EVERY_BYTES, EVERY_SECONDS = 64 << 20, 5.0
"""How often pieces are synced, and their records written."""

STEP = 4 << 20
"""Bytes that are read back at a time."""

VERSION = 1


def subject(disk: Disk, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Identifies a file's bytes: by the files of a disk, and how they are read.

    Returns:
        None if the version of one of the files is unknown.
    """
    files = []
    for layer in disk.layers:
        for source in (layer.source,) if layer.data is layer.source else (layer.source, layer.data):
            if source.version is None:
                return None
            files.append([source.name, source.length, *source.version])
    return {"version": VERSION, "size": disk.size, "files": files, "options": dict(options)}


class ResumableFile(SparseFile):
    """A `SparseFile` that keeps what is written if the conversion is interrupted."""

    def __init__(self, path: str, size: int, about: dict[str, Any] | None) -> None:
        """Resume a file, or begin one.

        Args:
            path: Its final name.
            size: Its bytes.
            about: What identifies its bytes, by `subject`; None if it cannot be resumed.

        Raises:
            Unwritable: It cannot be made, or another process is writing it.
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
            self._close()
            raise Unwritable(reason_of(error)) from error
        except BaseException:
            self._close()
            raise

    def has(self, start: int, end: int) -> bool:
        """Whether a range was written before, and is unchanged."""
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
        """Keep what is written, to be resumed."""
        self._door.shut()
        try:
            with self._lock:
                if self._fd >= 0 and self._journal >= 0:
                    self._flush()
        except Unwritable:
            pass  # what is not in the journal is written again
        self._close()

    def _flush(self) -> None:
        """Sync the bytes, then write their records."""
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
        """Find what was written before, and set all other bytes to zeros."""
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
        """The ranges that were written before and are unchanged, joined where they touch."""
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
        """Write zeros over all bytes outside of the ranges."""
        at = 0
        for start, end in [*((start, end) for start, end, _ in kept), (size, size)]:
            for begin, stop in data_ranges(self._fd, at, start):
                while begin < stop:
                    begin += os.pwrite(self._fd, bytes(min(STEP, stop - begin)), begin)
            at = end

    def _close(self) -> None:
        for fd in (self._fd, self._journal):
            if fd >= 0:
                os.close(fd)
        self._fd = self._journal = -1


def _own(path: str) -> int:
    """Open a file of this user that no other process uses; made if it does not exist.

    Raises:
        OSError: It cannot be opened.
        Unwritable: It belongs to another user, or is in use.
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
