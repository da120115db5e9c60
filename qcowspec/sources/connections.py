"""Connections to HTTP servers, kept open, and bounded in time.

In: a URL, and a deadline. Out: a response whose head has come. Refuses: certificates that do not
hold, and servers that do not answer in time.

This is the standard library's client, because of what it does not do: it writes no log (a query may
hold a signature), follows nothing by itself, and its body can be read straight into a buffer.
"""

from __future__ import annotations

import base64
import io
import os
import socket
import ssl
import struct
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from qcowspec.sources.locations import origin_of, unquoted
from qcowspec.sources.retries import Patience, Transient

HEAD = 16 << 10
"""Bytes that are read at a time of all but bodies."""

SYSTEM_PROXIES = ("darwin", "win32")
"""Systems that have proxy settings outside of the environment."""

MOMENT = 0.001
"""Seconds of the shortest wait: zero would mean no limit."""

MICROSECONDS = 1_000_000

TIMEVAL = struct.Struct("@ll")
"""struct timeval: tv_sec, tv_usec."""

Origin = tuple[str, str, int]


class Untrusted(Exception):
    """The server's certificate is not valid, or cannot be checked; the message says why."""


class Unsendable(Exception):
    """No such request can be made."""


class _Clocked(io.RawIOBase):
    """A socket's bytes, until a deadline: a byte a second must not keep a reader for ever.

    Of a plain socket a large piece is one call, not one for each segment that arrives: Python's
    threads queue for its lock less often.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float, silence: float):
        super().__init__()
        self._raw, self._socket = raw, sock
        self._deadline, self._silence = deadline, silence

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if left < self._silence:  # which the socket is bounded by since the request
            _bound(self._socket, left)
        if isinstance(self._socket, ssl.SSLSocket):
            count: int | None = self._raw.readinto(buffer)
            return count
        # A large read is asked for only where a body has as much left.
        whole = socket.MSG_WAITALL if len(buffer) > HEAD else 0
        return self._socket.recv_into(buffer, 0, whole)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _bound(sock: socket.socket, seconds: float) -> None:
    """Bound each wait for a socket in time.

    A plain one blocks, and the kernel bounds it: Python's own way takes three system calls for one,
    and lets its lock go for each.
    """
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)
        return
    if sock.gettimeout() is not None:
        sock.settimeout(None)
    seconds = max(seconds, MOMENT)
    interval = TIMEVAL.pack(int(seconds), int(seconds % 1 * MICROSECONDS))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, interval)


class _Proxied(HTTPConnection):
    """A connection to a proxy, which is asked for whole URLs."""

    def __init__(self, host: str, port: int, headers: dict[str, str], timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.proxy_headers = headers


class Connections:
    """Open connections to the servers an image comes from; may be used by several threads.

    Attributes:
        context: How certificates are checked; made for the first https connection.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._idle: dict[Origin, list[HTTPConnection]] = {}
        self._lock = Lock()
        self._process = os.getpid()
        self.context: ssl.SSLContext | None = None

    def ask(
        self, url: str, headers: Mapping[str, str], deadline: float
    ) -> tuple[HTTPResponse, HTTPConnection]:
        """Send a GET request.

        Returns:
            The response, its body not read; and its connection, for `keep` or `drop`.

        Raises:
            Transient: The server could not be reached, or hung up.
            Untrusted: Its certificate does not hold.
            Unsendable: The URL cannot be sent.
        """
        while True:
            connection, used = self._connection(url)
            try:
                return self._asked(connection, url, headers, deadline), connection
            except (OSError, HTTPException, ValueError) as error:
                connection.close()
                failure = _failure(error)
            # A server may hang up on a connection that it had kept: no fault, and not counted.
            if not (used and isinstance(failure, Transient) and time.monotonic() < deadline):
                raise failure

    def keep(self, url: str, connection: HTTPConnection) -> None:
        """Give a connection back, whose response has been read to its end."""
        with self._lock:
            if connection.sock is not None:
                self._idle.setdefault(origin_of(url), []).append(connection)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            for kept in self._idle.values():
                for connection in kept:
                    connection.close()
            self._idle.clear()

    def _asked(
        self, connection: HTTPConnection, url: str, headers: Mapping[str, str], deadline: float
    ) -> HTTPResponse:
        parts, more = urlsplit(url), {}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        if isinstance(connection, _Proxied):
            target, more = url, connection.proxy_headers
        if connection.sock is None:
            connection.connect()
        assert connection.sock is not None
        _bound(connection.sock, self._patience.silence)
        connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in (*headers.items(), *more.items()):
            connection.putheader(name, value)
        connection.response_class = _response(connection.sock, deadline, self._patience.silence)
        connection.endheaders()
        return connection.getresponse()

    def _connection(self, url: str) -> tuple[HTTPConnection, bool]:
        """A connection, and whether it has been used before."""
        origin = origin_of(url)
        with self._lock:
            if self._process != os.getpid():  # after a fork, they are the parent's
                self._idle.clear()
                self._process = os.getpid()
            kept = self._idle.get(origin)
            if kept:
                return kept.pop(), True
        return self._made(*origin), False

    def _made(self, scheme: str, host: str, port: int) -> HTTPConnection:
        proxy = _proxy(scheme, host)
        if scheme == "http":
            if proxy is not None:
                return _Proxied(*proxy, self._patience.connect)
            return HTTPConnection(host, port, timeout=self._patience.connect)
        if self.context is None:
            self.context = ssl.create_default_context()
        there = (host, port) if proxy is None else proxy[:2]
        made = HTTPSConnection(*there, timeout=self._patience.connect, context=self.context)
        if proxy is not None:
            made.set_tunnel(host, port, headers=proxy[2])
        return made


def _response(sock: socket.socket, deadline: float, silence: float) -> Any:
    """A class of responses that are read until a deadline."""

    def made(*words: Any, **named: Any) -> HTTPResponse:
        response = HTTPResponse(*words, **named)
        raw: Any = response.fp.detach()
        response.fp = io.BufferedReader(_Clocked(raw, sock, deadline, silence), HEAD)
        return response

    return made


def _proxy(scheme: str, host: str) -> tuple[str, int, dict[str, str]] | None:
    """The proxy that the environment names for a server: host, port, headers."""
    if sys.platform not in SYSTEM_PROXIES and not any(
        name.lower().endswith("_proxy") for name in os.environ
    ):
        return None
    from urllib.request import getproxies, proxy_bypass  # 5 ms, for few

    url = getproxies().get(scheme)
    if not url or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError:
        return None
    if parts.hostname is None:
        return None
    headers = {}
    if parts.username is not None:
        own = unquoted(parts.username), unquoted(parts.password or "")
        headers["Proxy-Authorization"] = basic(*own)
    return parts.hostname, port, headers


def basic(user: bytes, password: bytes) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(user + b":" + password).decode("ascii")


def _failure(error: Exception) -> Transient | Untrusted | Unsendable:
    """The error to raise for a failure; its own text may name secrets, and is not repeated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(f"its certificate does not hold: {error.verify_message}")
    return transient(error)


def transient(error: Exception) -> Transient | Untrusted | Unsendable:
    """The error to raise for a failure of the connection."""
    if isinstance(error, (TimeoutError, BlockingIOError)):
        return Transient("the server does not answer")
    if isinstance(error, ssl.SSLError):
        return Untrusted("no secure connection comes about" + _because(error.reason))
    if isinstance(error, socket.gaierror):
        return Transient("its host has no address" + _because(error.strerror))
    if isinstance(error, ConnectionRefusedError):
        return Transient("the server takes no connection")
    if isinstance(error, (ConnectionError, OSError)):
        return Transient("the connection breaks")
    if isinstance(error, HTTPException) and not isinstance(error, InvalidURL):
        return Transient("what the server says is no HTTP")
    return Unsendable("cannot be asked for: its URL has characters that no URL has")


def _because(reason: str | None) -> str:
    return "" if not reason else f": {reason[:1].lower()}{reason[1:]}"
