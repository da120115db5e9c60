"""What reading guest bytes promises, shown on the smallest images."""

from __future__ import annotations

from dataclasses import replace

import pytest

import qcowspec
from qcowspec import build
from qcowspec.build import Cluster, ImageSpec
from qcowspec.build.description import Kind

PACKED = Kind.QCOW2_CLUSTER_COMPRESSED


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
