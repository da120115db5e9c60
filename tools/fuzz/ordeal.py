"""Everything that can be asked of an image, asked of any bytes.

Comes in: bytes. Goes out: nothing. Refuses: nothing: only `QcowError` may come out of the library,
and here it does not come out; whatever else does is a fault of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from zlib import crc32

import qcowspec
from qcowspec.errors import QcowError
from qcowspec.report import document, text, tree

PROFILES = ("qemu", "spec", "untrusted", "librbd")

PIECES = 300
"""Pieces of a dump, and runs of a mapping, that are looked at: a large image has millions."""

RANGE = 1 << 12
"""Bytes of a range that is read."""


Ordeal = Callable[[bytes, int], None]


def ordeal(data: bytes) -> None:
    """Do to an image one of the things that are done to images.

    Which one follows from the bytes, so that an input always meets the same.
    """
    chosen = crc32(data)
    undergo(ASKED[chosen % len(ASKED)], data, chosen // len(ASKED))


def undergo(asked: Ordeal, data: bytes, chosen: int) -> None:
    """Do one of these things; a number chooses what it leaves open."""
    with suppress(QcowError):
        asked(data, chosen)


def _judge(data: bytes, chosen: int) -> None:
    verdict = qcowspec.validate(data, profile=PROFILES[chosen % len(PROFILES)])
    assert verdict.accepted == (not verdict.errors)
    assert all(finding.message for finding in (*verdict.errors, *verdict.warnings))


def _read(data: bytes, chosen: int) -> None:
    with qcowspec.open(data) as image:
        for offset in {0, image.size // 2, max(0, image.size - RANGE), chosen % (image.size + 1)}:
            length = min(RANGE, image.size - offset)
            with suppress(QcowError):
                assert len(image.pread(offset, length)) == length


def _map(data: bytes, chosen: int) -> None:
    with qcowspec.open(data) as image:
        at = 0
        for run in islice(image.runs(), PIECES):
            assert run.offset == at
            assert run.length > 0
            at += run.length


def _show(data: bytes, chosen: int) -> None:
    with qcowspec.lay_open(data) as image:
        nodes = tree.structures(image, whole=True)
        for line in islice(text.lines(image, nodes, whole=True, hexadecimal=True), PIECES):
            assert line.isprintable()


def _document(data: bytes, chosen: int) -> None:
    with qcowspec.lay_open(data) as image:
        _drop(document.as_json(image, tree.structures(image, whole=True), whole=True))


def _drop(pieces: Iterable[str]) -> None:
    for _ in islice(pieces, PIECES):
        pass


ASKED: tuple[Ordeal, ...] = (_judge, _read, _map, _show, _document)
"""What is done to an image."""
