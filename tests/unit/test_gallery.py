"""The gallery's copy says what the declarations say, under the gallery's names.

What comes in: generated/kaitai through tools/gallery.py. What is claimed: the text reads back as
what was meant; only names changed, each kept beside its new one; and the copy compiles.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tools import gallery
from tools.generator import compiler

KAITAI = Path(__file__).parents[2] / "generated/kaitai"
STEMS = sorted(path.stem for path in KAITAI.glob("*.ksy"))
COPY = gallery.derive(KAITAI)
BARE = gallery.derive(KAITAI, rules=False)
TARGETS = ["cpp_stl", "csharp", "go", "java", "javascript", "lua", "nim", "perl", "php", "python",
           "ruby", "rust"]  # fmt: skip

by_stem = pytest.mark.parametrize("stem", STEMS)


def names(spec: dict[str, Any]) -> list[str]:
    return [name for each in gallery.types(spec) for name in gallery.field_names(each)]


def words(node: Any) -> Any:
    """A part of a file, its text without line breaks."""
    if isinstance(node, dict):
        return {key: words(value) for key, value in node.items()}
    return [words(each) for each in node] if isinstance(node, list) else " ".join(node.split())


@by_stem
def test_the_text_reads_back_as_what_was_meant(stem: str) -> None:
    meant = gallery.rename_type(gallery.read(KAITAI / f"{stem}.ksy"))
    assert words(gallery.load(COPY[f"{stem}.ksy"])) == words(meant)


@by_stem
def test_the_text_is_tidy(stem: str) -> None:
    lines = COPY[f"{stem}.ksy"].splitlines()
    assert [line for line in lines if len(line) > gallery.WIDTH and "https://" not in line] == []
    assert [line for line in lines if line != line.rstrip()] == []


@by_stem
def test_no_old_name_is_left_but_as_the_original(stem: str) -> None:
    spec = gallery.load(COPY[f"{stem}.ksy"])
    assert set(names(spec)).isdisjoint(gallery.NAMES.keys() - set(gallery.NAMES.values()))
    for each in gallery.types(spec):
        for field in each.get("seq", []):
            original = field.get("-orig-id", field["id"])
            assert gallery.NAMES.get(original, original) == field["id"]


@by_stem
def test_counts_offsets_and_sizes_are_called_so(stem: str) -> None:
    habit = re.compile(r"nb_|(?!has_|knows_|ok_).*_(offset|size|bytes|len)$")
    found = {name for name in names(gallery.load(COPY[f"{stem}.ksy"])) if habit.match(name)}
    assert found <= {"bit_offset"}


@by_stem
def test_without_rules_only_those_stay_that_something_is_computed_from(stem: str) -> None:
    text = BARE[f"{stem}.ksy"]
    for name in {name for name in names(gallery.load(text)) if name.startswith(gallery.RULE)}:
        assert len(re.findall(rf"\b{name}\b", text)) > 1


def test_an_expression_keeps_enums_and_methods() -> None:
    assert gallery.rename_expression("len < _io.size ? cluster_type::zero : x.length") == (
        "len_data < _io.size ? cluster_type::zero : x.length"
    )
    assert gallery.rename_expression("l2_table_at(entries[_index].l2_table_offset)") == (
        "l2_table_at(entries[_index].ofs_l2_table)"
    )


def test_a_name_that_nothing_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gallery.NAMES, "no_such_field", "num_none")
    with pytest.raises(gallery.StaleNamesError, match="no_such_field"):
        gallery.derive(KAITAI)


def test_two_fields_of_one_name_are_refused() -> None:
    fields = [{"id": "stripes"}, {"id": "num_stripes"}]
    with pytest.raises(gallery.StaleNamesError, match="num_stripes"):
        gallery.rename_type({"seq": fields})


@pytest.mark.parametrize("files", [COPY, BARE], ids=["whole", "without-rules"])
def test_the_copy_compiles_for_every_language(files: dict[str, str]) -> None:
    try:
        compiled = compiler.compile_texts(files, TARGETS)
    except compiler.NoCompilerError as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    assert sorted(compiled) == TARGETS
    assert all(compiled.values())
