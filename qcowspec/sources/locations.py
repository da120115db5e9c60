"""URLs: what they name, and the files beside them.

In: a name. Out: the URL taken apart, its neighbours. Refuses: what is not a URL of a server.

A URL can carry secrets: a password before its host, a signature in its query. Neither is ever part
of a name that is shown (`errors.shown`); they
travel in `Location.url` and `Location.credentials` only.
"""

from __future__ import annotations

import os
import posixpath
import re
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit, urlunsplit

from qcowspec.errors import Unreadable, hidden

HTTP = ("http", "https")

KEPT = "%/:@!$&'()*+,;=~-._"
"""Characters of a path that are sent as they are."""

PORTS = {"http": 80, "https": 443}


class Location(NamedTuple):
    """A URL of a server, taken apart.

    Attributes:
        name: What is shown: no user, no password, no query.
        url: What is asked for: no user and no password, but the query.
        credentials: User and password; None where the URL has none.
    """

    name: str
    url: str
    credentials: tuple[bytes, bytes] | None = None

    def __repr__(self) -> str:
        return f"Location({self.name!r})"  # the others may hold secrets

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: where credentials may be sent."""
        return origin_of(self.url)


def located(url: str) -> Location:
    """Take an HTTP URL apart.

    Raises:
        Unreadable: It is no URL.
    """
    found = None
    # Raised out here: errors of urllib's and of the codecs hold the URL, or its password.
    with suppress(ValueError):
        found = _located(url)
    if found is None:
        # It is unknown which part may be shown: a password may be anywhere in it.
        raise Unreadable("is no URL that names a server", path=hidden(url))
    return found


def _located(url: str) -> Location | None:
    """The same; None if it names no server.

    Raises:
        ValueError: It is no URL, or has characters that cannot be encoded. The text of the error
            may hold secrets.
    """
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    host = None if host is None else host.encode("idna").decode("ascii")
    if not host or any(ord(letter) <= ord(" ") for letter in host):
        return None
    if ":" in host:
        host = f"[{host}]"
    place = host if port in (None, PORTS.get(parts.scheme)) else f"{host}:{port}"
    path = quote(parts.path or "/", safe=KEPT, errors=RAW_BYTES)
    query = quote(parts.query, safe=KEPT + "?", errors=RAW_BYTES)
    credentials = None
    if parts.username is not None:
        credentials = (unquoted(parts.username), unquoted(parts.password or ""))
    plain = urlunsplit((parts.scheme, place, path, "", ""))
    return Location(plain, f"{plain}?{query}" if query else plain, credentials)


def unquoted(text: str) -> bytes:
    """A user or a password as it is sent."""
    return unquote_to_bytes(text.encode("utf-8", RAW_BYTES))


RAW_BYTES = "surrogateescape"
"""How bytes that are not UTF-8 are decoded in a text from the command line."""


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)


def key(*parts: object) -> str:
    """A key for a set of values, in a cache of this process; it holds no secret."""
    from hashlib import blake2b  # which few images need

    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), key=_SALT).hexdigest()


_SALT = os.urandom(16)


# --- What an image on a server names ------------------------------------------------------------

SERVER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(/[^?#]*)?")
"""A URL of one server, as it is shown: no chain, no query."""

UNSAFE = re.compile(r"[\x00-\x1f\x7f\\?#]|%2f|%5c|%00", re.IGNORECASE)
"""What a name on a server must not have, as servers read it in different ways."""


class Place(NamedTuple):
    """A file or a directory on a server: scheme, host (or bucket), and an absolute path."""

    scheme: str
    host: str
    path: str

    @property
    def server(self) -> tuple[str, str]:
        """Equal for two places on one server."""
        return self.scheme, self.host

    @property
    def folder(self) -> str:
        """The directory of a file."""
        return posixpath.dirname(self.path)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def on_server(name: str) -> Place | None:
    """The place that a URL names; None for paths, chains, and ambiguous URLs."""
    found = None if UNSAFE.search(name) else SERVER.fullmatch(name)
    if found is None or "::" in name or "@" in found[2]:
        return None
    scheme, host = found[1].lower(), found[2]
    if scheme in ("file", "local"):
        return None
    if scheme in HTTP:
        host = host.lower().removesuffix(f":{PORTS[scheme]}")
    path = found[3] or "/"
    if any(unquote(piece) in (".", "..") and "%" in piece for piece in path.split("/")):
        return None
    return Place(scheme, host, posixpath.normpath("/" + path.lstrip("/")))


def beside(image: str, name: str) -> Place | None:
    """The place on a server that a name in an image refers to.

    Args:
        image: The image, as it is shown.
        name: The name.

    Returns:
        The place; None if the name refers to none.
    """
    if SERVER.match(name):
        return on_server(name)
    here = on_server(image)
    if here is None or not name or name.startswith("/") or ":" in name.partition("/")[0]:
        return None
    return on_server(f"{here.scheme}://{here.host}{here.folder.rstrip('/')}/{name}")
