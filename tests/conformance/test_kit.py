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
from qcowspec.spec.rules import BY_ID
from tests.qemu import answer

CASES = [case for case in everything() if case.rule is None or on_record()[case.id].read]
QEMU = "qemu@7.2"


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

    assert ("rejects" if status else "accepts") == expected.verdict[QEMU], said
    if expected.read is not None and case.differs is None:
        found, said = read(case, folder)
        assert found == (expected.guest if expected.read == BYTES else None), said
        if expected.why is not None:
            assert (BY_ID[expected.why].qemu.key or "") in said


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("case", [c for c in CASES if c.secret], ids=lambda case: case.id)
def test_qemu_gives_nothing_of_it_without_the_passphrase(case: Case, folder: Path) -> None:
    written(case, folder)

    assert read(case, folder, secret=False)[0] is None
