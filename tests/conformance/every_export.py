"""Every image of tests/data as exports of one nbdkit, by the plugin's own functions.

nbdkit python every_export.py folder=tests/data: an export's name is that of the image; for a
snapshot, a slash and its ID follow.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import nbdkit

from qcowspec.export.nbdkit_plugin import (
    API_VERSION,
    Export,
    Exports,
    can_multi_conn,
    extents,
    get_size,
    pread,
    thread_model,
)
from qcowspec.export.settings import Settings
from qcowspec.sources import FileName

__all__ = ["API_VERSION", "can_multi_conn", "extents", "get_size", "pread", "thread_model"]

PASSPHRASE = b"qcowspec"

folder = Path()


def config(key: str, value: str) -> None:
    """Take the folder."""
    global folder
    folder = Path(value).resolve()


def open(readonly: bool) -> Export:  # noqa: A001 - nbdkit calls it by this name
    """Open an image, and one of its disks."""
    name, _, snapshot = nbdkit.export_name().partition("/")
    return image(name).opened(snapshot)


@cache
def image(name: str) -> Exports:
    """The disks of an image, which stay open."""
    return Exports(Settings(FileName(str(folder / name)), allow=["same-dir"], secret=PASSPHRASE))
