"""The coverage-guided fuzzer of our own parsers; ``python tools/fuzz/run.py --help``.

* ``ordeal``: what is done to an input.
* ``corpus``: the inputs to begin with.
* ``target``: hands inputs to libFuzzer, through atheris; one process.
* ``run``: runs it in slices, within a budget, and counts.
"""

from __future__ import annotations

WILD = 64
"""One in so many changed inputs keeps a count that makes it slow."""

HANG = 30
"""Seconds of the processor that an input may take. A process that is stopped does not hang."""
