"""A disk's map, as ``qemu-img map`` writes it.

In: batches of block status. Out: pieces of text, JSON or for people, one a batch. Refuses: nothing.

Text is made from arrays, a batch of entries at a time: an image may have millions of them.

Source: qemu-img.c: img_map, dump_map_entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qcowspec.guest.status import Flag, Status
from qcowspec.mapping import NOWHERE
from qcowspec.report.names import full_name
from qcowspec.report.words import printable

if TYPE_CHECKING:
    from qcowspec.chain import Layer

AT_ONCE = 1 << 14
"""Entries that become text together."""

HEADING = f"{'Offset':<16}{'Length':<16}{'Mapped to':<16}File\n"


def as_json(
    batches: Iterable[Status],
    *,
    empty_at: int | None = None,
    present: bool = True,
    compressed: bool = False,
    lost: bool = False,
    dirty: bool = False,
) -> Iterator[str]:
    """The entries as a JSON array, one a line.

    Args:
        batches: What `block_status` gives.
        empty_at: Where the range starts: qemu-img shows one entry of no bytes for an empty range.
            None for an empty array.
        present: Write the key ``present``: QEMU's change ``map-present``.
        compressed: Write the key ``compressed``: its change ``map-compressed``.
        lost: Write the key ``lost``, which is ours.
        dirty: Write the key ``dirty``, which is ours as well.
    """
    keys = {
        name: flag
        for name, flag, is_written in (
            ("present", Flag.PRESENT, present),
            ("zero", Flag.ZERO, True),
            ("data", Flag.DATA, True),
            ("compressed", Flag.COMPRESSED, compressed),
            ("lost", Flag.LOST, lost),
            ("dirty", Flag.DIRTY, dirty),
        )
        if is_written
    }
    yield "["
    before = ""
    for batch in _portions(batches):
        yield before + _entries(batch, keys)
        before = ",\n"
    if not before and empty_at is not None:
        yield _template(keys, 0, 0, placed=False) % (empty_at, 0)
    yield "]\n"


def as_text(
    batches: Iterable[Status], files: Sequence[str], *, zeros: bool = False
) -> Iterator[str]:
    """The entries with data as a table.

    Compressed and encrypted ones, for which qemu-img gives up, have a word in place of an offset.

    Args:
        batches: What `block_status` gives.
        files: The file of each layer that has its data.
        zeros: Show what reads as zeros too, with a word in place of an offset.
    """
    yield HEADING
    for batch in _portions(batches):
        shown = batch
        if not zeros:
            data = (batch.flags & Flag.DATA != 0) & (batch.flags & Flag.ZERO == 0)
            shown = batch.take(data | (batch.flags & Flag.LOST != 0))
        columns = (shown.starts, shown.lengths, shown.offsets, shown.flags, shown.depths)
        yield "".join(
            f"{_hex(start):<16}{_hex(length):<16}{_place(offset, flags):<16}{files[depth]}\n"
            for start, length, offset, flags, depth in zip(
                *(column.tolist() for column in columns), strict=True
            )
        )


def file_names(layers: Sequence[Layer]) -> list[str]:
    """The file that has each layer's data, by the name that qemu-img shows."""
    shown: list[str] = []
    names: list[str] = []
    for depth, layer in enumerate(layers):
        name = layer.name
        if depth:
            above = layers[depth - 1].metadata
            assert above is not None
            assert above.backing is not None
            name = full_name(shown[-1], above.backing.name) or name
        shown.append(name)
        data = name
        if layer.data is not layer.source:
            reference = None if layer.metadata is None else layer.metadata.data_file
            data = (reference and full_name(name, reference.name)) or layer.data.name
        names.append(printable(data))
    return names


def _portions(batches: Iterable[Status]) -> Iterator[Status]:
    for batch in batches:
        for first in range(0, len(batch), AT_ONCE):
            yield batch.take(slice(first, first + AT_ONCE))


def _entries(batch: Status, keys: Mapping[str, Flag]) -> str:
    """Entries with commas between them: one text for each kind of entry, filled in all at once."""
    placed = batch.offsets != NOWHERE
    kinds = batch.depths.astype(np.int64) << 8 | batch.flags.astype(np.int64) << 1 | placed
    unique, which = np.unique(kinds, return_inverse=True)
    templates = [
        _template(keys, kind >> 8, kind >> 1 & 0x7F, placed=bool(kind & 1))
        for kind in unique.tolist()
    ]
    text = ",\n".join(map(templates.__getitem__, which.tolist()))
    numbers = np.stack((batch.starts, batch.lengths, batch.offsets), axis=1)
    chosen = np.ones(numbers.shape, np.bool_)
    chosen[:, 2] = placed
    return text % tuple(numbers[chosen].tolist())


def _template(keys: Mapping[str, Flag], depth: int, flags: int, *, placed: bool) -> str:
    text = f'{{ "start": %d, "length": %d, "depth": {depth}'
    for key, flag in keys.items():
        text += f', "{key}": {"true" if flags & flag else "false"}'
    return text + (', "offset": %d}' if placed else "}")


def _hex(number: int) -> str:
    """As C's ``%#x`` writes it: 0 has no prefix."""
    return hex(number) if number else "0"


def _place(offset: int, flags: int) -> str:
    if flags & Flag.LOST:
        return "lost"
    if flags & Flag.ZERO:
        return "zeros"
    if offset != NOWHERE:
        return _hex(offset)
    return "compressed" if flags & Flag.COMPRESSED else "encrypted"
