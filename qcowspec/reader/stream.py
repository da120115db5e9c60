"""Judges an image that comes as a stream, read forward once.

In: chunks, of any size. Out: a `Verdict`, or *undecided* while the bytes that decide have not come.
Refuses: to keep more than `RETAINED` bytes and the tables that the header announces; an image whose
structures cannot be had that way is rejected as unsupported, never guessed at.

The same machine runs twice: once while the bytes come, so that a bad image is known early, and once
more at the end, from what was kept, when the length of the file is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from qcow_parsers import constants as c

from qcowspec.errors import Unreadable
from qcowspec.reader import clusters
from qcowspec.reader.machine import ALL_ENTRIES, Machine, State, thorough
from qcowspec.reader.needs import Need, Window
from qcowspec.reader.verdict import REJECT, Verdict, lost, verdict_of
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.profiles import judges_entries
from qcowspec.spec.units import MAX_L1_ENTRIES, HostOffset, align_up

UNDECIDED = "undecided"

RETAINED = 16 << 20
"""Bytes of the stream's beginning that are kept: most images have all their tables there."""

CAPTURED = 48 << 20
"""Bytes of tables that are kept beyond that."""

ENDING = 2 * Window.STEP
"""Bytes of the stream's end that are kept: other formats have a footer there."""

LATE = (State.SNAPSHOTS, State.CLUSTERS)
"""States in which all tables that locate others have been read: of versions 2 and 3, and of 1."""

ENTRIES_CAPTURED = 1 << 20
"""Bytes of a snapshot table or a bitmap directory, whose length is known only once it is read."""


class StreamJudge:
    """Judges one image while it passes by.

    Feed it chunks until `verdict` says ``reject`` or the stream ends; then `finish` it.
    """

    def __init__(
        self, profile: str = "untrusted", *, format: str | None = None, name: str = "-"
    ) -> None:
        self._profile = profile
        self._name = name
        self._format = format
        self._entries = ALL_ENTRIES if judges_entries(profile) else 0
        self._machine = Machine(thorough(profile), format=self._format, entries=self._entries)
        self._announced = False
        self._store = _Store()
        self._finished: Verdict | None = None
        self._lost: Need | None = None

    @property
    def length(self) -> int:
        """Bytes that have come."""
        return self._store.length

    @property
    def format(self) -> str | None:
        """The format, as soon as the probe knows it; None before, and for other files."""
        found = self._machine.image.format
        return None if found is None else str(found)

    @property
    def verdict(self) -> str:
        """``reject`` as soon as that is certain; otherwise ``undecided`` until the end."""
        if self._finished is not None:
            return self._finished.verdict
        no_image = self._machine.need is None and self._machine.image.format is None
        broken = self._machine.judge.first(self._profile) is not None
        return REJECT if no_image or broken or self._lost else UNDECIDED

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        self._store.take(chunk)
        self._work(self._machine, ended=False)

    def so_far(self) -> Verdict:
        """The verdict by what has come: final as soon as `verdict` is ``reject``."""
        return self._verdict(self._machine)

    def finish(self) -> Verdict:
        """Take the end of the stream, and return the verdict."""
        if self._finished is None:
            self._work(self._machine, ended=True)
            again = Machine(
                thorough(self._profile),
                format=self._format,
                length=self.length,
                entries=self._entries,
            )
            self._work(again, ended=True)
            self._finished = self._verdict(again)
        return self._finished

    def _verdict(self, machine: Machine) -> Verdict:
        verdict = verdict_of(machine, self._name, self._profile)
        return verdict if self._lost is None else lost(verdict, self._lost)

    def _work(self, machine: Machine, *, ended: bool) -> None:
        """Feed a machine with the bytes that have come."""
        while (need := machine.need) is not None and self._lost is None:
            if need.offset + need.length > self._store.length and not ended:
                self._store.want(need)
                return
            data = self._store.read(need)
            if data is None and not need.optional:
                self._lost = need
                return
            machine.feed(data or b"")
            if not ended:
                self._announce()

    def _announce(self) -> None:
        """Want the tables that are located by now, before a stage asks for them."""
        image = self._machine.image
        for region in _announced(image):
            self._store.want(region)
        if not self._announced and image.l1_table is not None and self._machine.state in LATE:
            self._announced = True
            for region in clusters.located(image):
                self._store.want(region)


def judge_stream(stream: BinaryIO, profile: str, *, format: str | None, name: str) -> Verdict:
    """Judge a stream, and read no more of it than the verdict needs.

    Raises:
        Unreadable: The stream failed.
    """
    judge = StreamJudge(profile, format=format, name=name)
    try:
        while judge.verdict == UNDECIDED and (chunk := stream.read(CHUNK)):
            judge.feed(chunk)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}", path=name) from error
    return judge.so_far() if judge.verdict == REJECT else judge.finish()


CHUNK = 1 << 20
"""Bytes of a stream that are read at a time."""


class _Store:
    """The beginning of a stream, and the regions beyond it that were wanted before they came."""

    def __init__(self) -> None:
        self.length = 0
        self._start = bytearray()
        self._end = b""
        self._regions: dict[int, tuple[int, bytearray]] = {}  # offset: (end, bytes that came)
        self._budget = CAPTURED

    def take(self, chunk: bytes) -> None:
        """Keep what is wanted of the next bytes."""
        first, last = self.length, self.length + len(chunk)
        if first < RETAINED:
            self._start += chunk[: RETAINED - first]
        for offset, (end, kept) in self._regions.items():
            if first < end and last > offset:
                kept += chunk[max(offset - first, 0) : end - first]
        self._end = (self._end + chunk[-ENDING:])[-ENDING:]
        self.length = last

    def want(self, need: Need) -> None:
        """Keep a region when it comes; without effect if it has passed already."""
        start = need.offset - need.offset % Window.STEP  # as the machine will ask for it
        end = align_up(need.offset + need.length, Window.STEP)
        gone = start < self.length > len(self._start)
        if end <= RETAINED or gone or end - start > self._budget:
            return
        if end <= self._regions.get(start, (0,))[0]:
            return
        self._budget -= end - start
        self._regions[start] = (end, self._start[start:])

    def read(self, need: Need) -> bytes | None:
        """The bytes of a region, as far as they came; None if they were not kept."""
        end = min(need.offset + need.length, self.length)
        if end <= need.offset:
            return b""
        if end <= len(self._start):
            return bytes(self._start[need.offset : end])
        if need.offset >= self.length - len(self._end):
            return self._end[need.offset - self.length :][: end - need.offset]
        start = need.offset - need.offset % Window.STEP
        own = [(start, self._regions[start])] if start in self._regions else []
        for offset, (_, kept) in (*own, *self._regions.items()):
            if offset <= need.offset and end <= offset + len(kept):
                return bytes(kept[need.offset - offset : end - offset])
        return None


def _announced(image: Metadata) -> Iterator[Need]:
    """The tables that the header locates, before a stage asks for them."""
    header = image.header
    if header is None or image.geometry is None:
        return
    count = min(header.l1_size, MAX_L1_ENTRIES)
    yield Need(HostOffset(header.l1_table_offset), count * c.L1E_SIZE)
    if image.format is not Format.QCOW2:
        return
    v2 = image.qcow2_header
    refcounts = min(v2.refcount_table_bytes, c.QCOW_MAX_REFTABLE_SIZE)
    yield Need(HostOffset(v2.refcount_table_offset), refcounts)
    if v2.nb_snapshots:
        yield Need(HostOffset(v2.snapshots_offset), ENTRIES_CAPTURED)
    if image.bitmaps_extension is not None:
        offset = HostOffset(image.bitmaps_extension.bitmap_directory_offset)
        yield Need(offset, ENTRIES_CAPTURED)
    if image.crypto_extension is not None:
        offset = HostOffset(image.crypto_extension.offset)
        yield Need(offset, c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE)
