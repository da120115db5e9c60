"""Compare many images with QEMU, and say how many.

    python -m tests.conformance.reading --flavours 3 --chains 1 --mutants 10000 --seed 1

    python -m tests.conformance.reading --mutants 300 --qemu 10.0,11.1

    python -m tests.conformance.reading --copies --flavours 1 --chains 1 --mutants 1000

The QEMU is the installed one, or those of `--qemu`: versions that tools/qemus has got, or all of
them. It writes the images, and reads them; where it refuses one, its profile judges. Of each disk:

- `read`: the bytes are equal.
- `refused`: neither reads it; a line for each rule.
- `newer`: only a newer QEMU refuses it, and our reader with it.
- `unbuilt`: it needs zstd, without which this QEMU was built.
- `unanswered`: QEMU took too long. `large`: it was not read.
- `differs`: a line says how.
- `copied`: with `--copies`, `convert -O qcow2` wrote a copy, with options drawn at random; QEMU
  finds both identical and the copy sound, and so do we. Another QEMU that is here, each in turn,
  reads the copy too.

Exit status: 0 if nothing differs; 1 if something does, each with what makes it again; 2 for bad
usage.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from random import Random

from tests.conformance.reading.answers import every_state
from tests.conformance.reading.chains import chain, sequences
from tests.conformance.reading.copies import copied
from tests.conformance.reading.mutants import mutant, mutant_copy, seeds
from tests.conformance.reading.scripts import Unbuilt, flavours, written
from tools import qemus

Result = tuple[str, str, str]
"""Which case, what became of it, and how."""


States = Callable[[Path, str], Iterator[tuple[str, str]]]
"""What is asked of an image of a format."""


class Copies:
    """Copies of images; each is read by another QEMU, in turn."""

    def __init__(self, seed: int) -> None:
        self._random, self._readers = Random(f"copies {seed}"), cycle(qemus.others())
        self._has_others = bool(qemus.others())

    def readers(self) -> tuple[qemus.Qemu, ...]:
        """The QEMU whose turn it is; none if there is only the installed one."""
        return (next(self._readers),) if self._has_others else ()

    def __call__(self, image: Path, format: str) -> Iterator[tuple[str, str]]:
        """See `States`."""
        yield copied(image, format, self._random, self.readers())


def all_flavours(
    folder: Path, seed: int, times: int, states: States = every_state
) -> Iterator[Result]:
    """Each flavour, written at random, so many times."""
    for number in range(seed, seed + times):
        for flavour in flavours():
            case = f"flavour {flavour.name} seed {number}"
            place = Path(tempfile.mkdtemp(dir=folder))
            try:
                script = written(place, flavour, Random(f"{number}/{flavour.name}"))
            except Unbuilt:
                yield case, "unbuilt", ""
                continue
            for what, how in states(script.image, flavour.format):
                yield case, what, how
            shutil.rmtree(place)


def all_chains(
    folder: Path, seed: int, times: int, states: States = every_state
) -> Iterator[Result]:
    """Each sequence of up to four images, written at random, so many times."""
    for number in range(seed, seed + times):
        for kinds in sequences():
            case = f"chain {'-'.join(kinds)} seed {number}"
            place = Path(tempfile.mkdtemp(dir=folder))
            script = chain(place, kinds, Random(f"{number}/{kinds}"))
            for what, how in states(script.image, script.flavour.format):
                yield case, what, how
            shutil.rmtree(place)


def all_mutants(folder: Path, seed: int, count: int, sources: int) -> Iterator[Result]:
    """So many mutants, of so many images that are written for it."""
    found = seeds(folder, sources)
    for number in range(count):
        yield f"mutant {number} seed {seed}", *mutant(found, seed, number)


def all_mutant_copies(folder: Path, seed: int, count: int, sources: int) -> Iterator[Result]:
    """Mutants until so many could be copied; see `all_mutants`."""
    found, copies, number, done = seeds(folder, sources), Copies(seed), 0, 0
    while done < count:
        what, how = mutant_copy(found, seed, number, copies.readers())
        yield f"mutant {number} seed {seed}", what, how
        number, done = number + 1, done + (what == "copied")


def reported(results: Iterator[Result], name: str) -> int:
    """Print the differences and the counts; how many differences there are."""
    counts: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    cases = set()
    for case, what, how in results:
        cases.add(case)
        counts[what] += 1
        if what in ("refused", "newer"):
            rules[how] += 1
        if what == "differs":
            print(f"{case}: {how}", flush=True)  # noqa: T201 - a command
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{name}: {len(cases)} images, {counts.total()} disks: {told}", flush=True)  # noqa: T201
    for rule, count in rules.most_common():
        print(f"  {count:6} refused by {rule}")  # noqa: T201 - a command
    return counts["differs"]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.reading")
    parser.add_argument(
        "--flavours", metavar="N", type=int, default=0, help="N times every flavour"
    )
    parser.add_argument("--chains", metavar="N", type=int, default=0, help="N times every chain")
    parser.add_argument("--mutants", metavar="N", type=int, default=0, help="N mutants")
    parser.add_argument("--sources", metavar="N", type=int, default=60, help="images for mutants")
    parser.add_argument("--copies", action="store_true", help="copy each by convert -O qcow2")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    parser.add_argument(
        "--qemu", metavar="WHICH", default="installed", help="versions, or `all` that are here"
    )
    chosen = parser.parse_args()
    try:
        which = qemus.choose(chosen.qemu)
    except LookupError as error:
        parser.error(str(error))
    differ = 0
    for qemu in which:
        print(f"== QEMU {qemu}, profile {qemu.profile}", flush=True)  # noqa: T201 - a command
        with qemus.by_name(qemu):
            differ |= compare(chosen)
    return differ


def compare(chosen: argparse.Namespace) -> int:
    """Compare what was chosen, with the QEMU that is first on the path; the exit status."""
    memory = Path("/dev/shm")  # noqa: S108 - only where the file system has it
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    differ = 0
    states: States = Copies(chosen.seed) if chosen.copies else every_state
    try:
        if chosen.flavours:
            found = all_flavours(folder, chosen.seed, chosen.flavours, states)
            differ += reported(found, "flavours")
        if chosen.chains:
            differ += reported(all_chains(folder, chosen.seed, chosen.chains, states), "chains")
        if chosen.mutants:
            mutants = all_mutant_copies if chosen.copies else all_mutants
            found = mutants(folder, chosen.seed, chosen.mutants, chosen.sources)
            differ += reported(found, "mutants")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(differ > 0)


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
