"""The virtual disk as a file of an fsspec file system: ``qcow::https://…/disk.qcow2``.

In: an image, on any file system that fsspec knows. Out: a file system with the file ``disk.raw``,
the guest's disk, and ``snapshots/NAME.raw`` for each internal snapshot. Refuses: to be written, and
what `qcowspec.open` and reading refuse.

It is for fsspec what ``zip://`` is, and fsspec finds it by the package's entry point. A URL that
names no file, such as ``qcow::…``, names ``disk.raw``.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.archive import AbstractArchiveFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from qcowspec import image as images
from qcowspec.errors import QcowError, Unreadable, shown
from qcowspec.export.snapshots import names_of
from qcowspec.mapping import mapping_of
from qcowspec.sources import FileName, Url
from qcowspec.sources.filesystems import silence_secrets
from qcowspec.sources.gate import Gate
from qcowspec.sources.names import exists

if TYPE_CHECKING:
    from qcowspec.guest import Disk

DISK, SNAPSHOTS, RAW = "disk.raw", "snapshots", ".raw"

BLOCK = 256 << 10
"""Bytes that are read ahead by default: a few clusters."""


class QcowFileSystem(AbstractArchiveFileSystem):  # type: ignore[misc] # fsspec has no types
    """A file system with the disks of one image."""

    root_marker = ""
    protocol = "qcow"
    cachable = False  # the image's file is closed with the instance

    def __init__(
        self,
        fo: Any = "",
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        *,
        allow: str | Iterable[str] | Gate | None = None,
        secret: str | bytes | None = None,
        snapshot: str | None = None,
        like_qemu: bool = False,
        format: str | None = None,
        **storage_options: Any,
    ) -> None:
        """Open an image.

        Args:
            fo: A path, a URL, or a binary file object; one that was handed in stays open.
            target_protocol: The file system of `fo`, if the URL does not name it.
            target_options: Options of that file system.
            allow: Which second files may be opened; see `qcowspec.open`.
            secret: The passphrase of an encrypted image.
            snapshot: The snapshot that ``disk.raw`` shows, by id or name; None: the active state.
            like_qemu: Read snapshots at the active state's size, as qemu-img does.
            format: ``qcow`` or ``qcow2``, to skip the probe.
            storage_options: fsspec's own.

        Raises:
            QcowError: What `qcowspec.open` raises; also where the other file system fails.
        """
        super().__init__(**storage_options)
        self.fo = fo
        target, finish = _target(fo, target_protocol, target_options or {})
        try:
            self._image = images.open(
                target, format=format, allow=allow, secret=secret, like_qemu=like_qemu
            )
        except BaseException:
            finish()
            raise
        self._closing = weakref.finalize(self, _close, self._image, finish)
        if snapshot is not None:
            self._image.snapshot(snapshot)  # raises an error if there is none
        self._chosen = snapshot
        self._lock = Lock()
        self.dir_cache: dict[str, dict[str, Any]] | None = None

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, str) and path == f"{cls.protocol}://":
            return DISK
        stripped = super()._strip_protocol(path)
        return stripped.lstrip("/") if isinstance(stripped, str) else stripped

    def close(self) -> None:
        """Close the image; harmless when called again."""
        self._closing()

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """See fsspec: without its password, without the passphrase and the image's own secrets."""
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        if not include_password:
            for name in ("secret", "target_options"):
                found.pop(name, None)
            if isinstance(found.get("fo"), str):
                found["fo"] = shown(found["fo"])
        return found

    # --- what fsspec asks for ---------------------------------------------------------------------

    def _get_dirs(self) -> None:
        with self._lock:
            if self.dir_cache is None:
                self.dir_cache = {entry["name"]: entry for entry in self._entries()}

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> DiskFile:
        if mode != "rb":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return DiskFile(self, path, self._disk(path), block_size or BLOCK, cache_options, **kwargs)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """What a directory has, also one that is named from the root, as a mount names it."""
        found: list[Any] = super().ls(path.strip("/"), detail, **kwargs)
        return found

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        """A range of a file, straight from the disk; negative offsets count from its end."""
        disk = self._disk(path)
        low, high, _ = slice(start, end).indices(disk.size)
        return disk.pread(low, max(0, high - low))

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Many ranges side by side, each cluster read once; see `Disk.read_extents`."""
        count = len(paths)
        lows = list(starts) if isinstance(starts, Iterable) else [starts] * count
        highs = list(ends) if isinstance(ends, Iterable) else [ends] * count
        found: dict[int, bytes] = {}
        try:
            for path in dict.fromkeys(paths):
                chosen = [index for index in range(count) if paths[index] == path]
                disk = self._disk(path)
                spans = [slice(lows[at], highs[at]).indices(disk.size)[:2] for at in chosen]
                extents = [(low, max(0, high - low)) for low, high in spans]
                found.update(zip(chosen, disk.read_extents(extents), strict=True))
        except (QcowError, FileNotFoundError):  # read one by one, to see which of them fail
            one_by_one: list[Any] = super().cat_ranges(
                paths, lows, highs, max_gap=max_gap, on_error=on_error, **kwargs
            )
            return one_by_one
        return [found[index] for index in range(count)]

    def created(self, path: str) -> datetime | None:
        """When a snapshot was taken; None of the disk."""
        found: datetime | None = self.info(path).get("created")
        return found

    # --- the disks --------------------------------------------------------------------------------

    def _disk(self, path: str) -> Disk:
        entry = self.info(path)
        if entry["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        with self._lock:
            return self._image.disk(entry["snapshot"])

    def _entries(self) -> Iterable[dict[str, Any]]:
        """All files and directories."""
        yield self._file(DISK, self._chosen)
        yield {"name": SNAPSHOTS, "size": 0, "type": "directory"}
        taken: set[str] = set()
        for found, key, name in names_of(self._image.snapshots):
            wanted = name if key is None else key
            if wanted is None:
                continue
            shown = _file_name(found.name) or _file_name(found.id_str)
            if shown in taken:
                shown += f"~{_file_name(found.id_str)}"
            if shown not in taken:
                taken.add(shown)
                yield self._file(f"{SNAPSHOTS}/{shown}{RAW}", os.fsdecode(wanted))

    def _file(self, name: str, snapshot: str | None) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": name, "type": "file", "snapshot": snapshot}
        if snapshot is None:
            return entry | {"size": self._image.size}
        found = self._image.snapshot(snapshot)
        mapping = mapping_of(
            self._image.metadata,
            self._image.source,
            snapshot=found,
            like_qemu=self._image.like_qemu,
        )
        return entry | {
            "size": mapping.size,
            "created": datetime.fromtimestamp(found.date_sec, UTC),
        }


class DiskFile(AbstractBufferedFile):  # type: ignore[misc] # fsspec has no types
    """A disk as a file, with fsspec's caches in front."""

    def __init__(
        self,
        fs: QcowFileSystem,
        path: str,
        disk: Disk,
        block_size: int,
        cache_options: dict[str, Any] | None,
        **kwargs: Any,
    ) -> None:
        self._disk = disk
        super().__init__(
            fs, path, "rb", block_size, cache_options=cache_options, size=disk.size, **kwargs
        )

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self._disk.pread(start, end - start)


def _target(fo: Any, protocol: str | None, options: dict[str, Any]) -> tuple[Any, Any]:
    """What `qcowspec.open` takes for an image that fsspec names, and what to call at the end."""
    if not isinstance(fo, (str, os.PathLike)):
        return fo, _nothing
    name = os.fspath(fo)
    if protocol is None and (isinstance(fo, os.PathLike) or exists(name)):
        return FileName(name), _nothing
    if not options and (url := _url(name, protocol)) is not None:
        return Url(url), _nothing
    try:
        silence_secrets(name, protocol)
        found = fsspec.open(name, mode="rb", protocol=protocol, **options)
        if isinstance(found.fs, LocalFileSystem):
            return Path(found.path), _nothing
        # Reads follow the tables of the image; reading ahead gains nothing.
        file = found.fs.open(found.path, "rb", cache_type="none")
    except QcowError:
        raise
    except Exception as error:  # a protocol may be any library's
        what = type(error).__name__
    else:
        return file, partial(_hand_back, file, found.fs)
    # Raised here, without context: the error above may hold the URL's secrets.
    raise Unreadable(f"cannot be opened by fsspec ({what})", path=shown(name))


SERVERS = ("http", "https", "s3", "s3a")
"""Protocols that `qcowspec.sources` speaks itself: with validators, and ranges side by side."""


def _url(name: str, protocol: str | None) -> str | None:
    """The URL of a file on such a server; None for others."""
    stated, separator, _ = name.partition("://")
    if "::" in name or (stated if separator else protocol) not in SERVERS:
        return None
    return name if separator else f"{protocol}://{name}"


def _hand_back(file: Any, system: Any) -> None:
    """Close a file; its file system has to be kept until then."""
    file.close()


def _nothing() -> None:
    """Called at the end for a file that the caller closes."""


def _close(image: images.Image, finish: Any) -> None:
    image.close()
    finish()


def _file_name(name: bytes) -> str:
    """A file name for a snapshot; what has a meaning in paths, URLs or patterns is escaped."""
    text = name.decode("utf-8", "surrogateescape")
    return "".join(
        char if char.isprintable() and char not in '/%:*?[]"' else _escaped(char) for char in text
    )


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
