"""An image, opened and used from an event loop.

In: what the user calls an image. Out: an `AsyncImage`. Refuses: what `qcowspec.open` refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from qcowspec.aio.disk import AsyncDisk
from qcowspec.aio.reader import AsyncReader
from qcowspec.aio.sources import OnLoop, Threaded
from qcowspec.aio.workers import Crew
from qcowspec.image import Image
from qcowspec.reader.opening import laid_open_async, passphrase
from qcowspec.sources import Target, open_source
from qcowspec.sources.gate import Gate, gate_of
from qcowspec.sources.source import AsyncSource, Source
from qcowspec.spec.metadata import Format, Reference, Structures
from qcowspec.spec.rules import Finding
from qcowspec.spec.units import Geometry

if TYPE_CHECKING:
    from qcowspec.mapping import Run
    from qcowspec.spec.named import Bitmap, Extension, Header, Snapshot

AsyncTarget = Target | AsyncSource

RUNS = 4096
"""Runs that are fetched at a time."""


class AsyncImage:
    """An opened image. What was read at opening is a property; what needs reading is awaited.

    Any number of tasks of its loop may use it at once.
    """

    def __init__(self, image: Image, crew: Crew) -> None:
        self._image, self._crew = image, crew
        self._disks: dict[str | None, asyncio.Future[AsyncDisk]] = {}

    def __repr__(self) -> str:
        return f"<AsyncImage {', '.join(self._image.facts())}>"

    # --- read at opening --------------------------------------------------------------------

    @property
    def findings(self) -> list[Finding]:
        """The broken rules; see `Image.findings`."""
        return self._image.findings

    @property
    def format(self) -> Format:
        """``qcow`` for version 1, ``qcow2`` for versions 2 and 3."""
        return self._image.format

    @property
    def header(self) -> Header:
        """The header, field by field."""
        return self._image.header

    @property
    def geometry(self) -> Geometry:
        """The sizes that follow from the header."""
        return self._image.geometry

    @property
    def size(self) -> int:
        """Size of the virtual disk in bytes."""
        return self._image.size

    @property
    def extensions(self) -> Structures[Extension]:
        """The header extensions, in order."""
        return self._image.extensions

    @property
    def snapshots(self) -> Structures[Snapshot]:
        """The internal snapshots, in the table's order."""
        return self._image.snapshots

    @property
    def bitmaps(self) -> Structures[Bitmap]:
        """The bitmaps whose directory the image marks as valid."""
        return self._image.bitmaps

    @property
    def backing(self) -> Reference | None:
        """The backing file that the image names."""
        return self._image.backing

    @property
    def data_file(self) -> Reference | None:
        """The external data file that the image names."""
        return self._image.data_file

    # --- the guest's bytes ------------------------------------------------------------------------

    async def disk(self, snapshot: str | None = None) -> AsyncDisk:
        """The virtual disk, to read from; see `Image.disk`."""
        opening = self._disks.get(snapshot)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception())):
            # Tasks that ask at once share one opening, which no cancellation of a task ends.
            opening = self._disks[snapshot] = asyncio.ensure_future(self._opened(snapshot))
        return await asyncio.shield(opening)

    async def _opened(self, snapshot: str | None) -> AsyncDisk:
        return AsyncDisk(await self._crew.run(self._image.disk, snapshot), self._crew)

    async def pread(self, offset: int, length: int, *, snapshot: str | None = None) -> bytes:
        """Read guest bytes; fewer only where the disk ends. See `Image.pread`."""
        return await (await self.disk(snapshot)).pread(offset, length)

    async def readinto(
        self, offset: int, buffer: bytearray | memoryview, *, snapshot: str | None = None
    ) -> int:
        """Read guest bytes into a buffer, and say how many. See `AsyncDisk.readinto`."""
        return await (await self.disk(snapshot)).readinto(offset, buffer)

    async def read_extents(
        self, extents: Sequence[tuple[int, int]], *, snapshot: str | None = None
    ) -> list[bytes]:
        """Read many ranges, given as offset and length. See `Image.read_extents`."""
        return await (await self.disk(snapshot)).read_extents(extents)

    def reader(self, *, snapshot: str | None = None) -> AsyncReader:
        """The virtual disk as a file."""
        return AsyncReader(lambda: self.disk(snapshot))

    async def runs(
        self, offset: int = 0, length: int | None = None, *, snapshot: str | None = None
    ) -> AsyncIterator[Run]:
        """Where the bytes of a guest range are, in this image alone. See `Image.runs`."""
        runs = await self._crew.run(self._image.runs, offset, length, snapshot=snapshot)
        while chunk := await self._crew.run(list, islice(runs, RUNS)):
            for run in chunk:
                yield run

    def snapshot(self, wanted: str) -> Snapshot:
        """An internal snapshot by its id, or else by its name. See `Image.snapshot`."""
        return self._image.snapshot(wanted)

    async def aclose(self) -> None:
        """Close the files when all work on the image has ended; harmless when called again.

        If the caller is cancelled meanwhile, the files are closed all the same.
        """
        if isinstance(self._image.source, OnLoop):
            self._image.source.abandon()
        self._crew.end(self._image.close)
        await self._crew.ended()

    async def __aenter__(self) -> AsyncImage:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Opening:
    """An image that is being opened: await it, or use it with ``async with``."""

    def __init__(
        self,
        target: AsyncTarget,
        format: str | None,
        gate: Gate,
        secret: bytes | None,
        like_qemu: bool,
    ) -> None:
        self._target, self._format = target, format
        self._gate, self._secret, self._like_qemu = gate, secret, like_qemu
        self._image: AsyncImage | None = None

    def __await__(self) -> Generator[Any, None, AsyncImage]:
        """The image; `AsyncImage.aclose` has to follow."""
        return self._opened().__await__()

    async def __aenter__(self) -> AsyncImage:
        self._image = await self._opened()
        return self._image

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._image is not None
        await self._image.aclose()

    async def _opened(self) -> AsyncImage:
        crew = Crew()
        opened: list[Source] = []
        try:
            source, awaited = await self._sources(crew, opened)
            crew.name = source.name
            machine = await laid_open_async(awaited, self._format, crew.run)
            image = Image(source, machine)
            image.gate, image.secret, image.like_qemu = self._gate, self._secret, self._like_qemu
            image.check_opened()
        except BaseException as error:
            # A thread may still open a file after the caller has been cancelled.
            crew.end(partial(_close, opened))
            if not isinstance(error, GeneratorExit):  # then there is no loop to wait on
                await crew.ended()
            raise
        return AsyncImage(image, crew)

    async def _sources(self, crew: Crew, opened: list[Source]) -> tuple[Source, AsyncSource]:
        """The image file for threads, and for the loop."""
        target = self._target
        if isinstance(target, AsyncSource):
            on_loop = OnLoop(target, asyncio.get_running_loop())
            return on_loop, on_loop
        await crew.run(lambda: opened.append(open_source(target)))
        return opened[0], Threaded(opened[0], crew)


def aopen(
    target: AsyncTarget,
    *,
    format: str | None = None,
    allow: str | Iterable[str] | Gate | None = None,
    secret: str | bytes | None = None,
    like_qemu: bool = False,
) -> Opening:
    """Open an image as QEMU does, from an event loop.

    Use it as ``async with aopen(…) as image``, or await it and close the image yourself.

    Args:
        target: What `qcowspec.open` takes, or an `AsyncSource` of your own, which stays yours to
            close.
        format: ``qcow`` or ``qcow2``, to skip the probe.
        allow: See `qcowspec.open`; a gate of your own is asked in a thread.
        secret: The passphrase of an encrypted image, and of its backing files.
        like_qemu: Read snapshots at the active state's size, as qemu-img does.

    Raises:
        NotQcow, Malformed, Invalid, Unsupported, Unreadable: As `qcowspec.open` does, when the
            image is awaited.
    """
    return Opening(target, format, gate_of(allow), passphrase(secret), like_qemu)


def _close(sources: Sequence[Source]) -> None:
    for source in sources:
        source.close()
