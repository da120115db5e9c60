"""The images that vectors are made from.

In: the descriptions of ``bases.toml``. Out: bytes, and where everything stands in them. Refuses:
nothing.

A description is a short one, as `qcowspec build` takes them: `qcowspec.build.short` says how it
reads. ``compression_type = "none"`` is a header without that field.
"""

from __future__ import annotations

from functools import cache

from qcowspec import build
from qcowspec.build.short import image_spec
from qcowspec.fuzzing.places import Places
from qcowspec.fuzzing.shelf import bases


@cache
def base(name: str) -> Places:
    """A base, by its name.

    Raises:
        KeyError: There is none of this name.
    """
    return Places(build.image(image_spec(bases()[name])))
