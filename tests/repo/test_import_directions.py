"""The house's directions of import, as docs/design.md has them: from lower floors only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.figures import ROOT, graph, imports, modules, on_circles, room, tree

FLOORS = [
    {"qcow_schemas", "qcow_parsers", "errors"},
    {"sources", "spec"},
    {"reader"},
    {"mapping", "crypto"},
    {"chain"},
    {"guest"},
    {"image", "raw", "reference"},
    {"check", "transfer", "aio", "export"},
    {"report"},
    {"build"},
    {"fuzzing"},
    {"cli"},
]
"""The rooms, from the ground up."""

PARSERS = {"spec", "reader", "reference"}
"""Who may import the generated parsers; the constants beside them are anybody's."""

HEIGHT = {module: height for height, line in enumerate(FLOORS) for module in line}


def ours(name: str) -> str | None:
    """The room that an imported name lives in; None for other people's packages."""
    first, *rest = name.split(".")
    if first == "qcowspec":
        return rest[0] if rest and rest[0] in HEIGHT else None
    return first if first in HEIGHT else None


def test_imports_point_downwards() -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if room(path) not in {"__init__", "__main__"}  # the front door names every room, lazily
        for name, typing_only in imports(path)
        if (there := ours(name)) not in {None, room(path)} and not typing_only
        if HEIGHT[str(there)] >= HEIGHT[room(path)]
    ]

    assert upward == []


def test_the_reference_shares_only_the_rules_with_the_readers() -> None:
    """What is compared with it must not do its work."""
    found = {name.rpartition(".")[0] for name, _ in imports(ROOT / "qcowspec" / "reference.py")}

    assert {name for name in found if name.startswith("qcowspec")} == {
        "qcowspec.errors", "qcowspec.spec.profiles", "qcowspec.spec.rules",
    }  # fmt: skip


def test_every_room_has_a_floor() -> None:
    rooms = {room(path) for path in modules()} - {"__init__", "__main__"}

    assert rooms == {name for line in FLOORS[1:] for name in line} | {"errors"}


def test_no_imports_run_in_a_circle() -> None:
    assert on_circles(graph()) == []


def test_walls_stand() -> None:
    broken = []
    for path in modules():
        for name, typing_only in imports(path):
            first, _, rest = name.partition(".")
            is_parser = not rest.startswith(("constants", "catalogue", "versions"))
            if first == "qcow_parsers" and is_parser and not typing_only:
                broken += [path] * (room(path) not in PARSERS)
            if first == "construct":
                broken += [path] * (room(path) != "build")

    assert broken == []


def test_only_the_command_line_prints_and_exits() -> None:
    broken = []
    for path in modules():
        calls = {
            ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)
        }
        if room(path) != "cli":
            broken += [(path, call) for call in calls & {"print", "sys.exit", "exit"}]
        if room(path) not in {"sources", "transfer"}:
            broken += [(path, call) for call in calls & {"open", "os.open", "io.open"}]

    assert broken == []


SCRATCH = {
    "sources/spool.py", "sources/standard.py",
    "fuzzing/campaign/targets.py", "fuzzing/campaign/runs.py", "fuzzing/kit/expectations.py",
    "cli/fuzz.py", "cli/kit.py", "export/server.py",
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
    for node in ast.walk(tree(path)):
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


def test_only_one_room_writes_what_users_name() -> None:
    others = [
        path
        for path in modules()
        if room(path) != "transfer" and str(path.relative_to(ROOT / "qcowspec")) not in SCRATCH
    ]

    assert [(path, call) for path in others for call in writing(path)] == []


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


def test_modules_stay_readable() -> None:
    assert [path for path in modules() if len(path.read_text().splitlines()) > 400] == []
    assert [path for path in modules() if not ast.get_docstring(tree(path))] == []
