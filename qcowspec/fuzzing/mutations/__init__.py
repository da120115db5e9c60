"""The mutation engine: breaks images on purpose, and records what was changed.

In: a seed image and a source of random numbers. Out: `Mutant`s. Refuses: a mutation or a rule that
does not fit the seed, as `Unfit`.

    random = Random(7)
    mutant = mutate(seed, random)
    mutant = break_rule(seed, "header/cluster-bits", random)
    mutant.data, mutant.mutations, mutant.changes

With one version of qcowspec, equal seeds, names and states of `random` give equal mutants; another
version may have other mutations. `strategies.mutants` hands over a `random` that hypothesis draws
from. To add a mutation, decorate a function with `registry.mutation` in the module of what it
changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.drafts import Change, Draft
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.mutations import extensions, header, known, raw, records, tables
from qcowspec.fuzzing.mutations.registry import MUTATIONS, Mutation
from qcowspec.fuzzing.patches import apply
from qcowspec.fuzzing.places import Places, Unfit
from qcowspec.spec.rules import BY_ID

__all__ = [
    "MUTATIONS",
    "Change",
    "Mutant",
    "Mutation",
    "Unfit",
    "break_rule",
    "break_rules",
    "extensions",
    "header",
    "known",
    "mutate",
    "raw",
    "records",
    "tables",
]

TRIES = 64
"""Mutations that are tried on one image, at most."""

MOST = 3
"""Mutations applied to one mutant, at most, unless another number is given."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """An image made from another one.

    Attributes:
        mutations: The names of the mutations, or the ids of the vectors, that made it, in order.
        changes: The changes of its bytes, in order.
    """

    data: bytes
    mutations: tuple[str, ...]
    changes: tuple[Change, ...]


def mutate(
    seed: bytes | Places,
    random: Random,
    *,
    names: Collection[str] = (),
    most: int = MOST,
) -> Mutant:
    """An image with a few mutations.

    Args:
        seed: The image; as `Places` it is not opened again.
        random: The source of random numbers.
        names: The mutations to draw from; if empty, all.
        most: How many are applied, at most.

    Raises:
        Unfit: None of the mutations fits the image.
        KeyError: No mutation has such a name.
    """
    draft = Draft(seed)
    chosen = [MUTATIONS[name] for name in names] or list(MUTATIONS.values())
    weights = [each.weight for each in chosen]
    wanted = random.randint(1, most)
    done: list[str] = []
    for _ in range(TRIES):
        drawn = random.choices(chosen, weights)[0]
        if (name := _changed(draft, drawn, random)) is not None:
            done.append(name)
        if len(done) == wanted:
            break
    if not done:
        raise Unfit("no mutation fits the image")
    return Mutant(bytes(draft.data), tuple(done), tuple(draft.changes))


def break_rule(seed: bytes | Places, rule: str, random: Random) -> Mutant:
    """An image that breaks a rule, by the patch of one of the vectors that break it.

    Raises:
        Unfit: No such patch fits the image.
        KeyError: No rule has this id.
    """
    places = _handle(seed)
    for vector in _recipes(rule, random):
        draft = Draft(places)
        try:
            apply(draft, vector.patch)
        except Unfit:
            continue
        if _is_broken(draft, rule):
            return Mutant(bytes(draft.data), (vector.id,), tuple(draft.changes))
    raise Unfit(f"no vector that breaks {rule} fits the image")


def break_rules(seed: bytes | Places, rules: Iterable[str], random: Random) -> Mutant:
    """An image that breaks several rules, unless one broken rule hides another.

    Raises:
        Unfit: The patches do not fit the image, or not together.
        KeyError: No rule has such an id.
    """
    # The last rule is broken first: a broken header hides the rest from later patches.
    order = {rule: number for number, rule in enumerate(BY_ID)}
    made = Mutant(_handle(seed).data, (), ())
    for rule in sorted(set(rules), key=order.__getitem__, reverse=True):
        again = break_rule(made.data, rule, random)
        made = Mutant(again.data, made.mutations + again.mutations, made.changes + again.changes)
    return made


def _handle(seed: bytes | Places) -> Places:
    return seed if isinstance(seed, Places) else Places(seed)


def _changed(draft: Draft, drawn: Mutation, random: Random) -> str | None:
    """Apply a mutation; its name, or None if it did not fit or changed nothing."""
    before = len(draft.changes)
    try:
        with draft.all_or_nothing():
            name = drawn.change(draft, random) or drawn.name
    except Unfit:
        return None
    return name if len(draft.changes) > before else None


def _recipes(rule: str, random: Random) -> list[vectors.Vector]:
    """The vectors that break a rule, shuffled; those without a patch come last."""
    if rule not in BY_ID:
        raise KeyError(rule)
    found = list(vectors.breaking(rule))
    random.shuffle(found)
    return sorted(found, key=lambda vector: not vector.patch)


def _is_broken(draft: Draft, rule: str) -> bool:
    """Whether the rule is broken now; for rules that are judged later, whether the patch fits."""
    if BY_ID[rule].judged != "opening":
        return bool(draft.changes) and BY_ID[rule].versions.count(draft.base.version) > 0
    taken_for = str(draft.base.image.format)
    if taken_for not in BY_ID[rule].formats:
        return False
    return any(found.rule == rule for found in judge(bytes(draft.data), taken_for).judge.findings)
