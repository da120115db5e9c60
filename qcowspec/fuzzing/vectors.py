"""The test vectors: images that break a rule, and images at its edge that do not, as data.

In: ``tests/vectors``, or the copy of it in the installed package. Out: `Vector`s, and the image of
each. Refuses: nothing; `tests/repo` lints the data.

A vector's id is its rule's and one word more: ``header/cluster-bits/22``. Its image is a base,
which ``bases.toml`` describes for `qcowspec.build`, with a patch; `qcowspec.fuzzing.patches` says
how patches read. This module is cheap to import: only `image` needs more than the data.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from qcowspec.fuzzing.shelf import BASES
from qcowspec.fuzzing.shelf import bases as bases
from qcowspec.fuzzing.shelf import folder as folder

ACCEPTS, REJECTS = "accepts", "rejects"

LATER = "later"
"""How a vector is marked whose rule is not judged while an image is opened."""


@dataclass(frozen=True)
class Vector:
    """An image, and what is to be said of it.

    Attributes:
        id: The rule's id, and one word more.
        says: What is special about the image, in one sentence.
        base: The name of the image that it is made from.
        patch: What is changed, one operation after the other.
        verdict: What each profile makes of it, by the profile's name; ``qemu`` and ``spec`` always.
        rules: The ids of all broken rules that count for one of these profiles.
        first: The id of the rule that QEMU reports; None where it accepts the image.
        judged: ``later`` if the rule is one that is not judged while an image is opened.
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
        """The id of the rule that it is about."""
        return self.id.rpartition("/")[0]

    @property
    def stage(self) -> str:
        """The stage of that rule, which is the file's name."""
        return self.id.partition("/")[0]

    @property
    def breaks(self) -> bool:
        """Whether it breaks that rule, and is not one at its edge."""
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
    """The vectors of one stage; none where it has none."""
    path = folder() / f"{stage}.toml"
    if not path.is_file():
        return ()
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("vector", [])
    return tuple(
        Vector(**row | {"patch": tuple(row.get("patch", ())), "rules": tuple(row["rules"])})
        for row in rows
    )


def format_of(vector: Vector) -> str:
    """The format that a vector's image is opened as, by QEMU's name."""
    return "qcow" if bases()[vector.base].get("version") == 1 else "qcow2"


def image(vector: Vector) -> bytes:
    """The image of a vector.

    Raises:
        Unfit: The patch does not fit its base.
    """
    from qcowspec.fuzzing.bases import base  # builds images, which takes Construct
    from qcowspec.fuzzing.drafts import Draft
    from qcowspec.fuzzing.patches import apply

    draft = Draft(base(vector.base))
    apply(draft, vector.patch)
    return bytes(draft.data)


# --- canonical form -------------------------------------------------------------------------------


def page(stage: str, rows: Iterable[Vector]) -> str:
    """The file of a stage's vectors; they stand in the order of the rules, those that break first.

    Args:
        stage: The stage.
        rows: Its vectors, in order.
    """
    head = f"# The vectors of the stage {stage.upper()}. How they read: see bases.toml.\n"
    return "\n".join([head, *map(as_toml, rows)])


def as_toml(vector: Vector) -> str:
    """A vector as its file has it: keys in the order of `Vector`, an operation a line."""
    lines = ["[[vector]]", f"id = {_toml(vector.id)}", f"says = {_toml(vector.says)}"]
    lines.append(f"base = {_toml(vector.base)}")
    if vector.patch:
        lines += ["patch = [", *(f"    {_toml(each)}," for each in vector.patch), "]"]
    lines.append(f"verdict = {_toml(vector.verdict)}")
    lines.append(f"rules = {_toml(list(vector.rules))}")
    if vector.first is not None:
        lines.append(f"first = {_toml(vector.first)}")
    if vector.judged is not None:
        lines.append(f"judged = {_toml(vector.judged)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {_toml(item)}" for name, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else _toml(name)
