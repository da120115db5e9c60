"""From a description to the bytes of an image, for tests, vectors and fuzzers.

In: field values, or a compact description of a whole image. Out: bytes, built with the Construct
schemas, which only this room uses. Refuses, as `qcowspec.errors.Invalid`: what cannot be written (a
number too large for its field, a name that does not fit the first cluster).

No rule of the format is checked: what is wrong on purpose is written as it is.
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
