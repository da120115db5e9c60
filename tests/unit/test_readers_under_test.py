"""What an author of a reader types works, and what goes wrong is said in the author's words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from time import process_time

import pytest

from qcowspec.fuzzing.campaign.findings import NOTHING, key_of
from qcowspec.fuzzing.campaign.oracle import Expected
from qcowspec.fuzzing.campaign.outcomes import WORST, Outcome, Replies, is_refusal, of_process
from qcowspec.fuzzing.campaign.presets import PRESETS
from qcowspec.fuzzing.kit import making
from tests.command import run

ROOT = Path(__file__).parents[2]
PLAIN = ("--only", "reading/plain/*")

ODD = """
import sys
from struct import unpack

class Bad(Exception):
    pass

def read(path):
    head = open(path, "rb").read(24)
    if head[:4] != b"QFI\\xfb":
        raise ValueError("magic")
    if unpack(">I", head[4:8])[0] not in (2, 3):
        raise NotImplementedError("version")
    if not 9 <= unpack(">I", head[20:24])[0] <= 21:
        raise Bad("cluster size\\nis odd")
    print("read")

if __name__ == "__main__":
    read(sys.argv[1])
"""

CRASH = """
import sys

def read(path):
    return list(range(22))[open(path, "rb").read()[23]]

if __name__ == "__main__":
    read(sys.argv[1])
"""


@pytest.fixture(autouse=True)
def with_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """``python`` is this one, as in an active environment; a machine may have none of that name."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The author's folder, which is the current one."""
    for name, text in (("odd.py", ODD), ("crash.py", CRASH)):
        (tmp_path / name).write_text(text)
    script = tmp_path / "reader"
    script.write_text(f"#!{sys.executable}\n{ODD}")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit's plain images."""
    folder = tmp_path_factory.mktemp("kit")
    making.make(folder, wanted=lambda case: case.startswith("reading/plain/"))
    return folder


# --- rejection or crash ---------------------------------------------------------------------------

TRACEBACK = 'Traceback (most recent call last):\n  File "/x/r.py", line 7, in read\n    f()\n'


@pytest.mark.parametrize(
    ("raised", "answer"),
    [
        ("ValueError: no", "rejects"),
        ("NotImplementedError", "rejects"),
        ("EOFError", "rejects"),
        ("FileNotFoundError: [Errno 2] No such file", "rejects"),
        ("Bad: two\nlines: of words", "rejects"),
        ("main.<locals>.Bad: no", "rejects"),
        ("mypackage.errors.Bad: no", "rejects"),
        ("json.decoder.JSONDecodeError: no", "rejects"),
        ("IndexError: list index out of range", "crash"),
        ("struct.error: unpack requires a buffer of 8 bytes", "crash"),
        ("zlib.error: Error -3", "crash"),
        ("UnicodeDecodeError: 'utf-8' codec", "crash"),
        ("AssertionError", "crash"),
        ("RecursionError: maximum recursion depth exceeded", "crash"),
        ("ModuleNotFoundError: No module named 'x'", "crash"),
    ],
)
def test_an_uncaught_error_is_a_rejection_or_a_crash_by_its_class(raised: str, answer: str) -> None:
    outcome = of_process(1, f"a warning\n{TRACEBACK}{raised}\n")

    first = raised.splitlines()[0]
    said = first if answer == "rejects" else f"{first} in r.py:read"
    assert (outcome.answer, outcome.detail) == (answer, said)


def test_of_chained_errors_the_last_counts() -> None:
    chain = f"{TRACEBACK}KeyError: 5\n\nDuring handling of the above exception:\n\n{TRACEBACK}"

    assert of_process(1, f"{chain}ValueError: no\n").answer == "rejects"
    assert of_process(1, f"{chain}KeyError: 6\n").answer == "crash"


def test_a_traceback_that_was_only_logged_leaves_the_status_to_decide() -> None:
    assert of_process(0, f"{TRACEBACK}ValueError: no\n").answer == "accepts"


def test_a_class_that_a_reader_prints_imports_nothing() -> None:
    assert "antigravity" not in sys.modules
    assert not is_refusal("antigravity.Error")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("status", "said", "answer"),
    [
        (101, "thread 'main' panicked at src/main.rs:4:5:\nindex out of bounds\n", "crash"),
        (2, "panic: runtime error: index out of range [9]\n\ngoroutine 1 [running]:\n", "crash"),
        (1, "panic: this is no image\n", "rejects"),
    ],
)
def test_panics_are_crashes(status: int, said: str, answer: str) -> None:
    assert of_process(status, said).answer == answer


@pytest.mark.parametrize("piece", ["A", "panic: ", "thread 'a\n", "\n", 'File "', TRACEBACK])
def test_any_words_of_a_reader_are_understood_quickly(piece: str) -> None:
    start = process_time()
    of_process(1, (piece * (1 << 16))[: 1 << 16])

    assert process_time() - start < 2


def test_crashes_at_one_place_are_one_finding() -> None:
    crash = of_process(1, f"{TRACEBACK}KeyError: 'a'\n")
    other = of_process(1, f"{TRACEBACK}KeyError: 'other words'\n")

    keys = {key_of(Expected("rejects", rule), crash) for rule in ("l1/read", "l2/x")}
    assert len(keys | {key_of(Expected("accepts"), other)}) == 1


@pytest.mark.parametrize("target", ["python odd.py {}", "./reader {}", "python:odd:read"])
def test_a_reader_that_raises_errors_of_its_own_does_not_crash(target: str, folder: Path) -> None:
    done = run("fuzz", "--target", target, "-n", 60, "-o", "campaign", "--skip", "v1*")

    state = json.loads((folder / "campaign" / "state.json").read_text())
    assert done.returncode == 1
    assert set(state["answers"]) == {"accepts", "rejects"}
    assert "crash" not in done.stdout


# --- what is found, and where ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "./reader {}",
        "reader {}",
        "python odd.py {}",
        "python -m odd {}",
        "python:odd:read",
        "python:./odd.py:read",
    ],
)
def test_a_target_in_the_current_folder_is_found(target: str, folder: Path, kit: Path) -> None:
    scored = run("kit", "run", "--target", target, "--skip", "*/v1-*", "--only", "*", kit)
    again = run("fuzz", "--target", target, "--again", kit / "reading/plain/v2-data/image.qcow2")

    assert (scored.returncode, again.returncode) == (0, 0), scored.stdout + again.stdout


def test_a_command_of_kit_run_finds_modules_by_relative_paths(
    folder: Path, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "odd.py").rename(folder / "elsewhere" / "moved.py")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")

    done = run("kit", "run", "--target", "python -m moved {}", "--skip", "*/v1-*", kit)

    assert done.returncode == 0, done.stdout


def test_a_module_of_ours_does_not_hide_the_reader(folder: Path, kit: Path) -> None:
    (folder / "oracle.py").write_text(ODD)
    image = kit / "reading/plain/v2-data/image.qcow2"

    done = run("fuzz", "--target", "python:oracle:read", "--again", image)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("./none {}", "there is no such program"),
        ("none {}", "none: there is no such program"),
        ("odd.py {}", "it is not executable; chmod +x"),
        ("./plain {}", "it is no program, and has no #! line"),
        ("./lost {}", "the interpreter in its #! line is missing"),
        (". {}", "it is a directory"),
        ("cat {} > {out}", "> is for a shell"),
        ("A=1 ./reader {}", "put `env` before it"),
        ("./reader 'x {}", "cannot be split into words"),
        ("python:odd", "write python:module:function"),
        ("python:odd:none", "has no attribute 'none'"),
        ("python:none:read", "No module named 'none'"),
    ],
)
@pytest.mark.parametrize("command", ["fuzz", "kit"])
def test_what_cannot_be_started_is_a_sentence(
    command: str, target: str, said: str, folder: Path, kit: Path
) -> None:
    for name, text in (("plain", "x\n"), ("lost", "#!/none/python\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    line = ("fuzz", "-n", 1, "-o", "c") if command == "fuzz" else ("kit", "run", kit)

    done = run(*line, "--target", target)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_that_is_missing_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = ["--python", str(Path(sys.executable).resolve())] if PRESETS[name].is_python else []
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    for module in ("oslo_utils", "dissect", "pyqcow"):  # found first, and fail as missing ones do
        (tmp_path / f"{module}.py").write_text("raise ModuleNotFoundError('not here')\n")
    monkeypatch.chdir(tmp_path)

    done = run("fuzz", "--preset", name, "-n", 1, "-o", "c", *bare)

    assert done.returncode == 2
    assert done.stderr.endswith(f"; {PRESETS[name].needs}\n")
    assert "install" in PRESETS[name].needs


# --- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [("fuzz", "-n", 1, "-o", "c"), ("kit", "run")])
@pytest.mark.parametrize(
    "reader", [("--target", "true {}"), ("--preset", "7z"), ("--preset", "qemu-img")]
)
def test_bytes_are_not_compared_where_none_are_given(
    line: tuple[str, ...], reader: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = run(*line, *reader, "--reads")

    assert done.returncode == 2
    assert "--reads needs {out} in the command" in done.stderr


@pytest.mark.parametrize("how", ["true {} {out}", "true {}", "python:odd:read"])
def test_a_reader_that_gives_nothing_gives_wrong_bytes(how: str, folder: Path, kit: Path) -> None:
    reads = [] if "{out}" in how else ["--reads", "stdout"]

    fuzzed = run("fuzz", "--target", how, *reads, "-n", 60, "-o", "campaign")
    scored = run("kit", "run", "--target", how, *reads, "--skip", "*/v1-*", "--json", kit)

    state = json.loads((folder / "campaign" / "state.json").read_text())
    wrong = [each for each in state["findings"] if each["kind"] == "wrong-bytes"]
    assert [each["signature"] for each in wrong] == [NOTHING]
    assert fuzzed.returncode == 1
    found = json.loads(scored.stdout)
    assert set(found["kinds"]) == {"wrong-bytes"}
    details = {each["detail"] for each in found["findings"]}
    assert all(detail.startswith(("it gives no bytes", "it gives 0 bytes; ")) for detail in details)


def test_a_reader_that_tests_and_gives_nothing_is_not_blamed() -> None:
    assert [name for name, each in PRESETS.items() if each.reads and not each.compares] == [
        "qemu-io",
        "7z",
    ]


# --- what is printed ------------------------------------------------------------------------------


def test_a_score_lists_the_worst_first_with_its_reasons(folder: Path, kit: Path) -> None:
    (folder / "mixed.py").write_text(
        "import sys\n"
        "path = sys.argv[1]\n"
        "if 'v1-' in path: raise ValueError('too old')\n"
        "if 'v3-dirty' in path: raise KeyError('dirty')\n"
        "open(sys.argv[2], 'wb').write(b'x')\n"
    )

    done = run("kit", "run", "--target", "python mixed.py {} {out}", *PLAIN, kit)

    kinds = [line.split()[0] for line in done.stdout.splitlines() if " reading/plain/" in line]
    assert kinds == sorted(kinds, key=WORST.index)
    assert {*kinds} == {"crash", "wrong-bytes", "rejected"}
    assert (
        "rejected    reading/plain/v1-empty\n"
        "            Nothing was ever written.\n"
        "            the reader: ValueError: too old\n"
    ) in done.stdout
    assert "the reader: KeyError: 'dirty' in mixed.py:<module>\n" in done.stdout
    assert "the reader: it gives 1 byte; the disk has " in done.stdout


def test_a_campaign_lists_the_worst_first_with_its_rules(folder: Path) -> None:
    done = run("fuzz", "--target", "python crash.py {}", "-n", 40, "-o", "campaign")

    kinds = [line.split()[2] for line in done.stdout.splitlines() if line[:8].strip().isdigit()]
    assert kinds == sorted(kinds, key=WORST.index)
    assert kinds[0] == "crash"
    assert "crashes: IndexError: list index out of range in crash.py:read\n" in done.stdout
    assert "[probe/version] The version is 2 or 3.\n" in done.stdout


@pytest.mark.parametrize("line", [("fuzz", "-n", 20, "-o", "c"), ("kit", "run", *PLAIN)])
def test_a_reader_that_always_replies_the_same_is_noticed(
    line: tuple[str, ...], folder: Path
) -> None:
    done = run(*line, "--target", "python none.py {}")

    assert "the reader gave one reply to all " in done.stdout
    assert "none.py': [Errno 2] No such file or directory" in done.stdout


def test_two_replies_are_not_one() -> None:
    replies = Replies()
    replies.add(Outcome("rejects", "no 1"))
    replies.add(Outcome("rejects", "no 2"))
    same = replies.line("2 images")
    replies.add(Outcome("accepts"))

    assert (same, replies.line("3 images")) == (
        "the reader gave one reply to all 2 images: rejects: no 1",
        None,
    )


# --- leaving out, and showing again ---------------------------------------------------------------


def test_skipped_cases_are_not_run(folder: Path, kit: Path) -> None:
    line = ("kit", "run", "--json", "--target", "python odd.py {}", "--skip", "*/v1-*")

    found = json.loads(run(*line, "--skip", "*-dirty", kit).stdout)
    none = run(*line, "--skip", "*", kit)

    assert (found["asked"], found["right"]) == (9, 9)
    assert (none.returncode, none.stderr) == (
        2,
        "qcowspec: --skip leaves no case of the kit; its IDs are in manifest.json\n",
    )


def test_other_mutants_are_drawn_instead_of_those_that_are_skipped(folder: Path) -> None:
    line = ("fuzz", "--target", "python:crash:read", "-n", 60, "-o")

    run(*line, "some", "--skip", "v[23]*", "--skip", "probe/*")
    state = json.loads((folder / "some" / "state.json").read_text())
    other = run(*line, "some")
    none = run(*line, "none", "--skip", "*")

    assert (state["done"], set(state["answers"])) == (60, {"accepts", "crash"})
    assert {each["seed"][:2] for each in state["findings"]} == {"v1"}
    assert [each for each in state["findings"] if (each["rule"] or "").startswith("probe/")] == []
    assert "another campaign's" in other.stderr
    assert (none.returncode, none.stderr) == (2, "qcowspec: --skip leaves no mutant to run\n")


@pytest.mark.parametrize(
    "words", [["--target", "python crash.py {}"], ["--target", "python:crash:read"]]
)
def test_a_finding_is_shown_again_from_any_folder(words: list[str], folder: Path) -> None:
    seed = ROOT / "tests" / "data" / "v2-empty.qcow2"
    (folder / "my image.qcow2").write_bytes(seed.read_bytes())
    out = folder / "my campaign"
    run("fuzz", *words, "-n", 150, "-o", out, "--only", "my image.qcow2", "--timeout", 20)
    [place] = out.glob("crash-indexerror-*")
    (folder / "bin").mkdir()
    program = folder / "bin" / "qcowspec"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m qcowspec "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:/usr/bin:/bin:{Path(sys.executable).parent}"

    for start, name in ((Path("/"), place / "reproduce.sh"), (place, "reproduce.sh")):
        environment = {"PATH": path, "PYTHONPATH": f"{ROOT}:{ROOT}/generated:{ROOT}/formats"}
        (place / "image.qcow2").unlink()
        done = subprocess.run(
            ["sh", name], cwd=start, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, "")
        assert "crash: IndexError: list index out of range" in done.stdout
    assert "--timeout 20" in (place / "reproduce.sh").read_text()


def test_a_preset_is_shown_again_as_the_preset() -> None:
    """`--target` alone would lose where 7z writes the bytes."""
    from qcowspec.cli.readers import MEMORY, TIMEOUT, Reader

    reader = Reader(None, "7z-read", None, None, (), 1, TIMEOUT, MEMORY, sys.executable)

    assert reader.words(reader.known()) == ("--preset", "7z-read", "-p", "qemu")


# --- strategies -----------------------------------------------------------------------------------


def test_strategies_do_not_need_atheris() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    code = (
        "import sys; sys.modules['atheris'] = None\n"
        "from qcowspec.fuzzing import strategies; print(strategies.images())"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert [name.split(">")[0] for name in extras["fuzz"]] == ["hypothesis"]
    assert [name.split(">")[0] for name in extras["atheris"]] == ["atheris"]
