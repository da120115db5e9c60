"""The other files of an image, where the gate opens them: the data file, and the backing chain.

In: an image and its gate. Out: the chain, and a finding where it comes back to where it was, which
qemu-img check follows without end. Refuses: files that the gate does not open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcowspec.chain import Chain
from qcowspec.chain.layers import qcow_layer
from qcowspec.check.findings import Fault, Findings
from qcowspec.errors import QcowError
from qcowspec.spec.rules import BY_ID

if TYPE_CHECKING:
    from qcowspec.image import Image


@contextmanager
def chain_of(image: Image) -> Iterator[Chain]:
    """The chain of an image, with its data file open, and no backing file yet.

    Raises:
        QcowError: The data file cannot be opened.
    """
    key = image.secret
    top = qcow_layer(image.metadata, image.source, image.gate, secret=key, keyless=True)
    chain = Chain(top, image.gate, key, keyless=True)
    try:
        yield chain
    finally:
        chain.close()


def data_length(chain: Chain) -> int | None:
    """Bytes of the external data file; None where there is none."""
    top = chain.layers[0]
    return None if top.data is top.source else top.data.length


def follow(image: Image, chain: Chain, findings: Findings) -> None:
    """Follow the backing chain to its end, or to where it loops.

    Raises:
        QcowError: It cannot be followed.
    """
    try:
        chain.open_all()
    except QcowError as error:
        if error.rule is None or BY_ID[error.rule].check is None:
            raise
        findings.add(error.rule, 1, [_fault(image, len(chain.layers) - 1, error)])


def _fault(image: Image, depth: int, error: QcowError) -> Fault:
    """The loop as a fault of the image that the chain begins with, whichever file closes it."""
    backing = image.metadata.backing
    assert backing is not None
    says = error.message if depth == 0 else f"{error.path}: {error.message}"
    return Fault("backing_file_name", backing.offset, None, note=says.rstrip("."))
