"""Real servers on loopback, for the tests and for benchmarks: nginx, Python's own, and S3 by moto.

In: a folder. Out: a URL under which its files are served, and what was asked for. Each server takes
a free port, and ends with the block that started it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 30
"""Seconds for a server to start."""

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
  log_format asked '$status $body_bytes_sent "$http_range" $request_uri';
  access_log {folder}/access.log asked;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  sendfile on;
  keepalive_requests 100000;
  server {{
    listen 127.0.0.1:{port}{secure};
    {more}
    root {root};
    location /locked/ {{ alias {root}/; auth_basic "images"; auth_basic_user_file {folder}/users; }}
    location /forbidden/ {{ return 403; }}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
    location /round/ {{ return 302 /round/; }}
    location /file/ {{ return 302 file:///etc/hostname; }}
    location /nowhere/ {{ return 302 ""; }}
  }}
}}
"""

USER, PASSWORD = "reader", "p@ss:word"


@dataclass(frozen=True)
class Asked:
    """One request that a server has answered."""

    status: int
    sent: int
    range: str
    path: str


@dataclass(frozen=True)
class Nginx:
    """An nginx that is running.

    Attributes:
        url: Where its files are, without a slash at the end.
        log: Its access log.
    """

    url: str
    log: Path

    def asked(self) -> list[Asked]:
        """The requests so far; those that go on are not among them."""
        line = re.compile(r'(\d+) (\d+) "([^"]*)" (\S+)')
        found = []
        for text in self.log.read_text().splitlines():
            match = line.fullmatch(text)
            assert match is not None, text
            found.append(Asked(int(match[1]), int(match[2]), match[3], match[4]))
        return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def process(command: list[str], url: str, log: Path) -> Iterator[None]:
    """A server, from when it answers to the end of the block."""
    with log.open("wb") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        end = time.monotonic() + PATIENCE
        while not _answers(url):
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < end, f"{command[0]} does not answer"
            time.sleep(0.02)
        yield
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _answers(url: str) -> bool:
    port = int(url.rpartition(":")[2].partition("/")[0])
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def nginx(root: Path, folder: Path, certificate: Path | None = None) -> Iterator[Nginx]:
    """A server that knows ranges, users, and redirects.

    Args:
        root: What it serves.
        folder: Where it keeps its own files.
        certificate: Certificate and key, in one file, to speak TLS with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    more = ""
    if certificate is not None:
        more = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()  # noqa: S324 - as nginx has it
    (folder / "users").write_text(f"{USER}:{{SHA}}{digest}\n")
    text = CONFIGURATION.format(
        folder=folder, port=port, root=root, more=more, secure=" ssl" if certificate else ""
    )
    (folder / "nginx.conf").write_text(text)
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder)]
    command += ["-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    scheme = "https" if certificate else "http"
    url = f"{scheme}://localhost:{port}" if certificate else f"{scheme}://127.0.0.1:{port}"
    with process(command, url, folder / "output"):
        yield Nginx(url, folder / "access.log")


@contextlib.contextmanager
def plain(root: Path, folder: Path) -> Iterator[str]:
    """Python's own server, which knows no ranges."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    url = f"http://127.0.0.1:{port}"
    with process([*command, "--directory", str(root)], url, folder / "output"):
        yield url


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    """An S3 endpoint, with nothing in it."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", "from moto.server import main; main()"]
    with process([*command, "-H", "127.0.0.1", "-p", str(port)], url, folder / "output"):
        yield url
