"""The whole of generated/, put together, compared and written.

Comes in: the repository. Goes out: every file of generated/ as text, by its path; what differs
from the files that are there; the check sums of inputs and outputs.
Refuses: nothing itself; what its parts refuse passes through.
"""

import hashlib
import shutil
from pathlib import Path

from . import catalogue, compiler, constants, parsers, positions, skeleton
from .inference import Inference
from .layouts import Layout, camel, read_layouts
from .numbers import declarations
from .stubs import Stub
from .tables import Tables
from .versions import Versions

PACKAGE = "qcow_parsers"
SUMS = "SHA256SUMS"
TABLES = frozenset({"rules.json", "rules.tsv"})
"""The files of generated/ that tools/docs.py makes: they need the package that is made here."""

_INPUTS = (
    "formats/kaitai/*.ksy",
    "formats/*.toml",
    "formats/rules/*.toml",
    "tools/generate.py",
    "tools/generator/*.py",
    "tools/ksc/*.js",
    "tools/ksc/*.json",
)


def _header(source: str = "") -> str:
    return f"# Generated{source and f' from {source}'} by tools/generate.py: do not edit."


def _listed(layouts: dict[str, Layout]) -> str:
    return ", ".join(f'"{camel(stem)}"' for stem in layouts)


def _parsers(layouts: dict[str, Layout], compiled: dict[str, str], doc: str) -> dict[str, str]:
    """The modules of the parsers."""
    header = _header("formats/kaitai")
    files = {"__init__.py": skeleton.INIT.format(header=header, doc=doc, names=_listed(layouts))}
    for stem, top in layouts.items():
        header = _header(f"formats/kaitai/{stem}.ksy")
        files[f"{stem}.py"] = parsers.module(compiled[f"{stem}.py"], top, set(layouts), header)
    return files


def _stubs(layouts: dict[str, Layout], inference: Inference, doc: str) -> dict[str, str]:
    """The types of the parsers."""
    imports = "\n".join(f"from .{stem} import {camel(stem)} as {camel(stem)}" for stem in layouts)
    header, listed = _header("formats/kaitai"), _listed(layouts)
    files = {"__init__.pyi": f'{header}\n"""{doc}"""\n\n{imports}\n\n__all__ = [{listed}]\n'}
    for stem, top in layouts.items():
        header = _header(f"formats/kaitai/{stem}.ksy")
        files[f"{stem}.pyi"] = Stub(top, layouts, inference).text(header)
    return files


def _positions(layouts: dict[str, Layout]) -> dict[str, str]:
    """The parsers that note positions, which are made of the others as they are asked for."""
    untyped = "\n".join(f"{camel(stem)}: Any" for stem in layouts)
    header, stub = _header("tools/generator/positions.py"), f"from typing import Any\n\n{untyped}\n"
    text = Path(positions.__file__).read_text("utf-8")
    return {"positions.py": f"{header}\n{text}", "positions.pyi": f"{header}\n{stub}"}


def build(root: Path) -> dict[str, str]:
    """Generates everything.

    Returns:
        The text of each file by its path below generated/.
    """
    formats = root / "formats"
    texts = declarations(formats)
    layouts, tables = read_layouts(texts), Tables(formats)
    tables.check_layouts(layouts)
    versions = Versions(formats)
    rules = catalogue.read(formats / "rules", layouts, versions.ids)
    compiled = compiler.compile_texts(texts, ["python", "java"])
    doc = skeleton.DOC.format(names=", ".join(camel(stem) for stem in layouts))
    files = {
        **_parsers(layouts, compiled["python"], doc),
        **_stubs(layouts, Inference(compiled["java"], layouts), doc),
        **_positions(layouts),
        "runtime.py": skeleton.RUNTIME.format(header=_header()),
        "runtime.pyi": skeleton.RUNTIME_STUB.format(header=_header()),
        "constants.py": constants.text(
            tables, _header("formats/{constants,features,extensions}.toml")
        ),
        "versions.py": versions.text(_header("formats/qemu.toml")),
        "catalogue.py": catalogue.text(rules, _header("formats/rules")),
        "py.typed": "",
    }
    made = {f"{PACKAGE}/{name}": files[name] for name in sorted(files)}
    for name, text in texts.items():
        made[f"kaitai/{name}"] = f"{_header(f'formats/kaitai/{name}')}\n{text}"
    return {**made, SUMS: _sums(root, made)}


def inputs(root: Path) -> list[str]:
    """What the output depends on, as paths from the root."""
    found = (path for pattern in _INPUTS for path in root.glob(pattern))
    return sorted(path.relative_to(root).as_posix() for path in found)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sums(root: Path, made: dict[str, str]) -> str:
    """The check sums, in the format of `sha256sum -c` from the root of the repository."""
    lines = [f"{_digest((root / name).read_bytes())}  {name}" for name in inputs(root)]
    lines += [f"{_digest(text.encode())}  generated/{name}" for name, text in made.items()]
    return "\n".join([_header(), *lines]) + "\n"


def present(generated: Path) -> dict[str, bytes]:
    """The files that are there, by their path below generated/; what Python caches is not ours."""
    found = {
        path.relative_to(generated).as_posix(): path
        for path in sorted(generated.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and ".mypy_cache" not in path.parts
    }
    return {name: path.read_bytes() for name, path in found.items() if name not in TABLES}


def differences(made: dict[str, str], generated: Path) -> list[str]:
    """One line for each file that is not what the generator makes."""
    there = present(generated)
    lines = [f"missing: generated/{name}" for name in made if name not in there]
    lines += [f"not generated: generated/{name}" for name in there if name not in made]
    lines += [
        f"stale: generated/{name}"
        for name, text in made.items()
        if name in there and there[name] != text.encode()
    ]
    return sorted(lines)


def differences_by_sums(root: Path) -> list[str]:
    """The same without a compiler: one line for each file that the check sums do not know."""
    sums = root / "generated" / SUMS
    if not sums.is_file():
        return [f"missing: generated/{SUMS}"]
    noted = {}
    for line in sums.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            digest, name = line.split("  ", 1)
            noted[name] = digest
    outputs = {f"generated/{name}" for name in present(root / "generated")} - {f"generated/{SUMS}"}
    there = {*inputs(root), *outputs}
    lines = [f"missing: {name}" for name in noted if name not in there]
    lines += [f"not in {SUMS}: {name}" for name in there if name not in noted]
    lines += [
        f"changed since generating: {name}"
        for name in there & noted.keys()
        if _digest((root / name).read_bytes()) != noted[name]
    ]
    return sorted(lines)


def write(made: dict[str, str], generated: Path) -> list[str]:
    """Writes what differs and removes what is not generated any more; says what it did."""
    changes = differences(made, generated)
    for name in present(generated).keys() - made.keys():
        (generated / name).unlink()
    for name, text in made.items():
        path = generated / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())
    for folder in sorted(generated.rglob("*"), reverse=True):
        if folder.is_dir() and folder.name != "__pycache__" and _is_abandoned(folder):
            shutil.rmtree(folder)
    return changes


def _is_abandoned(folder: Path) -> bool:
    return all(path.is_dir() or "__pycache__" in path.parts for path in folder.rglob("*"))
