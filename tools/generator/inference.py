"""What the compiler knows about the types of value instances.

A value instance is an expression; its type is what the compiler infers. Rather than infer a second
time, this reads the compiler's own answer from its output for a statically typed target, Java.

Comes in: the Java files. Goes out: (class, instance) → Python type.
Refuses: a Java type that it does not know.
"""

import re
from collections.abc import Iterator

from .compiler import InputError
from .layouts import Layout, camel

_CLASS = re.compile(r"( *)public (?:static )?class (\w+) extends KaitaiStruct \{")
_GETTER = re.compile(r"( *)public ([\w.<>\[\]]+) (\w+)\(\) \{")
_PLAIN = {
    "Boolean": "bool",
    "Byte": "int",
    "Double": "float",
    "Float": "float",
    "Integer": "int",
    "KaitaiStream": "KaitaiStream",
    "KaitaiStruct": "KaitaiStruct",
    "Long": "int",
    "Object": "object",
    "Short": "int",
    "String": "str",
    "byte[]": "bytes",
}


def _getters(java: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The getters of a Java file: path of classes, name, Java type; nesting is indentation."""
    classes: list[str] = []
    for line in java.splitlines():
        if match := _CLASS.match(line):
            depth = len(match[1]) // 4
            classes = [*classes[:depth], match[2]]
        elif match := _GETTER.match(line):
            depth = len(match[1]) // 4
            # Deeper than the innermost class are an enum's own methods.
            if depth <= len(classes):
                yield tuple(classes[:depth]), match[3], match[2]


class Inference:
    """Answers what type a value instance has."""

    def __init__(self, java: dict[str, str], layouts: dict[str, Layout]) -> None:
        self._types = {
            (classes, name): kind
            for _, text in sorted(java.items())
            for classes, name, kind in _getters(text)
        }
        self._classes = {each.classname for top in layouts.values() for each in top.walk()}
        self._enums = {
            f"{each.classname}.{camel(enum)}"
            for top in layouts.values()
            for each in top.walk()
            for enum in each.enums
        }

    def of(self, layout: Layout, instance: str) -> str:
        """The Python type of a value instance; classes are named from their module."""
        first, *rest = instance.split("_")
        getter = first + "".join(part[:1].upper() + part[1:] for part in rest)
        classes = tuple(layout.classname.split("."))
        kind = self._types.get((classes, getter))
        if kind is None:
            raise InputError(f"{layout.name}: the compiler's Java has no {instance}")
        return self._python(kind, classes)

    def _python(self, kind: str, scope: tuple[str, ...]) -> str:
        if kind.startswith("List<"):
            return f"list[{self._python(kind[5:-1], scope)}]"
        if kind in _PLAIN:
            return _PLAIN[kind]
        for depth in range(len(scope), -1, -1):
            name = ".".join([*scope[:depth], kind])
            if name in self._classes:
                return name
            if name in self._enums:
                # An unknown value stays a plain integer.
                return f"{name} | int"
        raise InputError(f"{'.'.join(scope)}: no Python type is known for Java's {kind}")
