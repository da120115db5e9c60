"""Mutants of images, as hypothesis strategies: the mutations of `qcowspec.fuzzing.mutations`.

In: strategies of images. Out: strategies of mutants. Refuses: nothing.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from qcowspec.fuzzing.mutations import mutate
from qcowspec.fuzzing.mutations.raw import BLIND
from qcowspec.fuzzing.places import Places, Unfit


def mutants(
    images: SearchStrategy[bytes], *, fields: bool = True, most: int = 4
) -> SearchStrategy[bytes]:
    """Images with a few mutations, which hypothesis draws and shrinks.

    Args:
        images: The images to mutate.
        fields: Whether mutations aim at fields and table entries, which takes opening each image;
            if not, bytes are changed anywhere.
        most: Mutations applied to one image, at most.
    """

    def mutant(image: bytes, random: Random) -> bytes:
        try:
            return mutate(_places(image), random, names=() if fields else BLIND, most=most).data
        except Unfit:
            return image

    return st.builds(mutant, images, st.randoms(use_true_random=False))


@lru_cache(maxsize=64)
def _places(image: bytes) -> Places:
    return Places(image)


def fields_of(image: bytes) -> tuple[tuple[int, int], ...]:
    """Offset and length, in bytes, of the numbers in an image's structures and tables.

    Args:
        image: A whole image, without a fault if all its structures are to be found.
    """
    return tuple(sorted({(place.offset, place.length) for place in _places(image).numbers}))
