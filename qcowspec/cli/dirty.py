"""The ranges of a bitmap, for `qcowspec map --bitmap`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from qcowspec.cli.output import say, warn_of_end, write

if TYPE_CHECKING:
    from qcowspec.guest.status import Status
    from qcowspec.image import Image
    from qcowspec.raw import RawImage


class Marks:
    """What a bitmap says of a range of the disk."""

    def __init__(
        self, source: Image | RawImage, name: str, offset: int, length: int | None
    ) -> None:
        from qcowspec.mapping.dirty import bitmap_of
        from qcowspec.raw import RawImage
        from qcowspec.report.bitmaps import in_use

        if isinstance(source, RawImage):
            raise click.UsageError("--bitmap: a raw file has no bitmaps")
        self._image = source
        self._entry = bitmap_of(source.metadata, name, source.source.name)
        self._ranges = source.dirty(name, offset, length)
        if self._entry.in_use:
            say(f"{source.source.name}: {in_use(self._entry)}")

    def write(self, *, as_json: bool, share: bool) -> None:
        """Write the ranges by themselves."""
        from qcowspec.report import bitmaps as report

        file = self._image.source
        if not share:
            file.refuse_writers()
        warn_of_end(file.name, self._image.metadata)
        if as_json:
            write(report.as_json(self._ranges, in_use=self._entry.in_use))
        else:
            write([report.heading(self._entry)])
            write(report.as_text(self._ranges))
        if not share:
            file.check_unchanged()

    def join(self, status: Iterable[Status], *, as_json: bool) -> Iterator[Status]:
        """The status of the range, marked; for a table, of what is dirty alone."""
        from qcowspec.guest.status import dirty_only, with_dirty

        if not as_json:
            from qcowspec.report import bitmaps as report

            write([report.heading(self._entry)])
        marked = with_dirty(status, self._ranges)
        return marked if as_json else dirty_only(marked)
