"""The ``.ksy`` files as dataclasses.

Comes in: the texts of the ``.ksy`` files. Goes out: one ``Layout`` a type, nested as the types are,
with everything that a reader of the parsers needs to know: fields, types, conditions, docs.
Refuses: names that YAML did not read as text (an unquoted ``on`` is a truth value), fields that
would hide a Python builtin in the stubs, types and enums that are not there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from .compiler import InputError

_BUILTINS = frozenset({"bool", "bytes", "float", "int", "list", "object", "str", "property"})
_NUMBER = re.compile(r"[us][1248](le|be)?|b[2-9](le|be)?|b[1-9][0-9]+(le|be)?")
_PRIMITIVES = {
    "bool": "bool",
    "bytes": "bytes",
    "str": "str",
    "strz": "str",
    "b1": "bool",
    "b1le": "bool",
    "b1be": "bool",
    "struct": "KaitaiStruct",
    "io": "KaitaiStream",
    "any": "object",
}


def camel(name: str) -> str:
    """A name of the ``.ksy`` as the compiler writes classes: ``l1_entry`` is ``L1Entry``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


@dataclass(frozen=True)
class Doc:
    """What the ``.ksy`` says about a thing, and where that is from."""

    text: str = ""
    refs: tuple[str, ...] = ()

    def paragraphs(self) -> str:
        """The whole text as a docstring's, the references last."""
        where = f"See {'; '.join(self.refs)}" if self.refs else ""
        return "\n\n".join(part for part in (self.text.strip(), where) if part)


@dataclass(frozen=True)
class Field:
    """A field of the sequence, an instance, or a parameter."""

    name: str
    doc: Doc
    spec: dict[str, Any]

    @property
    def is_value(self) -> bool:
        """Whether it is computed rather than read."""
        return "value" in self.spec

    @property
    def is_sized(self) -> bool:
        """Whether its bytes are cut out of the stream before they are parsed."""
        return bool(self.spec.keys() & {"size", "size-eos", "terminator", "contents"})

    @property
    def cases(self) -> dict[str, str] | None:
        """The types that it may be of, where a switch decides."""
        kind = self.spec.get("type")
        if not isinstance(kind, dict):
            return None
        return {str(case): str(name) for case, name in kind["cases"].items()}

    @property
    def is_optional(self) -> bool:
        """Whether the parser may leave it out: a condition, or a switch that may fit no case."""
        if "if" in self.spec:
            return True
        return self.cases is not None and "_" not in self.cases and not self.is_sized

    @property
    def is_repeated(self) -> bool:
        """Whether it is a list."""
        return "repeat" in self.spec


@dataclass(frozen=True)
class Enum:
    """An enum of the ``.ksy``: members as (name, value, doc)."""

    name: str
    members: tuple[tuple[str, int, Doc], ...]


@dataclass
class Layout:
    """One type: the top of a file or one nested in it."""

    path: tuple[str, ...]
    doc: Doc
    params: list[Field]
    seq: list[Field]
    instances: list[Field]
    enums: dict[str, Enum]
    parent: "Layout | None"
    types: dict[str, "Layout"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that rules and docs use: ``qcow2::header``."""
        return "::".join(self.path)

    @property
    def classname(self) -> str:
        """The Python class, as seen from its module: ``Qcow2.Header``."""
        return ".".join(camel(part) for part in self.path)

    def walk(self) -> Iterator["Layout"]:
        """This type and all that are nested in it."""
        yield self
        for child in self.types.values():
            yield from child.walk()

    def scopes(self) -> Iterator["Layout"]:
        """Where a name is looked for: here first, then outwards."""
        scope: Layout | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


def _doc(spec: dict[str, Any]) -> Doc:
    refs = spec.get("doc-ref", [])
    return Doc(str(spec.get("doc", "")), tuple([refs] if isinstance(refs, str) else refs))


def _text(name: object, where: str) -> str:
    if not isinstance(name, str):
        raise InputError(f"{where}: YAML does not read the name {name!r} as text; quote it")
    return name


def _field(name: object, spec: dict[str, Any], where: str) -> Field:
    text = _text(name, where)
    if text in _BUILTINS:
        raise InputError(f"{where}: a field named {text} hides Python's own; name it otherwise")
    return Field(text, _doc(spec), spec)


def _enum(name: str, members: dict[Any, Any], where: str) -> Enum:
    found = []
    for value, member in members.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise InputError(f"{where}: enum {name} has the value {value!r}, which is no integer")
        spec = member if isinstance(member, dict) else {"id": member}
        found.append((_text(spec["id"], where), value, _doc(spec)))
    return Enum(name, tuple(found))


def _layout(spec: dict[str, Any], path: tuple[str, ...], parent: Layout | None) -> Layout:
    where = f"{path[0]}.ksy: {'::'.join(path)}"
    layout = Layout(
        path=path,
        doc=_doc(spec),
        params=[_field(each["id"], each, where) for each in spec.get("params", [])],
        # A field without a name is skipped by the reader and has no attribute worth naming.
        seq=[_field(each["id"], each, where) for each in spec.get("seq", []) if "id" in each],
        instances=[_field(key, each, where) for key, each in spec.get("instances", {}).items()],
        enums={key: _enum(key, each, where) for key, each in spec.get("enums", {}).items()},
        parent=parent,
    )
    for key, each in spec.get("types", {}).items():
        layout.types[key] = _layout(each, (*path, _text(key, where)), layout)
    return layout


def read_layouts(texts: Mapping[str, str]) -> dict[str, Layout]:
    """Reads every ``.ksy``, by file stem, in the given order."""
    layouts = {}
    for name, text in texts.items():
        spec, stem = yaml.safe_load(text), name.removesuffix(".ksy")
        if spec["meta"]["id"] != stem:
            raise InputError(f"{name}: meta/id is {spec['meta']['id']}, not the file's name")
        layouts[stem] = _layout(spec, (stem,), None)
    return layouts


def find_type(layouts: dict[str, Layout], scope: Layout, name: str) -> Layout:
    """The type that a name means, seen from a scope: ``l1_entry``, ``luks1::header``."""
    first, *rest = name.split("::")
    for each in scope.scopes():
        if found := each.types.get(first):
            break
    else:
        if first not in layouts:
            raise InputError(f"{scope.path[0]}.ksy: {scope.name}: there is no type {name}")
        found = layouts[first]
    for part in rest:
        if part not in found.types:
            raise InputError(f"{scope.path[0]}.ksy: {scope.name}: there is no type {name}")
        found = found.types[part]
    return found


def find_enum(layouts: dict[str, Layout], scope: Layout, name: str) -> tuple[Layout, Enum]:
    """The enum that a name means, and the type that it is declared in."""
    *path, last = name.split("::")
    if path:
        home = find_type(layouts, scope, "::".join(path))
        if enum := home.enums.get(last):
            return home, enum
    for each in scope.scopes():
        if not path and (enum := each.enums.get(last)):
            return each, enum
    raise InputError(f"{scope.path[0]}.ksy: {scope.name}: there is no enum {name}")


def primitive(kind: str) -> str | None:
    """The Python type of one of the language's own types; None for a type of the ``.ksy``."""
    if _NUMBER.fullmatch(kind):
        return "int"
    if re.fullmatch(r"f[48](le|be)?", kind):
        return "float"
    return _PRIMITIVES.get(kind)
