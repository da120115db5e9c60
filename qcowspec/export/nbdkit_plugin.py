"""The plugin with which nbdkit serves the disks of an image: ``nbdkit python nbdkit_plugin.py …``.

In: an image, by ``image=PATH`` on nbdkit's command line, or settings from a file descriptor. Out:
exports: the active state as the default, and each internal snapshot by its name or ID. Refuses: to
be written, and what opening and reading refuse.

Keys: ``image=PATH|URL``; ``format=qcow|qcow2|raw``; ``allow=same-dir|any|DIR`` and
``backing=NAME=PATH``, any number of each; ``no-backing=yes``; ``secret=file:PATH|env:NAME``;
``share=yes``, to serve a file that is written to. ``qcowspec serve`` hands all of it over by
``settings-fd=N``, where no other user can read it.

nbdkit runs this file in a Python of its own, and is imported as `nbdkit`.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import nbdkit

try:
    import numpy as np
except ImportError:  # run by hand: what it needs is installed beside it
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import numpy as np

from qcowspec.errors import QcowError
from qcowspec.export.settings import Settings
from qcowspec.export.snapshots import names_of
from qcowspec.guest.status import Flag, block_status
from qcowspec.image import Image

if TYPE_CHECKING:
    import numpy.typing as npt

    from qcowspec.guest import Disk
    from qcowspec.raw import RawImage

API_VERSION = 2

WINDOW = 8 << 30
"""Bytes of a disk whose block status is computed at once."""

WINDOWS = 8
"""Windows that are kept for each export."""

ANSWER = 4096
"""Extents in one answer, at most; a client asks again for what is left."""

LISTED = 10_000
"""Exports that nbdkit lists, at most (server/exports.c: MAX_EXPORTS)."""

NAME = 4096
"""Bytes of an export's name, at most (the NBD protocol's limit of strings)."""

Window = tuple["npt.NDArray[np.uint64]", "npt.NDArray[np.uint64]", "npt.NDArray[np.uint8]"]
"""Starts, ends and types of extents that leave no gap."""


class Export:
    """A disk that clients read.

    Attributes:
        disk: The disk.
        clients: How many have it open.
    """

    def __init__(self, disk: Disk, *, share: bool) -> None:
        self.disk, self.clients = disk, 0
        self._share = share
        self._windows: OrderedDict[int, Window] = OrderedDict()
        self._lock = Lock()

    def read(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer.

        Raises:
            QcowError: It cannot be read; or a file has changed since it was opened.
        """
        self.disk.readinto(offset, buffer)
        if not self._share:
            self.disk.check_unchanged()

    def extents(self, offset: int, end: int, most: int) -> list[tuple[int, int, int]]:
        """Offset, length and type of the first extents of a range."""
        starts, ends, types = self._window(offset)
        first = int(np.searchsorted(ends, np.uint64(offset), side="right"))
        last = min(first + most, int(np.searchsorted(starts, np.uint64(end), side="left")))
        columns = (column[first:last].tolist() for column in (starts, ends, types))
        return [
            (max(start, offset), min(stop, end) - max(start, offset), kind)
            for start, stop, kind in zip(*columns, strict=True)
        ]

    def _window(self, offset: int) -> Window:
        """A window that has the extent at an offset."""
        with self._lock:
            for key, window in reversed(self._windows.items()):
                if key <= offset < int(window[1][-1]):
                    self._windows.move_to_end(key)
                    return window
            status = next(block_status(self.disk, offset, WINDOW))
            hole = np.where(status.flags & Flag.DATA, 0, nbdkit.EXTENT_HOLE)
            types = hole | np.where(status.flags & Flag.ZERO, nbdkit.EXTENT_ZERO, 0)
            first = np.flatnonzero(np.append(True, types[1:] != types[:-1]))
            starts = status.starts[first]
            ends = np.append(starts[1:], np.uint64(status.end))
            window = starts, ends, types[first].astype(np.uint8)
            self._windows[offset] = window
            if len(self._windows) > WINDOWS:
                self._windows.popitem(last=False)
            return window


class Exports:
    """The disks of an image, by the names of their exports; each is open while it has clients."""

    def __init__(self, settings: Settings) -> None:
        """Open the image, and its active state.

        Raises:
            QcowError: One of them cannot be opened.
        """
        self._share = settings.share
        self._image: Image | RawImage = settings.opened()
        self._found: dict[str, Export] = {}
        self._lock = Lock()
        self.opened("")

    def opened(self, name: str) -> Export:
        """The export of a name, for one more client.

        Raises:
            QcowError: There is none, or it cannot be opened.
        """
        with self._lock:
            if name not in self._found:
                # A snapshot is looked up by bytes, which NBD has as UTF-8, whatever the locale.
                wanted = os.fsdecode(name.encode()) if name else None
                disk = self._image.disk(wanted)
                disk.open_all()
                if not self._share:
                    disk.refuse_writers()
                self._found[name] = Export(disk, share=self._share)
            found = self._found[name]
            found.clients += 1
            return found

    def closed(self, export: Export) -> None:
        """One client less."""
        with self._lock:
            export.clients -= 1
            if export.clients:
                return
            for name in [name for name, found in self._found.items() if found is export]:
                del self._found[name]
            others = (found.disk for found in self._found.values())
            if isinstance(self._image, Image) and export.disk not in others:
                self._image.forget(export.disk)

    def listed(self) -> list[tuple[str, str]]:
        """Name and description of each export."""
        found = [("", "the active state")]
        if isinstance(self._image, Image):
            for snapshot, key, name in names_of(self._image.snapshots):
                shown = _text(name) or _text(key)
                if shown is not None:
                    found.append((shown, f"snapshot {_text(snapshot.id_str) or ''}".rstrip()))
                if len(found) == LISTED:
                    break
        return found


def _text(name: bytes | None) -> str | None:
    """A name as NBD can have it; None if it cannot."""
    if not name or len(name) > NAME or b"\0" in name:
        return None
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


settings = Settings()
exports: Exports


# --- what nbdkit calls ----------------------------------------------------------------------------


def config(key: str, value: str) -> None:
    """Take a ``key=value`` of the command line."""
    if key == "settings-fd":
        settings.receive(int(value))
    else:
        settings.add(key, value)


def config_complete() -> None:
    """Check that there is an image."""
    settings.check()


def thread_model() -> int:
    """Requests of all clients run side by side."""
    return int(nbdkit.THREAD_MODEL_PARALLEL)


def get_ready() -> None:
    """Open the image, while nbdkit can still say that it cannot."""
    global exports
    exports = Exports(settings)


def list_exports(readonly: bool, is_tls: bool) -> list[tuple[str, str]]:
    """All exports; the first of very many."""
    return exports.listed()


def default_export(readonly: bool, is_tls: bool) -> str:
    """The active state has the empty name."""
    return ""


def open(readonly: bool) -> Export:  # noqa: A001 - nbdkit calls it by this name
    """Open the export that a client names."""
    try:
        return exports.opened(nbdkit.export_name())
    except QcowError:
        nbdkit.set_error(errno.ENOENT)
        raise


def close(export: Export) -> None:
    """A client is gone, in whatever way."""
    exports.closed(export)


def get_size(export: Export) -> int:
    """Bytes of the disk."""
    return export.disk.size


def can_multi_conn(export: Export) -> bool:
    """Nothing is written: a client may use many connections."""
    return True


def pread(export: Export, buffer: Any, offset: int, flags: int) -> None:
    """Read."""
    export.read(offset, memoryview(buffer))


def extents(export: Export, count: int, offset: int, flags: int) -> list[tuple[int, int, int]]:
    """Block status."""
    most = 1 if flags & nbdkit.FLAG_REQ_ONE else ANSWER
    return export.extents(offset, offset + count, most)


def _sentences(*words: Any, **options: Any) -> list[str]:
    """What nbdkit prints of an error: of ours, its sentence, and nothing of the code."""
    error = words[1]
    if isinstance(error, (QcowError, ValueError)):
        return ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error))]
    return _format(*words, **options)


_format = traceback.format_exception
traceback.format_exception = _sentences  # nbdkit calls it for whatever a callback raises
