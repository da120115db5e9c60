"""With --like, info, map, check and compare print what that QEMU prints: some images, every QEMU.

All images: ``python -m tests.conformance.output --qemu all``.
"""

from __future__ import annotations

import pytest

from tests.conformance.output import asked
from tools import qemus

SOME = (
    "showcase.qcow2",
    "v1-backing.qcow",
    "v3-data-file.qcow2",
    "v3-dirty.qcow2",
    "v3-luks.qcow2",
    "v3-zero-clusters.qcow2",
    "v3-zlib.qcow2",
    "made-snapshots.qcow2",
)
"""Images in which every change of the output shows."""


@pytest.mark.usefixtures("qemu_img")
def test_what_is_printed_is_what_each_qemu_prints() -> None:
    answers = list(asked(qemus.compared(), SOME))

    assert [f"{which}: {how}" for which, what, how in answers if what != "equal"] == []
    assert len(answers) == (10 * len(SOME) - 4) * len(qemus.compared())
