"""Agreement with QEMU, over many images.

    python -m tests.conformance.agreement --mutants 20000
    python -m tests.conformance.agreement --qemu all --mutants 300 --limits 200
    python -m tests.conformance.agreement --images kit --qemu 5.2,/opt/qemu/bin/qemu-img

In: the images of tests/data, of which mutants and images with one number at a limit are made, or
a folder of images. Out: how often our verdict, and the key of the rule that we report first, agree
with `qemu-img info`; every disagreement, with the numbers that make it again. The QEMU is the one
installed, or those of `--qemu`: versions that tools/qemus has got, all of them, or paths. Each is
judged by the profile of its version or that of `--profile`. Exit status: 0 all verdicts agree, 1
some do not.

What QEMU does in each case is taken from its exit status and its message:

- 0: it opens the image.
- 1: it refuses it; a build without zstd that says that it lacks it has no answer.
- a signal: it died. Where that is known to stand for a rule it is taken for a refusal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from qcow_parsers.catalogue import RULES

from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import Machine, thorough
from qcowspec.reader.verdict import look_at_data_file
from qcowspec.sources.gate import gate_of
from qcowspec.sources.local import LocalFile
from qcowspec.spec.metadata import Format
from qcowspec.spec.profiles import key_of
from qcowspec.spec.rules import BY_ID
from tests.conformance import limits, mutations  # noqa: F401 - mutations registers them
from tests.conformance.mutants import Base, Mutant, choose, mutant
from tools import qemus
from tools.qemus import Qemu

DATA = Path(__file__).parents[1] / "data"
DIFFERENCES = Path(__file__).with_name("differences.toml")

SUFFIXES = {".qcow", ".qcow2"}
"""Of the files that are images; without its dot a suffix is the format."""

TIMEOUT = 60
"""Seconds after which QEMU is taken to have no answer."""

SEGMENTATION_FAULT, ABORT = -11, -6
DIES_OF = {
    SEGMENTATION_FAULT: ("encryption/crypto-followed",),
    ABORT: ("l1/v1-read-signed", "backing/v1-file-offset-signed"),
}
"""Signals that stand for rules: before 10.0, `info` followed the null pointer of a LUKS image
without its extension; before 6.0, a request from below 2^63 to above failed an assertion."""

ENGLISH = {**os.environ, "LC_ALL": "C.UTF-8"}
"""The keys of the rules are the words of QEMU and of the C library, untranslated."""

WITHOUT_ZSTD = "unknown compression type: 1"
"""What a QEMU that was built without zstd says of an image that needs it: Debian's 5.2 is one."""

OUT_OF_MEMORY = "failed to allocate"
"""What GLib says before it ends a process that asks for more memory than the machine has."""


@dataclass(frozen=True)
class Answer:
    """What somebody makes of an image.

    Attributes:
        accepted: Whether it is opened; None where there was no time or memory for an answer.
        says: QEMU's message; ours is the first broken rule's id.
        key: What QEMU's message has in it that refuses the image for that rule; only ours.
        broken: Every rule that was found broken; only ours.
    """

    accepted: bool | None
    says: str = ""
    key: str = ""
    broken: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """One image, and both answers.

    Attributes:
        name: Which image it is, with all that makes it again.
    """

    name: str
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
        return self.ours.key in self.qemu.says

    def __str__(self) -> str:
        ours = "accepts" if self.ours.accepted else f"rejects: {self.ours.says}"
        qemu = "accepts" if self.qemu.accepted else f"rejects: {self.qemu.says}"
        return f"{self.name}\n  ours {ours}\n  QEMU {qemu}"


@dataclass
class Report:
    """What a run came to."""

    images: int = 0
    unanswered: int = 0
    unbuilt: list[str] = field(default_factory=list)
    rejected: int = 0
    verdicts: int = 0
    keys: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    first: Counter[str] = field(default_factory=Counter)
    disagreements: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Count one image."""
        self.broken.update(case.ours.broken)
        if WITHOUT_ZSTD in case.qemu.says:
            self.unbuilt.append(case.name)
            return
        if case.qemu.accepted is None:
            self.unanswered += 1
            return
        self.images += 1
        self.verdicts += case.verdicts_agree
        if not case.qemu.accepted:
            self.rejected += 1
            self.keys += case.keys_agree
            self.first[case.ours.says] += 1
        if not case.verdicts_agree or not case.keys_agree:
            self.disagreements.append(case)

    @property
    def never_broken(self) -> list[str]:
        """Rules that could be decided and that no image broke."""
        return [r.id for r in RULES if r.judged == "opening" and not self.broken[r.id]]

    def lines(self, *, rules: bool) -> Iterator[str]:
        """The report, for people."""
        yield from map(str, self.disagreements)
        if self.unbuilt:
            yield f"{len(self.unbuilt)} images need zstd, without which this QEMU was built"
        yield f"{self.images} images, {self.rejected} of them rejected by QEMU"
        if self.unanswered:
            yield f"{self.unanswered} more had no answer: there was no time or memory for it"
        yield f"verdicts agree: {self.verdicts} of {self.images}"
        share = 100 * self.keys / max(1, self.rejected)
        yield f"keys agree: {self.keys} of {self.rejected} ({share:.2f} %)"
        if rules:
            for rule, count in sorted(self.broken.items(), key=lambda item: -item[1]):
                yield f"{count:8} {self.first[rule]:8} {rule}"
            yield f"broken by no image: {', '.join(self.never_broken) or 'none'}"


# --- the two answers ------------------------------------------------------------------------------


def ask_qemu(path: Path, image_format: str, asked: Qemu | None = None) -> Answer:
    """What `qemu-img info` says; of the installed QEMU, where no other is given."""
    program = (asked or qemus.installed()).program()
    command = [program, "info", "-U", "-f", image_format, path.name]
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
        rules = DIES_OF.get(done.returncode, ())
        keys = "".join(f" [{BY_ID[rule].qemu.key}]" for rule in rules)
        message = f"died of signal {-done.returncode}: {message}{keys}"
    return Answer(accepted=done.returncode == 0, says=message)


def ask_us(path: Path, image_format: str, profile: str | None = None) -> Answer:
    """What a profile says; that of the installed QEMU, where none is named."""
    profile = profile or qemus.installed().profile
    source = LocalFile(str(path))
    try:
        machine = Machine(thorough(profile), format=Format(image_format), length=source.length)
        drive(machine, source)
        look_at_data_file(machine.judge, str(path), gate_of("any"))
    finally:
        source.close()
    first = machine.judge.first(profile)
    broken = frozenset(machine.judge.counts)
    if first is None:
        return Answer(accepted=True, broken=broken)
    key = key_of(BY_ID[first.rule], profile)
    return Answer(accepted=False, says=first.rule, key=key, broken=broken)


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
    return sorted(p.name for p in DATA.iterdir() if p.suffix in SUFFIXES)


def named(made: Mutant) -> str:
    """A mutant's name: the image, the number and the mutations that make it again."""
    how = "+".join(made.mutations)
    return f"{made.base} #{made.number} -f {made.format} ({how})"


def compare(numbers: Iterable[int], seed: int, asked: Qemu) -> list[Case]:
    """Both answers on some mutants."""
    names = bases()
    return _compare(
        (mutant(base_of(names[number % len(names)]), seed, number) for number in numbers), asked
    )


def compare_limits(first: int, step: int, asked: Qemu) -> list[Case]:
    """Both answers on some images with one number at a limit."""
    return _compare(at_limits()[first::step], asked)


def at_limits() -> tuple[Mutant, ...]:
    """Every image with one number at a limit."""
    return limits.images(tuple(DATA / name for name in bases()))


def _compare(mutants: Iterable[Mutant], asked: Qemu) -> list[Case]:
    workplace, cases = Workplace(), []
    try:
        for made in mutants:
            base = base_of(made.base)
            path = workplace.put(base, made)
            cases.append(case(named(made), path, made.format, asked))
            workplace.restore(base, made)
    finally:
        workplace.close()
    return cases


def compare_images(paths: Iterable[Path], asked: Qemu) -> list[Case]:
    """Both answers on some images; the suffix is the format."""
    return [case(str(path), path, path.suffix[1:], asked) for path in paths]


def case(name: str, path: Path, image_format: str, asked: Qemu) -> Case:
    """Both answers on one image."""
    theirs = ask_qemu(path, image_format, asked)
    return Case(name, theirs, ask_us(path, image_format, asked.profile))


def run(mutants: int, seed: int, jobs: int = 1, asked: Qemu | None = None) -> Report:
    """Compare both answers on many mutants, with the installed QEMU where no other is given."""
    names = len(bases())
    # Each portion is about few images, as each process keeps copies of those that it has seen.
    portions = [range(first, mutants, names) for first in range(min(names, mutants))]
    return gather(partial(compare, seed=seed, asked=asked or qemus.installed()), portions, jobs)


def run_limits(images: int, jobs: int = 1, asked: Qemu | None = None) -> Report:
    """Compare both answers on about so many images with one number at a limit, of every field."""
    step = max(1, len(at_limits()) // images) * PORTIONS
    work = partial(compare_limits, step=step, asked=asked or qemus.installed())
    return gather(work, range(0, step, step // PORTIONS), jobs)


def run_images(folder: Path, jobs: int = 1, asked: Qemu | None = None) -> Report:
    """Compare both answers on every image in a folder and below it."""
    paths = sorted(p for p in folder.rglob("*.qcow*") if p.suffix in SUFFIXES)
    portions = [paths[first::PORTIONS] for first in range(PORTIONS)]
    return gather(partial(compare_images, asked=asked or qemus.installed()), portions, jobs)


Portion = TypeVar("Portion")

PORTIONS = 16
"""Portions that a folder's images are shared out in."""


def gather(work: Callable[[Portion], list[Case]], portions: Iterable[Portion], jobs: int) -> Report:
    """Compare portion by portion, in this process or in some."""
    report = Report()
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        for cases in (pool.map if pool else map)(work, portions):
            for each in cases:
                report.add(each)
    return report


def known_differences(series: str) -> list[str]:
    """The reproductions in differences.toml of a series of QEMU, as `Case` prints them."""
    rows = tomllib.loads(DIFFERENCES.read_text("utf-8")).get("difference", [])
    return [row["mutant"] for row in rows if row["qemu"] == series and "mutant" in row]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.agreement")
    add = parser.add_argument
    add("--mutants", type=int, default=None, help="how many (default: 1000)")
    add("--limits", type=int, default=0, help="images with one number at a limit (default: none)")
    add("--images", metavar="FOLDER", type=Path, help="these, and no mutants")
    add(
        "--qemu",
        metavar="WHICH",
        default="installed",
        help="versions, `all`, or paths of a qemu-img",
    )
    add("--profile", help="the profile to judge by (default: that of each version)")
    add("--seed", type=int, default=1, help="which mutants (default: 1)")
    add("--jobs", type=int, default=1, help="processes at work (default: 1)")
    add("--mutation", action="append", help="only this one; may be repeated")
    add("--rules", action="store_true", help="say how often each rule was broken")
    add("--keep", metavar="NUMBER", type=int, help="write this mutant, run nothing")
    add("-o", "--output", type=Path, default=Path("mutant.img"), help="where to")
    arguments = parser.parse_args()
    choose(arguments.mutation)
    if arguments.keep is not None:
        names = bases()
        base = base_of(names[arguments.keep % len(names)])
        made = mutant(base, arguments.seed, arguments.keep)
        arguments.output.write_bytes(made.apply(base.data))
        print(f"{arguments.output}: {made.base} -f {made.format} ({'+'.join(made.mutations)})")  # noqa: T201
        return 0
    if arguments.mutants is None:
        arguments.mutants = 0 if arguments.limits or arguments.images else 1000
    agreed = True
    try:
        chosen = qemus.choose(arguments.qemu)
    except LookupError as error:
        parser.error(str(error))
    for qemu in chosen:
        asked = replace(qemu, judged_by=arguments.profile)
        print(f"== QEMU {asked}, profile {asked.profile}")  # noqa: T201
        for title, report in reports(arguments, asked):
            print(title, *report.lines(rules=arguments.rules), sep="\n", flush=True)  # noqa: T201
            agreed = agreed and report.verdicts == report.images
    return int(not agreed)


def reports(arguments: argparse.Namespace, asked: Qemu) -> Iterator[tuple[str, Report]]:
    """A report for each kind of image that was asked for."""
    jobs = arguments.jobs
    if arguments.mutants:
        yield (
            f"-- mutants, seed {arguments.seed}",
            run(arguments.mutants, arguments.seed, jobs, asked),
        )
    if arguments.limits:
        yield "-- one number at a limit", run_limits(arguments.limits, jobs, asked)
    if arguments.images is not None:
        yield f"-- {arguments.images}", run_images(arguments.images, jobs, asked)


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
