"""URLs: what they name, what of them may be shown, and what lies beside them.

In: a name. Out: the URL taken apart, its name without secrets, its neighbours. Refuses: URLs that
are none.

A URL can carry secrets: a password before its host, a signature in its query. Neither is ever part
of a name that is shown; they travel in `Location.url` and `Location.credentials` only.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from qcowspec.errors import Unreadable

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
    credentials: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"Location({self.name!r})"  # the others may hold secrets

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: whom credentials are for."""
        return origin_of(self.url)


def located(url: str) -> Location:
    """Take an HTTP URL apart.

    Raises:
        Unreadable: It is no URL.
    """
    parts = None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        host = None if host is None else host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        host, port = None, None
    if parts is None or not host or any(ord(letter) <= ord(" ") for letter in host):
        # What of it may be shown cannot be told: a password may stand where none can.
        raise Unreadable("is no URL that names a server", path=f"{url.partition('://')[0]}://…")
    if ":" in host:
        host = f"[{host}]"
    place = host if port in (None, PORTS.get(parts.scheme)) else f"{host}:{port}"
    path = quote(parts.path or "/", safe=KEPT)
    query = quote(parts.query, safe=KEPT + "?")
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    plain = urlunsplit((parts.scheme, place, path, "", ""))
    return Location(plain, f"{plain}?{query}" if query else plain, credentials)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)


def shown(name: str) -> str:
    """A name as it may be shown, whatever kind of URL it is, or chain of URLs."""
    return "::".join(_without_secrets(piece) for piece in name.split("::"))


def _without_secrets(piece: str) -> str:
    scheme, separator, rest = piece.partition("://")
    if not separator:
        return piece.partition("?")[0]
    place, slash, path = rest.partition("/")
    place = place.partition("?")[0].partition("#")[0].rpartition("@")[2]
    path = path.partition("?")[0].partition("#")[0]
    return f"{scheme}://{place}{slash}{path}"


# --- What an image on a server names ------------------------------------------------------------

SERVER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(/[^?#]*)?")
"""A URL of one server, as it is shown: no chain, no query."""

UNSAFE = re.compile(r"[\x00-\x1f\x7f\\?#]|%2f|%5c|%00", re.IGNORECASE)
"""What no name that is looked up on a server may have: it would be read differently there."""


class Place(NamedTuple):
    """A file or a directory on a server: scheme, host (or bucket), and an absolute path."""

    scheme: str
    host: str
    path: str

    @property
    def server(self) -> tuple[str, str]:
        """What has to be equal for two places to be on one server."""
        return self.scheme, self.host

    @property
    def folder(self) -> str:
        """The directory of a file."""
        return posixpath.dirname(self.path)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def on_server(name: str) -> Place | None:
    """Where a URL leads; None for paths, chains, and what could be read in two ways."""
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
    """The place on a server that an image's name for another file stands for.

    Args:
        image: The image, as it is shown.
        name: The name that it gives.

    Returns:
        The place; None where the name stands for no place on a server.
    """
    if SERVER.match(name):
        return on_server(name)
    here = on_server(image)
    if here is None or not name or name.startswith("/") or ":" in name.partition("/")[0]:
        return None
    return on_server(f"{here.scheme}://{here.host}{here.folder.rstrip('/')}/{name}")
