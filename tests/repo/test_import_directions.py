"""The house's directions of import (see docs/design.md): a module imports only from lower lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LINES = [
    {"qcow_schemas", "qcow_parsers", "errors"},
    {"units", "locations"},
    {"entries"},
    {"entry_rules"},
    {"structures"},
    {"metadata", "needs", "gate", "source"},
    {"sources"},
    {"predicates", "profiles", "sentences"},
    {"rules", "build"},
    {"probe", "foreign"},
    {"header"},
    {"extensions"},
    {"tables", "backing"},
    {"bitmaps", "clusters"},
    {"machine"},
    {"drivers"},
    {"looked"},
    {"verdict"},
    {"stream"},
    {"opening"},
    {"batches"},
    {"mapping", "crypto"},
    {"chain"},
    {"guest"},
    {"check"},
    {"image", "raw"},
    {"transfer"},
    {"aio", "filesystem"},
    {"fuzzing", "report"},
    {"cli"},
]
"""Low to high. Modules of one line may import each other only within a package of their own."""

PARSERS = {
    "structures", "predicates", "rules",
    "probe", "header", "extensions", "tables", "bitmaps", "backing",
}  # fmt: skip
"""Who may import the generated parsers; the constants beside them are anybody's."""

HEIGHT = {module: height for height, line in enumerate(LINES) for module in line}


def modules() -> list[Path]:
    return sorted((ROOT / "qcowspec").rglob("*.py"))


def room(path: Path) -> str:
    """The stage that a module belongs to: its first folder, or its name."""
    return path.relative_to(ROOT / "qcowspec").parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """What a module imports, and whether only for its types."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.unparse(guard.test)
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) in typing_only


def ours(name: str) -> str | None:
    """The room that an imported name lives in; None for other people's packages."""
    first, *rest = name.split(".")
    if first == "qcowspec":
        return rest[0] if rest and rest[0] in HEIGHT else None
    return first if first in HEIGHT else None


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    if room(path) in {"__init__", "__main__"}:
        return  # the front door names every room, lazily
    here = room(path)
    for name, typing_only in imports(path):
        there = ours(name)
        if there is None or there == here or typing_only:
            continue

        assert HEIGHT[there] < HEIGHT[here], f"{here} imports {name}, which is not below it"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_walls_stand(path: Path) -> None:
    for name, typing_only in imports(path):
        first, _, rest = name.partition(".")
        if first == "qcow_parsers" and not rest.startswith(("constants", "catalogue", "fields")):
            assert typing_only or room(path) in PARSERS, f"{path} imports the parsers"
        if first == "construct":
            assert room(path) == "build", f"{path} imports Construct"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }

    assert room(path) == "cli" or not calls & {"print", "sys.exit", "exit"}
    assert room(path) in {"sources", "gate", "transfer"} or not calls & {
        "open",
        "os.open",
        "io.open",
    }


SCRATCH = {
    "sources/spool.py", "sources/standard.py",
    "fuzzing/campaign/targets.py", "fuzzing/campaign/runs.py", "fuzzing/kit/expectations.py",
    "cli/fuzz.py", "cli/kit.py",
}  # fmt: skip
"""Modules that make temporary files and take them away; no file that a user names."""

WRITES = {
    "os": {
        "chmod", "chown", "fchmod", "fchown", "ftruncate", "link", "mkfifo", "mknod", "pwrite",
        "remove", "removexattr", "rename", "replace", "setxattr", "symlink", "truncate", "unlink",
    },
    "shutil": {"copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "rmtree"},
    "tempfile": {
        "NamedTemporaryFile", "SpooledTemporaryFile", "TemporaryDirectory", "TemporaryFile",
        "mkdtemp", "mkstemp",
    },
}  # fmt: skip
"""Functions that change files, by their module."""

METHODS = {
    "chmod", "hardlink_to", "rename", "symlink_to", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip
"""Methods of a path that do."""


def writing(path: Path) -> Iterator[str]:
    """The calls of a module that make, change or take away a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        module, _, function = name.rpartition(".")
        modes = [
            value.value
            for value in [*node.args[:2], *(each.value for each in node.keywords)]
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        ]
        opens = function == "open" and any(
            set(mode) <= set("rwxabt+") and set(mode) & set("wxa+") for mode in modes
        )
        if opens or function in WRITES.get(module, ()) or (module and function in METHODS):
            yield name


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_one_room_writes_what_users_name(path: Path) -> None:
    if room(path) == "transfer" or str(path.relative_to(ROOT / "qcowspec")) in SCRATCH:
        return

    assert list(writing(path)) == []


@pytest.mark.parametrize("name", sorted(SCRATCH))
def test_who_may_write_scratch_files_does(name: str) -> None:
    assert list(writing(ROOT / "qcowspec" / name))


@pytest.mark.parametrize(
    ("code", "writes"),
    [
        ("Path(p).write_text('x')", True),
        ("os.replace(a, b)", True),
        ("path.open('xb', buffering=0)", True),
        ("open(p, mode='r+b')", True),
        ("tempfile.mkstemp()", True),
        ("name.replace('a', 'b')", False),
        ("write_bytes(path, data)", False),
        ("path.open('rb')", False),
        ("open_image('a')", False),
    ],
)
def test_a_call_that_writes_is_known(tmp_path: Path, code: str, writes: bool) -> None:
    (tmp_path / "module.py").write_text(code)

    assert bool(list(writing(tmp_path / "module.py"))) == writes


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    assert ast.get_docstring(ast.parse(path.read_text())), "a module says what it is"
