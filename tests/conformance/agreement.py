"""Agreement with QEMU, over many mutants: `python -m tests.conformance.agreement --mutants 20000`.

In: the images of tests/data. Out: how often our verdict, and the key of the rule that we report
first, agree with `qemu-img info` of the version installed; every disagreement, with the numbers
that make it again. Exit status: 0 all verdicts agree, 1 some do not.

What QEMU does in each case is taken from its exit status and its message:

- 0: it opens the image.
- 1: it refuses it.
- a signal: it died. Where that is known to stand for a rule it is taken for a refusal.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from qcow_parsers.catalogue import RULES

from qcowspec.drivers import drive
from qcowspec.machine import Machine, thorough
from qcowspec.metadata import Format
from qcowspec.predicates import UNDECIDED
from qcowspec.rules import BY_ID
from qcowspec.sources.local import LocalFile
from tests.conformance import mutations  # noqa: F401 - registers them
from tests.conformance.mutants import Base, Mutant, choose, mutant

DATA = Path(__file__).parents[1] / "data"
DIFFERENCES = Path(__file__).with_name("differences.toml")

TIMEOUT = 60
"""Seconds after which QEMU is taken to have no answer."""

SEGMENTATION_FAULT = -11
DIES_OF = {SEGMENTATION_FAULT: "encryption/crypto-followed"}
"""Signals that stand for a rule: before 10.0, `info` followed the null pointer of a LUKS image
without its extension."""

ENGLISH = {**os.environ, "LC_ALL": "C.UTF-8"}
"""The keys of the rules are the words of QEMU and of the C library, untranslated."""

OUT_OF_MEMORY = "failed to allocate"
"""What GLib says before it ends a process that asks for more memory than the machine has."""


@dataclass(frozen=True)
class Answer:
    """What somebody makes of an image.

    Attributes:
        accepted: Whether it is opened; None where there was no time or memory for an answer.
        says: QEMU's message; ours is the first broken rule's id.
        broken: Every rule that was found broken; only ours.
    """

    accepted: bool | None
    says: str = ""
    broken: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """One mutant, and both answers."""

    mutant: Mutant
    qemu: Answer
    ours: Answer

    @property
    def verdicts_agree(self) -> bool:
        """Whether both open the image, or neither does."""
        return self.qemu.accepted == self.ours.accepted

    @property
    def keys_agree(self) -> bool:
        """Whether QEMU's message is the one that our first rule expects."""
        if self.qemu.accepted or self.ours.accepted:
            return self.verdicts_agree
        return (BY_ID[self.ours.says].qemu.key or "") in self.qemu.says

    def __str__(self) -> str:
        made = self.mutant
        ours = "accepts" if self.ours.accepted else f"rejects: {self.ours.says}"
        qemu = "accepts" if self.qemu.accepted else f"rejects: {self.qemu.says}"
        how = "+".join(made.mutations)
        return f"{made.base} #{made.number} -f {made.format} ({how})\n  ours {ours}\n  QEMU {qemu}"


@dataclass
class Report:
    """What a run came to."""

    mutants: int = 0
    unanswered: int = 0
    rejected: int = 0
    verdicts: int = 0
    keys: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    first: Counter[str] = field(default_factory=Counter)
    disagreements: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Count one mutant."""
        self.broken.update(case.ours.broken)
        if case.qemu.accepted is None:
            self.unanswered += 1
            return
        self.mutants += 1
        self.verdicts += case.verdicts_agree
        if not case.qemu.accepted:
            self.rejected += 1
            self.keys += case.keys_agree
            self.first[case.ours.says] += 1
        if not case.verdicts_agree or not case.keys_agree:
            self.disagreements.append(case)

    @property
    def never_broken(self) -> list[str]:
        """Rules that could be decided and that no mutant broke."""
        return [r.id for r in RULES if r.id not in UNDECIDED and not self.broken[r.id]]

    def lines(self, *, rules: bool) -> Iterator[str]:
        """The report, for people."""
        yield from map(str, self.disagreements)
        yield f"{self.mutants} mutants, {self.rejected} of them rejected by QEMU"
        if self.unanswered:
            yield f"{self.unanswered} more had no answer: there was no time or memory for it"
        yield f"verdicts agree: {self.verdicts} of {self.mutants}"
        share = 100 * self.keys / max(1, self.rejected)
        yield f"keys agree: {self.keys} of {self.rejected} ({share:.2f} %)"
        if rules:
            for rule, count in sorted(self.broken.items(), key=lambda item: -item[1]):
                yield f"{count:8} {self.first[rule]:8} {rule}"
            yield f"broken by no mutant: {', '.join(self.never_broken) or 'none'}"


# --- the two answers ------------------------------------------------------------------------------


@cache
def installed() -> str:
    """The version of the installed QEMU, such as ``7.2.22``."""
    words = subprocess.run(["qemu-img", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version ([0-9.]+)", words.stdout)
    assert found, words.stdout
    return found[1]


def ask_qemu(path: Path, image_format: str) -> Answer:
    """What `qemu-img info` says."""
    command = ["qemu-img", "info", "-U", "-f", image_format, path.name]
    try:
        done = subprocess.run(
            command, cwd=path.parent, capture_output=True, timeout=TIMEOUT, env=ENGLISH
        )
    except subprocess.TimeoutExpired:
        return Answer(accepted=None)
    message = done.stderr.decode("utf-8", "replace").strip()
    if OUT_OF_MEMORY in message:
        return Answer(accepted=None)
    if done.returncode < 0:
        rule = DIES_OF.get(done.returncode)
        message = f"died of signal {-done.returncode}: {message}"
        if rule is not None:
            message += f" [{BY_ID[rule].qemu.key}]"
    return Answer(accepted=done.returncode == 0, says=message)


def ask_us(path: Path, image_format: str) -> Answer:
    """What the profile of the installed QEMU says."""
    profile = f"qemu@{installed()}"
    source = LocalFile(str(path))
    try:
        machine = Machine(thorough(profile), format=Format(image_format), length=source.length)
        drive(machine, source)
    finally:
        source.close()
    first = machine.judge.first(profile)
    broken = frozenset(machine.judge.counts)
    return Answer(first is None, "" if first is None else first.rule, broken)


# --- mutants on disk ------------------------------------------------------------------------------


class Workplace:
    """A folder in memory, with a copy of each image that is changed and changed back."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108 - only where the file system has it
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))

    def put(self, base: Base, made: Mutant) -> Path:
        """Write a mutant; it stands until the next one of the same image."""
        path = self.folder / base.path.name
        if not path.exists():
            path.write_bytes(base.data)
        with path.open("r+b") as file:
            for offset, data in made.changes:
                file.seek(offset)
                file.write(data)
            if made.length is not None:
                file.truncate(made.length)
        return path

    def restore(self, base: Base, made: Mutant) -> None:
        """Undo a mutant's changes."""
        with (self.folder / base.path.name).open("r+b") as file:
            length = len(base.data)
            if made.length is not None and made.length < length:
                file.seek(made.length)
                file.write(base.data[made.length :])
            for offset, data in made.changes:
                file.seek(offset)
                file.write(base.data[offset : offset + len(data)])
            file.truncate(length)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def base_of(name: str) -> Base:
    """An image of tests/data."""
    return Base(DATA / name)


def bases() -> list[str]:
    """Every image of tests/data that is a QCOW image."""
    return sorted(p.name for p in DATA.iterdir() if p.suffix in {".qcow", ".qcow2"})


def compare(numbers: Iterable[int], seed: int) -> list[Case]:
    """Both answers on some mutants."""
    names, workplace, cases = bases(), Workplace(), []
    try:
        for number in numbers:
            base = base_of(names[number % len(names)])
            made = mutant(base, seed, number)
            path = workplace.put(base, made)
            cases.append(Case(made, ask_qemu(path, made.format), ask_us(path, made.format)))
            workplace.restore(base, made)
    finally:
        workplace.close()
    return cases


def run(mutants: int, seed: int, jobs: int = 1) -> Report:
    """Compare both answers on many mutants."""
    report, names = Report(), len(bases())
    # Each portion is about few images, as each process keeps copies of those that it has seen.
    portions = [range(first, mutants, names) for first in range(min(names, mutants))]
    if jobs == 1:
        results: Iterable[list[Case]] = map(partial(compare, seed=seed), portions)
        for cases in results:
            for case in cases:
                report.add(case)
        return report
    with ProcessPoolExecutor(jobs) as pool:
        for cases in pool.map(partial(compare, seed=seed), portions):
            for case in cases:
                report.add(case)
    return report


def known_differences() -> list[str]:
    """The reproductions in differences.toml, as `Case` prints their first line."""
    rows = tomllib.loads(DIFFERENCES.read_text("utf-8")).get("difference", [])
    return [row["mutant"] for row in rows]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.agreement")
    parser.add_argument("--mutants", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at work (default: 1)")
    parser.add_argument("--mutation", action="append", help="only this one; may be repeated")
    parser.add_argument("--rules", action="store_true", help="say how often each rule was broken")
    parser.add_argument("--keep", metavar="NUMBER", type=int, help="write this mutant, run nothing")
    parser.add_argument("-o", "--output", type=Path, default=Path("mutant.img"), help="where to")
    arguments = parser.parse_args()
    choose(arguments.mutation)
    if arguments.keep is not None:
        names = bases()
        base = base_of(names[arguments.keep % len(names)])
        made = mutant(base, arguments.seed, arguments.keep)
        arguments.output.write_bytes(made.apply(base.data))
        print(f"{arguments.output}: {made.base} -f {made.format} ({'+'.join(made.mutations)})")  # noqa: T201
        return 0
    report = run(arguments.mutants, arguments.seed, arguments.jobs)
    print(*report.lines(rules=arguments.rules), sep="\n")  # noqa: T201
    return int(report.verdicts != report.mutants)


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
