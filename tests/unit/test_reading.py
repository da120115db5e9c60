"""What reading guest bytes promises, shown on the smallest images."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec
from qcowspec.build.description import Kind
from qcowspec.fuzzing.kit.case import Case
from qcowspec.fuzzing.kit.cases import everything

PACKED = Kind.QCOW2_CLUSTER_COMPRESSED
UNREADABLE = [case for case in everything() if case.fails]
OTHER: Mapping[str, str] = {
    "rules/encryption/luks-unlock/zeros": "encryption/luks-key",
    "rules/l2/compressed-data-file/compressed": "backing/data-file-opens",
    "rules/l2/compressed-offset/bit-56": "l2/compressed-data",
    "rules/l2/data-file-offset/next": "backing/data-file-opens",
}
"""Images that break another rule first: a key or a file is missing, or one entry breaks two."""


def test_an_entry_that_stops_short_is_not_read_with_the_data_of_a_longer_one() -> None:
    whole = Cluster(b"whole", PACKED)
    alone = ImageSpec(version=1, cluster_bits=12, l2_bits=9, clusters={0: whole})
    with qcowspec.open(build.image(alone)) as image:
        offset = next(image.runs()).host_offset
    assert offset is not None
    short = replace(whole, fields={"coffset": offset, "csize": 1})
    data = build.image(replace(alone, clusters={0: whole, 1: short, 2: whole}))

    with qcowspec.open(data) as image:
        assert image.pread(0, 5) == b"whole"
        for start, length in ((4096, 5), (0, 8192), (4096, 8192)):
            with pytest.raises(qcowspec.QcowError, match=r"\[l2/v1-compressed-data\]"):
                image.pread(start, length)
        assert image.pread(8192, 5) == b"whole"


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.id)
def test_what_opens_and_cannot_be_read_is_refused_by_its_rule_and_place(
    case: Case, tmp_path: Path
) -> None:
    """QEMU fails for the same images: `tests/conformance/test_kit.py` asks it."""
    path = tmp_path / case.name
    path.write_bytes(case.image())
    for name, data in case.beside():
        (tmp_path / name).write_bytes(data)

    with (
        qcowspec.open(path, format=case.format, allow="same-dir", secret=case.secret) as image,
        pytest.raises(qcowspec.QcowError) as caught,
    ):
        image.pread(0, image.size)

    assert caught.value.rule == OTHER.get(case.id, case.rule)
    assert caught.value.offset is not None
    assert caught.value.path == str(path)


class Counted(io.BytesIO):
    """A file that knows how often it was read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count."""
        self.reads += 1
        return super().read(size)


def test_compressed_clusters_that_lie_together_are_fetched_together_and_once() -> None:
    count, size = 256, 4096
    clusters = {n: Cluster(b"%d" % n, PACKED) for n in range(count)}
    spec = ImageSpec(size=count * size, cluster_bits=12, clusters=clusters)
    file = Counted(build.image(spec))
    expected = b"".join((b"%d" % n).ljust(size, b"\0") for n in range(count))

    with qcowspec.open(file) as image:
        image.pread(0, 1)
        before = file.reads
        data = image.pread(0, image.size)
        at_first = file.reads - before
        again = image.pread(100, image.size - 200)
        in_all = file.reads - before

    assert data == expected
    assert again == expected[100:-100]
    assert at_first <= count // 16
    assert in_all == at_first
