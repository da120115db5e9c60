"""Many mutants at once, on disk, with a manifest that says what each one is.

In: seed images, and how many mutants are wanted. Out: files, and ``manifest.json``. Refuses: seeds
of which nothing can be made, as `Unfit`.

A file is written under another name and renamed, so that whoever watches the folder never meets
half a mutant; the manifest comes last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from qcowspec import __version__
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.mutations import MOST, Mutant, break_rules, mutate
from qcowspec.fuzzing.places import Places, Unfit
from qcowspec.spec.profiles import PROFILES
from qcowspec.transfer.files import write_bytes
from qcowspec.transfer.places import Unwritable, is_same

MANIFEST = "manifest.json"
SCHEMA = "qcowspec.mutants/1"
"""Changes its number when a key changes its meaning or goes away; new keys may come."""


@dataclass(frozen=True)
class Seed:
    """An image that mutants are made from.

    Attributes:
        name: What the user calls it.
        places: The image, opened.
    """

    name: str
    places: Places

    @property
    def format(self) -> str:
        """The format that it is, and that its mutants are judged as.

        Raises:
            Unfit: It is no QCOW image.
        """
        found = self.places.image.format
        if found is None:
            raise Unfit(f"{self.name} is no QCOW image")
        return str(found)

    @property
    def stem(self) -> str:
        """What the names of its mutants begin with."""
        return Path(self.name).stem or "mutant"


@dataclass(frozen=True)
class Batch:
    """What mutants are wanted.

    Attributes:
        seeds: The images to make them from.
        count: How many.
        random_seed: Where the chance begins: equal batches make equal mutants.
        rules: The ids of rules that each is to break; none for mutations drawn at random.
        names: The mutations to draw from; none for all.
        most: Mutations of one mutant at most.
    """

    seeds: Sequence[Seed]
    count: int
    random_seed: int = 0
    rules: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    most: int = MOST

    def mutants(self) -> Iterator[tuple[int, Seed, Mutant]]:
        """The mutants, one after the other, with their numbers and seeds; seeds take turns.

        Raises:
            Unfit: Nothing that is asked for fits any of the seeds.
        """
        left, number = list(self.seeds), 0
        reason = Unfit("there is no seed")
        while number < self.count and left:
            seed = left[number % len(left)]
            # Of its own number each, so that one mutant can be made again without the others.
            random = Random(f"{self.random_seed}/{number}")  # noqa: S311 - chance, no secret
            try:
                made = self._mutant(seed, random)
            except Unfit as error:
                reason = error
                left.remove(seed)
                continue
            yield number, seed, made
            number += 1
        if number < self.count:
            raise reason

    def _mutant(self, seed: Seed, random: Random) -> Mutant:
        if self.rules:
            return break_rules(seed.places, self.rules, random)
        return mutate(seed.places, random, names=self.names, most=self.most)


def write(batch: Batch, folder: Path) -> dict[str, Any]:
    """Write mutants and their manifest.

    Args:
        batch: What is wanted.
        folder: Where to; it is made if it is not there.

    Returns:
        The manifest.

    Raises:
        Unfit: Nothing that is asked for fits any of the seeds.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, seed, made in batch.mutants():
        suffix = ".qcow" if seed.format == "qcow" else ".qcow2"
        name = f"{seed.stem}-{number:06}{suffix}"
        path = str(folder / name)
        if any(is_same(path, each.name) for each in batch.seeds):
            raise Unwritable(f"{name} in it is one of the images that mutants are made from")
        write_bytes(path, made.data)
        rows.append(row(name, seed, made))
    manifest = {
        "schema": SCHEMA,
        "qcowspec": __version__,
        "seed": batch.random_seed,
        "rules": list(batch.rules),
        "mutants": rows,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_bytes(str(folder / MANIFEST), text.encode("utf-8", "surrogateescape"))
    return manifest


def row(name: str, seed: Seed, mutant: Mutant) -> Mapping[str, Any]:
    """What a manifest says of one mutant."""
    found = judge(mutant.data, seed.format)
    return {
        "file": name,
        "seed": seed.name,
        "format": seed.format,
        "mutations": list(mutant.mutations),
        "changes": [change.as_json() for change in mutant.changes],
        "verdict": found.verdicts(),
        "first": found.first(),
        "rules": list(found.broken(PROFILES)),
    }
