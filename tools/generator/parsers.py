"""The compiled Python as modules of one package.

Comes in: what the compiler wrote for Python, and the layouts. Goes out: the same with relative
imports, a header that says where it is from, the names of each type's fields as ``SEQ_FIELDS``, and
``None`` as the class-level default of every field that may be left out, so that an absent field
reads as ``None`` instead of raising AttributeError.
Refuses: a layout whose class the compiler did not write.
"""

import ast

from .compiler import InputError
from .layouts import Field, Layout


def has_raw(field: Field) -> bool:
    """Whether the parser keeps the bytes that a field was parsed from, as ``_raw_<field>``."""
    kinds = field.cases.values() if field.cases else [field.spec.get("type")]
    is_parsed = any(kind and kind not in {"str", "strz"} for kind in kinds)
    return field.is_sized and is_parsed and not field.is_value


def defaults(layout: Layout) -> list[str]:
    """The attributes of a type that its parser may never set."""
    names = []
    for each in layout.seq:
        if each.is_optional:
            names.append(each.name)
        # Of a switch, only the cases that are types of the .ksy keep their bytes.
        if has_raw(each) and (each.is_optional or each.cases):
            names.append(f"_raw_{each.name}")
    return names


def _classes(body: list[ast.stmt], prefix: str = "") -> dict[str, ast.ClassDef]:
    found = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[prefix + node.name] = node
            found |= _classes(node.body, f"{prefix}{node.name}.")
    return found


def _first_line(node: ast.ClassDef) -> int:
    """The line above which a class attribute goes: below the docstring, if there is one."""
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        return (first.end_lineno or first.lineno) + 1
    return first.lineno


def module(text: str, top: Layout, stems: set[str], header: str) -> str:
    """Makes a module of the package from what the compiler wrote.

    Args:
        text: the compiler's Python.
        top: the layout of the file.
        stems: the parsers of the package, which import each other relatively.
        header: the first line.
    """
    lines = text.splitlines()
    tree = ast.parse(text)
    inserts: dict[int, list[str]] = {}
    classes = _classes(tree.body)
    for layout in top.walk():
        node = classes.get(layout.classname)
        if node is None:
            raise InputError(f"{layout.name}: the compiler wrote no class {layout.classname}")
        indent = " " * (node.col_offset + 4)
        fields = [field.name for field in layout.seq]
        lines_here = [f"SEQ_FIELDS = {fields}", *(f"{name} = None" for name in defaults(layout))]
        inserts[_first_line(node)] = [indent + line for line in lines_here]
    for statement in tree.body:
        if isinstance(statement, ast.Import) and statement.names[0].name in stems:
            lines[statement.lineno - 1] = f"from . import {statement.names[0].name}"
    for line in sorted(inserts, reverse=True):
        lines[line - 1 : line - 1] = inserts[line]
    # The compiler's first line says what the header says, and points at the wrong tool.
    body = [line.rstrip() for line in lines if not line.startswith("# This is a generated file!")]
    return "\n".join([header, *body]).rstrip() + "\n"
