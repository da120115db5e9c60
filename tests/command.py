"""The command line in this process: what it prints and how it exits, without a new Python.

Where the process itself is what a test looks at (signals, pipes, standard input, closed or limited
streams, what is imported), a test starts one.
"""

from __future__ import annotations

import sys
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner

from qcowspec import cli


def run(*words: object) -> CompletedProcess[str]:
    """Run qcowspec with these words; what would be a traceback is raised."""
    done = run_bytes(*words)
    return CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_bytes(*words: object) -> CompletedProcess[bytes]:
    """Run qcowspec with these words; its output as it is."""
    line = ["qcowspec", *map(str, words)]
    with (
        pytest.MonkeyPatch.context() as patch,
        CliRunner().isolation() as (out, error, *_),
    ):
        patch.setattr(sys, "argv", line)
        patch.setattr(cli.qcowspec, "failed", cli.USAGE, raising=False)
        status = cli._run()
        sys.stdout.flush()
        sys.stderr.flush()
        return CompletedProcess(line, status, out.getvalue(), error.getvalue())
