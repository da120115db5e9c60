"""Prints figures about the code: lines by room, decoders, predicates, imports, cases of the suite.

    python tools/figures.py [--at REVISION] [--seconds]

`--at` measures another revision, in a temporary worktree. `--seconds` runs the suite too, on all
cores, and prints how long it takes. What a revision does not have is "not there".
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PACKAGE = "qcowspec"

BITS = re.compile(r"\bc\.((?:QCOW1?_OFLAG|L1E|L2E|REFT|BME_TABLE_ENTRY)_\w+|LIBRBD_OFFSET_MASK)\b")
"""The constants that take an entry apart; a size of an entry is none of them."""

DECODERS = {"spec/encoding.py", "spec/decoding.py", "spec/entries.py"}
"""The modules that may take an entry apart."""

PREDICATES = ("predicates/", "spec/predicates/", "spec/entry_rules.py")
"""Where the functions that decide rules stand."""

READS = re.compile(r"\bReads ([\w' ,]+)\.")
"""How the docstring of a predicate says why it is a function."""

CAPABILITIES = {
    "allocated", "beside", "data_ranges", "gap", "identity", "in_flight", "in_order",
    "next_data", "next_hole", "ranges", "read_at", "read_at_async", "read_into", "read_once",
    "read_pieces", "read_ranges", "sibling",
}  # fmt: skip
"""What a source can do, by the names that it has or had."""

SUFFIXES = {".js", ".json", ".ksy", ".md", ".py", ".pyi", ".toml"}
"""The files whose lines are counted; the others are images and what tools print."""


# --- imports --------------------------------------------------------------------------------------


def modules(root: Path = ROOT) -> list[Path]:
    """The package's modules."""
    return sorted((root / PACKAGE).rglob("*.py"))


def within(path: Path) -> Path:
    """A module's path inside the package."""
    return Path(*path.parts[len(path.parts) - 1 - path.parts[::-1].index(PACKAGE) + 1 :])


def room(path: Path) -> str:
    """The stage that a module belongs to: its first folder, or its name."""
    return within(path).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax; parsed once, whatever asks for it."""
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """What a module imports, and whether only for its types."""
    typing_only = {
        id(node)
        for guard in ast.walk(tree(path))
        if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.unparse(guard.test)
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) in typing_only


def graph(root: Path = ROOT) -> dict[Path, set[Path]]:
    """Which modules each module imports, at any time."""
    names = {
        ".".join((PACKAGE, *within(path).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in modules(root)
    }
    return {
        path: {
            names[near]
            for found, typing_only in imports(path)
            if not typing_only
            for near in (found if found in names else found.rpartition(".")[0],)
            if near in names and near != name
        }
        for name, path in names.items()
    }


def on_circles(near: dict[Path, set[Path]]) -> list[set[Path]]:
    """The modules that import themselves in the end, circle by circle."""
    reached = {path: set(there) for path, there in near.items()}
    for middle in reached:  # Warshall's transitive closure
        for there in reached.values():
            if middle in there:
                there |= reached[middle]
    circles = {
        frozenset(other for other in there if path in reached[other])
        for path, there in reached.items()
        if path in there
    }
    return [set(circle) for circle in circles]


# --- the format -----------------------------------------------------------------------------------


def decoding(root: Path = ROOT) -> list[str]:
    """Where an entry is taken apart, outside the modules that may: module and constant."""
    return [
        f"{within(path)}: {name}"
        for path in modules(root)
        if within(path).as_posix() not in DECODERS
        for name in BITS.findall(path.read_text())
        if "_SIZE" not in name
    ]


def rows(root: Path) -> list[dict[str, str]]:
    """The rows of all rules."""
    return [
        row
        for path in sorted((root / "formats/rules").glob("*.toml"))
        for row in tomllib.loads(path.read_text("utf-8"))["rule"]
    ]


def literals(root: Path, ids: set[str]) -> Counter[str]:
    """How often each module has a rule's id as a literal."""
    return Counter(
        within(path).as_posix()
        for path in modules(root)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value in ids
    )


def reasons(root: Path) -> Counter[str]:
    """How many rules are decided by a function for each reason that functions state."""
    found: Counter[str] = Counter()
    for path in modules(root):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.FunctionDef):
                continue
            rules = [
                rule
                for each in node.decorator_list
                if isinstance(each, ast.Call) and ast.unparse(each.func) == "decides"
                for rule in each.args
            ]
            reason = READS.search(" ".join((ast.get_docstring(node) or "").split()))
            found[reason[1] if reason else "not there"] += len(rules)
    return +found


def asked(root: Path) -> tuple[int, int]:
    """How often `getattr` or `hasattr` is called: on a source for what it can do, and in all."""
    names = [
        node.args[1]
        for path in modules(root)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr")
    ]
    known = [each for each in names if isinstance(each, ast.Constant)]
    return sum(each.value in CAPABILITIES for each in known), len(names)


# --- the tree and its suite -----------------------------------------------------------------------


def lines(root: Path) -> Counter[str]:
    """Lines of tracked source files, by folder; those of the package by its rooms."""
    found: Counter[str] = Counter()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        path, (folder, *below) = root / name, Path(name).parts
        if below and path.suffix in SUFFIXES and path.is_file():
            where = f"{PACKAGE}/{room(path)}" if folder == PACKAGE else folder
            found[where] += path.read_bytes().count(b"\n")
    return found


def suite(root: Path, *options: str) -> str:
    """The last line that pytest prints for a tree."""
    paths = [str(root), str(root / "generated"), str(root / "formats")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def figures(root: Path) -> Iterator[tuple[str, object]]:
    """What each figure is called, and the figure."""
    counted = lines(root)
    package = {name: count for name, count in counted.items() if name.startswith(f"{PACKAGE}/")}
    yield f"lines of {PACKAGE}", sum(package.values())
    yield from (
        (f"lines of {name}", counted[name])
        for name in (*sorted(package), "generated", "formats", "tests", "tools", "docs")
    )

    found = decoding(root)
    yield "decoders outside spec: modules", len({each.partition(":")[0] for each in found})
    yield "decoders outside spec: constants", len(found)

    rules = rows(root)
    by_module = literals(root, {row["id"] for row in rules})
    inside = sum(n for name, n in by_module.items() if name.startswith(PREDICATES))
    yield "literals of rule ids: in predicates", inside
    yield "literals of rule ids: elsewhere", by_module.total() - inside
    yield "literals of rule ids: modules", len(by_module)

    yield "rules", len(rules)
    kinds = Counter(row["predicate"] for row in rules)
    yield "predicates: instances", kinds["instance"]
    yield "predicates: functions", kinds["function"]
    default = "opening" if any("judged" in row for row in rules) else "not there"
    judged = Counter(row.get("judged", default) for row in rules if row["predicate"] == "function")
    read = reasons(root)
    yield from ((f"functions by `judged`: {name}", n) for name, n in judged.most_common())
    yield from ((f"functions by what they read: {name}", n) for name, n in read.most_common())

    of_sources, in_all = asked(root)
    yield "getattr and hasattr: on sources", of_sources
    yield "getattr and hasattr: in all", in_all

    near = graph(root)
    yield "rooms", len({room(path) for path in near})
    pairs = {(room(path), room(there)) for path, those in near.items() for there in those}
    yield "arrows between rooms", sum(one != other for one, other in pairs)
    yield "circles of imports", len(on_circles(near))
    yield "cases of the suite", suite(root, "--collect-only").partition(" in ")[0]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Print figures about the code.")
    parser.add_argument("--at", metavar="REVISION", help="measure this revision of the repository")
    parser.add_argument("--seconds", action="store_true", help="run the suite, and time it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = ROOT
        if options.at:
            root = Path(folder, "tree")
            line = ["git", "worktree", "add", "--quiet", "--detach", str(root), options.at]
            subprocess.run(line, cwd=ROOT, check=True)
        try:
            for name, figure in figures(root):
                print(f"{name:<60} {figure}")
            if options.seconds:
                start = time.monotonic()
                words = suite(root, "--numprocesses", "auto", "--dist", "worksteal")
                print(f"{'seconds of the suite':<60} {time.monotonic() - start:.0f} ({words})")
        finally:
            if root != ROOT:
                line = ["git", "worktree", "remove", "--force", str(root)]
                subprocess.run(line, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
