"""Writes many mutants into a folder, with a manifest that describes each.

In: seed images, and how many mutants are wanted. Out: files, and ``manifest.json``. Refuses: seeds
that no mutation fits, as `Unfit`.

A file is written under another name and renamed, so that a program that watches the folder never
sees half a mutant; the manifest comes last.
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
"""The number changes when a key changes its meaning or is removed; new keys may be added."""


@dataclass(frozen=True)
class Seed:
    """An image that mutants are made from, by the user's name for it."""

    name: str
    places: Places

    @property
    def format(self) -> str:
        """The format of the image, as which its mutants are judged.

        Raises:
            Unfit: It is not a QCOW image.
        """
        found = self.places.image.format
        if found is None:
            raise Unfit(f"{self.name} is no QCOW image")
        return str(found)

    @property
    def stem(self) -> str:
        """The start of its mutants' names."""
        return Path(self.name).stem or "mutant"


@dataclass(frozen=True)
class Batch:
    """A request for mutants. Equal batches make equal mutants.

    Attributes:
        rules: The ids of the rules that each mutant breaks; if empty, mutations are drawn.
        names: The mutations to draw from; if empty, all.
        most: Mutations applied to one mutant, at most.
    """

    seeds: Sequence[Seed]
    count: int
    random_seed: int = 0
    rules: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    most: int = MOST

    def mutants(self) -> Iterator[tuple[int, Seed, Mutant]]:
        """The mutants, with their numbers and seeds; seeds take turns.

        Raises:
            Unfit: No seed fits the request.
        """
        left, number = list(self.seeds), 0
        reason = Unfit("there is no seed")
        while number < self.count and left:
            seed = left[number % len(left)]
            # Seeded by its number, so that one mutant can be made again without the others.
            random = Random(f"{self.random_seed}/{number}")  # noqa: S311 - not for secrets
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
    """Write mutants and their manifest into a folder, which is made if needed; the manifest.

    Raises:
        Unfit: No seed fits the request.
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
    """The manifest's row for one mutant."""
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
