"""The parsers as a package for npm.

Comes in: the repository. Goes out: every file of the package as text, by its name: the compiled
layouts, a runtime that does not round numbers of 64 bits, the rules that each structure carries.
Refuses: nothing itself; what its parts refuse passes through.
"""

import json
import tomllib
from pathlib import Path

from . import catalogue, compiler
from .layouts import camel, read_layouts
from .numbers import declarations
from .rows import Row
from .versions import Versions

NAME = "qcow-parsers"
TARGET = "javascript:exact"
RUNTIME = Path(__file__).with_name("javascript_runtime")


def build(root: Path, target: str = TARGET) -> dict[str, str]:
    """Generates the package.

    Args:
        root: The repository.
        target: What the layouts are compiled to; ``javascript:positions`` also notes where each
            field stands, and reads nothing before ``_read()`` is called.
    """
    formats = root / "formats"
    texts = declarations(formats)
    compiled = compiler.compile_texts(texts, [target])[target]
    files = {name: _stripped(text) for name, text in compiled.items()}
    files |= {path.name: path.read_text("utf-8") for path in sorted(RUNTIME.glob("*.js"))}
    rules = catalogue.read(formats / "rules", read_layouts(texts), Versions(formats).ids)
    files["rules.json"] = _json(_rules(rules))
    files["package.json"] = _json(_manifest(root, sorted(files)))
    return {name: files[name] for name in sorted(files)}


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _rules(rows: list[Row]) -> list[dict[str, object]]:
    """The rules whose predicates the parsers carry."""
    return [
        {
            "id": row["id"],
            "versions": row["versions"],
            "on": row["on"],
            "field": row.get("field"),
            "instance": instance_name(catalogue.predicate_name(row)),
            "says": row["says"],
            "profiles": _profiles(row),
        }
        for row in rows
        if row["predicate"] == "instance"
    ]


def _profiles(row: Row) -> list[str]:
    """Who refuses an image that breaks the rule, by the names of the profiles.

    What QEMU refuses in some versions only, or when it reads, is QEMU's as well.
    """
    qemu = row["qemu"]
    asked = {
        "qemu": qemu["verdict"] == "rejects" and qemu.get("when") != "write",
        "librbd": row["librbd"] == "rejects",
        "spec": row["spec"],
        "untrusted": row["spec"] or row.get("untrusted") == "rejects",
    }
    return [name for name, refuses in asked.items() if refuses]


def instance_name(name: str) -> str:
    """A name as the compiler writes it in JavaScript: ``ok_magic`` is ``okMagic``."""
    made = camel(name)
    return made[:1].lower() + made[1:]


def _manifest(root: Path, files: list[str]) -> dict[str, object]:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return {
        "name": NAME,
        "version": project["version"],
        "description": "Parsers of QEMU's QCOW disk image formats, with each structure's rules",
        "license": project["license"]["text"],
        "main": "index.js",
        "files": files,
        "engines": {"node": ">=18"},
        "dependencies": {"kaitai-struct": compiler.pinned("kaitai-struct")},
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
