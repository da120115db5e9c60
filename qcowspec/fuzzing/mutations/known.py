"""The mutation that applies the patch of any test vector, breaking or at an edge."""

from __future__ import annotations

from random import Random

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import mutation
from qcowspec.fuzzing.patches import apply
from qcowspec.fuzzing.places import Unfit

GROWTH = 1 << 20
"""Bytes that a patch may add, at most; some vectors have tables of many megabytes."""


@mutation(weight=16)
def vector(draft: Draft, random: Random) -> str:
    """The patch of a test vector, which breaks a rule or stands at its edge."""
    stage = random.choice(vectors.stages())
    drawn = random.choice(vectors.of_stage(stage))
    apply(draft, drawn.patch)
    if len(draft.data) > len(draft.base.data) + GROWTH:
        raise Unfit("the vector's image is large")
    return drawn.id
