"""All cases of the kit: the test vectors, and the cases of `reading` and `faults`.

In: nothing. Out: `Case`s. Refuses: nothing.
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
"""A rule about streams, which a file cannot test; its images are large."""


def of_vectors() -> Iterator[Case]:
    """The test vectors: a rule broken, or an image at its edge."""
    described = vectors.bases()
    for vector in vectors.everything():
        if vector.rule == STREAM:
            continue
        fails_late = vector.breaks and BY_ID[vector.rule].qemu.when == "data"
        yield Case(
            id=f"rules/{vector.id}",
            says=vector.says,
            feature=f"{vector.stage} rules",
            spec={"base": vector.base, "patch": [dict(each) for each in vector.patch]},
            rule=vector.rule,
            format=vectors.format_of(vector),
            fails=vector.says if fails_late else None,
            # Readers look up names in different places, so these are not read.
            asked=not (described[vector.base].keys() & {"backing_name", "data_file", "luks"})
            and vector.stage not in ("backing", "encryption", "extensions"),
        )
