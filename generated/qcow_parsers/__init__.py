# Generated from formats/kaitai by tools/generate.py: do not edit.
"""Parsers of QEMU's QCOW formats: Luks1, Qcow, Qcow1, Qcow2."""

from importlib import import_module

__all__ = ["Luks1", "Qcow", "Qcow1", "Qcow2"]


def __getattr__(name: str) -> object:
    # Lazy, because who wants the catalogue or the constants need not load any parser.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{name.lower()}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
