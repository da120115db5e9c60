"""QEMU makes of every image of the kit what the kit's record says that a reader has to.

In: the cases. Out: nothing. `qemu-img info` is asked for its verdict and its reason, and where the
kit asks for the disk, `qemu-img convert` for its bytes. Vectors were asked about at opening by
`test_vectors_agree_with_qemu` already: here they are only read. Refused: to pass without `qemu-img`
where ``CI`` is set.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from qcowspec.fuzzing.kit.case import Case
from qcowspec.fuzzing.kit.cases import everything
from qcowspec.fuzzing.kit.expectations import BYTES, on_record
from qcowspec.spec.profiles import VERSIONS
from qcowspec.spec.rules import BY_ID
from tests.conformance.agreement import WITHOUT_ZSTD
from tests.qemu import answer
from tools import qemus

CASES = [case for case in everything() if case.rule is None or on_record()[case.id].read]
OTHERS = qemus.others()
DIFFERENT = [
    case
    for case in everything()
    if len({on_record()[case.id].verdict[each] for each in VERSIONS}) > 1
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def written(case: Case, folder: Path) -> None:
    (folder / case.name).write_bytes(case.image())
    for name, data in case.beside():
        (folder / name).write_bytes(data)


def read(case: Case, folder: Path, *, secret: bool = True) -> tuple[str | None, str]:
    """SHA-256 of the disk as `qemu-img convert` writes it, or None; and what it says."""
    words = ["-f", case.format, "-O", "raw", case.name]
    if secret and case.secret is not None:
        key = f"driver={case.format},file.filename={case.name},encrypt.key-secret=key"
        words = ["--object", f"secret,id=key,data={case.secret}", "--image-opts", "-O", "raw", key]
    status, said = answer(folder, "qemu-img", "convert", *words, "out.raw")
    if status:
        return None, said
    return sha256((folder / "out.raw").read_bytes()).hexdigest(), said


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_qemu_makes_of_it_what_the_record_says(case: Case, folder: Path) -> None:
    expected = on_record()[case.id]
    written(case, folder)
    status, said = 0, ""
    if not case.id.startswith("rules/"):
        status, said = answer(folder, "qemu-img", "info", "-f", case.format, case.name)

    assert ("rejects" if status else "accepts") == verdict(case, qemus.installed()), said
    if expected.read is not None and case.differs is None:
        found, said = read(case, folder)
        assert found == (expected.guest if expected.read == BYTES else None), said
        if expected.why is not None:
            assert (BY_ID[expected.why].qemu.key or "") in said


def verdict(case: Case, qemu: qemus.Qemu) -> str:
    """What the record says of a QEMU; if its series was not measured, of the newest."""
    verdicts = on_record()[case.id].verdict
    return verdicts.get(f"qemu@{qemu.series}", verdicts["qemu"])


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("qemu", OTHERS, ids=str)
def test_another_qemu_judges_what_versions_differ_about_as_the_record_says(
    qemu: qemus.Qemu, folder: Path
) -> None:
    """All cases: `python -m tests.conformance.agreement --images kit --qemu all`."""
    wrong = []
    for case in DIFFERENT:
        written(case, folder)
        status, said = answer(folder, qemu.program(), "info", "-f", case.format, case.name)
        if ("rejects" if status else "accepts") != verdict(case, qemu):
            wrong.append((case.id, said))

    assert [each for each in wrong if WITHOUT_ZSTD not in each[1]] == []


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("case", [c for c in CASES if c.secret], ids=lambda case: case.id)
def test_qemu_gives_nothing_of_it_without_the_passphrase(case: Case, folder: Path) -> None:
    written(case, folder)

    assert read(case, folder, secret=False)[0] is None
