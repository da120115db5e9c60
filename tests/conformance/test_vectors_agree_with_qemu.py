"""QEMU says of every vector what the vector says that it does.

In: the vectors. Out: nothing. `qemu-img info` is asked about all of them, in the version that is
installed, and of the others about each rule that one version has otherwise than another: its
verdict is ours, and its message has the key of the rule that we say it reports. Of vectors whose
rule is judged later, the command that looks at it is asked as well. All of all versions:
`python -m tests.conformance.matrix`. Refused: to pass without `qemu-img` where ``CI`` is set.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from qcow_parsers.catalogue import Rule

import qcowspec
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.vectors import Vector
from qcowspec.spec.rules import BY_ID
from tests.conformance import matrix
from tests.conformance.matrix import ALL, LATER, NAME
from tests.qemu import answer
from tools import qemus


def is_changed(rule: Rule) -> bool:
    """Whether one version of QEMU has it otherwise than another."""
    return any((rule.qemu.since, rule.qemu.until, rule.qemu.before))


CHANGED = [vector for vector in ALL if is_changed(BY_ID[vector.rule])]


def by_id(vector: Vector) -> str:
    return vector.id


@pytest.fixture(scope="module")
def installed(qemu_img: object) -> qemus.Qemu:
    return qemus.installed()


@pytest.mark.parametrize("vector", ALL, ids=by_id)
def test_qemu_says_what_the_vector_says(
    vector: Vector, installed: qemus.Qemu, tmp_path: Path
) -> None:
    found = list(matrix.opened(vector, installed, tmp_path))

    assert found == []
    (tmp_path / NAME).unlink()  # some have 64 MiB


@pytest.mark.parametrize("vector", LATER, ids=by_id)
def test_qemu_meets_later_what_the_vector_says(
    vector: Vector, installed: qemus.Qemu, tmp_path: Path
) -> None:
    assert list(matrix.met_later(vector, installed, tmp_path)) == []


@pytest.mark.parametrize("qemu", qemus.others(), ids=str)
def test_where_versions_differ_each_does_what_the_rows_say_of_it(qemu: qemus.Qemu) -> None:
    found = matrix.differences(qemu, CHANGED)

    assert {each.vector for each in found} == matrix.known(qemu.series), found


LOADED = [vector for vector in ALL if BY_ID[vector.rule].qemu.load is not None]


@pytest.mark.parametrize("vector", LOADED, ids=by_id)
def test_a_snapshot_that_qemu_does_not_load_is_not_read(vector: Vector, tmp_path: Path) -> None:
    data, key = vectors.image(vector), BY_ID[vector.rule].qemu.load
    (tmp_path / NAME).write_bytes(data)
    refused = []
    with qcowspec.open(data) as image:
        for name in [snapshot.id_str.decode() for snapshot in image.snapshots]:
            # Where QEMU does not load what it finds by the id alone, it looks for a name.
            words = ("-l", f"snapshot.id={name}", "-O", "raw", NAME, "out")
            status, said = answer(tmp_path, "qemu-img", "convert", *words)
            try:
                image.pread(0, 1, snapshot=name)
            except qcowspec.QcowError as error:
                refused.append((error.rule, status, str(key) in said))
            else:
                assert status == 0, said

    assert refused == [(vector.rule, 1, True)] * vector.breaks
