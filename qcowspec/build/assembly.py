"""A whole image, and the data file beside it.

In: an `ImageSpec`. Out: bytes. Refuses: what cannot be written, as `Invalid`; nothing is judged.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.build import qcow1, qcow2
from qcowspec.build.description import ImageSpec
from qcowspec.build.mapping import ALLOCATED, content


def image(spec: ImageSpec) -> bytes:
    """The bytes of a small whole image.

    Mapping tables, reference counts, sizes and feature bits agree with each other, so that QEMU
    opens the image and finds no fault, unless the description contradicts itself.

    Args:
        spec: What the image is.

    Raises:
        Invalid: It cannot be written: something is too large for its place.
    """
    build = qcow1.image if spec.version == c.QCOW_VERSION else qcow2.image
    return build(spec)


def data_file(spec: ImageSpec) -> dict[int, bytes]:
    """The contents of the external data file of an image with `ImageSpec.data_file`.

    The file has `ImageSpec.size` bytes, most of them a hole: a disk is larger than memory.

    Returns:
        The pieces that are not zeros, by their offset, which is the guest's as well.
    """
    return {
        index << spec.cluster_bits: content(cluster, spec.cluster_bits)
        for index, cluster in spec.clusters.items()
        if cluster.kind in ALLOCATED
    }
