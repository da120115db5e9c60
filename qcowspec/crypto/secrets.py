"""Where a passphrase comes from.

In: ``file:PATH``, ``env:NAME`` or ``-``. Out: its bytes. Refuses: what cannot be had; no error
shows a passphrase.
"""

from __future__ import annotations

import os
import sys

from qcowspec.errors import Unreadable
from qcowspec.sources import open_source

LONGEST = 1 << 16
"""Bytes of a passphrase at most."""


def read_secret(where: str) -> bytes:
    """Read a passphrase.

    Args:
        where: ``file:PATH``; ``env:NAME``, an environment variable; ``-``, standard input. One
            newline at the end is taken off, as an editor leaves it; QEMU's own secret files have
            none.

    Raises:
        Unreadable: It cannot be had.
        ValueError: It is said in no such way.
    """
    kind, _, name = where.partition(":")
    if where == "-":
        secret = sys.stdin.buffer.read(LONGEST)
    elif kind == "env" and name:
        if name not in os.environ:
            raise Unreadable(f"the environment has no {name}")
        secret = os.environb[os.fsencode(name)]
    elif kind == "file" and name:
        source = open_source(name)
        try:
            secret = source.read_at(0, LONGEST)
        finally:
            source.close()
    else:
        raise ValueError("a secret is given as file:PATH, env:NAME or -")
    return secret.removesuffix(b"\n")
