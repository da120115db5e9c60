"""A ``.pyi`` beside each parser, made from the same ``.ksy``.

Comes in: the layouts, and the compiler's inference for value instances. Goes out: the text of the
stubs, with the docs of the ``.ksy`` where an editor shows them.
Refuses: a type that it cannot name.

What the types say: a whole number is ``int``; a field with an enum is ``Enum | int``, because the
parser keeps an unknown value as the number it is; a field that may be absent is ``... | None``.
"""

import re

from . import parsers
from .inference import Inference
from .layouts import Doc, Field, Layout, camel, find_enum, find_type, primitive

_PREAMBLE = """\
import os
from enum import IntEnum
from typing import Self

{imports}
"""


def _docstring(doc: Doc, indent: str) -> list[str]:
    text = doc.paragraphs()
    if not text:
        return []
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = [f"{indent}{line}".rstrip() for line in text.splitlines()]
    lines[0] = f'{indent}"""{lines[0].lstrip()}'
    if len(lines) == 1 and not lines[0].endswith('"'):
        return [f'{lines[0]}"""']
    return [*lines, f'{indent}"""']


class Stub:
    """Writes the stub of one file's parser."""

    def __init__(self, top: Layout, layouts: dict[str, Layout], inference: Inference) -> None:
        self._top = top
        self._layouts = layouts
        self._inference = inference
        self._imports: set[str] = set()

    def text(self, header: str) -> str:
        """The whole stub."""
        body = "\n".join(self._class(self._top, ""))
        runtime = "from .runtime import ByteStream, KaitaiStream, KaitaiStruct"
        imports = [f"from .{stem} import {camel(stem)}" for stem in sorted(self._imports)]
        preamble = _PREAMBLE.format(imports="\n".join([*imports, runtime]))
        return f"{header}\n{preamble}\n{body.rstrip()}\n"

    def _named(self, layout: Layout) -> str:
        """A class by the name it has in this stub; its module is imported if it is another's."""
        if layout.path[0] != self._top.path[0]:
            self._imports.add(layout.path[0])
        return layout.classname

    def _enum_type(self, scope: Layout, name: str) -> str:
        home, enum = find_enum(self._layouts, scope, name)
        return f"{self._named(home)}.{camel(enum.name)} | int"

    def _single(self, scope: Layout, kind: str | None) -> str:
        """The type of one value, by the name of its type in the ``.ksy``."""
        if kind is None:
            return "bytes"
        kind = kind.split("(")[0].strip()
        if kind.endswith("[]"):
            return f"list[{self._single(scope, kind[:-2])}]"
        return primitive(kind) or self._named(find_type(self._layouts, scope, kind))

    def _value_is_optional(self, scope: Layout, field: Field) -> bool:
        """Whether a value instance is another field by another name, and that may be absent."""
        return any(
            each.name == str(field.spec["value"]).strip() and each.is_optional
            for each in [*scope.seq, *scope.instances]
        )

    def _type(self, scope: Layout, field: Field) -> str:
        """The type of a field, an instance or a parameter."""
        if field.is_value:
            found = self._inference.of(scope, field.name)
            for stem in re.findall(r"\b([A-Z]\w*)\b", found):
                self._imports |= {
                    each for each in self._layouts if camel(each) == stem and each != self._top.name
                }
            optional = field.is_optional or self._value_is_optional(scope, field)
            return f"{found} | None" if optional else found
        if "enum" in field.spec:
            found = self._enum_type(scope, field.spec["enum"])
        elif field.cases is not None:
            kinds = [self._single(scope, kind) for kind in field.cases.values()]
            if field.is_sized and "_" not in field.cases:
                kinds.append("bytes")
            found = " | ".join(dict.fromkeys(kinds))
        else:
            found = self._single(scope, field.spec.get("type"))
        if field.is_repeated:
            found = f"list[{found}]"
        return f"{found} | None" if field.is_optional else found

    def _init(self, layout: Layout, indent: str) -> list[str]:
        params = [f"{each.name}: {self._type(layout, each)}" for each in layout.params]
        root = self._top.classname
        params += [
            "_io: KaitaiStream",
            "_parent: KaitaiStruct | None = None",
            f"_root: {root} | None = None",
        ]
        lines = [f"{indent}def __init__(self, {', '.join(params)}) -> None: ..."]
        if not layout.params:
            # With parameters, what these three call does not exist.
            for name, param in (
                ("from_bytes", "buf: bytes | bytearray | memoryview"),
                ("from_file", "filename: str | os.PathLike[str]"),
                ("from_io", "io: ByteStream"),
            ):
                lines.append(f"{indent}@classmethod")
                lines.append(f"{indent}def {name}(cls, {param}) -> Self: ...")
        return lines

    def _own(self, layout: Layout, indent: str) -> list[str]:
        """What every parser has beside its fields."""
        top = layout.parent is None
        root = self._top.classname
        return [
            f"{indent}SEQ_FIELDS: list[str]",
            f"{indent}_io: KaitaiStream",
            f"{indent}_parent: KaitaiStruct | None",
            f"{indent}_root: {root}" if top else f"{indent}_root: {root} | None",
        ]

    def _class(self, layout: Layout, outer: str) -> list[str]:
        indent = f"{outer}    "
        lines = [f"{outer}class {camel(layout.path[-1])}(KaitaiStruct):"]
        lines += _docstring(layout.doc, indent)
        for enum in layout.enums.values():
            lines += ["", f"{indent}class {camel(enum.name)}(IntEnum):"]
            for name, value, said in enum.members:
                lines.append(f"{indent}    {name} = {value}")
                lines += _docstring(said, f"{indent}    ")
        for child in layout.types.values():
            lines += ["", *self._class(child, indent)]
        lines += ["", *self._own(layout, indent), *self._init(layout, indent)]
        for field in [*layout.params, *layout.seq]:
            lines.append(f"{indent}{field.name}: {self._type(layout, field)}")
            lines += _docstring(field.doc, indent)
            if parsers.has_raw(field):
                raw = "list[bytes]" if field.is_repeated else "bytes"
                optional = field.is_optional or field.cases
                lines.append(f"{indent}_raw_{field.name}: {raw}{' | None' if optional else ''}")
        for field in layout.instances:
            lines.append(f"{indent}@property")
            doc = _docstring(field.doc, f"{indent}    ")
            signature = f"{indent}def {field.name}(self) -> {self._type(layout, field)}:"
            lines += [signature, *doc] if doc else [f"{signature} ..."]
        return lines
