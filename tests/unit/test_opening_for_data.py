"""An image that QEMU opens for `qemu-img info` alone is not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from qcow_parsers.catalogue import RULES

import qcowspec
from qcowspec.cli import qcowspec as cli
from qcowspec.errors import QcowError
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.judging import judge
from qcowspec.spec.profiles import refused_for_data

AT_DATA = [
    vector
    for rule in RULES
    if (rule.qemu.verdict, rule.qemu.when) == ("rejects", "data") and rule.judged == "opening"
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
    first = judge(vectors.image(vector)).judge.first_among(refused_for_data())

    assert first is not None
    assert first.rule == vector.rule


READINGS: dict[str, Callable[[qcowspec.Image, str], object]] = {
    "pread": lambda image, name: image.pread(0, 1, snapshot=name),
    "runs": lambda image, name: list(image.runs(snapshot=name)),
    "extents": lambda image, name: list(image.extents(snapshot=name)),
    "disk": lambda image, name: image.disk(name),
    "changes since": lambda image, name: list(image.changes(name)),
    "changes until": lambda image, name: list(image.changes(None, name)),
}


@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
def test_a_snapshot_that_qemu_does_not_load_is_read_in_no_way(
    read: Callable[[qcowspec.Image, str], object],
) -> None:
    (vector,) = (v for v in vectors.everything() if v.id == "snapshots/l1-table-offset/512")
    with qcowspec.open(vectors.image(vector)) as image:
        broken = image.snapshots[0].id_str.decode()

        with pytest.raises(qcowspec.Invalid) as caught:
            read(image, broken)

        assert caught.value.rule == "snapshots/l1-table-offset"
        assert image.snapshot(broken).l1_table_offset % 512 == 0
        image.pread(0, 1)


COMMANDS = [["convert", "-q", "--snapshot"], ["map", "--snapshot"], ["map", "--since"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_say_by_which_rule(command: list[str], tmp_path: Path) -> None:
    (vector,) = (v for v in vectors.everything() if v.id == "snapshots/l1-size/4194305")
    path = tmp_path / "image.qcow2"
    path.write_bytes(vectors.image(vector))
    with qcowspec.open(path) as image:
        wanted = image.snapshots[1].id_str.decode()
    out = [str(tmp_path / "out")] if command[0] == "convert" else []
    result = CliRunner().invoke(cli, [*command, wanted, str(path), *out])

    assert (result.exit_code, "[snapshots/l1-size]" in result.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
