"""What a file that is no image is packed in, and by which name the image in it opens.

In: a source that no QCOW driver claims. Out: words for the end of a message. Refuses: nothing; of
an archive that cannot be read, and of one on a server, no name is given.

The archive may be hostile: little is read of it, and whatever Python's modules raise is no error.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO, Any

from qcow_parsers import constants as c

from qcowspec.errors import CHAIN, HIDDEN
from qcowspec.sources.source import Source

PACKED: dict[str, tuple[int, bytes]] = {
    "gzip": (0, b"\x1f\x8b\x08"),
    "xz": (0, b"\xfd7zXZ\0"),
    "zstd": (0, b"\x28\xb5\x2f\xfd"),
    "bz2": (0, b"BZh"),
    "tar": (257, b"ustar"),
    "zip": (0, b"PK\x03\x04"),
}
"""Where each begins with what, by the name that fsspec gives it."""

START = max(offset + len(magic) for offset, magic in PACKED.values())
"""Bytes of the file that tell."""

MEMBERS = 100
"""Files of an archive that are looked at."""

LONGEST_READ, MOST_READ = 64 << 10, 4 << 20
"""Bytes of an archive that are read at once, and in all."""

MAGIC = c.QCOW_MAGIC.to_bytes(4, "big")


def packed(source: Source) -> str:
    """What a file is packed in, in words; empty if it is not, or not in what is known here."""
    start = source.read_at(0, START)
    for method, (offset, magic) in PACKED.items():
        if start[offset:].startswith(magic):
            return _archive(source, method) if method in MEMBERS_OF else _compressed(source, method)
    return ""


def _compressed(source: Source, method: str) -> str:
    name = source.name
    if HIDDEN in name or not _is_named(source):
        return f"it is compressed by {method}: unpack it first"
    return f"it is compressed by {method}; to read what is in it: {method}{CHAIN}{name}"


def _archive(source: Source, method: str) -> str:
    says = f"it is a {method} archive"
    if not _is_named(source) or CHAIN in source.name or "://" in source.name:
        return f"{says}: unpack it first"
    found = None
    try:
        found = _member(source, method)
    except Exception:
        return f"{says}: unpack it first"
    if found is None:
        return f"{says}, and none of its first {MEMBERS} files is a QCOW image"
    return f"{says}; to read the image in it: {method}://{found}{CHAIN}{source.name}"


def _is_named(source: Source) -> bool:
    """Whether the name opens the file again: not that of a stream, or of bytes."""
    from qcowspec.sources.local import LocalFile
    from qcowspec.sources.spool import Spooled

    is_file = isinstance(source, LocalFile) and not isinstance(source, Spooled)
    return (is_file and source.name != "-") or "://" in source.name


def _member(source: Source, method: str) -> str | None:
    """The first file of an archive that is a QCOW image, and that a URL can name."""
    with io.BufferedReader(_Bounded(source), 512) as file:
        for name, begins in islice(MEMBERS_OF[method](file), MEMBERS):
            if begins == MAGIC and CHAIN not in name and "://" not in name:
                return name
    return None


def _tar_members(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    import tarfile

    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            found = archive.extractfile(member) if member.isreg() else None
            yield member.name, b"" if found is None else found.read(len(MAGIC))


def _zip_members(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            is_plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if member.is_dir() or member.flag_bits & 1 or not is_plain:
                yield member.filename, b""
                continue
            with archive.open(member) as found:
                yield member.filename, found.read(len(MAGIC))


MEMBERS_OF: dict[str, Callable[[Any], Iterator[tuple[str, bytes]]]] = {
    "tar": _tar_members,
    "zip": _zip_members,
}
"""Names of an archive's files, and how each begins."""


class _Bounded(io.RawIOBase):
    """A source as a raw file, of which no more than a bound is read."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source, self._at, self._left = source, 0, MOST_READ

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if len(buffer) > LONGEST_READ or len(buffer) > self._left:
            raise OSError("more than is read of an archive")
        data = self._source.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at, self._left = self._at + len(data), self._left - len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = (0, self._at, self._source.length)[whence] + offset
        if self._at < 0:
            raise OSError("before the beginning of the archive")
        return self._at

    def tell(self) -> int:
        return self._at
