"""Kaitai, Construct and the reader read the same fields of every mutant that parses."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from qcowspec import lay_open
from qcowspec.errors import NotQcow
from qcowspec.fuzzing.mutations import mutate
from qcowspec.fuzzing.places import Places, parts
from qcowspec.spec.structures import lay_open as positions
from qcowspec.spec.structures import layout_name
from tests.property.notations import by_kaitai
from tests.property.real_images import SMALL_IMAGES
from tests.property.test_notations_agree import agree

MUTANTS = 12
"""Of each image; the conformance command makes tens of thousands."""


@pytest.mark.parametrize("path", SMALL_IMAGES, ids=lambda path: path.name)
def test_three_readings_of_a_mutant_are_one(path: Path) -> None:
    seed, random = Places(path.read_bytes()), Random(path.name)
    seen = set()  # thousands of snapshots may be the same bytes
    for _ in range(MUTANTS):
        mutant = mutate(seed, random)
        try:
            image = lay_open(mutant.data)
        except NotQcow:
            continue
        for part in parts(image.metadata):
            name = layout_name(part.layout)
            if (name, part.arguments, part.data) in seen:
                continue
            agree(name, part.arguments, part.data)  # Kaitai and Construct
            read, lean = part.parse(), by_kaitai(name, part.arguments, part.data).parsed
            for field in positions(part).fields:  # and what the reader and the dump have of it
                if field.value is not None:
                    assert getattr(read, field.name) == getattr(lean, field.name) == field.value
            seen.add((name, part.arguments, part.data))

    assert seen
