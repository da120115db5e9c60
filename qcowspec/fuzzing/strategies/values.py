"""Numbers and text for fields, and the structures made of them.

In: widths and limits. Out: strategies. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from qcow_parsers import constants as c

from qcowspec import build

CLUSTER_BITS = range(c.MIN_CLUSTER_BITS, c.MAX_CLUSTER_BITS + 1)

POWERS = (7, 8, 9, 15, 16, 21, 31, 32, 53, 55, 56, 62, 63, 64)
"""Powers of two at which readers may overflow, or QEMU has a limit."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One structure: its fields, and the bytes that they are built to.

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


def structure(
    layout: str, said: Mapping[str, SearchStrategy[Any]] | SearchStrategy[Any], *arguments: int
) -> SearchStrategy[Structure]:
    """Structures of a layout, by a strategy for all of their fields, or one for each."""
    drawn = st.fixed_dictionaries(dict(said)) if isinstance(said, Mapping) else said
    return drawn.map(lambda said: Structure(layout, said, arguments))


def given_or(value: int | None, others: Sequence[int]) -> SearchStrategy[int]:
    """The value that is given; if it is None, any of the others."""
    return st.sampled_from(others) if value is None else st.just(value)


def numbers(bits: int, *usual: SearchStrategy[int]) -> SearchStrategy[int]:
    """Numbers of a field of `bits` bits: those that images have, those at an edge, and any."""
    most = (1 << bits) - 1
    near = {(1 << power) + step for power in POWERS for step in (-1, 0, 1)}
    edges = sorted({0, 1, most} | {value for value in near if value <= most})
    return st.one_of(*usual, st.sampled_from(edges), st.integers(0, most))


def offsets() -> SearchStrategy[int]:
    """Offsets in an image file: those of its first clusters, and any others."""
    aligned = st.builds(int.__mul__, st.integers(0, 64), st.sampled_from([512, 4096, 65536]))
    return numbers(64, aligned)


def texts(most: int) -> SearchStrategy[bytes]:
    """Text of at most `most` bytes: ASCII, UTF-8, and bytes that are no valid text."""
    plain = st.text(max_size=most).map(lambda text: text.encode("utf-8", "surrogatepass")[:most])
    return st.one_of(plain, st.binary(max_size=most))


def sometimes(strategy: SearchStrategy[Any], name: str) -> SearchStrategy[dict[str, Any]]:
    """A field that is mostly derived from the others, and sometimes contradicts them."""
    return st.one_of(
        st.just({}), st.just({}), st.just({}), strategy.map(lambda value: {name: value})
    )


def fields(
    required: Mapping[str, SearchStrategy[Any]], **contradicted: SearchStrategy[Any]
) -> SearchStrategy[dict[str, Any]]:
    """The fields of a structure.

    Args:
        required: The strategy of each field.
        contradicted: Strategies of wrong values for fields that are derived from the others.
    """
    said = [sometimes(strategy, name) for name, strategy in contradicted.items()]
    return st.builds(_merged, st.fixed_dictionaries(dict(required)), *said)


def _merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}
