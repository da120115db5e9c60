"""docs/design.md says what is so: the functions of its walks are there, and call each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

WALKS = {
    title: re.findall(r"^\d+\. (`.*?\.)$", lines, re.DOTALL | re.MULTILINE)
    for title, lines in re.findall(
        r"^\*\*(.+?)\.?\*\*.*?\n\n(1\. .*?)\n\n",
        DESIGN.partition("## Three walks")[2],
        re.DOTALL | re.MULTILINE,
    )
}
"""The steps of each walk."""


def source(path: str, name: str) -> str:
    """The text of a function, and of what its class begins with; of a table, its assignment."""
    text = (ROOT / "qcowspec" / path).read_text(encoding="utf-8")
    tree: ast.AST = ast.parse(text)
    found = []
    for part in name.split("."):
        nodes = {getattr(node, "name", None): node for node in ast.iter_child_nodes(tree)}
        tree = nodes[part]
        if isinstance(tree, ast.ClassDef):
            found += [node for node in tree.body if getattr(node, "name", "") == "__init__"]
    return "\n".join(ast.get_source_segment(text, node) or "" for node in [*found, tree])


def table(path: str, name: str) -> str:
    """The text of a module's assignment to a name; nothing if there is none."""
    text = (ROOT / "qcowspec" / path).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            return ast.get_source_segment(text, node) or ""
    return ""


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def test_there_are_three_walks_and_they_are_short() -> None:
    assert [len(steps) for steps in WALKS.values()] == [9, 6, 12]


@pytest.mark.parametrize("title", WALKS)
def test_each_step_names_what_its_function_calls(title: str) -> None:
    wrong, reached = [], set[str]()
    for number, step in enumerate(WALKS[title], start=1):
        (path, name), *called = (each.partition(": ")[::2] for each in re.findall(r"`(.+?)`", step))
        text = source(path, name)
        owner, _, last = name.rpartition(".")
        if number > 1 and not last.startswith("__") and not {owner, last} & reached:
            wrong.append(f"{number}: nothing before it names {name}")
        for each, _ in called:
            if each != "ok_…" and not words(each) <= words(text):
                wrong.append(f"{number}: {name} does not name {each}")
            reached |= words(table(path, each))
        reached |= words(text)

    assert wrong == []
