"""`qcowspec serve`: the disk and its snapshots, to clients of NBD."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import PERMISSIONS, format_option, guest_options
from qcowspec.cli.output import FAILED, fail, write
from qcowspec.cli.reading import key_of, open_files
from qcowspec.sources import Target
from qcowspec.sources.gate import Gate

VARIABLE = "env:"
"""How a --secret begins that is in a variable of the environment."""

PORTS = click.IntRange(1, 65535)


@click.command(
    "serve",
    cls=TakesImages,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec serve disk.qcow2
  qcowspec serve --allow same-dir overlay.qcow2
  qcowspec serve --secret file:key locked.qcow2
  qcowspec serve --port 10809 disk.qcow2
  qcowspec serve disk.qcow2 -- --tls=require --tls-certificates=pki

{PERMISSIONS}
The active state is the default export; each snapshot is one of its own, by its name or ID. nbdinfo
--list shows them. Clients get block status: which ranges are holes, and which are zeros.

The server is nbdkit, with its Python plugin. It listens on a Unix socket in a directory that only
you can enter, or with --port on the loopback interface, for everybody on this machine. The first
line of the output is its URI. Ctrl-C and SIGTERM end it, and remove the socket.

What follows -- goes to nbdkit: its options, such as those of TLS, and its filters.

A file that changes while it is served gives errors to clients, unless -U accepts that.

Exit status: 0 it was ended; 1 the image cannot be read, or nbdkit is missing or fails; 2 bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.argument("words", nargs=-1, metavar="[-- NBDKIT-OPTION…]", type=click.UNPROCESSED)
@click.option("--port", type=PORTS, metavar="N", help="Listen on this TCP port of 127.0.0.1.")
@guest_options
@format_option(raw=True)
def command(
    image: Target,
    words: tuple[str, ...],
    port: int | None,
    allow: Gate,
    secret: str | bytes | None,
    share: bool,
    format_: str | None,
) -> None:
    """Serve the disk and its snapshots to clients of NBD, read-only."""
    from qcowspec.export.server import Failed, Missing, Server
    from qcowspec.export.settings import Settings

    settings = Settings(image, format_, secret=key_of(secret), share=share)
    if isinstance(secret, str) and secret.startswith(VARIABLE):
        os.environ.pop(secret.removeprefix(VARIABLE), None)  # nbdkit's environment has it not
    settings.take_gate(allow)
    settings.sent()  # an image without a name is refused before it is read
    # What is wrong with the image is said here, in the words of every command.
    with settings.opened() as opened:
        open_files(opened.disk(), share=share)
    signal.signal(signal.SIGTERM, _end)
    with suppress(_Ended, KeyboardInterrupt):
        try:
            with Server(settings, port, words) as server:
                write([server.address.uri() + "\n"])
                sys.stdout.flush()
                server.wait()
        except (Missing, Failed) as error:
            fail(error, FAILED)
        except ValueError as error:
            raise click.UsageError(str(error)) from error


class _Ended(BaseException):
    """The server is asked to end."""


def _end(_number: int, _frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: the rest is done in any case
    raise _Ended
