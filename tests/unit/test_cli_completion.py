"""What a shell offers behind `qcowspec`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from qcow_parsers.catalogue import RULES

from qcowspec.cli import COMMANDS, qcowspec

PROGRAM = Path(sys.executable).with_name("qcowspec")


def offered(line: str) -> list[tuple[str, str]]:
    """Type and value of each thing that is offered for the last word of a line."""
    *words, last = line.split(" ")
    completer = ShellComplete(qcowspec, {}, "qcowspec", "_QCOWSPEC_COMPLETE")
    return [(each.type, each.value) for each in completer.get_completions(words, last)]


@pytest.mark.parametrize(
    "line",
    [
        *("dump di", "validate di", "validate a.qcow2 di", "info di", "map di", "check di"),
        *("convert di", "convert a.qcow2 di", "compare di", "compare a.qcow2 di"),
        *("mutate di", "fuzz di", "fuzz --again di", "dump --source-spec di"),
        *("build di", "build a.yaml --data-from di", "build a.yaml -o di"),
        *("report di", "report a.qcow2 -o di", "serve di"),
    ],
)
def test_files_are_offered_where_one_may_stand(line: str) -> None:
    assert offered(line) == [("file", "di")]


@pytest.mark.parametrize("line", ["kit make di", "kit run di", "fuzz -o di", "mutate -o di"])
def test_folders_are_offered_where_one_may_stand(line: str) -> None:
    assert offered(line) == [("dir", "di")]


@pytest.mark.parametrize("line", ["rules l1/", "rules header/magic l1/", "mutate --rule l1/"])
def test_rules_are_offered(line: str) -> None:
    ids = [rule.id for rule in RULES if rule.id.startswith("l1/")]

    assert offered(line) == [("plain", rule) for rule in ids]


@pytest.mark.parametrize("command", ["validate", "fuzz", "kit run"])
def test_profiles_are_offered(command: str) -> None:
    assert offered(f"{command} -p u") == [("plain", "untrusted")]


def test_commands_are_offered() -> None:
    assert offered("") == [("plain", name) for name in COMMANDS]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
@pytest.mark.skipif(not PROGRAM.exists(), reason="qcowspec is not installed as a program")
def test_bash_takes_the_script_and_completes() -> None:
    script = (
        'eval "$(_QCOWSPEC_COMPLETE=bash_source qcowspec)"; complete -p qcowspec;'
        "COMP_WORDS=(qcowspec va); COMP_CWORD=1; _qcowspec_completion qcowspec;"
        'echo "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join((str(PROGRAM.parent), os.environ["PATH"]))

    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines() == [
        "complete -o nosort -F _qcowspec_completion qcowspec",
        "validate",
    ]
