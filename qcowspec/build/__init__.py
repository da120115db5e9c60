"""From a description to the bytes of an image: what tests, vectors and fuzzers are made of.

In: field values, or a compact description of a whole image. Out: bytes, built with the Construct
schemas, the only use of them in this package. Refuses, with `qcowspec.errors.Invalid`: what cannot
be written down (a number too large for its field, a name that does not fit the first cluster).

No rule of the format is judged: what is wrong on purpose is written as it is.
"""

from __future__ import annotations

from qcowspec.build.assembly import image
from qcowspec.build.description import Bitmap, Cluster, Extension, ImageSpec, Snapshot
from qcowspec.build.layouts import schema, structure

__all__ = [
    "Bitmap",
    "Cluster",
    "Extension",
    "ImageSpec",
    "Snapshot",
    "image",
    "schema",
    "structure",
]
