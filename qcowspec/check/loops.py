"""Backing chains that come back to where they were: qemu-img check follows them without end.

In: an image and its gate. Out: a finding. Refuses: files that the gate does not open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcowspec.chain import Chain
from qcowspec.chain.layers import qcow_layer
from qcowspec.check.effects import EFFECTS
from qcowspec.check.findings import Fault, Findings
from qcowspec.errors import QcowError

if TYPE_CHECKING:
    from qcowspec.image import Image


def follow(image: Image, findings: Findings) -> None:
    """Follow the backing chain to its end, or to where it loops.

    Raises:
        QcowError: It cannot be followed.
    """
    key = image.secret
    top = qcow_layer(image.metadata, image.source, image.gate, secret=key, keyless=True)
    chain = Chain(top, image.gate, key, keyless=True)
    try:
        chain.open_all()
    except QcowError as error:
        if error.rule is None or error.rule not in EFFECTS:
            raise
        depth = len(chain.layers) - 1
        findings.add(error.rule, 1, [Fault(f"backing file {depth + 1}", error.offset, depth)])
    finally:
        chain.close()
