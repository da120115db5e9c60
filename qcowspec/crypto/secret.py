"""Where a passphrase comes from: a file, the environment, standard input.

In: the words of an option such as ``--secret file:PATH``. Out: the passphrase. Refuses: what cannot
be read, as `Unreadable`, and what is no such word, as `ValueError`; no message holds a passphrase.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from qcow_parsers import constants as c

from qcowspec.errors import Unreadable

KINDS = "file:PATH, env:NAME or - for standard input"


def read_secret(spec: str) -> bytes:
    """Read a passphrase.

    Every byte counts, a line feed at the end too, as in QEMU's ``--object secret,file=``: a file
    for qemu-img is one for here. (crypto/secret.c: qcrypto_secret_load_data)

    Args:
        spec: ``file:PATH``, ``env:NAME``, or ``-`` for standard input.

    Raises:
        ValueError: `spec` is none of these. It is not repeated: it may be the passphrase itself.
        Unreadable: There is no such file or variable, or it is longer than any passphrase.
    """
    kind, colon, where = spec.partition(":")
    if spec == "-":
        return _bounded(sys.stdin.buffer, "standard input")
    if kind == "file" and colon and where:
        return _from_file(where)
    if kind == "env" and colon and where:
        value = os.environb.get(os.fsencode(where))
        if value is None:
            raise Unreadable(f"The environment has no variable {where!r} with a passphrase.")
        return value
    raise ValueError(f"a secret is given as {KINDS}, never as itself")


def _from_file(path: str) -> bytes:
    # A path is opened here and not through a source: a pipe of the shell serves as well.
    try:
        with Path(path).open("rb") as file:
            return _bounded(file, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise Unreadable(f"The passphrase cannot be read: {reason}.", path=path) from error


def _bounded(stream: BinaryIO, name: str) -> bytes:
    secret = stream.read(c.POLICY_MAX_SECRET_SIZE + 1)
    if len(secret) > c.POLICY_MAX_SECRET_SIZE:
        limit = c.POLICY_MAX_SECRET_SIZE
        raise Unreadable(f"A passphrase has at most {limit} bytes; here are more.", path=name)
    return secret
