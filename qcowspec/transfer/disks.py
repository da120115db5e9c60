"""The disk of a file that is an image or raw.

In: a file's name and format. Out: a `Disk`. Refuses: what opening refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from qcowspec.errors import NotQcow, Unsupported
from qcowspec.guest import Disk
from qcowspec.image import open as open_image
from qcowspec.raw import RawImage
from qcowspec.reader import foreign
from qcowspec.sources import Target, named, stated_format
from qcowspec.sources.gate import RAW


@contextmanager
def any_disk(
    target: Target,
    *,
    format: str | None = None,
    allow: Iterable[str] = (),
    secret: bytes | None = None,
    profile: str = "qemu",
) -> Iterator[Disk]:
    """A disk, with all its files open.

    Args:
        target: The file; see `qcowspec.sources.open_source`.
        format: ``qcow``, ``qcow2`` or ``raw``; None for the probe, which takes a file for raw if no
            driver of QEMU's claims it.
        allow: Which second files may be opened.
        secret: The passphrase of an encrypted image.
        profile: Another QEMU that has to open an image too: ``qemu@7.2``.

    Raises:
        Unsupported: The file's format is not stated, and QEMU's probe finds one not read here.
        QcowError: What opening an image raises.
    """
    target = named(target) if isinstance(target, str) else target
    stated = format or stated_format(target)
    is_raw = stated == RAW
    try:
        image = None if is_raw else open_image(target, format=format, allow=allow, secret=secret)
    except NotQcow:
        if stated is not None:
            raise
        image = None
    if image is not None:
        with image:
            image.check_opened(profile)
            disk = image.disk()
            disk.open_all()
            yield disk
        return
    with RawImage(target) as raw:
        start = b"" if is_raw else raw.source.read_at(0, foreign.PROBED)
        driver = foreign.claimant(start, raw.source.name)
        if driver is not None:
            raise Unsupported(
                f"is read as {driver} by QEMU, a format that is not read here: convert it to raw"
                " or qcow2, or if it is raw, say so (format='raw', -f raw or -F raw)",
                path=raw.source.name,
            )
        yield raw.disk()
