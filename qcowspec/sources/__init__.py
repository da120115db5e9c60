"""The byte sources, one module each, and the choice among them.

In: what the user calls an image. Out: a `Source`: bytes by offset. Refuses: what is no image at all
(a directory, a missing file, a device that has no length) with `Unreadable`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from qcowspec.source import Source

Target = str | os.PathLike[str] | bytes | bytearray | memoryview | Mapping[str, Any] | BinaryIO
"""What a user calls an image."""


def open_source(target: Target, *, raw: bool = False) -> Source:
    """Open what a user calls an image.

    Args:
        target: A path; ``-`` for standard input; a URL (``https://…``, ``s3://…``, ``memory://…``,
            ``gzip::https://…``); a source spec as librbd has them, as a mapping or as
            ``json:{…}``; the image's bytes themselves; or a binary file object, which stays its
            owner's to close.
        raw: Whether a source spec may say that the file is raw, and has no structures.

    Raises:
        Unreadable: It cannot be opened or read.
        Invalid: The source spec has keys, types or values that are not known.
        Unsupported: Its protocol is not known, or needs a package that is not installed.
    """
    # Each kind of source is imported when it is asked for: start-up time is a promise.
    if isinstance(target, (bytes, bytearray, memoryview)):
        from qcowspec.sources.memory import Memory

        return Memory(target)
    if isinstance(target, Mapping):
        from qcowspec.sources.specs import open_spec

        return open_spec(target, raw=raw)
    if not isinstance(target, (str, os.PathLike)):
        from qcowspec.sources.file_object import FileObject

        return FileObject(target)
    name = os.fspath(target)
    if name == "-":
        from qcowspec.sources.standard_input import open_standard_input

        return open_standard_input()
    if isinstance(target, str):  # a Path is a path
        if name.startswith("json:"):
            from qcowspec.sources.specs import open_spec, parsed

            return open_spec(parsed(name), raw=raw)
        if "::" in name or "://" in name:
            from qcowspec.sources.choice import open_url

            found = open_url(name)
            if found is not None:
                return found
    from qcowspec.sources.local import LocalFile

    return LocalFile(name)


def open_beside(source: Source, target: str) -> Source:
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
    beside = getattr(source, "beside", None)
    found: Source | None = None if beside is None else beside(target)
    return open_source(target) if found is None else found


def refuse_writers(source: Source) -> None:
    """Refuse a local file that another program has open for writing.

    Raises:
        Unreadable: It has, by the locks that QEMU takes.
    """
    refuse = getattr(source, "refuse_writers", None)
    if refuse is not None:
        refuse()


def stated_format(target: Target) -> str | None:
    """The format that a source spec states: ``qcow`` or ``raw``; None of anything else.

    Raises:
        Invalid: The spec is no JSON object.
    """
    if isinstance(target, str) and target.startswith("json:"):
        from qcowspec.sources.specs import parsed

        target = parsed(target)
    if isinstance(target, Mapping):
        from qcowspec.sources import specs

        return specs.stated_format(target)
    return None
