"""Our own reader and validator, as targets: ``python:qcowspec.fuzzing.kit.readers:read``.

In: a path. Out: SHA-256 of the disk, or nothing, or a verdict with its rules. Refuses: as the
library does.
"""

from __future__ import annotations

from typing import Any

from qcowspec.errors import Invalid
from qcowspec.image import open as open_image
from qcowspec.reader.verdict import validate
from qcowspec.transfer.digests import disk_sha256


def read(path: str, format: str | None = None, secret: str | None = None) -> str:
    """Read all of a disk, from the files beside the image too if the image names them."""
    with open_image(path, format=format, allow="same-dir", secret=secret) as image:
        return disk_sha256(image)


def judge(path: str) -> None:
    """Judge an image as QEMU does."""
    _judge(path, "qemu")


def judge_upload(path: str) -> None:
    """Judge an image as an operator judges an upload."""
    _judge(path, "untrusted")


def name(path: str, format: str, profile: str = "qemu") -> dict[str, Any]:
    """Judge an image, and name the broken rules that the profile rejects or reports."""
    verdict = validate(path, profile=profile, format=format, allow="same-dir")
    found = (*verdict.errors, *verdict.warnings)
    return {"verdict": verdict.verdict, "rules": [each.rule for each in found]}


def _judge(path: str, profile: str) -> None:
    verdict = validate(path, profile=profile)
    if not verdict.accepted:
        raise Invalid(verdict.errors[0].message if verdict.errors else "no QCOW image")
