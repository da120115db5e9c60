"""What the command line says fits a terminal of 80 columns, and helps where a word is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qcowspec.cli import COMMANDS
from tests.command import run
from tools.make_test_data import DATA

COLUMNS = 80
SNAPSHOTS = DATA / "v3-snapshots.qcow2"


@pytest.mark.parametrize(
    "words", [[], *([name] for name in COMMANDS), *(["kit", w] for w in ("make", "run"))]
)
def test_help_fits_80_columns(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    shown = run(*words, "--help").stdout

    assert shown
    assert [line for line in shown.splitlines() if len(line) > COLUMNS] == []


NEAR: list[tuple[list[object], str]] = [
    (["rules", "header/cluster-bit"], "Did you mean header/cluster-bits?"),
    (["rules", "cluster-bits"], "Did you mean header/cluster-bits?"),
    (["mutate", "-o", "out", "--rule", "l1/table-ofset", SNAPSHOTS], "mean l1/table-offset?"),
    (["mutate", "-o", "out", "--mutation", "entry-past-ends", SNAPSHOTS], "mean entry-past-end?"),
    (["validate", "-p", "untrustd", SNAPSHOTS], "Did you mean untrusted?"),
    (["vlidate", SNAPSHOTS], "Did you mean validate?"),
    (["dump", "--path", "header.cluster_bit", SNAPSHOTS], "Did you mean cluster_bits?"),
    (["dump", "--path", "snapshotz", SNAPSHOTS], "Did you mean snapshots[0]?"),
    (["explain", SNAPSHOTS, "header.cluster_bit"], "Did you mean cluster_bits?"),
    (["map", "--bitmap", "dayly", DATA / "v3-bitmaps.qcow2"], "Did you mean daily?"),
    (["convert", "--vm-state", "suspnded", DATA / "v3-vmstate.qcow2", "-"], "mean suspended?"),
]


@pytest.mark.parametrize(
    ("words", "says"), NEAR, ids=[str(words[0]) + says for words, says in NEAR]
)
def test_what_is_near_is_offered(words: list[object], says: str) -> None:
    done = run(*words)

    assert done.returncode in (1, 2)
    assert says in done.stderr


@pytest.mark.parametrize("command", [["dump", "--path"], ["explain", SNAPSHOTS]])
@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "snapshots[9]",
            "the image has no 'snapshots[9]'; it has 4 such, snapshots[0] to snapshots[3]",
        ),
        ("snapshots[9].name", "it has 4 such, snapshots[0] to snapshots[3]"),
        ("header_extensions[7]", "it has header_extensions[0] only"),
        ("l1_table[9]", "5 entries"),
        ("qqq", "it has header, header_extensions[…],"),
    ],
)
def test_a_wrong_index_names_the_right_ones(command: list[object], path: str, says: str) -> None:
    words = [*command, path] + ([SNAPSHOTS] if command[0] == "dump" else [])
    done = run(*words)

    assert done.returncode == 2
    assert says in done.stderr


def test_what_is_near_no_word_is_not_offered() -> None:
    assert "Did you mean" not in run("rules", "zzzz").stderr
    assert "Did you mean" not in run("map", "--bitmap", "zzzz", DATA / "v3-bitmaps.qcow2").stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("header.magic", "0x514649fb"),
        ("header.l1_table_offset", "0x9000"),
        ("header.incompatible_features", "0x0"),
        ("header.nb_snapshots", "4"),
        ("header.size", "9437696"),
        ("header.cluster_bits", "12"),
    ],
)
def test_offsets_magics_and_features_are_hexadecimal_and_counts_decimal(
    path: str, value: str
) -> None:
    lines = run("dump", SNAPSHOTS).stdout.splitlines()
    row = next(line.split() for line in lines if path.partition(".")[2] in line.split())

    assert run("dump", "--path", path, SNAPSHOTS).stdout == f"{value}\n"
    assert row[3] == value


INTERRUPTED = """\
import os, runpy, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["qcowspec", "map", {path!r}]
runpy.run_module("qcowspec", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "name", ["qcowspec.cli", "click", "click.core", "qcowspec.cli.map", "qcowspec.mapping", "numpy"]
)
def test_an_interrupt_during_imports_is_quiet(name: str) -> None:
    code = INTERRUPTED.format(name=name, path=str(SNAPSHOTS))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)

    assert (done.stdout, done.stderr.strip()) == (b"", b"")
    assert done.returncode in (-2, 130)


def test_where_interrupts_are_ignored_they_stay_so() -> None:
    code = INTERRUPTED.format(name="click", path=str(SNAPSHOTS))
    command = [sys.executable, "-c", "import signal, os, sys; signal.signal(2, signal.SIG_IGN);"
               "os.execv(sys.executable, sys.argv[1:])", sys.executable, "-c", code]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_console_script_begins_where_interrupts_are_quiet() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    assert project["scripts"] == {"qcowspec": "qcowspec.__main__:main"}


def fed(path: Path, data: bytes) -> None:
    """Write to a pipe from another process, as a shell would."""
    if os.fork() == 0:
        try:
            with path.open("wb") as pipe:
                pipe.write(data)
        finally:
            os._exit(0)


@pytest.mark.parametrize(
    "words", [["map"], ["info"], ["validate"], ["check"], ["dump", "--path", "header"]]
)
def test_a_pipe_is_read_as_standard_input_is(words: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fed(pipe, SNAPSHOTS.read_bytes())
    expected = run(*words, SNAPSHOTS).stdout.replace(str(SNAPSHOTS), str(pipe))
    done = run(*words, pipe)

    assert (done.returncode, done.stderr) == (0, "")
    # How much room a copy takes is not said of it.
    assert [x for x in done.stdout.splitlines() if "disk size" not in x] == [
        x for x in expected.splitlines() if "disk size" not in x
    ]


def test_a_process_substitution_is_read() -> None:
    command = f"{sys.executable} -m qcowspec map <(sleep 1.5; cat {SNAPSHOTS}) | tail -n +2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60)

    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == len(run("map", SNAPSHOTS).stdout.splitlines()) - 1


def test_a_pipe_that_no_program_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("info", tmp_path / "pipe")

    assert done.returncode == 1
    assert done.stderr.endswith("is a pipe that no program writes to\n")


def test_a_pipe_in_a_folder_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("validate", "-r", tmp_path)

    assert done.returncode == 2
    assert "is neither a file nor a block device" in done.stderr
