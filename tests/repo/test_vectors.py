"""The vectors are what they say, and every rule has one that breaks it and one at its edge.

Nothing here asks QEMU; `tests/conformance/test_vectors_agree_with_qemu.py` does.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from qcow_parsers.catalogue import RULES

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.judging import judge, ordered
from qcowspec.fuzzing.vectors import LATER, Vector, base
from qcowspec.reader.stream import CHUNK, StreamJudge
from qcowspec.spec.profiles import check_profile
from qcowspec.spec.rules import BY_ID
from tests.every import every

ALL = vectors.everything()

WITHOUT_BREAK: Mapping[str, str] = dict.fromkeys(
    ("backing/chain-depth", "backing/v1-chain-depth"), "a chain that is too deep has 257 files"
)
WITHOUT_EDGE: Mapping[str, str] = {
    "encryption/luks-unlock": "an image whose key is known would need that key with it",
}
"""Rules that no patch can show, and why."""

ID = re.compile(r"[a-z0-9]+/[a-z0-9-]+/[a-z0-9-]+")
UNSAID = re.compile(
    r"\b(should|must|shall|test|tests|tested|expect\w*|check that)\b", re.IGNORECASE
)
LONGEST = 120


def by_id(vector: Vector) -> str:
    return vector.id


def test_ids_are_unique() -> None:
    assert [name for name, times in Counter(v.id for v in ALL).items() if times > 1] == []


@every("stage", vectors.stages())
def test_files_are_in_canonical_form(stage: str) -> None:
    order = {rule.id: number for number, rule in enumerate(RULES)}
    rows = sorted(vectors.of_stage(stage), key=lambda v: (order[v.rule], not v.breaks))

    text = (vectors.folder() / f"{stage}.toml").read_text(encoding="utf-8")

    assert page(stage, rows) == text


@every("stage", vectors.stages())
def test_a_file_has_the_vectors_of_its_stage(stage: str) -> None:
    assert {vector.stage for vector in vectors.of_stage(stage)} == {stage}


def test_every_rule_has_a_vector_that_breaks_it() -> None:
    assert {rule.id for rule in RULES if not vectors.breaking(rule.id)} == set(WITHOUT_BREAK)


def test_every_rule_has_a_vector_at_its_edge() -> None:
    assert {rule.id for rule in RULES if not vectors.edge(rule.id)} == set(WITHOUT_EDGE)


def test_every_vector_is_about_a_rule() -> None:
    assert {vector.rule for vector in ALL} <= {rule.id for rule in RULES}


@every("vector", ALL, ids=by_id)
def test_a_vector_reads_as_a_statement(vector: Vector) -> None:
    assert ID.fullmatch(vector.id)
    assert vector.says.endswith(".")
    assert ". " not in vector.says, "one sentence"
    assert len(vector.says) <= LONGEST
    assert UNSAID.search(vector.says) is None


@every("vector", ALL, ids=by_id)
def test_a_vector_has_the_verdict_that_it_says(vector: Vector) -> None:
    assert rejudged(vector) == vector


@every("vector", ALL, ids=by_id)
def test_a_vector_names_profiles(vector: Vector) -> None:
    assert list(vector.verdict)[:2] == ["qemu", "spec"]
    for profile in vector.verdict:
        check_profile(profile)


def test_rules_that_are_judged_later_are_marked() -> None:
    assert {v.rule for v in ALL if v.judged} == {
        v.rule for v in ALL if BY_ID[v.rule].judged != "opening"
    }


@every("name", vectors.bases())
def test_a_base_breaks_no_rule(name: str) -> None:
    described = "qcow" if vectors.bases()[name].get("version") == 1 else "qcow2"

    found = judge(base(name).data, described)

    assert found.broken(["qemu", "spec"]) == ()


@every("vector", vectors.about("probe/stream"), ids=by_id)
def test_a_stream_is_lost_where_the_vector_says(vector: Vector) -> None:
    stream = StreamJudge("qemu")
    for start in range(0, len(data := vectors.image(vector)), CHUNK):
        stream.feed(data[start : start + CHUNK])

    found = {finding.rule for finding in stream.finish().errors}

    assert (vector.rule in found) == vector.breaks


def test_every_base_is_used() -> None:
    assert {vector.base for vector in ALL} == set(vectors.bases())


def test_data_are_shipped_with_the_package() -> None:
    project = tomllib.loads((vectors.folder().parents[1] / "pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert shipped.get("tests/vectors") == "qcowspec/vectors"


# --- how they are written ---------------------------------------------------------------------


def rejudged(vector: Vector) -> Vector:
    """A vector with the verdict, rules and first that qcowspec finds now.

    A rule that is judged later is taken for broken if the vector says so.
    """
    found = judge(vectors.image(vector), vectors.format_of(vector))
    later = BY_ID[vector.rule].judged != "opening"
    broken = set(found.broken(vector.verdict))
    if later and vector.breaks:
        broken.add(vector.rule)
    return replace(
        vector,
        verdict=found.verdicts(vector.verdict),
        rules=ordered(broken),
        first=found.first(),
        judged=LATER if later else None,
    )


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
