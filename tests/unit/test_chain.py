"""The files behind an image: how many, which, and what is said of those that do not open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from qcow_parsers import constants as c

import qcowspec
from qcowspec import build
from qcowspec.build import ImageSpec
from qcowspec.cli import qcowspec as cli
from qcowspec.errors import QcowError

SIZE = 64 << 10
V1: dict[str, Any] = {"version": 1, "cluster_bits": 12, "l2_bits": 9}
V3: dict[str, Any] = {"version": 3}


def written(path: Path, version: dict[str, Any], **more: Any) -> Path:
    path.write_bytes(build.image(ImageSpec(size=SIZE, **version, **more)))
    return path


def chain(folder: Path, files: int, version: dict[str, Any]) -> Path:
    """A chain of so many files, the lowest of them raw; the topmost one."""
    path = folder / "1"
    path.write_bytes(b"below".ljust(SIZE, b"\0"))
    for number in range(2, files + 1):
        below, path = path, folder / str(number)
        written(path, version, backing_name=below.name.encode())
    return path


def error_of(path: Path, **more: Any) -> QcowError:
    with (
        qcowspec.open(path, allow="same-dir", **more) as image,
        pytest.raises(QcowError) as caught,
    ):
        image.pread(0, 5)
    return caught.value


@pytest.mark.parametrize("version", [V1, V3], ids=["v1", "v3"])
def test_so_many_files_are_followed_and_no_more(version: dict[str, Any], tmp_path: Path) -> None:
    top = chain(tmp_path, c.POLICY_MAX_CHAIN + 1, version)
    rule = "backing/v1-chain-depth" if version is V1 else "backing/chain-depth"

    with qcowspec.open(tmp_path / str(c.POLICY_MAX_CHAIN), allow="same-dir") as image:
        assert image.pread(0, 5) == b"below"
    error = error_of(top)
    info = CliRunner().invoke(cli, ["info", "--backing-chain", "--allow", "same-dir", str(top)])

    assert (error.rule, error.kind, error.path) == (rule, "unsupported", str(tmp_path / "2"))
    assert error.offset == int.from_bytes((tmp_path / "2").read_bytes()[8:16])
    assert (info.exit_code, f"[{rule}]" in info.stderr) == (1, True)


def test_a_file_that_does_not_open_is_told_by_its_rule_and_the_place_of_its_name(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "top", V3, backing_name=b"missing", backing_format=b"raw")

    error = error_of(path)

    assert (error.rule, error.field) == ("backing/file-opens", "header.backing_file_offset")
    assert path.read_bytes()[error.offset :].startswith(b"missing")
    assert "'missing' cannot be opened: no such file or directory" in str(error)


@pytest.mark.parametrize(
    ("more", "rule", "field", "told"),
    [
        (
            {"backing_name": b"missing", "backing_format": b"odd"},
            "backing/format-known",
            "header_extensions[0].data.format",
            b"odd",
        ),
        (
            {"data_file": b"missing.raw"},
            "backing/data-file-opens",
            "header_extensions[0].data.data_file",
            b"missing.raw",
        ),
    ],
)
def test_what_an_extension_says_is_told_by_the_place_of_its_text(
    more: dict[str, Any], rule: str, field: str, told: bytes, tmp_path: Path
) -> None:
    path = written(tmp_path / "top", V3, **more)

    error = error_of(path)

    assert (error.rule, error.field) == (rule, field)
    assert path.read_bytes()[error.offset :].startswith(told)
