"""Files of any fsspec file system, and compressed files.

In: an fsspec URL, or a chain of them. Out: a `Source`. Refuses: protocols that are not known, or
not installed here, and files whose length is not known.

fsspec offers no validators and no parallel ranges, so HTTP and S3 have modules of their own. A file
system that does not say that it can be used by several threads is read under a lock.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from threading import Lock
from typing import Any

from qcowspec.errors import CHAIN, Unreadable, Unsupported, shown
from qcowspec.sources.discretion import be_discreet
from qcowspec.sources.source import Source
from qcowspec.sources.spool import PIECE, Spooled

INSTALL = "pip install 'qcowspec[remote]'"

COMPRESSIONS = ("gzip", "bz2", "xz", "lzma", "zstd")
"""Compressions that a chain may begin with, as in ``gzip::https://…``."""


def is_known(protocol: str) -> bool:
    """Whether fsspec, or a package that extends it, knows a protocol."""
    from fsspec.registry import known_implementations, registry

    if protocol in known_implementations or protocol in registry:
        return True
    from importlib.metadata import entry_points

    return any(point.name == protocol for point in entry_points(group="fsspec.specs"))


class FsspecFile(Source):
    """A file of an fsspec file system as a `Source`."""

    def __init__(self, url: str) -> None:
        """Find the file.

        Raises:
            Unreadable: It cannot be read.
            Unsupported: Its protocol is not known or not installed, or it has no length.
        """
        self.name = shown(url)
        self._system, self._path, length = self._guarded(lambda: _found(url))
        if not isinstance(length, int) or length < 0:
            raise Unsupported("has no length that its file system knows", path=self.name)
        self.length = length
        self._lock = nullcontext() if self._system.async_impl else Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        length = min(length, self.length - offset)
        if length <= 0:
            return b""
        with self._lock:
            data: bytes = self._guarded(
                lambda: bytes(self._system.cat_file(self._path, start=offset, end=offset + length))
            )
        if len(data) != length:
            raise Unreadable(
                f"cannot be read: {len(data)} bytes come instead of {length}",
                path=self.name,
                offset=offset,
            )
        return data

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Call a library, and raise our error for any of its own.

        Its text may name secrets, and is not repeated.
        """
        failure: Unreadable | Unsupported
        try:
            return work()
        except ImportError:
            failure = missing(self.name)
        except FileNotFoundError:
            says = "cannot be opened: no such file"
            failure = Unreadable(says, errno=errno.ENOENT, path=self.name)
        except IsADirectoryError:
            says = "is a directory, not an image"
            failure = Unreadable(says, errno=errno.EISDIR, path=self.name)
        except PermissionError:
            says = "cannot be opened: it wants credentials"
            failure = Unreadable(says, errno=errno.EACCES, path=self.name)
        except (Unreadable, Unsupported) as error:
            failure = error
        except Exception as error:  # a protocol may be any library's
            what = type(error).__name__
            failure = Unreadable(f"cannot be read: its file system fails ({what})", path=self.name)
        raise failure


def _found(url: str) -> tuple[Any, str, Any]:
    """File system, path and length of a URL."""
    from fsspec.core import url_to_fs

    silence_secrets(url)
    system, path = url_to_fs(url)
    found = system.info(path)
    if found.get("type") == "directory":
        raise IsADirectoryError
    return system, path, found.get("size")


def silence_secrets(url: str, protocol: str | None = None) -> None:
    """Keep secrets out of fsspec's logs; its file systems log URLs as soon as they open one.

    Args:
        url: The URL, or chain of URLs, that fsspec will be given.
        protocol: Its protocol, where the URL does not name it.
    """
    from fsspec import get_filesystem_class

    for piece in (*url.split(CHAIN), protocol or ""):
        with suppress(ImportError, ValueError):  # fsspec reports them itself
            get_filesystem_class(piece.partition("://")[0])
    be_discreet("fsspec")


def missing(name: str) -> Unsupported:
    """The error where a package is not installed."""
    return Unsupported(f"needs a package that is not installed here: {INSTALL}", path=name)


def decompressed(method: str, inner: Source, name: str) -> Source:
    """The contents of a compressed file, unpacked to a temporary file.

    Raises:
        Unreadable: It is not compressed so, or there is no room for its contents.
        Unsupported: The method needs a package that is not installed.
    """
    try:
        return Spooled(_unpacked(method, inner, name), name)
    finally:
        inner.close()


def _unpacked(method: str, inner: Source, name: str) -> Iterator[bytes]:
    from fsspec.compression import compr

    if method not in compr:
        raise missing(name)
    try:
        with compr[method](io.BufferedReader(_Forward(inner), PIECE), mode="rb") as file:
            while piece := file.read(PIECE):
                yield piece
    except Unreadable:
        raise
    except Exception as error:  # each compressor has errors of its own
        raise Unreadable(f"cannot be unpacked: it is no sound {method} file", path=name) from error


class _Forward(io.RawIOBase):
    """A source as a raw file."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = (0, self._at, self._source.length)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at
