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
        findings.add(error.rule, 1, [_fault(image, len(chain.layers) - 1, error)])
    finally:
        chain.close()


def _fault(image: Image, depth: int, error: QcowError) -> Fault:
    """The loop as a fault of the image that the chain begins with, whichever file closes it."""
    backing = image.metadata.backing
    assert backing is not None
    says = error.message if depth == 0 else f"{error.path}: {error.message}"
    return Fault("backing_file_name", backing.offset, None, note=says.rstrip("."))
