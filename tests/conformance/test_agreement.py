"""Our verdict is QEMU's, and so is the first reason: a short run over mutants of every image.

The long one is a command: `python -m tests.conformance.agreement --mutants 20000 --jobs 2`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import agreement, mutants
from tools import qemus

SEED = 1

SHARE = 0.998
"""Of the images that QEMU rejects, at least so many are rejected for the same reason."""


@pytest.fixture(scope="module", params=qemus.compared(), ids=str)
def qemu(request: pytest.FixtureRequest) -> qemus.Qemu:
    """Each QEMU that is here; tools/test has fetched those that can be had."""
    found: qemus.Qemu = request.param
    return found


@pytest.fixture(scope="module")
def reports(qemu_img: Any, qemu: qemus.Qemu) -> list[agreement.Report]:
    """What came of mutants, and of images with one number at a limit."""
    is_installed = qemu == qemus.installed()
    return [
        agreement.run(700 if is_installed else 200, SEED, asked=qemu),
        agreement.run_limits(300 if is_installed else 100, asked=qemu),
    ]


def test_verdicts_differ_where_it_stands_written_and_nowhere_else(
    reports: list[agreement.Report], qemu: qemus.Qemu
) -> None:
    cases = [case for report in reports for case in report.disagreements]
    differing = [str(case).splitlines()[0] for case in cases if not case.verdicts_agree]

    assert differing == agreement.known_differences(qemu.series)


def test_the_first_rule_is_the_one_that_qemu_reports(reports: list[agreement.Report]) -> None:
    for report in reports:
        others = "\n".join(map(str, report.disagreements))

        assert report.keys >= SHARE * report.rejected, others


def test_the_run_compares_images_of_both_verdicts(reports: list[agreement.Report]) -> None:
    for report in reports:
        assert report.images >= 100
        assert 0.3 * report.images < report.rejected < 0.9 * report.images


@pytest.mark.parametrize("name", agreement.bases())
def test_every_image_itself_is_accepted(qemu_img: Any, name: str) -> None:
    path = agreement.DATA / name
    image_format = str(agreement.base_of(name).image.format)

    assert agreement.ask_qemu(path, image_format).accepted
    assert agreement.ask_us(path, image_format).accepted


def test_a_folder_of_images_is_compared_with_any_qemu(qemu_img: Any, tmp_path: Path) -> None:
    data = bytearray((agreement.DATA / "v3-empty.qcow2").read_bytes())
    (tmp_path / "good.qcow2").write_bytes(data)
    data[20:24] = (22).to_bytes(4, "big")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "bad.qcow2").write_bytes(data)
    installed = replace(qemus.installed(), judged_by="spec")

    found = agreement.run_images(tmp_path, asked=installed)

    assert (found.images, found.rejected, found.verdicts, found.keys) == (2, 1, 2, 1)


def test_an_image_that_a_qemu_was_not_built_for_is_listed_and_not_counted() -> None:
    says = "qemu-img: Could not open 'a.qcow2': qcow2: unknown compression type: 1"
    report = agreement.Report()

    report.add(agreement.Case("a.qcow2", agreement.Answer(False, says), agreement.Answer(True)))

    assert (report.images, report.unbuilt, report.disagreements) == (0, ["a.qcow2"], [])


def test_a_mutant_is_the_same_whenever_it_is_made() -> None:
    base = agreement.base_of("v3-bitmaps.qcow2")

    assert mutants.mutant(base, 7, 11) == mutants.mutant(base, 7, 11)
    assert mutants.mutant(base, 7, 11) != mutants.mutant(base, 7, 12)


def test_a_mutant_is_undone_without_a_trace(tmp_path: Path) -> None:
    base, workplace = agreement.base_of("v3-snapshots.qcow2"), agreement.Workplace()
    try:
        for number in range(40):
            made = mutants.mutant(base, 3, number)
            if len(made.changes) < 100:
                path = workplace.put(base, made)
                assert path.read_bytes() == made.apply(base.data)
                workplace.restore(base, made)
                assert path.read_bytes() == base.data
    finally:
        workplace.close()
