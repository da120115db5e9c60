"""Reading a passphrase from a file, the environment or standard input.

In: the value of an option such as ``--secret file:PATH``. Out: the passphrase. Refuses: what cannot
be read, with `Unreadable`, and other values, with `ValueError`; no message has the passphrase.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from getpass import getpass

from qcow_parsers import constants as c

from qcowspec.errors import Unreadable
from qcowspec.sources.small_file import read_small, read_small_file

KINDS = "file:PATH, env:NAME or - (standard input)"


def read_secret(spec: str) -> bytes:
    """Read a passphrase.

    Every byte of a file or of a variable counts, a line feed at the end too, as with QEMU's
    ``--object secret,file=``: the same file serves both (crypto/secret.c:
    qcrypto_secret_load_data). Of standard input, a line feed at the end is dropped; on a terminal,
    the passphrase is prompted for and not shown.

    Args:
        spec: ``file:PATH``, ``env:NAME``, or ``-`` for standard input.

    Raises:
        ValueError: `spec` is none of these. It is not repeated: it may be the passphrase itself.
        Unreadable: There is no such file or variable, or it is longer than any passphrase.
    """
    kind, _, where = spec.partition(":")
    if spec == "-":
        return _standard_input()
    if kind == "file" and where:
        return read_small_file(where, c.POLICY_MAX_SECRET_SIZE)
    if kind == "env" and where:
        value = os.environb.get(os.fsencode(where))
        if value is None:
            raise Unreadable(f"the environment has no variable {where!r} to take a passphrase from")
        return value
    raise ValueError(f"a secret is given as {KINDS}, never as itself")


def _standard_input() -> bytes:
    stdin = sys.stdin
    if stdin is None or stdin.closed:
        raise Unreadable("standard input is closed; no passphrase comes in")
    if stdin.isatty():
        typed = None
        with suppress(EOFError, UnicodeError):  # of which the latter hold what was typed
            typed = getpass("Passphrase: ").encode("utf-8", "surrogateescape")
        if typed is None:
            raise Unreadable("no passphrase was typed, or none that is text")
        return typed
    try:
        data = read_small(stdin.buffer, "standard input", c.POLICY_MAX_SECRET_SIZE)
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable("standard input cannot be read; no passphrase comes in") from error
    return data.removesuffix(b"\n")
