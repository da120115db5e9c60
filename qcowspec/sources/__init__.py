"""The byte sources, one module each, and the choice among them.

In: what the user calls an image. Out: a `Source`: bytes by offset. Refuses: what cannot be an image
(a directory, a missing file, a device that has no length) with `Unreadable`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from qcowspec.errors import Unsupported
from qcowspec.sources.gate import RAW, is_url
from qcowspec.sources.names import STANDARD_INPUT, FileName, Url, is_pipe, named
from qcowspec.sources.source import Source

Target = (
    str | os.PathLike[str] | Url | bytes | bytearray | memoryview | Mapping[str, Any] | BinaryIO
)
"""What a user calls an image."""


def open_source(target: Target, *, raw: bool = False) -> Source:
    """Open what a user calls an image.

    Args:
        target: A text: the path of a file that exists; ``-`` for standard input; or else a URL
            (``https://…``, ``s3://…``, ``memory://…``, ``gzip::https://…``) or a source spec as
            librbd has them, ``json:{…}``; see `qcowspec.sources.names.named`. A pipe of that
            name is read to its end, as standard input is. A `pathlib.Path`, which is a path
            whatever it looks like, and no pipe: use one for names that you did not choose. A source
            spec as a mapping; the image's bytes themselves; or a binary file object, which stays
            its owner's to close.
        raw: Whether a source spec may say that the file is raw, and has no structures.

    Raises:
        Unreadable: It cannot be opened or read.
        Invalid: The source spec has keys, types or values that are not known.
        Unsupported: Its protocol is not known, or needs a package that is not installed.
    """
    # Each kind of source is imported when it is asked for: start-up time is a promise.
    if isinstance(target, str):
        target = named(target)
    if isinstance(target, os.PathLike):
        from qcowspec.sources.local import LocalFile

        if isinstance(target, FileName) and target.format == RAW and not raw:
            raise Unsupported("is stated to be raw: it has no structures", path=target.text)
        path = os.fspath(target)
        if isinstance(target, FileName) and target.is_typed and is_pipe(path):
            from qcowspec.sources.pipe import open_pipe

            return open_pipe(path)
        return LocalFile(path)
    if isinstance(target, Mapping):
        from qcowspec.sources.specs import open_spec

        return open_spec(target, raw=raw)
    if isinstance(target, Url):
        from qcowspec.sources.choice import open_url

        return open_url(target.text, open_source)
    if target == STANDARD_INPUT:
        from qcowspec.sources.standard_input import open_standard_input

        return open_standard_input()
    if isinstance(target, (bytes, bytearray, memoryview)):
        from qcowspec.sources.memory import Memory

        return Memory(target)
    if not (hasattr(target, "read") and hasattr(target, "seek")):
        kinds = "a path, a URL, bytes, a source spec or a binary file object that can seek"
        raise TypeError(f"an image is {kinds}, not {type(target).__name__}")
    from qcowspec.sources.file_object import FileObject

    return FileObject(target)


def open_sibling(source: Source, target: str) -> Source:
    """Open a second file, which an image names and the gate has admitted.

    Args:
        source: The image file that names it. A server's is asked with the image's credentials, if
            the other file is on the same server.
        target: Its absolute path, which is opened through no symbolic link; or its URL.

    Raises:
        Unreadable: It cannot be opened or read, or was swapped for a link since the gate looked.
    """
    if os.path.isabs(target):
        from qcowspec.sources.local import LocalFile

        return LocalFile(target, follow=False)
    found = source.sibling(target)
    if found is not None:
        return found
    return open_source(Url(target) if is_url(target) else FileName(target))


def stated_format(target: Target) -> str | None:
    """The format that a target states; None where it states none.

    A source spec states ``qcow``, which is any version, or ``raw``; a `FileName` may state
    ``qcow``, ``qcow2`` or ``raw``.

    Raises:
        Invalid: The spec is no JSON object.
    """
    if isinstance(target, str):
        target = named(target)
    if isinstance(target, FileName):
        return target.format
    if isinstance(target, Mapping):
        from qcowspec.sources import specs

        return specs.stated_format(target)
    return None


__all__ = ["FileName", "Target", "Url", "named", "open_sibling", "open_source", "stated_format"]
