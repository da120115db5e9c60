"""Numbers and text as they stand in fields, and the structures made of them.

In: widths and limits. Out: strategies. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from qcow_parsers import constants as c

from qcowspec import build

CLUSTER_BITS = range(c.MIN_CLUSTER_BITS, c.MAX_CLUSTER_BITS + 1)

POWERS = (7, 8, 9, 15, 16, 21, 31, 32, 53, 55, 56, 62, 63, 64)
"""Powers of two at which a reader in some language, or a limit of QEMU, may give way."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One structure: what its fields are, and the bytes that say so.

    Attributes:
        layout: Name of its layout, such as ``qcow2::header``.
        fields: Its fields, as `qcowspec.build.structure` takes them.
        arguments: The layout's parameters, as in the ``.ksy``.
    """

    layout: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[int | bool, ...] = ()

    @property
    def data(self) -> bytes:
        """Its bytes, built with the Construct schema."""
        return build.structure(self.layout, self.fields, *self.arguments)


def numbers(bits: int, *usual: SearchStrategy[int]) -> SearchStrategy[int]:
    """Numbers of a field of this width: the usual ones, those at an edge, and any.

    Args:
        bits: Width of the field.
        usual: What would stand there in an image.
    """
    most = (1 << bits) - 1
    near = {(1 << power) + step for power in POWERS for step in (-1, 0, 1)}
    edges = sorted({0, 1, most} | {value for value in near if value <= most})
    return st.one_of(*usual, st.sampled_from(edges), st.integers(0, most))


def offsets() -> SearchStrategy[int]:
    """Offsets in an image file: those of its first clusters, and any others."""
    aligned = st.builds(int.__mul__, st.integers(0, 64), st.sampled_from([512, 4096, 65536]))
    return numbers(64, aligned)


def texts(most: int) -> SearchStrategy[bytes]:
    """Text of at most so many bytes: ASCII, UTF-8, and bytes that are no text at all."""
    plain = st.text(max_size=most).map(lambda text: text.encode("utf-8", "surrogatepass")[:most])
    return st.one_of(plain, st.binary(max_size=most))


def sometimes(strategy: SearchStrategy[Any], name: str) -> SearchStrategy[dict[str, Any]]:
    """A field that is mostly left to be derived, and sometimes contradicted."""
    return st.one_of(
        st.just({}), st.just({}), st.just({}), strategy.map(lambda value: {name: value})
    )


def fields(
    required: Mapping[str, SearchStrategy[Any]], **contradicted: SearchStrategy[Any]
) -> SearchStrategy[dict[str, Any]]:
    """The fields of a structure.

    Args:
        required: What each of them is drawn from.
        contradicted: Fields that follow from the others, and what they are now and then instead.
    """
    said = [sometimes(strategy, name) for name, strategy in contradicted.items()]
    return st.builds(_merged, st.fixed_dictionaries(dict(required)), *said)


def _merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}
