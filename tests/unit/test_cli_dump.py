"""``qcowspec dump`` as a program: what it prints where, and the status that it exits with."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import run, run_bytes
from tools.make_test_data import DATA

Plain = dict[str, Any]

SHOWCASE = DATA / "showcase.qcow2"
TIMEOUT = 30
"""Seconds; nothing here takes more than one."""

SOUND, BROKEN, UNREADABLE = 0, 1, 2
"""Exit statuses."""

PIPE_CLOSED = {-signal.SIGPIPE, 128 + signal.SIGPIPE}
"""Ended by the signal, or as a shell says it."""

COMMAND = [sys.executable, "-m", "qcowspec", "dump"]


def dump(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command; in a process of its own if it is given streams or an environment."""
    return process(*words, **options) if options else run_bytes("dump", *words)


def process(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, with nothing on standard input."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    pipes |= {"stderr": subprocess.PIPE} | options
    return subprocess.run([*COMMAND, *map(str, words)], timeout=TIMEOUT, check=False, **pipes)


def printed(*words: str | Path, **options: Any) -> str:
    """What the command prints of an image that it can read; other tests look at the status."""
    done = dump(*words, **options)
    assert (done.returncode in (SOUND, BROKEN), done.stderr) == (True, b"")
    return done.stdout.decode()


def environment(**changes: str) -> dict[str, str]:
    """The environment, without what decides on colours."""
    return {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")} | changes


def broken(folder: Path) -> Path:
    """An image whose clusters have 2^22 bytes."""
    content = bytearray(SHOWCASE.read_bytes())
    content[20:24] = (22).to_bytes(4, "big")
    path = folder / "broken.qcow2"
    path.write_bytes(content)
    return path


# --- Exit statuses --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["showcase.qcow2", "v1-plain.qcow", "v3-luks.qcow2"])
def test_0_where_no_rule_is_broken(name: str) -> None:
    assert dump(DATA / name).returncode == SOUND


@pytest.mark.parametrize("notation", [[], ["--json"], ["--yaml"]], ids=["text", "json", "yaml"])
def test_1_where_a_rule_is_broken(notation: list[str], tmp_path: Path) -> None:
    done = dump(*notation, broken(tmp_path))

    assert (done.returncode, done.stderr) == (BROKEN, b"")


def test_a_broken_image_is_shown_with_the_rule(tmp_path: Path) -> None:
    lines = dump(broken(tmp_path)).stdout.decode().splitlines()

    assert lines[-2].endswith("[header/cluster-bits]")


def raw_file(folder: Path) -> Path:
    return DATA / "v3-chain-0.raw"


def empty_file(folder: Path) -> Path:
    path = folder / "empty.qcow2"
    path.touch()
    return path


def short_file(folder: Path) -> Path:
    path = folder / "short.qcow2"
    path.write_bytes(SHOWCASE.read_bytes()[:7])
    return path


def version_0(folder: Path) -> Path:
    path = folder / "version-0.qcow2"
    path.write_bytes(SHOWCASE.read_bytes()[:4] + bytes(4092))
    return path


def missing_file(folder: Path) -> Path:
    return folder / "missing.qcow2"


def a_folder(folder: Path) -> Path:
    return folder


def a_pipe(folder: Path) -> Path:
    path = folder / "pipe"
    os.mkfifo(path)
    return path


def below_a_file(folder: Path) -> Path:
    return SHOWCASE / "image.qcow2"


def too_long_a_name(folder: Path) -> Path:
    return folder / ("a" * 300)


NO_IMAGES = [
    raw_file,
    empty_file,
    short_file,
    version_0,
    missing_file,
    a_folder,
    a_pipe,
    below_a_file,
    too_long_a_name,
]


@pytest.mark.parametrize("make", NO_IMAGES)
def test_2_and_one_sentence_for(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    done = dump(path)

    assert (done.returncode, done.stdout) == (UNREADABLE, b"")
    assert done.stderr.decode().startswith(f"qcowspec: {path}: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_2_and_one_sentence_for_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.qcow2"
    path.write_bytes(SHOWCASE.read_bytes())
    path.chmod(0)
    done = dump(path)

    expected = f"qcowspec: {path}: cannot be opened: permission denied\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (UNREADABLE, b"", expected)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--no-such-option", SHOWCASE],
        [SHOWCASE, SHOWCASE],
        ["-f", "vdi", SHOWCASE],
        ["--json", "--yaml", SHOWCASE],
        ["--color", "perhaps", SHOWCASE],
        ["--path"],
    ],
    ids=lambda words: " ".join(Path(word).name for word in words) or "nothing",
)
def test_2_and_an_explanation_for_bad_usage(words: list[str | Path]) -> None:
    done = run("dump", *words)

    assert (done.returncode, done.stdout) == (UNREADABLE, "")
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_bad_usage_is_an_error_of_a_program_too() -> None:
    done = process("--no-such-option", SHOWCASE)

    assert (done.returncode, done.stdout) == (UNREADABLE, b"")
    assert b"--no-such-option" in done.stderr


def test_help_is_no_error() -> None:
    assert "--tables" in printed("--help")


def test_a_full_disk_is_an_error_of_one_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        done = dump("--tables", SHOWCASE, stdout=full)

    assert done.returncode == UNREADABLE
    assert done.stderr.startswith(b"qcowspec: ")
    assert done.stderr.count(b"\n") == 1


# --- Whoever reads the output has seen enough -----------------------------------------------------


@pytest.mark.parametrize("image", ["v1-empty.qcow", "v3-refcount-64.qcow2"])
@pytest.mark.parametrize("words", [["--tables"], ["--json"]], ids=["text", "json"])
def test_a_pipe_that_nobody_reads_is_no_reason_to_complain(image: str, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = dump(*words, DATA / image, stdout=writer)
    finally:
        os.close(writer)

    assert (done.returncode in PIPE_CLOSED, done.stderr) == (True, b"")


def test_head_takes_the_first_line_and_nobody_complains() -> None:
    image = DATA / "v3-refcount-64.qcow2"
    with subprocess.Popen(
        [*COMMAND, "--tables", str(image)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        first = program.stdout.readline()
        program.stdout.close()
        complaint = program.stderr.read()

    assert (first.decode().startswith(f"{image}: QCOW v3"), complaint) == (True, b"")


# --- Where the image comes from -------------------------------------------------------------------


def without_name(output: str) -> Plain:
    """The JSON of a dump, and what it calls the file left out."""
    found: Plain = json.loads(output)
    assert found["file"].pop("name")
    return found


def test_a_redirected_file_is_read_like_a_named_one() -> None:
    with SHOWCASE.open("rb") as file:
        redirected = printed("--json", "--tables", "-", stdin=file)

    assert without_name(redirected) == without_name(printed("--json", "--tables", SHOWCASE))


def test_a_pipe_is_read_like_a_named_file() -> None:
    done = dump("--json", "--tables", "-", stdin=None, input=SHOWCASE.read_bytes())

    assert without_name(done.stdout.decode()) == without_name(
        printed("--json", "--tables", SHOWCASE)
    )


def test_standard_input_is_called_a_dash() -> None:
    with SHOWCASE.open("rb") as file:
        assert json.loads(printed("--json", "-", stdin=file))["file"]["name"] == "-"


@pytest.mark.parametrize("content", [b"", b"QFI", b"no image at all"])
def test_2_and_one_sentence_for_a_pipe_without_an_image(content: bytes) -> None:
    done = dump("-", stdin=None, input=content)

    assert (done.returncode, done.stdout) == (UNREADABLE, b"")
    assert done.stderr.startswith(b"qcowspec: -: ")


def test_2_and_one_sentence_for_a_terminal() -> None:
    master, slave = pty.openpty()
    try:
        done = dump("-", stdin=slave)
    finally:
        os.close(master)
        os.close(slave)

    assert (done.returncode, done.stdout) == (UNREADABLE, b"")
    assert done.stderr.startswith(b"qcowspec: -: ")


def test_the_format_can_be_named() -> None:
    assert printed("-f", "qcow2", SHOWCASE) == printed(SHOWCASE)


def test_a_raw_file_called_qcow2_breaks_the_first_rule_of_all() -> None:
    done = dump("-f", "qcow2", "--json", DATA / "v3-chain-0.raw")

    rules = [finding["rule"] for finding in json.loads(done.stdout)["findings"]]
    assert (done.returncode, rules[:1]) == (BROKEN, ["probe/magic"])


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    # Its backing file is not there, nor is anything else.
    alone = tmp_path / SHOWCASE.name
    alone.write_bytes(SHOWCASE.read_bytes())

    assert printed("--json", alone) == printed("--json", SHOWCASE).replace(
        str(SHOWCASE), str(alone)
    )


# --- One value ------------------------------------------------------------------------------------

PATHS = {
    "header.cluster_bits": "16",
    "header.l1_table_offset": "0x30000",
    "header.additional_fields.compression_type": "0",
    "header_extensions[0].data.format": "qcow2",
    "backing_file_name": "showcase-base.qcow2",
    "snapshots[0].name": "before the update",
    "snapshots[1].name": "größere Platte",
    "snapshots[1].extra_data.disk_size": "6292480",
    "bitmaps[0].granularity_bits": "16",
    "l1_table[0]": "0x80000000000b0000",
    "l2_tables[0][1]": "0x4700000000050000",
    "l2_tables[0][8000]": "0x0",
    "refcount_table[0]": "0x20000",
    "refcount_blocks[0][5]": "0x3",
    "snapshots[0].l1_table[0]": "0x8000000000040000",
    "snapshots[0].l2_tables[0][2]": "0x1",
    "bitmaps[0].bitmap_table[0]": "0xd0000",
}


def at_path(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask for one path."""
    return run("dump", "--path", path, *words, SHOWCASE)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_to_one_value(path: str) -> None:
    done = at_path(path)

    assert (done.returncode, done.stdout, done.stderr) == (SOUND, f"{PATHS[path]}\n", "")


@pytest.mark.parametrize("path", ["header", "snapshots[0]", "snapshots[0].extra_data"])
def test_a_path_leads_to_one_structure(path: str) -> None:
    assert at_path(path).stdout.startswith(f"{path.rpartition('.')[2]}  qcow2::")


@pytest.mark.parametrize("path", ["l1_table", "snapshots[0].l1_table", "bitmaps[0].bitmap_table"])
def test_a_path_leads_to_one_table(path: str) -> None:
    assert at_path(path).stdout.startswith(f"{path}  qcow2::")


def test_a_value_as_json() -> None:
    assert json.loads(at_path("header.cluster_bits", "--json").stdout)["value"] == 16


def test_a_value_as_yaml() -> None:
    assert yaml.safe_load(at_path("header.cluster_bits", "--yaml").stdout)["value"] == 16


def test_a_path_leads_there_in_a_program_too() -> None:
    assert process("--path", "header.cluster_bits", SHOWCASE).stdout == b"16\n"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nonsense", "has no 'nonsense'; it has"),
        ("header.nonsense", "has no 'nonsense'; it has"),
        ("header.", "has no ''; it has"),
        ("header.cluster_bits.more", "has no 'cluster_bits.more'. Did you mean cluster_bits?"),
        ("snapshots[7]", "has no 'snapshots[7]'; it has"),
        ("snapshots[0].nonsense", "has no 'nonsense'; it has"),
        ("l1_table[1]", "l1_table has no entry 1; it has 1 entry"),
        ("l1_table[-1]", "has no 'l1_table[-1]'. Did you mean l1_table?"),
        ("l1_table[]", "has no 'l1_table[]'. Did you mean l1_table?"),
        ("", "has no ''; it has"),
    ],
)
def test_2_and_a_sentence_for_a_path_that_leads_nowhere(path: str, says: str) -> None:
    done = at_path(path)

    assert (done.returncode, done.stdout) == (UNREADABLE, "")
    assert says in done.stderr.splitlines()[-1]


def test_2_and_a_sentence_for_an_index_beyond_all_numbers() -> None:
    done = at_path(f"l1_table[{'9' * 5000}]")

    assert (done.returncode, done.stdout) == (UNREADABLE, "")
    assert "it has header" in done.stderr.splitlines()[-1]


# --- JSON and YAML --------------------------------------------------------------------------------


@pytest.mark.parametrize("tables", [[], ["--tables"]], ids=["short", "with tables"])
def test_yaml_says_what_json_says(tables: list[str]) -> None:
    as_yaml = printed("--yaml", *tables, SHOWCASE)

    assert yaml.safe_load(as_yaml) == json.loads(printed("--json", *tables, SHOWCASE))


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_output_is_utf_8_in_every_locale(locale: str) -> None:
    said = printed(SHOWCASE, env=environment(LC_ALL=locale, PYTHONUTF8="0"))

    assert "größere Platte" in said


# --- Colours --------------------------------------------------------------------------------------

ESCAPE = "\x1b"


def on_a_terminal(*words: str | Path, **changes: str) -> str:
    """What the command writes on a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env=environment(TERM="xterm", **changes),
    ):
        os.close(slave)
        written = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the last writer has closed it
                break
            if not piece:
                break
            written += piece
    os.close(master)
    return written.decode().replace("\r\n", "\n")


IMAGE = DATA / "v1-empty.qcow"


def test_a_terminal_gets_colours() -> None:
    assert ESCAPE in on_a_terminal(IMAGE)


def test_a_pipe_gets_none() -> None:
    assert ESCAPE not in printed(IMAGE, env=environment())


@pytest.mark.parametrize("words", [["--json"], ["--yaml"], ["--color", "never"]], ids=" ".join)
def test_no_colours_on_a_terminal_with(words: list[str]) -> None:
    assert ESCAPE not in on_a_terminal(*words, IMAGE)


def test_no_colours_where_no_color_is_set() -> None:
    assert on_a_terminal(IMAGE, NO_COLOR="1") == printed(IMAGE)


def test_an_empty_no_color_means_nothing() -> None:
    assert ESCAPE in on_a_terminal(IMAGE, NO_COLOR="")


def test_always_means_always() -> None:
    assert ESCAPE in printed("--color", "always", IMAGE, env=environment(NO_COLOR="1"))


# --- Names that somebody made up ------------------------------------------------------------------

NAMES = {
    b"before the update": b"\x1b]0;pwned\x07\x1b[2J...",  # a snapshot's
    b"showcase-base.qcow2": b"\x1b[31m/\xc2\x9b0m/\x7f/x\r\nxyz",  # the backing file's
    b"daily-backup": b"\x1b[8mhide\x08\x08\x08\x07",  # a bitmap's
    b"lazy refcounts": b"\x1b[5mblink\x9b\xc2\x9b0m",  # a feature's
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose every name would move the cursor."""
    content = SHOWCASE.read_bytes()
    for name, other in NAMES.items():
        assert len(name) == len(other), name
        content = content.replace(name, other)
    path = tmp_path_factory.mktemp("hostile") / "image.qcow2"
    path.write_bytes(content)
    return path


def controls(text: str) -> set[str]:
    """The characters of a text that a terminal may obey, line feeds aside."""
    return {c for c in text if c < " " or "\x7f" <= c <= "\x9f"} - {"\n"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--tables", "--hex"],
        ["--json"],
        ["--yaml"],
        ["--path", "snapshots[0].name"],
        ["--path", "backing_file_name"],
        ["--path", "snapshots[0]"],
        ["--json", "--path", "backing_file_name"],
        ["--yaml", "--path", "backing_file_name"],
    ],
    ids=lambda words: " ".join(words) or "text",
)
def test_no_name_of_an_image_reaches_the_terminal_raw(words: list[str], hostile: Path) -> None:
    done = run("dump", *words, hostile)

    assert (controls(done.stdout), done.stderr) == (set(), "")


@pytest.mark.parametrize("words", [[], ["--json"], ["--yaml"]], ids=["text", "json", "yaml"])
def test_no_name_of_a_file_reaches_the_terminal_raw(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31m.qcow2"
    path.write_bytes(IMAGE.read_bytes())

    assert controls(printed(*words, path)) == set()


def test_no_name_of_a_missing_file_reaches_the_terminal_raw(tmp_path: Path) -> None:
    complaint = dump(tmp_path / "\x1b[31m.qcow2").stderr.decode()

    assert controls(complaint) == set()


def test_a_path_that_leads_nowhere_does_not_reach_the_terminal_raw() -> None:
    complaint = dump("--path", "\x1b[31m", SHOWCASE).stderr.decode()

    assert controls(complaint) == set()


def test_json_of_a_file_whose_name_is_no_utf_8_is_utf_8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.qcow2"))
    path.write_bytes(IMAGE.read_bytes())

    done = dump("--json", path)
    assert json.loads(done.stdout.decode("utf-8"))["format"] == "qcow"
