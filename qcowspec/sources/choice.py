"""The source for a URL.

In: the text of a `Url`. Out: a `Source`. Refuses: protocols that are not known.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from qcowspec.errors import Unreadable, Unsupported, shown
from qcowspec.sources.gate import URL
from qcowspec.sources.locations import HTTP
from qcowspec.sources.source import Source

FILE = ("file", "local")
S3 = ("s3", "s3a")


def open_url(name: str, open_inner: Callable[[str], Source]) -> Source:
    """Open a URL, or a chain of them.

    Args:
        name: The URL.
        open_inner: Opens the URL after a compression, as in ``gzip::https://…``.

    Raises:
        Unsupported: Its protocol is not known, or needs a package that is not installed.
        Unreadable: It cannot be read.
    """
    found = URL.match(name)
    if found is None:
        raise _no_file(name)
    separator = "://" if found[0].endswith("://") else "::"
    protocol = found[0].removesuffix(separator)
    protocol, rest = protocol.lower(), name[found.end() :]
    if separator == "://":
        if protocol in HTTP:
            from qcowspec.sources.remote import open_http

            return open_http(f"{protocol}://{rest}")
        if protocol in S3:
            from qcowspec.sources.s3 import open_s3

            return open_s3(rest)
        if protocol in FILE:
            from qcowspec.sources.local import LocalFile

            return LocalFile(rest)
    from qcowspec.sources.filesystems import COMPRESSIONS, FsspecFile, decompressed, is_known

    if separator == "::" and protocol in COMPRESSIONS:
        return decompressed(protocol, open_inner(rest), shown(name))
    if is_known(protocol):
        return FsspecFile(name)
    if separator == "::":
        raise _no_file(name)  # colons in the name of a file
    raise Unsupported(
        f"is a URL of the protocol {protocol!r}, which is not known", path=shown(name)
    )


def _no_file(name: str) -> Unreadable:
    """The error for a name that is neither a URL nor a file; a mistyped URL may hold secrets."""
    says = "cannot be opened: no such file or directory"
    return Unreadable(says, errno=errno.ENOENT, path=shown(name))
