"""Draws the mutants of a campaign, quickly.

In: seed images, and how often each rule was broken so far. Out: `Sample`s. Refuses: nothing; a
mutation that does not fit its seed is left out.

Half of the samples aim at a rule, most likely one that was broken least: they have the patch of a
vector that breaks it, whose changes are found once, and sometimes another number changed. Most
others have a few numbers changed. A few have any mutations, which open the image again after each
change and so are a hundred times slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from random import Random

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Change, Draft
from qcowspec.fuzzing.mutations import mutate
from qcowspec.fuzzing.patches import apply
from qcowspec.fuzzing.places import Places, Unfit
from qcowspec.fuzzing.vectors import base

AIMED, STRUCTURAL = 0.5, 0.02
"""The share of the samples that aims at a rule, and the share that has any mutations."""

BESIDES = 0.3
"""The share of the samples aimed at a rule that have another number changed."""

LARGE = 1 << 20
"""Bytes above which an image is drawn rarely, because it takes long to write and read."""

SELDOM = 0.005
"""The weight of a seed or rule that is drawn rarely; others have 1."""

PATCHED = 16 << 10
"""Bytes of a patch above which it is drawn rarely: thousands of records take long to read."""

NUMBERS = ("number",)
"""The mutation that most samples have: it is quick, because it does not open the image again."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A mutant, and how to make it again.

    Attributes:
        seed: The name of the image that was changed.
        changes: The changes, in order.
        data: The bytes of the mutant.
        aim: The rule that it aims at, if any.
    """

    seed: str
    changes: tuple[Change, ...]
    data: bytes
    aim: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a vector breaks its rule: the changes of its base, and the bytes of the image."""

    seed: str
    changes: tuple[Change, ...]
    length: int

    @property
    def is_slow(self) -> bool:
        """Whether any reader takes long on it."""
        return self.length > LARGE or sum(len(change.new) for change in self.changes) > PATCHED


class Stock:
    """The seeds of a campaign, by name."""

    def __init__(self, images: Mapping[str, bytes] | None = None, *, own: bool = True) -> None:
        """Open the seeds.

        Args:
            images: The user's images, by name.
            own: Whether the bases of the test vectors are seeds too; they have every feature.
        """
        self.seeds: dict[str, Places] = {}
        if own:
            self.seeds |= {name: base(name) for name in vectors.bases()}
        self.seeds |= {name: Places(data) for name, data in (images or {}).items()}
        self._names = list(self.seeds)
        self._weights = [
            SELDOM if len(places.data) > LARGE else 1.0 for places in self.seeds.values()
        ]
        self._own, self._users = own, frozenset(images or ())

    def rules(self) -> tuple[str, ...]:
        """The rules that samples aim at: those that are judged while an image is opened."""
        return _aims() if self._own else ()

    def is_own(self, seed: str) -> bool:
        """Whether a seed is a base of the test vectors."""
        return seed not in self._users

    def draw(self, random: Random, broken: Counter[str]) -> Sample:
        """Draw a mutant.

        Args:
            random: The source of random numbers.
            broken: How often each rule was broken, or aimed at, so far.
        """
        chance, rules = random.random(), self.rules()
        if rules and chance < AIMED:
            weights = [(SELDOM if _is_slow(rule) else 1.0) / (1 + broken[rule]) for rule in rules]
            rule = random.choices(rules, weights)[0]
            recipe = random.choice(_recipes(rule))
            changes = recipe.changes
            if random.random() < BESIDES:
                changes += mutate(self.seeds[recipe.seed], random, names=NUMBERS, most=1).changes
            return Sample(recipe.seed, changes, self.remade(recipe.seed, changes), rule)
        seed = random.choices(self._names, self._weights)[0]
        try:
            names = () if chance > 1 - STRUCTURAL else NUMBERS
            made = mutate(self.seeds[seed], random, names=names)
        except Unfit:
            return Sample(seed, (), self.seeds[seed].data)
        return Sample(seed, made.changes, made.data)

    def remade(self, seed: str, changes: Sequence[Change]) -> bytes:
        """A seed with changes applied in order."""
        return applied(self.seeds[seed].data, changes)


def applied(data: bytes, changes: Sequence[Change]) -> bytes:
    """An image with changes applied in order; a change with no new bytes cuts the file."""
    changed = bytearray(data)
    for change in changes:
        if change.new:
            if change.offset > len(changed):
                changed.extend(bytes(change.offset - len(changed)))
            changed[change.offset : change.offset + len(change.new)] = change.new
        else:
            del changed[change.offset :]
    return bytes(changed)


@cache
def _aims() -> tuple[str, ...]:
    """The rules that a vector breaks and that are judged while an image is opened."""
    found = {
        vector.rule: None
        for vector in vectors.everything()
        if vector.breaks and vector.judged is None
    }
    return tuple(rule for rule in found if _recipes(rule))


@cache
def _recipes(rule: str) -> tuple[Recipe, ...]:
    """The recipes for a rule; only the quick ones, if there are any."""
    recipes = []
    for vector in vectors.breaking(rule):
        draft = Draft(base(vector.base))
        with suppress(Unfit):
            apply(draft, vector.patch)
            recipes.append(Recipe(vector.base, tuple(draft.changes), len(draft.data)))
    return tuple(recipe for recipe in recipes if not recipe.is_slow) or tuple(recipes)


@cache
def _is_slow(rule: str) -> bool:
    """Whether a reader takes long on all images that break a rule."""
    return all(recipe.is_slow for recipe in _recipes(rule))
