"""Every QEMU that can be had here: the installed one, and those of the mirror's other suites.

    tools/qemus              get what is missing, and list what is there
    tools/qemus --update     ask the mirror again for every suite
    tools/qemus --list       list what is there, without the mirror
    tools/qemus --new        measure each that no row of the rules knows, and print what changed

In: the machine's own apt sources. Out: a folder a version, with `qemu-img`, `qemu-io` and
`qemu-nbd` that run with their own suite's loader and libraries. The system is not touched: apt runs
with lists, cache and status of its own, and only downloads. A suite that cannot be had is one line,
and no error.

The folder is $QCOWSPEC_QEMUS, by default qcowspec/qemus in the user's cache. Exit status: 0; 1 if
`--new` found changes; 2 for bad usage.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SUITES = ("unstable", "testing", "stable", "oldstable", "oldoldstable")
"""The suites of a Debian mirror, newest first: of two with one series of QEMU the newer serves."""

PROGRAMS = ("qemu-img", "qemu-io", "qemu-nbd")
PACKAGE = "qemu-utils"
PATIENCE = 600
"""Seconds that one call of apt may take."""


class Missing(LookupError):
    """A QEMU cannot be had, or does not run; says why in one line."""


@dataclass(frozen=True)
class Qemu:
    """One QEMU.

    Attributes:
        version: As `qemu-img --version` says, such as ``7.2.22``.
        folder: Where its programs are.
        judged_by: The profile to compare it with, if not that of its version.
    """

    version: str
    folder: Path
    judged_by: str | None = None

    @property
    def series(self) -> str:
        """The version without its last number, such as ``7.2``."""
        return series(self.version)

    @property
    def profile(self) -> str:
        """The profile that speaks for it."""
        return self.judged_by or f"qemu@{self.version}"

    def program(self, name: str = "qemu-img") -> str:
        """The path of one of its programs."""
        return str(self.folder / name)

    def __str__(self) -> str:
        return self.version


def series(version: str) -> str:
    """The first two numbers of a version."""
    return ".".join(version.split(".")[:2])


def home() -> Path:
    """The folder that holds a folder a version."""
    named = os.environ.get("QCOWSPEC_QEMUS")
    if named:
        return Path(named)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "qcowspec" / "qemus"


@cache
def at_hand() -> tuple[Qemu, ...]:
    """Every QEMU that is here, oldest first; of its series the installed one serves."""
    fetched = sorted(_fetched(), key=lambda qemu: _numbers(qemu.version))
    found = {qemu.series: qemu for qemu in fetched}  # of a series the newest
    if shutil.which("qemu-img") is not None:
        qemu = installed()
        found[qemu.series] = qemu
    return tuple(sorted(found.values(), key=lambda qemu: _numbers(qemu.version)))


def compared() -> tuple[Qemu, ...]:
    """The QEMUs that the tests compare with: the installed one, and each that was measured.

    One of a series that no row knows is left to `--new`: the day on which the mirror gets it, what
    it does otherwise is news, and no fault of the rows.
    """
    from qcow_parsers.versions import MEASURED  # fetching needs Python alone

    measured = set(map(series, MEASURED))
    return tuple(qemu for qemu in at_hand() if qemu.series in measured or _is_installed(qemu))


def others() -> tuple[Qemu, ...]:
    """Those that the tests compare with, but for the installed one."""
    return tuple(qemu for qemu in compared() if not _is_installed(qemu))


def _is_installed(qemu: Qemu) -> bool:
    return qemu.program() == shutil.which("qemu-img")


@cache
def installed() -> Qemu:
    """The QEMU of this system.

    Raises:
        LookupError: There is none.
    """
    program = shutil.which("qemu-img")
    if program is None:
        raise LookupError("qemu-img is not installed")
    return of_program(program)


@contextmanager
def by_name(qemu: Qemu) -> Iterator[None]:
    """Take a QEMU for the installed one: its programs run by their names alone."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{qemu.folder}{os.pathsep}{before}"
    installed.cache_clear()
    try:
        yield
    finally:
        os.environ["PATH"] = before
        installed.cache_clear()


def of_program(program: str | Path) -> Qemu:
    """The QEMU of a `qemu-img`.

    Raises:
        Missing: It does not run.
    """
    return Qemu(_version_of(program), Path(program).absolute().parent)


def choose(names: str) -> tuple[Qemu, ...]:
    """The QEMUs of a list such as ``5.2,11.1``.

    Args:
        names: Versions; ``all`` stands for every one that is here, ``installed`` for the system's.
            A name with a slash is the path of a `qemu-img`.

    Raises:
        LookupError: One of them is not here, or does not run; says which are.
    """
    return tuple(qemu for name in names.split(",") for qemu in _named(name))


def _named(name: str) -> tuple[Qemu, ...]:
    if "/" in name:
        return (of_program(name),)
    if name == "installed":
        return (installed(),)
    here = {qemu.series: qemu for qemu in at_hand()}
    if name == "all":
        return tuple(here.values())
    if series(name) not in here:
        raise LookupError(f"QEMU {name} is not here; there are {', '.join(here)}. Try tools/qemus.")
    return (here[series(name)],)


def _fetched() -> Iterator[Qemu]:
    for program in home().glob("*/qemu-img"):
        yield Qemu(program.parent.name, program.parent)


def _version_of(program: str | Path) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version ([0-9]+(?:\.[0-9]+)+)", done.stdout)
    if found is None:
        raise Missing(f"{Path(program).name} does not run: {_last_line(done.stderr)}")
    return found[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


# --- the mirror -----------------------------------------------------------------------------------


def own_source(folder: Path = Path("/etc/apt")) -> str:
    """The machine's own entry for its system, with ``{suite}`` in its suite's place.

    Raises:
        Missing: No entry names a suite of Debian.
    """
    release = Path("/etc/os-release").read_text("utf-8")
    codename = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    names = {*SUITES, "sid", *([codename[1]] if codename else [])}
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for path in filter(Path.is_file, files):
        text = path.read_text("utf-8", "replace")
        if path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
                if suites and names & set(suites[1].split()) and _is_for_programs(stanza):
                    kept = re.sub(r"^(Suites|Components):.*\n?", "", stanza, flags=re.MULTILINE)
                    return f"{kept.rstrip()}\nSuites: {{suite}}\nComponents: main\n"
        elif path.suffix == ".list":
            for line in re.findall(r"^deb\s.*$", text, re.MULTILINE):
                parts = re.fullmatch(r"(deb\s+(?:\[.*?\]\s+)?\S+)\s+(\S+)\s.*", line)
                if parts and parts[2] in names:
                    return f"{parts[1]} {{suite}} main\n"
    raise Missing("no apt source here names a suite of Debian")


def _is_for_programs(stanza: str) -> bool:
    types = re.search(r"^Types:(.*)$", stanza, re.MULTILINE)
    enabled = re.search(r"^Enabled:\s*no", stanza, re.MULTILINE)
    return types is not None and "deb" in types[1].split() and enabled is None


class Apt:
    """apt with a configuration of its own, for one suite; the system's is read and not changed.

    Attributes:
        folder: All that apt writes.
    """

    def __init__(self, folder: Path, source: str, suite: str) -> None:
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial", "state"):
            (folder / name).mkdir(parents=True)
        (folder / "state" / "status").touch()
        kind = "sources" if "Suites:" in source else "list"
        sources = folder / f"suite.{kind}"
        sources.write_text(source.replace("{suite}", suite), "utf-8")
        # What the system runs after an update or a download is for the system: cleared.
        moments = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
        hooks = [f"{when}::{name}" for when in ("APT::Update", "DPkg") for name in moments]
        own = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": folder / "state",
            "Dir::State::Lists": folder / "lists",
            "Dir::State::Status": folder / "state" / "status",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "",
            "APT::Get::AllowUnauthenticated": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": 2,
            "Acquire::http::Timeout": 30,
        }
        self._configuration = folder / "apt.conf"
        self._configuration.write_text(
            "".join(f"#clear {name};\n" for name in hooks)
            + "".join(f'{name} "{value}";\n' for name, value in own.items()),
            "utf-8",
        )

    def __call__(self, program: str, *arguments: str) -> str:
        """What a program of apt's prints.

        Raises:
            Missing: It fails, or takes longer than `PATIENCE`.
        """
        command = [program, "-c", str(self._configuration), *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
                env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            )
        except FileNotFoundError as error:
            raise Missing(f"{program} is missing") from error
        except subprocess.TimeoutExpired as error:
            raise Missing(f"{program} took longer than {PATIENCE} s") from error
        if done.returncode:
            raise Missing(f"{program}: {_last_line(done.stderr)}")
        return done.stdout

    def candidate(self) -> str:
        """The version of QEMU that the suite has, as the package names it: ``1:11.1.3+ds-1``."""
        self("apt-get", "update", "-q", "--error-on=any")
        shown = self("apt-cache", "show", "--no-all-versions", PACKAGE)
        found = re.search(r"^Version: (\S+)", shown, re.MULTILINE)
        if found is None:
            raise Missing(f"the suite has no {PACKAGE}")
        return found[1]

    def download(self) -> list[Path]:
        """The package and all that it depends on."""
        self(
            "apt-get", "install", "-y", "-q", "--download-only", "--no-install-recommends", PACKAGE
        )
        return sorted((self.folder / "cache" / "archives").glob("*.deb"))


def get(suite: str, known: Sequence[str]) -> str:
    """Get a suite's QEMU, unless one of its series is known.

    Returns:
        The version that is there now.

    Raises:
        Missing: It cannot be had.
    """
    source = own_source()
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix=".getting-") as name:
        folder = Path(name)
        apt = Apt(folder / "apt", source, suite)
        package = apt.candidate()
        upstream = re.match(r"(?:\d+:)?(\d+(?:\.\d+)+)", package)
        if upstream is None:
            raise Missing(f"{PACKAGE} {package} is no version of QEMU")
        if series(upstream[1]) in map(series, known):
            return upstream[1]
        system = folder / "qemu" / "system"
        system.mkdir(parents=True)
        for archive in apt.download():
            _run("dpkg-deb", "-x", str(archive), str(system))
        _write_starters(folder / "qemu", system)
        version = _version_of(folder / "qemu" / "qemu-img")
        if not (home() / version).exists():
            (folder / "qemu").rename(home() / version)
        return version


def _write_starters(folder: Path, system: Path) -> None:
    """Write a starter a program: it runs with the suite's own loader and libraries."""
    loaders = sorted(p for p in system.glob("**/ld-*.so*") if p.is_file() and not p.is_symlink())
    if not loaders:
        raise Missing("the suite's C library has no loader")
    loader = loaders[0].relative_to(system)
    folders = dict.fromkeys(p.parent.relative_to(system) for p in system.glob("**/*.so*"))
    libraries = ":".join(f"$here/system/{path}" for path in folders)
    for name in PROGRAMS:
        starter = folder / name
        starter.write_text(
            "#!/bin/sh\n"
            "here=${0%/*}\n"
            f'exec "$here/system/{loader}" --library-path "{libraries}" '
            f'"$here/system/usr/bin/{name}" "$@"\n',
            "utf-8",
        )
        starter.chmod(0o755)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise Missing(f"{command[0]} is missing") from error
    except subprocess.SubprocessError as error:
        words = _last_line(getattr(error, "stderr", None) or str(error))
        raise Missing(f"{command[0]}: {words}") from error


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


# --- the command line -----------------------------------------------------------------------------


@contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock, so that two runs do not fetch the same."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(*, update: bool) -> Iterator[str]:
    """Get every suite's QEMU that is not here; a line for each suite that cannot be had."""
    with _alone():
        had = home() / "suites"
        if update or not had.is_file():
            had.write_text("", "utf-8")
        done = dict(line.split() for line in had.read_text("utf-8").splitlines())
        known = [qemu.version for qemu in at_hand() if not update or _is_installed(qemu)]
        for suite in SUITES:
            if suite in done:
                continue
            try:
                version = get(suite, known)
            except (Missing, OSError) as error:
                yield f"{suite}: cannot be had: {error}"
                continue
            with had.open("a") as file:
                print(suite, version, file=file)
            known.append(version)
        at_hand.cache_clear()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="tools/qemus",
        description="Every QEMU that can be had here: the installed one, and those of the system's "
        "own Debian mirror, without touching the system. What is missing is fetched first.",
    )
    add = parser.add_argument
    add("--list", action="store_true", help="list what is here; fetch nothing")
    add("--update", action="store_true", help="ask the mirror again for every suite")
    add(
        "--new",
        nargs="?",
        const="",
        metavar="VERSION",
        help="compare a version, or each that was not measured, with the newest that was, and "
        "print what changed as a patch to formats/",
    )
    arguments = parser.parse_args()
    if not arguments.list:
        try:
            for line in fetch(update=arguments.update):
                print(line, file=sys.stderr)
        except OSError as error:
            print(f"nothing can be kept in {home()}: {error.strerror}", file=sys.stderr)
    if arguments.new is not None:
        from tools.new_qemu import measure  # what it needs is more than Python itself

        return measure(arguments.new)
    for qemu in at_hand():
        print(f"{qemu.version:8} {qemu.program()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
