"""An image that QEMU opens for `qemu-img info` alone is not read."""

from __future__ import annotations

import pytest
from qcow_parsers.catalogue import RULES

import qcowspec
from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.judging import judge
from qcowspec.predicates import UNDECIDED

AT_DATA = [
    vector
    for rule in RULES
    if (rule.qemu.verdict, rule.qemu.when) == ("rejects", "data") and rule.id not in UNDECIDED
    for vector in vectors.breaking(rule.id)
    if vector.verdict["qemu"] == "accepts"
]


@pytest.mark.parametrize("vector", AT_DATA, ids=lambda vector: vector.id)
def test_it_opens_and_is_not_read(vector: vectors.Vector) -> None:
    data = vectors.image(vector)

    with qcowspec.open(data) as image, pytest.raises(QcowError) as raised:
        image.pread(0, 1)

    assert raised.value.rule == vector.rule


@pytest.mark.parametrize("vector", AT_DATA, ids=lambda vector: vector.id)
def test_the_rule_is_among_those_that_are_broken(vector: vectors.Vector) -> None:
    first = judge(vectors.image(vector)).judge.first_for_data()

    assert first is not None
    assert first.rule == vector.rule
