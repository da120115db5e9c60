"""The test vectors, as data: images that break a rule, and images at its edge that do not.

In: ``tests/vectors``, or the copy of it in the installed package. Out: `Vector`s, their bases, and
the image of each. Refuses: nothing; `tests/repo` checks the data.

A vector's id is its rule's id and one word more: ``header/cluster-bits/22``. Its image is a base,
which ``bases.toml`` describes in the short notation of `qcowspec.build.short`, with a patch in the
notation of `qcowspec.fuzzing.patches`; ``compression_type = "none"`` is a header without the field.
Only `base` and `image` import more than the data.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qcowspec.fuzzing.places import Places

HOMES = (Path(__file__).parents[1] / "vectors", Path(__file__).parents[2] / "tests" / "vectors")
"""Where the data are: in an installed package, and in a checkout."""

BASES = "bases"
"""The file, among those named after stages, that describes the bases."""

ACCEPTS, REJECTS = "accepts", "rejects"

LATER = "later"
"""Marks a vector whose rule is not checked while an image is opened."""


@dataclass(frozen=True)
class Vector:
    """An image, and the verdicts on it.

    Attributes:
        id: The rule's id, and one word more.
        says: What is special about the image, in one sentence.
        base: The name of the base that it is made from.
        patch: The operations that change the base, in order.
        verdict: ``accepts`` or ``rejects``, by profile; ``qemu`` and ``spec`` always.
        rules: The ids of all broken rules that count for one of these profiles.
        first: The id of the rule that QEMU reports; None if it accepts the image.
        judged: ``later`` if the rule is not checked while an image is opened.
    """

    id: str
    says: str
    base: str
    patch: tuple[Mapping[str, Any], ...] = ()
    verdict: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    first: str | None = None
    judged: str | None = None

    @property
    def rule(self) -> str:
        """The id of its rule."""
        return self.id.rpartition("/")[0]

    @property
    def stage(self) -> str:
        """The stage of that rule, which is the file's name."""
        return self.id.partition("/")[0]

    @property
    def breaks(self) -> bool:
        """Whether it breaks its rule; if not, it is at the rule's edge."""
        return self.rule in self.rules

    @property
    def line(self) -> str:
        """The vector in one line."""
        verdicts = ", ".join(f"{profile} {verdict}" for profile, verdict in self.verdict.items())
        return f"{self.id}: {self.says} ({verdicts})"


def breaking(rule: str) -> tuple[Vector, ...]:
    """The vectors that break a rule, by its id."""
    return tuple(vector for vector in about(rule) if vector.breaks)


def edge(rule: str) -> tuple[Vector, ...]:
    """The vectors at the edge of a rule that do not break it, by its id."""
    return tuple(vector for vector in about(rule) if not vector.breaks)


def about(rule: str) -> tuple[Vector, ...]:
    """All vectors about a rule, by its id."""
    return tuple(vector for vector in of_stage(rule.partition("/")[0]) if vector.rule == rule)


def everything() -> tuple[Vector, ...]:
    """All vectors, stage by stage."""
    return tuple(vector for stage in stages() for vector in of_stage(stage))


def stages() -> tuple[str, ...]:
    """The stages that have vectors."""
    return tuple(sorted(path.stem for path in folder().glob("*.toml") if path.stem != BASES))


@cache
def of_stage(stage: str) -> tuple[Vector, ...]:
    """The vectors of one stage; none if the stage has none."""
    path = folder() / f"{stage}.toml"
    if not path.is_file():
        return ()
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("vector", [])
    return tuple(
        Vector(**row | {"patch": tuple(row.get("patch", ())), "rules": tuple(row["rules"])})
        for row in rows
    )


@cache
def folder() -> Path:
    """The folder of the data."""
    return next((home for home in HOMES if home.is_dir()), HOMES[-1])


@cache
def bases() -> Mapping[str, Mapping[str, Any]]:
    """The descriptions of the bases, by name."""
    text = (folder() / f"{BASES}.toml").read_text(encoding="utf-8")
    described: dict[str, dict[str, Any]] = tomllib.loads(text)["base"]
    return described


@cache
def base(name: str) -> Places:
    """The image of a base.

    Raises:
        KeyError: No base has this name.
    """
    from qcowspec import build  # takes Construct
    from qcowspec.build.short import image_spec
    from qcowspec.fuzzing.places import Places

    return Places(build.image(image_spec(bases()[name])))


def format_of(vector: Vector) -> str:
    """The format that a vector's image is opened as, by QEMU's name."""
    return "qcow" if bases()[vector.base].get("version") == 1 else "qcow2"


def image(vector: Vector) -> bytes:
    """The image of a vector.

    Raises:
        Unfit: The patch does not fit its base.
    """
    from qcowspec.fuzzing.drafts import Draft
    from qcowspec.fuzzing.patches import apply

    draft = Draft(base(vector.base))
    apply(draft, vector.patch)
    return bytes(draft.data)
