"""A proxy that does wrong what servers and networks do wrong.

In: the URL of a server, and which request meets which fault. Out: the URL of the proxy, and what
was asked of it.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Plan = Callable[[str], str | None]
"""The Range header of a request, to the fault that it meets."""

PASSING = ("reset", "reset halfway", "stall", "short", "503", "garbage", "hang up")
"""Faults that another attempt gets over."""

CHANGED = ("other etag", "other length", "gone short")
"""A file that is no longer what it was."""

HOSTILE = ("shifted", "other range", "endless", "drip", "endless head", "packed", "multipart")
"""What no honest server does."""


class Proxy:
    """A proxy that is running.

    Attributes:
        url: Of the server, through the proxy.
        asked: The Range header of each request.
        plan: Which request meets which fault; may be changed at any time.
    """

    def __init__(self, upstream: str, plan: Plan) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.plan = plan
        self.upstream = urlsplit(upstream)
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def next(self, asked: str) -> str | None:
        """Count a request, and say what happens to it."""
        with self._lock:
            self.asked.append(asked)
            return self.plan(asked)


@contextlib.contextmanager
def proxy(upstream: str, plan: Plan = lambda asked: None) -> Iterator[Proxy]:
    """A proxy in front of a server, to the end of the block."""
    running = Proxy(upstream, plan)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that went away is no news."""

    class Handler(_Handler):
        proxy = running

    server = Server(("127.0.0.1", 0), Handler)
    running.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.ended.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        fault = self.proxy.next(self.headers.get("Range", ""))
        if fault in ("reset", "garbage", "hang up", "503", "endless head", "elsewhere"):
            self._without_answer(fault)
            return
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        if fault == "no ranges":
            headers.pop("Range", None)
        there = self.proxy.upstream
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=20)
        try:
            connection.request(self.command, self.path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            named = {name.lower(): value for name, value in answer.getheaders()}
            self._answer(fault, answer.status, named, body)
        finally:
            connection.close()

    def _without_answer(self, fault: str) -> None:
        self.close_connection = True
        if fault == "reset":
            self._reset()
        elif fault == "garbage":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        elif fault == "503":
            self.close_connection = False
            self.wfile.write(
                b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy"
            )
        elif fault == "elsewhere":
            self.close_connection = False
            self.wfile.write(
                b"HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n"
            )
        elif fault == "endless head":
            self.wfile.write(b"HTTP/1.1 206 Partial Content\r\n")
            while not self.proxy.ended.wait(0.01):
                self.wfile.write(b"X: y\r\n")

    def _answer(self, fault: str | None, status: int, headers: dict[str, str], body: bytes) -> None:
        for name in ("connection", "server", "date", "transfer-encoding"):
            headers.pop(name, None)
        headers["content-length"] = str(len(body))
        if fault in CHANGED:
            self._change(fault, headers)
            body = bytes(len(body))
        if fault == "shifted":
            first, _, rest = headers["content-range"].removeprefix("bytes ").partition("-")
            headers["content-range"] = f"bytes {int(first) + 512}-{rest}"
        elif fault == "other range":
            headers["content-range"] = f"bytes 0-{len(body) - 1}/{1 << 40}"
        elif fault == "packed":
            headers["content-encoding"] = "gzip"
        elif fault == "multipart":
            headers["content-type"] = "multipart/byteranges; boundary=x"
            headers.pop("content-range", None)
        elif fault == "endless":
            headers.pop("content-length")
            headers.pop("content-range", None)
            status = 200
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._body(fault, body)

    def _change(self, fault: str, headers: dict[str, str]) -> None:
        if fault == "other etag":
            headers["etag"] = '"another"'
            return
        span, _, total = headers["content-range"].partition("/")
        longer = 1 << 20 if fault == "other length" else 0
        headers["content-range"] = f"{span}/{int(total) + longer}"
        if fault == "gone short":
            headers["last-modified"] = "Thu, 01 Jan 2026 00:00:00 GMT"
            headers["etag"] = '"shorter"'

    def _body(self, fault: str | None, body: bytes) -> None:
        half = len(body) // 2
        if fault == "reset halfway":
            self.wfile.write(body[:half])
            self.wfile.flush()
            time.sleep(0.05)
            self._reset()
        elif fault == "short":
            self.wfile.write(body[:half])
            self.close_connection = True
        elif fault == "stall":
            self.wfile.write(body[:half])
            self.wfile.flush()
            self.proxy.ended.wait(30)
            self.close_connection = True
        elif fault == "drip":
            for index in range(len(body)):
                if self.proxy.ended.wait(0.05):
                    break
                self.wfile.write(body[index : index + 1])
            self.close_connection = True
        elif fault == "endless":
            while not self.proxy.ended.is_set():
                self.wfile.write(bytes(1 << 20))
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        """Hang up as a machine does that is switched off."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True
