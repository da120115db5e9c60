"""A check counts what qemu-img check counts: on QEMU's own images, the vectors, and mutants.

More mutants: ``python -m tests.conformance.checking --count N --seed S``, or QCOWSPEC_CHECKED=N.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from qcowspec import validate
from qcowspec.check import check
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.vectors import Vector, base
from qcowspec.image import lay_open
from qcowspec.report.check import FINDS_NOTHING, of_leaks, summary
from qcowspec.spec.rules import BY_ID
from tests.conformance.checking import DATA, beside, compared, lost, ours, rows, theirs
from tests.conformance.matrix import UNASKED

MUTANTS = int(os.environ.get("QCOWSPEC_CHECKED", "120"))
STEP = 60

pytestmark = pytest.mark.usefixtures("qemu_img")

CHECKED = [
    vector
    for vector in vectors.everything()
    if vector.judged and vector.stage in {"check", "l1", "l2", "refcounts", "snapshots"}
    if vectors.format_of(vector) == "qcow2"
]
"""The vectors whose rules only a walk through the tables judges."""

OPENED = [
    vector
    for vector in vectors.everything()
    if not vector.judged
    and BY_ID[vector.rule].qemu.verdict == "rejects"
    and vectors.format_of(vector) == "qcow2"
    and vector.id not in UNASKED
]
"""The vectors whose rules decide whether an image is opened."""

WITHOUT_A_KEY = "Parameter 'encrypt.key-secret' is required"
"""What QEMU says first of an encrypted image, which we check without a key."""


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    beside(folder)
    return folder


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["name"]))
def test_figures_of_qemus_images_are_qemus(row: dict[str, str], folder: Path) -> None:
    expected = theirs(folder / row["name"], row.get("passphrase"))
    assert expected is not None

    actual = ours(DATA / row["name"])

    assert (actual.status, actual.figures) == (expected.status, expected.figures), expected.said


@pytest.mark.parametrize("vector", CHECKED, ids=lambda vector: str(vector.id))
def test_figures_of_vectors_are_qemus(vector: Vector, folder: Path) -> None:
    path = folder / "vector.qcow2"
    path.write_bytes(vectors.image(vector))
    expected = theirs(path)
    assert expected is not None

    actual = ours(path)

    assert (actual.status, actual.figures) == (expected.status, expected.figures), expected.said


@pytest.mark.parametrize("vector", OPENED, ids=lambda vector: str(vector.id))
def test_an_image_that_qemu_does_not_open_for_a_check_is_not_checked(
    vector: Vector, folder: Path
) -> None:
    for name in ("missing.raw", "x"):
        (folder / name).write_bytes(b"")
    path = folder / "vector.qcow2"
    path.write_bytes(vectors.image(vector))
    expected = theirs(path)
    if expected is None or WITHOUT_A_KEY in expected.said:
        return

    assert ours(path).status == expected.status, expected.said


HIDDEN = "check/untrusted-hidden-bytes"
"""A rule that `validate --hidden` applies; a check looks at no byte that is in no structure."""


@pytest.mark.parametrize(
    "vector",
    [v for v in CHECKED if v.stage == "check" and v.rule != HIDDEN],
    ids=lambda vector: str(vector.id),
)
def test_a_check_finds_what_the_vector_breaks(vector: Vector) -> None:
    with lay_open(vectors.image(vector)) as image:
        report = check(image)

    assert list(lost(report, image.source.length)) == []
    assert (vector.rule in {group.rule.id for group in report.findings}) == vector.breaks


@pytest.mark.parametrize(
    "vector", [v for v in CHECKED if v.rule == HIDDEN], ids=lambda vector: str(vector.id)
)
def test_hidden_bytes_are_found_when_they_are_looked_for(vector: Vector) -> None:
    found = validate(vectors.image(vector), profile="untrusted", hidden="reject")

    assert (HIDDEN in {finding.rule for finding in found.errors}) == vector.breaks


@pytest.mark.parametrize("first", range(0, MUTANTS, STEP))
def test_figures_of_mutants_are_qemus(first: int, folder: Path) -> None:
    found = [compared(folder, 5, number) for number in range(first, first + STEP)]

    assert [line for what, line in found if what == "differs"] == []


NO_HARM = "This means waste of disk space, but no harm to data.\n"
CLEAN = "No errors were found on the image.\n"


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["name"]))
def test_the_summary_is_in_qemus_words(row: dict[str, str], folder: Path) -> None:
    if "passphrase" in row:
        return  # figures are compared above
    command = ["qemu-img", "check", "-f", "qcow2", row["name"]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    with lay_open(DATA / row["name"]) as image:
        report = check(image)

    # Of leaks QEMU says that they do no harm, and of what it does not look at nothing.
    theirs_ = done.stdout.replace(NO_HARM, "")
    if report.findings.of("beyond-qemu"):
        theirs_ = theirs_.replace(CLEAN, FINDS_NOTHING)
    said = list(summary(report))
    if report.looked is not None:
        said = [line for line in said if line not in list(of_leaks(report.looked))]
    assert "".join(said) == theirs_


@pytest.mark.parametrize("name", ["v3", "v3-snapshots", "v3-bitmaps"])
@pytest.mark.parametrize("more", [0, 1, 511, 512, 513])
def test_a_file_cut_short_counts_as_for_qemu(name: str, more: int, folder: Path) -> None:
    whole, path = base(name).data, folder / "short.qcow2"
    for length in range(4096, len(whole), 4096):
        path.write_bytes(whole[: length + more])
        expected = theirs(path)
        assert expected is not None

        actual = ours(path)

        assert (actual.status, actual.figures) == (expected.status, expected.figures), length
