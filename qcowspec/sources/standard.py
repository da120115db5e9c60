"""Standard streams that the parent process has closed.

In: the process's own streams. Out: the same, none of them missing. Refuses: nothing.
"""

from __future__ import annotations

import os
import sys


def replace_closed() -> None:
    """Replace closed streams by the null device, until the process ends.

    Python sets them to None, which makes `print` fail. What is written to stdout is refused by
    the system, as it should be; what goes to stderr is lost.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
