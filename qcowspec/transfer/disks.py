"""The disk of a file that may be raw, for commands that take such files.

In: a file's name and format. Out: a `Disk`. Refuses: what opening refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from qcowspec.chain.layers import RAW
from qcowspec.errors import NotQcow
from qcowspec.guest import Disk
from qcowspec.image import open as open_image
from qcowspec.raw import RawImage
from qcowspec.sources import stated_format


@contextmanager
def any_disk(
    path: str,
    *,
    format: str | None = None,
    allow: Iterable[str] = (),
    secret: bytes | None = None,
) -> Iterator[Disk]:
    """A disk, with all its files open.

    Args:
        path: The file.
        format: ``qcow``, ``qcow2`` or ``raw``; None for the probe, by which raw is what no QCOW
            driver claims.
        allow: Which second files may be opened.
        secret: The passphrase of an encrypted image.
    """
    is_raw = RAW in (format, stated_format(path))
    try:
        image = None if is_raw else open_image(path, format=format, allow=allow, secret=secret)
    except NotQcow:
        if format is not None:
            raise
        image = None
    if image is not None:
        with image:
            disk = image.disk()
            disk.open_all()
            yield disk
        return
    with RawImage(path) as raw:
        yield raw.disk()
