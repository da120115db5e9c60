"""Where a passphrase comes from: a file, the environment, standard input.

In: the words of an option such as ``--secret file:PATH``. Out: the passphrase. Refuses: what cannot
be read, as `Unreadable`, and what is no such word, as `ValueError`; no message holds a passphrase.
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

    Every byte of a file or of a variable counts, a line feed at the end too, as in QEMU's
    ``--object secret,file=``: a file for qemu-img is one for here (crypto/secret.c:
    qcrypto_secret_load_data). Standard input ends a passphrase with a line feed, as ``echo`` does;
    a terminal asks for it, and does not show it.

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
    except OSError as error:
        raise Unreadable("standard input cannot be read; no passphrase comes in") from error
    return data.removesuffix(b"\n")
