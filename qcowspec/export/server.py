"""nbdkit, run as a child process that serves one image.

In: settings of what to serve, and an address. Out: a `Server`, which has a URI and is waited for.
Refuses: with `Missing` where nbdkit, its Python plugin or the right Python is not there.

The image's name, its secrets and the places of its files reach nbdkit by a file in memory, which
only this user can read: a command line is everybody's to read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from types import TracebackType

    from qcowspec.export.settings import Settings

PROGRAM = "nbdkit"
INSTALL = "apt install nbdkit nbdkit-plugin-python"
PLUGIN = Path(__file__).with_name("nbdkit_plugin.py")

LOOPBACK = "127.0.0.1"

THREADS = "4"
"""Threads of each connection, unless a user sets another number. With nbdkit's own 16, threads wait
for each other's turn in Python: a copy of a plain image takes the server 10 % more time."""

PATIENCE = 5.0
"""Seconds in which nbdkit has to end when it is asked to."""

STEP = 0.01
"""Seconds between two looks at whether nbdkit is ready."""

LONGEST = 107
"""Bytes of a Unix socket's path, at most (unix(7): sun_path, without its final zero)."""


class Missing(Exception):
    """Something is not installed, or is not the right one; the message says what to do."""


class Failed(Exception):
    """The server has ended by itself."""


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        socket: The path of a Unix socket; None for TCP.
        port: The port on the loopback interface.
        tls: Whether clients are to use TLS.
    """

    socket: str | None = None
    port: int | None = None
    tls: bool = False

    def uri(self, export: str = "") -> str:
        """The address as NBD clients take it."""
        scheme, name = "nbds" if self.tls else "nbd", quote(export, safe="")
        if self.socket is None:
            return f"{scheme}://{LOOPBACK}:{self.port}/{name}"
        return f"{scheme}+unix:///{name}?socket={quote(self.socket)}"

    def words(self) -> list[str]:
        """The same as nbdkit's options."""
        if self.socket is None:
            return ["--ipaddr", LOOPBACK, "--port", str(self.port)]
        return ["--unix", self.socket]


class Server:
    """nbdkit, running; a context manager that ends it, and takes its socket away.

    Attributes:
        address: Where it listens.
    """

    def __init__(
        self, settings: Settings, port: int | None = None, words: Sequence[str] = ()
    ) -> None:
        """Start it, and wait until it listens.

        Args:
            settings: What is served.
            port: A port on the loopback interface; None for a Unix socket in a private directory.
            words: Options of nbdkit, as a user gives them.

        Raises:
            ValueError: A word is not for nbdkit.
            Missing: nbdkit cannot be run.
            Failed: It does not start; it has said why on stderr.
            QcowError: The image has no name that can be handed over.
        """
        _check_words(words)
        program = _program()
        sent = settings.sent()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.mkdtemp(prefix="qcowspec-")  # mode 0700
        try:
            socket = os.path.join(self._folder, "socket")
            if port is None and len(os.fsencode(socket)) > LONGEST:
                raise Failed(f"the socket's path is too long, {socket}: set TMPDIR to a short one")
            self.address = Address(socket if port is None else None, port, _has_tls(words))
            self._process = self._started(program, sent, words)
            self._wait_until_ready(self._process)
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Wait until the server ends.

        Raises:
            Failed: It ended with an error.
        """
        assert self._process is not None
        if status := self._process.wait():
            raise Failed(f"nbdkit ended with status {status}")

    def close(self) -> None:
        """End the server, and take its socket away."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- starting ---------------------------------------------------------------------------------

    @property
    def _ready(self) -> str:
        """The file that nbdkit writes when it listens."""
        return os.path.join(self._folder, "pid")

    def _started(self, program: str, sent: bytes, words: Sequence[str]) -> subprocess.Popen[bytes]:
        descriptor = os.memfd_create("settings")
        try:
            _write(descriptor, sent)
            line = [
                program, "--exit-with-parent", "--readonly", "--pidfile", self._ready,
                "--threads", THREADS, *self.address.words(),
                "python", str(PLUGIN), f"settings-fd={descriptor}", *words,
            ]  # fmt: skip
            return subprocess.Popen(  # noqa: S603 - nbdkit, and what the user gives for it
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                env=_environment(),
            )
        except OSError as error:
            raise Missing(f"{program} cannot be run: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        while not os.path.exists(self._ready):
            if (status := process.poll()) is not None:
                raise Failed(f"nbdkit did not start; it ended with status {status}")
            sleep(STEP)


def _write(descriptor: int, data: bytes) -> None:
    """Write a file in memory, and go back to its beginning."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)


OWN = {
    "--exit-with-parent", "--ipaddr", "--pidfile", "--port", "--run", "--unix", "--vsock",
    "-P", "-U", "-i", "-o", "-p", "--oldstyle", "-s", "--single",
}  # fmt: skip
"""Options of nbdkit that say how it is run: these are set here, or would change who waits."""


def _check_words(words: Sequence[str]) -> None:
    """Refuse what is no option of nbdkit, or one that is not for a user to set.

    Raises:
        ValueError: There is such a word.
    """
    if words and not words[0].startswith("-") and "=" not in words[0]:
        raise ValueError(f"{words[0]!r} is one name too many: one image is served")
    for word in words:
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        if word.startswith("-") and name in OWN:
            raise ValueError(f"{name} of nbdkit is not for you to set; see --port")


def _has_tls(words: Sequence[str]) -> bool:
    """Whether clients are to use TLS."""
    line = " ".join(words)
    return "--tls" in line and not any(f"--tls{gap}off" in line for gap in "= ")


def _program() -> str:
    """The path of nbdkit, whose Python can run the plugin.

    Raises:
        Missing: It is not installed, has no Python plugin, or one of another version.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise Missing(f"nbdkit, which serves the disk, is not installed: {INSTALL}")
    done = subprocess.run(  # noqa: S603 - nbdkit
        [program, "python", "--dump-plugin"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Missing(f"nbdkit has no Python plugin: {INSTALL}")
    wrong = wrong_python(done.stdout)
    if wrong is not None:
        raise Missing(wrong)
    return program


def wrong_python(plugin: str, ours: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """Why nbdkit cannot use the packages of this Python; None if it can.

    Args:
        plugin: What nbdkit says of its Python plugin.
        ours: Major and minor version of the Python that qcowspec is installed for.
    """
    known = dict(line.partition("=")[::2] for line in plugin.splitlines())
    theirs = ".".join(known.get("python_version", "").split(".")[:2])
    mine = ".".join(map(str, ours))
    if theirs == mine:
        return None
    return (
        f"nbdkit runs Python {theirs or 'of an unknown version'}, and qcowspec is installed for"
        f" Python {mine}: install it for Python {theirs or 3} too, and run that one. (nbdkit's sh"
        " plugin could run any Python, and is too slow for a disk.)"
    )


def _environment() -> dict[str, str]:
    """The environment in which nbdkit's Python finds what this Python has installed."""
    found = {name: value for name, value in os.environ.items() if name not in DROPPED}
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    own |= {os.path.join(path, "lib-dynload") for path in own}
    paths = (os.path.abspath(path) for path in sys.path if not path.endswith(".zip"))
    return found | {
        "PYTHONPATH": os.pathsep.join(path for path in dict.fromkeys(paths) if path not in own),
        "PYTHONUTF8": "1",
    }


DROPPED = ("PYTHONHOME", "PYTHONSTARTUP")
"""Variables that are meant for another Python than nbdkit's."""
