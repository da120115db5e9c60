"""The same parsers, which also note where each field starts and ends.

They are the generated classes with another base, made when they are first asked for. An object has
read when it is made, as far as its bytes go; `_read()` raises the error that ended it, if one did.

`_debug` has the fields that were read, in their order, and where each starts and ends in its
stream: ``{"magic": {"start": 0, "end": 4}}``; of a list also those of its items, as ``"arr"``. A
structure whose bytes end early has no ``"end"``.
"""

from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from kaitaistruct import KaitaiStruct


def __getattr__(name: str) -> Any:
    if name not in ("Luks1", "Qcow", "Qcow1", "Qcow2"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _module(f"{__package__}.{name.lower()}")[name]


class _Type(type):
    """The type of these parsers. Those inside one are made when they are first asked for."""

    _inner: dict[str, Any]
    _names: dict[str, Any]

    def __getattr__(cls, name: str) -> Any:
        if name not in vars(cls).get("_inner", ()):
            raise AttributeError(f"type {cls.__qualname__!r} has no attribute {name!r}")
        made = _anew(cls._inner[name], cls._names)
        setattr(cls, name, made)
        return made


class _Positioned(KaitaiStruct, metaclass=_Type):  # type: ignore[misc]  # it has no types
    """The base of these parsers."""

    _debug: dict[str, dict[str, Any]]
    _error: Exception | None
    _end: int

    def _read(self) -> None:
        if "_debug" not in self.__dict__:  # called by the constructor
            self.__dict__.update(_debug={}, _error=None, _end=self._io.pos())
            try:
                self._read_fields()
            except Exception as error:
                self._error = error
        elif self._error is not None:
            raise self._error

    def __setattr__(self, name: str, value: Any) -> None:
        known = self.__dict__
        is_field = name[0] != "_" and "_debug" in known
        if type(value) is list:
            value = _Items(self, is_field)
        known[name] = value
        if is_field:
            span = known["_debug"][name] = self._span(value)
            if type(value) is _Items:
                span["arr"] = value.spans
        if isinstance(value, _Positioned) and name not in ("_parent", "_root"):
            value._read()

    def _span(self, value: Any) -> dict[str, Any]:
        """Where what was just read starts and ends."""
        known = self.__dict__
        span = {"start": known["_end"]}
        known["_end"] = end = self._io.pos()
        if not (isinstance(value, _Positioned) and value._error):
            span["end"] = end
        return span


class _Items(list[Any]):
    """A list of a structure, which notes where its items are if it is one of its fields."""

    def __init__(self, owner: _Positioned, is_field: bool) -> None:
        super().__init__()
        self.spans: list[dict[str, Any]] = []
        self._owner, self._is_field = owner, is_field

    def append(self, item: Any) -> None:
        super().append(item)
        if self._is_field:
            self.spans.append(self._owner._span(item))
        if isinstance(item, _Positioned):
            item._read()


@cache
def _module(name: str) -> dict[str, Any]:
    """The names of a generated module, its parsers made anew."""
    names = dict(vars(import_module(name)))
    for key, value in list(names.items()):
        if isinstance(value, ModuleType) and value.__package__ == __package__:
            names[key] = SimpleNamespace(**_module(value.__name__))
        elif value is not KaitaiStruct:
            names[key] = _anew(value, names)
    return names


def _anew(found: Any, names: dict[str, Any]) -> Any:
    """A parser, or a part of one, whose code finds the other parsers in `names`."""
    if isinstance(found, FunctionType):
        code, defaults, closure = found.__code__, found.__defaults__, found.__closure__
        return FunctionType(code, names, found.__name__, defaults, closure)
    if isinstance(found, property):
        return property(_anew(found.fget, names))
    if not _is_parser(found):
        return found
    inner = {name: value for name, value in vars(found).items() if _is_parser(value)}
    body = {name: _anew(vars(found)[name], names) for name in vars(found) if name not in inner}
    body.update(_inner=inner, _names=names)
    body["_read_fields"] = body.pop("_read")
    body["__qualname__"] = found.__qualname__
    return _Type(found.__name__, (_Positioned,), body)


def _is_parser(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, KaitaiStruct)
