"""qcowspec: the executable specification of QEMU's QCOW disk image formats, v1, v2 and v3.

    import qcowspec

    with qcowspec.open("disk.qcow2") as image:
        print(image.header.cluster_bits, image.size, len(image.snapshots))

Names are imported when they are first used: `qcowspec --help` has to feel instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcowspec.aio import AsyncImage, aopen
    from qcowspec.check.usage import Usage
    from qcowspec.check.verdict import validate
    from qcowspec.errors import (
        Changed,
        Invalid,
        Malformed,
        NotQcow,
        QcowError,
        Refused,
        Unreadable,
        Unsupported,
    )
    from qcowspec.image import Image, lay_open, open
    from qcowspec.reader.stream import StreamJudge
    from qcowspec.reader.verdict import Verdict
    from qcowspec.report.explain import explain
    from qcowspec.report.explain_guest import explain_guest
    from qcowspec.spec.named import Bitmap, HeaderV1, HeaderV2, HeaderV3, Snapshot
    from qcowspec.spec.rules import Finding

__version__ = "0.1.0"

__all__ = [
    "AsyncImage",
    "Bitmap",
    "Changed",
    "Finding",
    "HeaderV1",
    "HeaderV2",
    "HeaderV3",
    "Image",
    "Invalid",
    "Malformed",
    "NotQcow",
    "QcowError",
    "Refused",
    "Snapshot",
    "StreamJudge",
    "Unreadable",
    "Unsupported",
    "Usage",
    "Verdict",
    "__version__",
    "aopen",
    "explain",
    "explain_guest",
    "lay_open",
    "open",
    "validate",
]

_HOMES = {
    "AsyncImage": "aio",
    "Bitmap": "spec.named",
    "Changed": "errors",
    "Finding": "spec.rules",
    "HeaderV1": "spec.named",
    "HeaderV2": "spec.named",
    "HeaderV3": "spec.named",
    "Image": "image",
    "Invalid": "errors",
    "Malformed": "errors",
    "NotQcow": "errors",
    "QcowError": "errors",
    "Refused": "errors",
    "Snapshot": "spec.named",
    "StreamJudge": "reader.stream",
    "Unreadable": "errors",
    "Unsupported": "errors",
    "Usage": "check.usage",
    "Verdict": "reader.verdict",
    "aopen": "aio",
    "explain": "report.explain",
    "explain_guest": "report.explain_guest",
    "lay_open": "image",
    "open": "image",
    "validate": "check.verdict",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
