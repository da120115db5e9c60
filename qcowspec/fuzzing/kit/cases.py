"""What is in the kit: each image, said as a build spec, and what it is about.

In: the test vectors, and the specs of `reading` and `faults`. Out: `Case`s, and the bytes of their
files. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.kit import faults, reading
from qcowspec.fuzzing.kit.case import Case
from qcowspec.spec.rules import BY_ID


def everything() -> Iterator[Case]:
    """All cases, in order."""
    yield from of_vectors()
    yield from reading.cases()
    yield from faults.cases()


STREAM = "probe/stream"
"""The rule that is about how the bytes come, of which a file says nothing; its images are large."""


def of_vectors() -> Iterator[Case]:
    """The test vectors: a rule broken, or just not."""
    described = vectors.bases()
    for vector in vectors.everything():
        if vector.rule == STREAM:
            continue
        looks_late = vector.breaks and BY_ID[vector.rule].qemu.when == "data"
        yield Case(
            id=f"rules/{vector.id}",
            says=vector.says,
            feature=f"{vector.stage} rules",
            spec={"base": vector.base, "patch": [dict(each) for each in vector.patch]},
            rule=vector.rule,
            format=vectors.format_of(vector),
            fails=vector.says if looks_late else None,
            # A name is looked up wherever the reader pleases: nobody is asked to follow it.
            asked=not (described[vector.base].keys() & {"backing_name", "data_file", "luks"})
            and vector.stage not in ("backing", "encryption", "extensions"),
        )
