"""The modules of the package that no format changes, as templates."""

INIT = '''\
{header}
"""{doc}"""

from importlib import import_module

__all__ = [{names}]


def __getattr__(name: str) -> object:
    # Lazy, because who wants the catalogue or the constants need not load any parser.
    if name not in __all__:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    found = getattr(import_module(f".{{name.lower()}}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
'''
DOC = "Parsers of QEMU's QCOW formats: {names}."

RUNTIME = '''\
{header}
"""The parts of the kaitaistruct package that a user of the parsers meets, with types."""

import io
from typing import BinaryIO

from kaitaistruct import EndOfStreamError, KaitaiStream, KaitaiStruct, KaitaiStructError

__all__ = [
    "ByteStream",
    "EndOfStreamError",
    "KaitaiStream",
    "KaitaiStruct",
    "KaitaiStructError",
]

ByteStream = BinaryIO | io.BufferedIOBase | io.RawIOBase
'''
RUNTIME_STUB = '''\
{header}
import io
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

__all__ = [
    "ByteStream",
    "EndOfStreamError",
    "KaitaiStream",
    "KaitaiStruct",
    "KaitaiStructError",
]

ByteStream: TypeAlias = BinaryIO | io.BufferedIOBase | io.RawIOBase

class KaitaiStructError(Exception):
    """What the bytes did wrong."""

    def __init__(self, msg: str, src_path: str | None) -> None: ...

class EndOfStreamError(KaitaiStructError, EOFError):
    """There are fewer bytes than a field needs."""

    bytes_needed: int
    bytes_available: int
    def __init__(self, msg: str, bytes_needed: int, bytes_available: int) -> None: ...

class KaitaiStream:
    """A cursor over bytes."""

    def __init__(self, io: ByteStream) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def close(self) -> None: ...
    def pos(self) -> int: ...
    def size(self) -> int: ...
    def seek(self, n: int) -> None: ...
    def is_eof(self) -> bool: ...
    def read_bytes(self, n: int) -> bytes: ...
    def read_bytes_full(self) -> bytes: ...

class KaitaiStruct:
    """What every parser is."""

    _io: KaitaiStream
    def __init__(self, io: KaitaiStream) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def close(self) -> None: ...
'''
