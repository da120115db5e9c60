"""Entries decoded and judged here are what the generated types say, one by one or as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaitaistruct import BytesIO, KaitaiStream
from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES

from qcowspec.spec.entries import KINDS, Frame, L2Entries, Qcow1L2Entries
from qcowspec.spec.entry_rules import HOLDS
from qcowspec.spec.units import Geometry

BITS = st.sampled_from([9, 12, 16, 21])
FLAGS = (c.QCOW_OFLAG_COPIED, c.QCOW_OFLAG_COMPRESSED, c.QCOW_OFLAG_ZERO)


@st.composite
def words(draw: st.DrawFn) -> int:
    """A 64-bit word: noise, or an aligned offset with a few flags."""
    if draw(st.booleans()):
        return draw(st.integers(0, (1 << 64) - 1))
    offset = draw(st.integers(0, 1 << 20)) << draw(st.sampled_from([0, 9, 16]))
    return offset | sum(draw(st.sets(st.sampled_from(FLAGS))))


@st.composite
def frames(draw: st.DrawFn, version: int = 3) -> Frame:
    bits = draw(BITS)
    extended = version == 3 and draw(st.booleans())
    size = c.L2E_SIZE_EXTENDED if extended else c.L2E_SIZE_NORMAL
    geometry = Geometry(version, bits, bits - (4 if extended else 3), size, 4)
    length = draw(st.one_of(st.none(), st.integers(0, 1 << 40)))
    return Frame(geometry, draw(st.booleans()), length, draw(st.integers(0, 1 << 40)))


def of_kaitai(frame: Frame, word: int, bitmap: int) -> Any:
    extended = frame.geometry.has_extended_l2
    data = word.to_bytes(8, "big") + (bitmap.to_bytes(8, "big") if extended else b"")
    return Qcow2.L2Entry(frame.geometry.cluster_bits, extended, KaitaiStream(BytesIO(data)))


@given(frames(), words(), words())
def test_an_l2_entry_is_what_the_generated_type_says(frame: Frame, word: int, bitmap: int) -> None:
    kaitai, ours = of_kaitai(frame, word, bitmap), L2Entries(word, frame, 0, bitmap)

    assert (ours.compressed, ours.copied) == (kaitai.compressed, kaitai.copied)
    if kaitai.compressed:
        assert (ours.coffset, ours.csize) == (kaitai.coffset, kaitai.csize)
    else:
        assert (ours.offset, ours.zero) == (kaitai.offset, kaitai.zero)
    if frame.geometry.has_extended_l2:
        assert ours.allocated_subclusters == kaitai.alloc_bitmap
        assert ours.zero_subclusters == kaitai.zero_bitmap


INSTANCES = [
    rule for rule in RULES if rule.on == "qcow2::l2_entry" and rule.predicate == "instance"
]


@pytest.mark.parametrize("rule", INSTANCES, ids=lambda rule: rule.id)
@given(frame=frames(), word=words(), bitmap=words())
def test_an_instance_of_the_generated_type_says_the_same(
    rule: Any, frame: Frame, word: int, bitmap: int
) -> None:
    bitmap = bitmap if frame.geometry.has_extended_l2 else 0
    kaitai = of_kaitai(frame, word, bitmap)

    ours = HOLDS[rule.id](L2Entries(word, frame, 0, bitmap))

    assert ours == getattr(kaitai, rule.predicate_name)


@given(frame=frames(), word=words())
def test_a_v1_entry_is_what_the_generated_type_says(frame: Frame, word: int) -> None:
    bits = min(frame.geometry.cluster_bits, c.QCOW1_MAX_CLUSTER_BITS)
    frame = frame._replace(geometry=Geometry(1, bits, bits - 3, 8, 0))
    kaitai = Qcow1.L2Entry(bits, KaitaiStream(BytesIO(word.to_bytes(8, "big"))))

    ours = Qcow1L2Entries(word, frame)

    assert ours.compressed == kaitai.is_compressed
    if kaitai.is_compressed:
        assert (ours.coffset, ours.csize) == (kaitai.coffset, kaitai.csize)
    else:
        assert HOLDS["l2/v1-cluster-offset"](ours) == kaitai.ok_offset
        assert HOLDS["l2/v1-cluster-read"](ours) == kaitai.ok_cluster_read


@pytest.mark.parametrize("name", HOLDS)
@settings(max_examples=30)
@given(frame=frames(), some=st.lists(st.tuples(words(), words(), words()), min_size=1, max_size=4))
def test_an_array_is_judged_as_its_entries(
    name: str, frame: Frame, some: list[tuple[int, int, int]]
) -> None:
    rule = next(rule for rule in RULES if rule.id == name)
    if "qcow" in rule.formats:
        frame = frame._replace(geometry=Geometry(1, 12, 9, 8, 0), data_file=False)
    kind = KINDS[rule.on]
    guests = [guest >> 20 for _, _, guest in some]
    entries, bitmaps, guest = (
        np.array(column, np.uint64)
        for column in ([one[0] for one in some], [one[1] for one in some], guests)
    )

    if "l2_entry" in rule.on:
        whole = kind(entries, frame, guest, bitmaps)
        each = [kind(w, frame, g, b) for (w, b, _), g in zip(some, guests, strict=True)]
    else:
        whole, each = kind(entries, frame), [kind(w, frame) for w, _, _ in some]

    expected = [bool(HOLDS[name](one)) for one in each]
    assert np.broadcast_to(HOLDS[name](whole), len(some)).tolist() == expected
